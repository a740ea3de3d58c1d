"""Every weight card that zsavs has: found through the registry, so that none can be forgotten."""

from __future__ import annotations

import sys

from zsavs.errors import BrokenInstallation
from zsavs.registry import ROLES, find_component, list_components
from zsavs.storage.weights import WeightCard

__all__ = ["component_cards", "find_card", "known_cards", "plain_name"]

#: What stands in front of a repository in the address of its page.
_PAGES = ("huggingface.co/", "hf.co/")


def known_cards() -> dict[str, WeightCard]:
    """Cards by their checkpoint's name in the component that loads it: a repository, a tag or a file.

    Those of a package that cannot be imported are left out.
    """
    cards: dict[str, WeightCard] = {}
    for role in ROLES:
        for name in list_components(role):
            cards |= component_cards(role, name)
    return cards


def component_cards(role: str, name: str) -> dict[str, WeightCard]:
    """Cards of the checkpoints that a component is known to load, by their names in it.

    Returns:
        Nothing for a component without weights, and for one of a package that cannot be imported.

    Raises:
        UnknownName: no such role or component.
    """
    try:
        component = find_component(role, name)
    except BrokenInstallation:
        return {}
    return dict(getattr(sys.modules[component.__module__], "CARDS", {}))


def find_card(name: str) -> WeightCard | None:
    """The card of a checkpoint, however somebody writes its name.

    Args:
        name: its repository, the address of its file or of its page, its tag, its file's name, or ``component:`` and
            any of these; in any letters, with or without a slash at the end.

    Returns:
        None where zsavs has no such card.
    """
    cards: dict[str, WeightCard] = {}
    for key, card in known_cards().items():
        cards |= {plain_name(key).lower(): card, plain_name(card.source).lower(): card}
    plain = plain_name(name).lower()
    return cards.get(plain) or cards.get(plain_name(plain.partition(":")[2]))


def plain_name(name: str) -> str:
    """A name as zsavs writes it: ``org/name`` for the address of a page on the hub, no slash at the end, no query."""
    plain = name.strip().partition("?")[0].partition("#")[0].rstrip("/")
    bare = plain.partition("://")[2] or plain
    page = next((bare[len(host) :] for host in _PAGES if bare.lower().startswith(host)), None)
    if page is None:
        return plain
    parts = page.split("/")
    # The address of a page of its files, and not of one file, which is fetched alone.
    return page if len(parts) <= 2 else "/".join(parts[:2]) if parts[2] in ("tree", "commits", "discussions") else plain

"""Fetching checkpoints into the hub cache: from the network, or a mirror of the user's.

Only ``zsavs download`` asks for it, and ``zsavs demo`` after a yes.

``ZSAVS_MIRROR`` stands in place of the network for all that is fetched; where it is set, no other address is asked. It
is one of

- an address, ``http(s)://host/path``: a single file is fetched from ``http(s)://host/path/NAME``, and a hub repository
  as if that address were the hub's, as with ``HF_ENDPOINT``;
- a folder, which needs no network and so heeds no ``HF_HUB_OFFLINE``: the file ``NAME`` is copied from it. A hub
  repository is not copied into the hub's cache, as it has a layout of its own there; the error names the folder that
  can be given as checkpoint as it is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from zsavs.errors import MissingWeights, WeightsError
from zsavs.storage.files import is_there
from zsavs.storage.hub import Listing, fetch_repository, list_repository
from zsavs.storage.hub_errors import LOGIN
from zsavs.storage.single_file import fetch_file
from zsavs.storage.weights import (
    SHIPPED,
    WeightCard,
    cache_folder,
    file_places,
    format_mb,
    is_address,
    is_local,
    locate,
)

__all__ = ["conditions", "describe", "download", "download_all", "find_mirror", "has_to_be_accepted", "unknown_card"]

_UNKNOWN = "not known to zsavs"


def unknown_card(source: str) -> WeightCard:
    """The card of a checkpoint that zsavs has none of: its licence has to be read, and accepted, by the user."""
    return WeightCard(source, _UNKNOWN, 0, "unknown", verified="no card")


def has_to_be_accepted(card: WeightCard) -> bool:
    """Whether a licence keeps commercial users out, or is one that zsavs does not know: nothing is fetched before."""
    return card.is_restricted or card.licence == _UNKNOWN


def find_mirror() -> str | Path | None:
    """What ``ZSAVS_MIRROR`` names in place of the network: an address without a slash at its end, or a folder.

    Returns:
        None where it is not set, or empty.

    Raises:
        MissingWeights: it names neither.
    """
    named = os.environ.get("ZSAVS_MIRROR", "").strip()
    if not named:
        return None
    if named.startswith(("http://", "https://")):
        return named.rstrip("/")
    try:
        folder = Path(named).expanduser()
    except RuntimeError:  # a ~ without a home
        folder = Path(named)
    if not is_there(folder, folder=True):
        raise MissingWeights(
            f"ZSAVS_MIRROR={named}: no such folder. Set it to a folder that holds the files, or to an address that "
            f"begins with http:// or https://; or unset it, to fetch from the network."
        )
    return folder


def describe(card: WeightCard) -> str:
    """What there is to know of a checkpoint before it is fetched, in a line: size and licence by its card, and by the
    hub's list of its files what is still to fetch.

    Where the hub cannot be asked, the line says so; for one that zsavs has no card of, that is an error, as there is
    nothing else to know.

    Raises:
        MissingWeights: ``ZSAVS_MIRROR`` names no mirror, or as above.
    """
    mirror = find_mirror()
    try:
        listing = _listing(card, mirror)
    except MissingWeights:
        if card.licence == _UNKNOWN:
            raise
        return f"{_header(card)}; the hub could not be asked what is missing"
    return f"{_header(card)}; {_said_of(listing)}" if listing else _header(card)


def conditions(card: WeightCard) -> list[str]:
    """What a licence of its own asks, and who is let into a gated repository and how: a line for each, or none."""
    lines = [f"  {card.licence}: {card.terms}"] if card.terms else []
    if card.gate:
        lines.append(
            f"  gated: ask for access at https://huggingface.co/{card.source} (it asks for {card.gate}), and log in "
            f"with: {LOGIN}"
        )
    return lines


def _header(card: WeightCard) -> str:
    if card.source.startswith(SHIPPED):
        return f"{card.source}: ships with zsavs, licence {card.licence}; nothing to fetch"
    size = f"about {format_mb(card.size_mb)} MB" if card.size_mb else "size unknown"
    return f"{card.source} (revision {card.revision}): {size}, licence {card.licence} ({card.verified})"


def _listing(card: WeightCard, mirror: str | Path | None) -> Listing | None:
    """What the hub, or an address in its place, lists of a repository; None for what is no repository to ask for.

    Raises:
        MissingWeights: as :func:`~zsavs.storage.hub.list_repository`.
    """
    if card.source.startswith(SHIPPED) or is_address(card.source) or isinstance(mirror, Path):
        return None
    return list_repository(card, mirror)


def _said_of(listing: Listing) -> str:
    """What the hub says of a repository: what is still to fetch, and of one that zsavs has no card of, its page."""
    missing = listing.missing()
    size = sum(file.size for file in missing.values())
    fetch = f"{len(missing)} of {len(listing.files)} files to fetch" if missing else "all of it is here"
    if size:
        fetch += f", {format_mb(max(size / 1e6, 0.001))} MB"
    if listing.card.licence != _UNKNOWN:
        return fetch
    tag = f"licence {listing.licence}" if listing.licence else "no licence"
    return f"its page says: {tag}, {'gated' if listing.gated else 'not gated'}; {fetch}"


def download(card: WeightCard, say: Callable[[str], None] = print, *, accept_license: bool = False) -> Path:
    """Fetch a checkpoint into the hub cache, after telling its size and licence.

    Args:
        card: what to fetch; ``card.source`` is the hub repository, or the address of a file.
        say: called with each line to show.
        accept_license: the user has read and accepts a licence that is non-commercial, or that zsavs does not know;
            others need no such word.

    Raises:
        MissingWeights: the hub, the server or the mirror cannot be reached, or has no such repository, revision or
            file.
        WeightsError: the licence is not accepted; there is no room on the disk; the download broke off: run it again,
            and it fetches only what is missing; a file has another checksum than on the hub or in the card.
    """
    return download_all([card], say, accept_license=accept_license)[0]


def download_all(
    cards: Sequence[WeightCard], say: Callable[[str], None] = print, *, accept_license: bool = False
) -> list[Path]:
    """Fetch several checkpoints; nothing is fetched before every licence is accepted and the disk has room for all.

    Args:
        cards, say, accept_license: as :func:`download`.

    Returns:
        Where each is.

    Raises:
        MissingWeights, WeightsError: as :func:`download`.
    """
    for card in cards:
        if has_to_be_accepted(card) and not accept_license:
            say(_header(card) if card.is_restricted else describe(card))
            why = "allows non-commercial use only" if card.is_restricted else "may forbid what you want to do"
            raise WeightsError(
                f"{card.source}: nothing is fetched, as its licence {card.licence} {why} and has to be accepted "
                f"first; read it, and run the same command with --accept-license."
            )
    mirror = find_mirror()
    listings: list[Listing | None] = []
    for card in cards:
        say(_header(card))
        for line in conditions(card):
            say(line)
        listing = _listing(card, mirror)
        if listing:
            say(f"  {_said_of(listing)}")
        listings.append(listing)
    _check_room(sum(_bytes_to_come(card, listing) for card, listing in zip(cards, listings, strict=True)))
    folders = []
    for card, listing in zip(cards, listings, strict=True):
        folders.append(_fetched(card, listing, mirror, say))
        say(f"  in {folders[-1]}")
    return folders


def _fetched(card: WeightCard, listing: Listing | None, mirror: str | Path | None, say: Callable[[str], None]) -> Path:
    """Where a checkpoint is, after it was fetched."""
    if card.source.startswith(SHIPPED):
        return locate(card.source)
    if listing is not None:
        return fetch_repository(listing, say)
    if is_address(card.source):
        return fetch_file(card, mirror, say)
    assert isinstance(mirror, Path)
    return _find_beside(card, mirror)


def _bytes_to_come(card: WeightCard, listing: Listing | None) -> int:
    """How many bytes of a checkpoint are not on this machine, as far as anybody says."""
    if listing is not None:
        return sum(file.size for file in listing.missing().values())
    if not is_address(card.source):
        return 0
    path = file_places(card.source)[-1]
    if is_there(path):
        return 0
    part = path.with_name(f"{path.name}.part")
    return max(0, int(card.size_mb * 1e6) - (part.stat().st_size if is_there(part) else 0))


def _check_room(needed: int) -> None:
    """Refuse what the disk of the hub cache has no room for.

    Raises:
        WeightsError: saying how much is needed and how much there is.
    """
    folder = next(place for place in (cache_folder(), *cache_folder().absolute().parents) if is_there(place))
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise WeightsError(
            f"{cache_folder()}: {format_mb(needed / 1e6)} MB are to be fetched, and {format_mb(free / 1e6)} MB are "
            f"free; nothing was fetched. Free some there, or set HF_HOME to a place with room."
        )


def _find_beside(card: WeightCard, mirror: Path) -> Path:
    """The repository in the hub cache, where it is; else the error that says what to do with the mirror's folder."""
    if is_local(card.source, card.revision):
        return locate(card.source, card.revision)
    places = [mirror / card.source, mirror / card.source.rpartition("/")[2]]
    found = next((place for place in places if is_local(place.absolute())), None)
    if found is None:
        raise MissingWeights(
            f"{card.source}: the mirror ZSAVS_MIRROR={mirror} has no weights of it, looked in "
            f"{' and '.join(map(str, places))}. Put a copy of the repository there, or unset ZSAVS_MIRROR to fetch it."
        )
    raise WeightsError(
        f"{card.source}: a repository is not copied from the folder of a mirror; use it where it is, and give "
        f"{found.absolute()} as checkpoint instead of the name {card.source}."
    )

"""COCO-ESC: images of COCO, each with an audio clip of ESC-50, as ``tools/pairs`` of the repository pairs them.

Layout: that of :mod:`zsavs.datasets.folder`, and ``pairs.csv`` with a row for each pair (``python -m tools.pairs``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zsavs.datasets.base import Item
from zsavs.datasets.folder import Folder
from zsavs.datasets.layout import folder_content
from zsavs.datasets.metadata import read_table
from zsavs.errors import InputError, UnknownName
from zsavs.storage.files import is_there

__all__ = ["KINDS", "CocoEsc", "Pair"]

#: What a pair can be: the source is in view; it is not; the sound has no source that could be pointed at, such as rain.
KINDS = ("positive", "offscreen", "ambient")
_LIST = "pairs.csv"


class Pair(NamedTuple):
    """A row of the list.

    Args:
        kind: one of :data:`KINDS`.
        label: the source in view; of the other kinds what could have made the sound, or "".
    """

    kind: str
    label: str

    @property
    def condition(self) -> str:
        """The condition of the suite "robust": the source of an ambient sound is not in view either."""
        return "positive" if self.kind == "positive" else "offscreen"


class CocoEsc(Folder):
    """Pairs of an image and an audio clip by their classes, and negatives in which nothing in view sounds.

    Args:
        root: the folder with ``pairs.csv``.
        split: "test"; a folder has no other.
        kinds: some of :data:`KINDS`.

    Target: the mask at the image's size, all segments of the label, empty for negatives; category, the label of a
    positive and the kind of a negative; sources, the label of a positive; condition, "positive" or "offscreen". An id
    is the file name without its extension; items are sorted by it.

    Attributes:
        pairs: by id, kind and label of each pair that is kept.

    Raises:
        UnknownName: no such split or kind.
        InputError: a folder or the list is missing, they do not name the same pairs, or none is of the kinds.
    """

    name = "coco_esc"
    suite = "robust"

    def __init__(self, root: str | os.PathLike[str], *, split: str = "test", kinds: Sequence[str] = KINDS) -> None:
        super().__init__(root, split=split)
        for kind in kinds:
            if kind not in KINDS:
                raise UnknownName(f"kind of pairs of the data set {self.name!r}", kind, KINDS)
        path = self.root / _LIST
        self.annotations = (path,)
        listed = _read_list(path)
        _compare(path, "image", listed.keys() - self._items.keys())
        _compare(path, "row", self._items.keys() - listed.keys())
        self.pairs: Mapping[str, Pair] = {item: listed[item] for item in self._items if listed[item].kind in kinds}
        self._items = {item: self._items[item] for item in self.pairs}
        if not self.pairs:
            raise InputError(f"{path}: expected pairs of the kinds {', '.join(kinds) or '(none named)'}; found none.")

    def load(self, item: str) -> Item:
        """Read one image with its audio; see :meth:`Reader.load`.

        Raises:
            InputError: also where the mask is not what the kind of the pair says.
        """
        loaded = super().load(item)
        kind = self.pairs[item].kind
        if loaded.target.mask.any() != (kind == "positive"):
            found = "empty" if kind == "positive" else "not empty"
            raise InputError(f"{self.files(item)[2]}: the mask is {found}, and {_LIST} calls the pair {kind!r}.")
        return loaded

    def _facts(self, item: str) -> dict[str, Any]:
        pair = self.pairs[item]
        sources = (pair.label,) if pair.kind == "positive" else ()
        named = {"category": pair.label if sources else pair.kind, "sources": sources, "condition": pair.condition}
        return super()._facts(item) | named


def _read_list(path: Path) -> dict[str, Pair]:
    """The pairs by name.

    Raises:
        InputError: no such file, or it is not such a list.
    """
    if not is_there(path):
        raise InputError(
            f"{path}: no such file; {path.parent} holds {folder_content(path.parent)}. 'python -m tools.pairs' writes "
            f"it; a folder without it is read as the data set 'folder'."
        )
    pairs: dict[str, Pair] = {}
    for name, kind, label in read_table(path, ("name", "kind", "label")):
        if kind not in KINDS:
            raise InputError(f"{path}: {name!r} is of the kind {kind!r}; expected {', '.join(KINDS)}.")
        if name in pairs:
            raise InputError(f"{path}: {name!r} is there twice.")
        if kind == "positive" and not label:
            raise InputError(f"{path}: {name!r} is a positive without a label.")
        pairs[name] = Pair(kind, label)
    return pairs


def _compare(path: Path, what: str, lost: set[str]) -> None:
    """Raise InputError where pairs have no image or no row."""
    if lost:
        raise InputError(f"{path}: no {what} for {len(lost)} pairs, first {min(lost)!r}; build the folder again.")

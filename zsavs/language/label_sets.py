"""Class lists, palettes and splits of the benchmarks, kept as data in ``zsavs/data/labels``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import UnknownName

__all__ = [
    "LABEL_SETS",
    "LabelSet",
    "avss_classes",
    "avss_palette",
    "label_set",
    "open_vocabulary_ids",
    "robust_groups",
    "s4_sources",
    "synonyms_of",
    "v3_unseen",
    "vpo_classes",
    "vpo_table",
]

#: Label of target pixels that do not count.
IGNORE = 255

#: Names of the label sets that ship with zsavs.
LABEL_SETS = ("avss", "vpo", "coco")


class LabelSet(NamedTuple):
    """The classes of a benchmark.

    Args:
        name: one of ``LABEL_SETS``.
        classes: names by id, background first.
        synonyms: other words for a class, with its name; a word with the background's name has no class. The spelling
            of the benchmark's own categories is among them; the rest are everyday words, no list of anybody's.
    """

    name: str
    classes: tuple[str, ...]
    synonyms: Mapping[str, str]


@cache
def label_set(name: str) -> LabelSet:
    """A label set by name: "avss" (71 classes), "vpo" (22) or "coco" (81), each with the background.

    Raises:
        UnknownName: there is none.
    """
    if name not in LABEL_SETS:
        raise UnknownName("label set", name, LABEL_SETS)
    classes = tuple(entry["name"] for entry in _data(name)["classes"])
    return LabelSet(name, classes, {**_data(name)["synonyms"], **_data(name).get("sources_of_s4", {})})


def synonyms_of(classes: Sequence[str]) -> Mapping[str, str]:
    """The synonyms of the label set that these are the classes of, in any order; none for other classes."""
    known = (label_set(name) for name in LABEL_SETS)
    return next((each.synonyms for each in known if set(each.classes) == set(classes)), {})


@cache
def _data(name: str) -> dict[str, Any]:
    text = (resources.files("zsavs") / "data" / "labels" / f"{name}.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def avss_classes() -> tuple[str, ...]:
    """The 71 classes of AVSBench-semantic as published, background first."""
    return label_set("avss").classes


@cache
def avss_palette() -> NDArray[np.uint8]:
    """(71, 3) uint8, read-only: the colour of each class id in ``labels_rgb``."""
    colours = np.array([entry["rgb"] for entry in _data("avss")["classes"]], np.uint8)
    colours.flags.writeable = False
    return colours


def s4_sources() -> Mapping[str, str]:
    """Category of AVSBench-S4 -> class of AVSBench-semantic; 23 of them."""
    categories: dict[str, str] = _data("avss")["sources_of_s4"]
    return categories


def open_vocabulary_ids(classes: Sequence[str]) -> tuple[list[int], list[int]]:
    """The base (40) and novel (30) classes of AVSBench-OV as ids.

    Args:
        classes: names by id, those of the data set at hand; a class that is not among them is left out.

    Returns:
        Two sorted lists, as the suite "open_vocabulary" takes them.
    """
    ids = {name: k for k, name in enumerate(classes)}
    base, novel = (sorted(ids[name] for name in _data("avss")[key] if name in ids) for key in ("ov_base", "ov_novel"))
    return base, novel


def v3_unseen() -> frozenset[str]:
    """The 14 classes that AVS-V3 (GAVS) keeps out of training."""
    return frozenset(_data("avss")["v3_unseen"])


def vpo_classes() -> tuple[str, ...]:
    """The 22 classes of VPO, background first."""
    return label_set("vpo").classes


@cache
def vpo_table() -> NDArray[np.int16]:
    """(256,) value in a VPO mask -> class id; 255 stays, and -1 stands for a value that no mask should hold."""
    table = np.full(256, -1, np.int16)
    for entry in _data("vpo")["classes"]:
        table[entry["mask_value"]] = entry["id"]
    table[_data("vpo")["ignore"]] = IGNORE
    table.flags.writeable = False
    return table


def robust_groups(dataset: str) -> tuple[dict[str, str], Mapping[str, str]]:
    """How AVSBench-Robust chooses off-screen sounds.

    Args:
        dataset: "s4" (categories) or "ms3" (classes).

    Returns:
        The group of each category, and for a group the other one that it must not be paired with.
    """
    entry = _data("robust")[dataset]
    return {member: group for group, members in entry["groups"].items() for member in members}, entry["avoid"]

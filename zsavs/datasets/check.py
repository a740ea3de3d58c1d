"""Checks whether a data set is complete: counts its items and files, and compares with the published numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zsavs.datasets.base import Counts, Reader
from zsavs.errors import InputError
from zsavs.storage.files import is_there

__all__ = ["CheckReport", "SplitCheck", "check"]

#: How many problems of a split are listed.
_EXAMPLES = 5


@dataclass(frozen=True)
class SplitCheck:
    """What was found of one split.

    Args:
        split: its name.
        found: items and groups in the lists; items with an empty target if everything was decoded.
        full: likewise items whose target is every pixel, which a mask that is read the wrong way often is.
        published: the published numbers, None where there are none.
        missing: number of files that the lists name and that are not there.
        broken: number of items that cannot be decoded, or for which a condition has no audio.
        problems: the first of either, or why the split cannot be opened.
    """

    split: str
    found: Counts
    published: Counts
    missing: int = 0
    broken: int = 0
    problems: tuple[str, ...] = ()
    full: int | None = None

    @property
    def ok(self) -> bool:
        """Whether everything is there, and as much as was published."""
        same = (p in (None, f) or f is None for f, p in zip(self.found, self.published, strict=True))
        return not self.problems and all(same)


@dataclass(frozen=True)
class CheckReport:
    """What was found of a data set; ``str()`` is a table to read."""

    dataset: str
    root: str
    splits: tuple[SplitCheck, ...] = field(default_factory=tuple)

    @property
    def ok(self) -> bool:
        """Whether every split is complete."""
        return all(split.ok for split in self.splits)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        splits = [
            asdict(split) | {"found": split.found._asdict(), "published": split.published._asdict(), "ok": split.ok}
            for split in self.splits
        ]
        return {"dataset": self.dataset, "root": self.root, "ok": self.ok, "splits": splits}

    def __str__(self) -> str:
        lines = [
            f"{self.dataset} in {self.root}",
            f"{'split':<8}{'items':>18}{'groups':>18}{'empty':>18}{'full':>8}  files",
        ]
        for split in self.splits:
            counts = (_compared(f, p) for f, p in zip(split.found, split.published, strict=True))
            full = "-" if split.full is None else str(split.full)
            files = "complete" if not split.missing else f"{split.missing} missing"
            files = "not opened" if split.found.items is None else files
            broken = f", {split.broken} broken items" if split.broken else ""
            lines.append(
                f"{split.split:<8}" + "".join(f"{text:>18}" for text in counts) + f"{full:>8}  {files}{broken}"
            )
            lines += [f"  {problem}" for problem in split.problems]
        return "\n".join(lines)


def check(
    dataset: type[Reader],
    root: str | os.PathLike[str],
    *,
    decode: bool = False,
    on_item: Callable[[], Any] = lambda: None,
    **options: Any,
) -> CheckReport:
    """Open every split of a data set and see whether the files of its items are there.

    Nothing is raised over an incomplete data set: that is what the report says.

    Args:
        dataset: a reader, for example ``zsavs.datasets.avsbench.S4``.
        root: the folder.
        decode: read every item as well, and count empty and full targets; takes as long as it takes.
        on_item: called after each item.
        options: for the reader; ``split`` checks only that one.
    """
    splits: Sequence[str] = (options.pop("split"),) if "split" in options else dataset.splits
    found = tuple(_check_split(dataset, root, split, decode, on_item, options) for split in splits)
    return CheckReport(dataset.name, os.fspath(root), found)


def _check_split(
    dataset: type[Reader],
    root: str | os.PathLike[str],
    split: str,
    decode: bool,
    on_item: Callable[[], Any],
    options: dict[str, Any],
) -> SplitCheck:
    published = dataset.published.get(split, Counts())
    build: Callable[..., Reader] = dataset
    try:
        reader = build(root, split=split, **options)
    except InputError as error:
        return SplitCheck(split, Counts(), published, problems=(str(error),))
    problems: list[str] = []
    missing = broken = empty = full = 0
    before: set[Path] = set()
    for item in reader:
        try:
            files = reader.files(item)
            absent = [path for path in files if not is_there(path)]
            # The frames of a video share its audio file, which is counted once.
            fresh = [path for path in absent if path not in before]
            missing, before = missing + len(fresh), set(files)
            problems += [f"{path}: missing" for path in fresh]
            if decode and not absent:
                mask = reader.load(item).target.mask
                empty, full = empty + (not mask.any()), full + bool(mask.all())
        except InputError as error:
            broken += 1
            problems.append(str(error))
        problems = list(dict.fromkeys(problems))[:_EXAMPLES]
        on_item()
    found = Counts(len(reader), reader.group_count(), empty if decode else None)
    return SplitCheck(split, found, published, missing, broken, tuple(problems), full if decode else None)


def _compared(found: int | None, published: int | None) -> str:
    """A count, with the published one behind it."""
    known = "-" if found is None else str(found)
    return known if published is None else f"{known} of {published}"

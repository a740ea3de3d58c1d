"""Whether a folder holds every file that a model's loader needs. Knows no model by name, and imports next to nothing.

A need is a text. Files that are needed together are joined by " + ", and " | " stands between alternatives, in the
order in which the loader looks for them: ``"tokenizer.json | vocab.json + merges.txt"``. A name with a ``*`` stands for
any file of that kind. The index of weights in shards (``*.index.json``) needs the shards that it names. An empty file,
and a link to a file that is gone, are not there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["FORMATS", "approximate_mb", "is_whole", "lacking"]

#: Formats of the same tensors, best first: one of them is fetched, never two.
FORMATS = (".safetensors", ".bin", ".pt", ".pth")

#: The texts of a checkpoint that count, about as large as published ones are, in units of 10**6 bytes.
_TEXTS_MB = {"tokenizer.json": 2.1, "vocab.json": 0.9, "merges.txt": 0.5, "vocab.txt": 0.23}
_OTHER_TEXT_MB = 0.01


def lacking(folder: Path, needs: Sequence[str]) -> list[str]:
    """What a folder lacks.

    Args:
        folder: of a checkpoint.
        needs: all that its loader needs, as above.

    Returns:
        The names of the files, each as a person would read it: "merges.txt", "vocab.json (empty)"; where nothing of
        several alternatives is there, all of them: "tokenizer.json or vocab.json + merges.txt". Empty if the folder
        is whole. What may not be looked at is not there.
    """
    return list(dict.fromkeys(name for need in needs for name in _lacking(folder, need)))


def is_whole(path: Path) -> bool:
    """Whether a path is a file that is there, of itself or behind a link, and holds at least a byte."""
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def approximate_mb(names: Sequence[str], size_mb: float) -> float:
    """About how much there is to fetch of what :func:`lacking` names, in units of 10**6 bytes.

    Args:
        names: what is lacking.
        size_mb: of the whole checkpoint, 0 where it is not known.

    Returns:
        The whole size where weights are among it, which for lacking shards is the most that it can be; 0 where that is
        not known. Else the usual size of such texts.
    """
    files = [file for name in names for file in re.split(r" or | \+ | \(", name)]
    if any(file.endswith(FORMATS) for file in files):
        return size_mb
    return sum(_TEXTS_MB.get(file, _OTHER_TEXT_MB) for file in files)


def _lacking(folder: Path, need: str) -> list[str]:
    """What a folder lacks of one need: the alternative that is begun, or else all of them."""
    alternatives = [alternative.split(" + ") for alternative in need.split(" | ")]
    begun: list[list[str]] = []
    for names in alternatives:
        lacks = [lack for name in names for lack in _lacking_for(folder, name)]
        if not lacks:
            return []
        if any(lack.endswith("(empty)") or lack not in names for lack in lacks):
            return lacks  # an empty file, or an index without its shards: the loader takes it and fails
        if any(os.path.lexists(folder / name) for name in names):
            begun.append(lacks)
    if begun:
        return min(begun, key=len)
    usual = [" + ".join(names) for names in alternatives if not any(name.endswith(".index.json") for name in names)]
    return [" or ".join(usual)]


def _lacking_for(folder: Path, name: str) -> list[str]:
    """What a folder lacks of one file: its name, or the shards that it is the index of."""
    try:
        found = sorted(folder.glob(name)) if "*" in name else [folder / name]
        whole = [path for path in found if is_whole(path)]
        if not whole:
            empty = [path for path in found if path.is_file()]
            return [f"{empty[0].name} (empty)" if empty else name]
    except OSError:
        return [name]
    if not name.endswith(".index.json"):
        return []
    return [shard for shard in _shards(whole[0]) if not is_whole(folder / shard)]


def _shards(index: Path) -> list[str]:
    """The files that an index names; the index itself where it cannot be read."""
    import json

    from zsavs.storage.files import read_text

    try:
        named = json.loads(read_text(index))["weight_map"].values()
        return sorted({str(shard) for shard in named})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [f"{index.name} (unreadable)"]

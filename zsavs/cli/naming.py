"""What the files of an answer are called: after the image and the audio, and never as those of other files are."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["free_stem", "inputs_of", "named_after"]

#: Of an image's or an audio file's name: with a strategy's behind both, most file systems take it.
_LONGEST = 80


def named_after(image: str, audio: str) -> str:
    """The name of an image and its audio; one for both where they are called the same."""
    one, other = (Path(path).stem[:_LONGEST] for path in (image, audio))
    return one if one.casefold() == other.casefold() else f"{one}_{other}"


def inputs_of(**files: str | None) -> dict[str, str]:
    """The files that an answer is to, by what they are, as entries of its JSON: where they are on this machine."""
    return {kind: str(Path(path).expanduser().absolute()) for kind, path in files.items() if path}


def free_stem(folder: Path, stem: str, inputs: Any, taken: set[str], endings: Sequence[str] = ("",)) -> str:
    """What the names of files begin with that replace no answer to other files: the stem, or with a number behind it.

    Args:
        folder: where they are written.
        stem: the first choice.
        inputs: the files that the answer is to, as its JSON file has them, or that of an earlier answer.
        taken: names that are given already, and not written yet; the new ones are added.
        endings: what comes between the stem and ".json", for each answer.
    """
    for number in itertools.count(1):
        free = stem if number == 1 else f"{stem}-{number}"
        names = {f"{free}{ending}" for ending in endings}
        if not names & taken and all(_is_ours(folder / f"{name}.json", inputs) for name in names):
            taken |= names
            return free
    raise AssertionError("there is always another number")


def _is_ours(path: Path, inputs: Any) -> bool:
    """Whether a file is not there, or is an answer to the same files, which may be replaced by a new one."""
    from zsavs.storage.files import is_there, read_text

    if not is_there(path):
        return True
    try:
        value = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError):
        return False
    if isinstance(value, list):  # of several pairs
        return bool([_inputs_in(row) for row in value] == inputs)
    return isinstance(value, dict) and bool(_inputs_in(value.get("meta")) == inputs)


def _inputs_in(value: Any) -> dict[str, str]:
    """The files that an entry of a JSON file names."""
    known = value if isinstance(value, dict) else {}
    return {kind: known[kind] for kind in ("image", "audio", "video") if isinstance(known.get(kind), str)}

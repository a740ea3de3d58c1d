"""The tokenizer that a file of weights lacks: beside the file, or of a repository with the same vocabulary."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsavs.errors import MissingWeights
from zsavs.models.runtime import load_part
from zsavs.storage.completeness import lacking
from zsavs.storage.weights import locate

__all__ = ["Words", "load_words"]


@dataclass(frozen=True)
class Words:
    """A published vocabulary.

    Args:
        class_name: the class of transformers that reads it.
        files: what it is read from, in the words of :mod:`zsavs.storage.completeness`.
        published: the repository that it is from, and the size of those files there in units of 10**6 bytes.
        repositories: those that hold it too, the likeliest first; the first is the one to fetch.
    """

    class_name: str
    files: str
    published: tuple[str, float]
    repositories: Sequence[str]


def load_words(path: Path, words: Words) -> Any:
    """A tokenizer for the file at ``path``: of the folder that it lies in, else of the hub cache.

    Raises:
        MissingWeights: it is in neither; says what to copy from where, and what to fetch.
        WeightsError: it is there and cannot be read.
    """
    for folder in _folders(path, words):
        if not lacking(folder, (words.files,)):
            return load_part(words.class_name, folder)
    source, size_mb = words.published
    raise MissingWeights(
        f"{path}: a file of weights holds no words. Copy {words.files.replace(' | ', ' or ')} of {source} "
        f"({size_mb:g} MB) into {path.parent}, or run: zsavs download {words.repositories[0]}  (it holds the same "
        "words, beside weights)"
    )


def _folders(path: Path, words: Words) -> list[Path]:
    """Where to look."""
    found = [path.parent]
    for repository in (*words.repositories, words.published[0]):
        with contextlib.suppress(MissingWeights):
            found.append(locate(repository))
    return found

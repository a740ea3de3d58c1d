"""An image with its audio, read and answered by each strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from zsavs.cli import console
from zsavs.cli.model_choice import Models
from zsavs.cli.output import add_labels, describe, write_answer

if TYPE_CHECKING:
    from zsavs.types import AVSample

__all__ = ["Answers", "Pair", "answer_pairs", "print_answers", "read_pairs"]

#: What is told of each strategy's answer to one pair, by the strategy's name.
Answers: TypeAlias = dict[str, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Pair:
    """An image with its audio.

    Args:
        image, audio: their files, as they were given.
        sample: what the strategies get.
        stem: what the names of the files that are written begin with.
    """

    image: str
    audio: str
    sample: AVSample
    stem: str


def read_pairs(files: Sequence[tuple[str, str]], label_set: str | None) -> list[Pair]:
    """Read pairs of an image file and an audio file.

    Args:
        files: the pairs.
        label_set: the classes of a label map that is to be written; an unknown one is refused before anything is
            computed.

    Raises:
        UnknownName: no such label set.
        ImageError, AudioError: a file cannot be read.
    """
    from zsavs.language.label_sets import label_set as find_label_set
    from zsavs.types import AVSample

    if label_set:
        find_label_set(label_set)
    samples = [AVSample.from_files(image, audio) for image, audio in files]
    stems = _stems([image for image, _ in files])
    return [Pair(*pair, sample, stem) for pair, sample, stem in zip(files, samples, stems, strict=True)]


def _stems(images: Sequence[str]) -> list[str]:
    """The name of each image, with a number where several are called the same."""
    taken: list[str] = []
    for image in images:
        stem = free = Path(image).stem
        number = 1
        while free in taken:
            number += 1
            free = f"{stem}-{number}"
        taken.append(free)
    return taken


def answer_pairs(
    pairs: Sequence[Pair], names: Sequence[str], models: Models, out: str, label_set: str | None
) -> list[Answers]:
    """Ask each strategy about each pair and write the files of every answer.

    Args:
        pairs: what is asked about.
        names: the strategies.
        models: what they are built with.
        out: folder for the files.
        label_set: the classes of the label map that is written too.

    Returns:
        What is told, for each pair.

    Raises:
        UnknownName, InputError, MissingWeights: as :func:`zsavs.build_pipeline`.
        OutputError: a file cannot be written.
    """
    from zsavs.build import build_pipeline
    from zsavs.storage.files import check_folder

    own_arguments = models.for_each(names)
    told: list[Answers] = [{} for _ in pairs]
    with console.progress("loading models", len(names) * (1 + len(pairs))) as bar:
        for name in names:
            pipe = build_pipeline(name, **own_arguments[name])
            check_folder(Path(out))
            bar.advance()
            bar.describe(f"running {name}")
            for pair, own in zip(pairs, told, strict=True):
                stem = pair.stem if len(names) == 1 else f"{pair.stem}_{name}"
                result = pipe(pair.sample)
                own[name] = write_answer(result, pair.sample, out, stem, f"{name} · {models.preset}")
                if label_set:
                    add_labels(own[name], result, pipe.verifier, label_set, out, stem)
                bar.advance()
    return told


def print_answers(answers: Answers, preset: str) -> None:
    """Print what each strategy answered to one pair."""
    for name, answer in answers.items():
        console.answer(f"{name} ({preset})")
        for line in describe(answer):
            console.answer(f"  {line}")

"""Images with their audio, read and answered by each strategy; one that fails costs itself alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from zsavs.cli import console
from zsavs.cli.model_choice import Models
from zsavs.cli.output import add_labels, describe, write_answer
from zsavs.errors import OutputError, reason

if TYPE_CHECKING:
    from zsavs.pipeline import Pipeline
    from zsavs.types import AVSample

__all__ = ["Answers", "Pair", "answer_pairs", "failures", "print_answers", "read_pairs"]

#: What is told of each strategy's answer to one pair, by the strategy's name; ``{"error": why}`` where there is none.
Answers: TypeAlias = dict[str, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Pair:
    """An image with its audio.

    Args:
        image, audio: their files, as they were given.
        stem: what the names of the files that are written begin with.
        sample: what the strategies get; None where a file cannot be read.
        error: why, in that case.
    """

    image: str
    audio: str
    stem: str
    sample: AVSample | None
    error: str = ""

    def __str__(self) -> str:
        return f"{self.image} + {self.audio}"


def read_pairs(files: Sequence[tuple[str, str]], label_set: str | None) -> list[Pair]:
    """Read pairs of an image file and an audio file; of several, those that cannot be read say why.

    Args:
        files: the pairs.
        label_set: the classes of a label map that is to be written; an unknown one is refused before anything is
            computed.

    Raises:
        UnknownName: no such label set.
        ImageError, AudioError: a file cannot be read, of the only pair that there is.
    """
    from zsavs.language.label_sets import label_set as find_label_set

    if label_set:
        find_label_set(label_set)
    stems = _stems([image for image, _ in files])
    return [_read(*pair, stem, alone=len(files) == 1) for pair, stem in zip(files, stems, strict=True)]


def _read(image: str, audio: str, stem: str, alone: bool) -> Pair:
    from zsavs.types import AVSample

    try:
        return Pair(image, audio, stem, AVSample.from_files(image, audio))
    except Exception as error:
        if alone:
            raise
        return Pair(image, audio, stem, None, reason(error))


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
        What is told, for each pair; of one that cannot be read, nothing.

    Raises:
        UnknownName, InputError, MissingWeights: as :func:`zsavs.build_pipeline`, of the only strategy.
        OutputError: a file cannot be written.
        ZsavsError: the only strategy has no answer to the only pair.
    """
    from zsavs.build import build_pipeline
    from zsavs.storage.files import check_folder

    own_arguments = models.for_each(names)
    told: list[Answers] = [{} for _ in pairs]
    readable = [(pair, own) for pair, own in zip(pairs, told, strict=True) if pair.sample is not None]
    with console.progress("loading models", len(names) * (1 + len(readable))) as bar:
        for name in names:
            try:
                pipe = build_pipeline(name, **own_arguments[name])
            except Exception as error:
                if len(names) == 1:
                    raise
                for _, own in readable:
                    own[name] = {"error": reason(error)}
                continue
            check_folder(Path(out))
            bar.advance()
            bar.describe(f"running {name}")
            for pair, own in readable:
                stem = pair.stem if len(names) == 1 else f"{pair.stem}_{name.replace(':', '.')}"
                try:
                    own[name] = _answer(pipe, pair.sample, out, stem, f"{name} · {models.preset}", label_set)
                except OutputError:  # what cannot be written now cannot be written for the next pair either
                    raise
                except Exception as error:
                    if len(pairs) == len(names) == 1:
                        raise
                    own[name] = {"error": reason(error)}
                bar.advance()
    return told


def _answer(
    pipe: Pipeline, sample: AVSample | None, out: str, stem: str, title: str, label_set: str | None
) -> dict[str, Any]:
    """Ask about a sample, and write the files of the answer; what is told of it."""
    assert sample is not None, "it was read"
    result = pipe(sample)
    told = write_answer(result, sample, out, stem, title)
    if label_set:
        add_labels(told, result, pipe.verifier, label_set, out, stem)
    return told


def failures(pairs: Sequence[Pair], told: Sequence[Answers]) -> list[str]:
    """A line for each pair that could not be read, and for each strategy that has no answer to a pair."""
    lines = []
    for pair, answers in zip(pairs, told, strict=True):
        failed = [f"{name}: {answer['error']}" for name, answer in answers.items() if "error" in answer]
        lines += [f"{pair}: {why}" for why in ([pair.error] if pair.error else failed)]
    return lines


def print_answers(answers: Answers, preset: str) -> None:
    """Print what each strategy answered to one pair."""
    for name, answer in answers.items():
        console.answer(f"{name} ({preset})")
        for line in [f"failed: {answer['error']}"] if "error" in answer else describe(answer):
            console.answer(f"  {line}")

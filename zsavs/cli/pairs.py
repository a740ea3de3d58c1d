"""Images with their audio, read and answered by each strategy; one that fails costs itself alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from zsavs.cli import console
from zsavs.cli.model_choice import Models
from zsavs.cli.naming import free_stem, inputs_of, named_after
from zsavs.cli.output import add_labels, describe, write_answer
from zsavs.errors import OutputError, reason

if TYPE_CHECKING:
    from zsavs.pipeline import Pipeline
    from zsavs.types import AVSample

__all__ = ["Answers", "Pair", "answer_pairs", "failures", "name_pairs", "print_answers", "read_pairs"]

#: What is told of each strategy's answer to one pair, by the strategy's name; ``{"error": why}`` where there is none.
Answers: TypeAlias = dict[str, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Pair:
    """An image with its audio.

    Args:
        image, audio: their files, as they were given.
        sample: what the strategies get; None where a file cannot be read.
        error: why, in that case.
        stem: what the names of the files that are written begin with, see :func:`name_pairs`.
    """

    image: str
    audio: str
    sample: AVSample | None
    error: str = ""
    stem: str = ""

    @property
    def inputs(self) -> dict[str, str]:
        """Where its files are, as entries of a JSON file."""
        return inputs_of(image=self.image, audio=self.audio)

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
    return [_read(*pair, alone=len(files) == 1) for pair in files]


def name_pairs(pairs: Sequence[Pair], names: Sequence[str], out: str) -> list[Pair]:
    """The pairs with the stem of their files in the folder ``out``, where no answer to another pair is replaced."""
    endings, taken = endings_of(names), set[str]()
    endings += ["_compare"] if len(names) > 1 else []
    return [
        replace(pair, stem=free_stem(Path(out), named_after(pair.image, pair.audio), pair.inputs, taken, endings))
        for pair in pairs
    ]


def endings_of(names: Sequence[str]) -> list[str]:
    """What is added to a pair's stem for the answer of each strategy: nothing where there is but one."""
    return [""] if len(names) == 1 else [f"_{name.replace(':', '.')}" for name in names]


def _read(image: str, audio: str, alone: bool) -> Pair:
    from zsavs.types import AVSample

    try:
        return Pair(image, audio, AVSample.from_files(image, audio))
    except Exception as error:
        if alone:
            raise
        return Pair(image, audio, None, reason(error))


def answer_pairs(
    pairs: Sequence[Pair], names: Sequence[str], models: Models, out: str, label_set: str | None
) -> list[Answers]:
    """Ask each strategy about each pair and write the files of every answer.

    Args:
        pairs: what is asked about.
        names: the strategies.
        models: what they are built with.
        out: folder for the files, named by :func:`name_pairs`.
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
        for name, ending in zip(names, endings_of(names), strict=True):
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
                try:
                    own[name] = _answer(pipe, pair, out, f"{pair.stem}{ending}", f"{name} · {models.preset}", label_set)
                except OutputError:  # what cannot be written now cannot be written for the next pair either
                    raise
                except Exception as error:
                    if len(pairs) == len(names) == 1:
                        raise
                    own[name] = {"error": reason(error)}
                bar.advance()
    return told


def _answer(pipe: Pipeline, pair: Pair, out: str, stem: str, title: str, label_set: str | None) -> dict[str, Any]:
    """Ask about a pair, and write the files of the answer; what is told of it."""
    assert pair.sample is not None, "it was read"
    result = pipe(pair.sample)
    result = replace(result, meta={**result.meta, **pair.inputs})
    told = {"image": pair.image, "audio": pair.audio, **write_answer(result, pair.sample, out, stem, title)}
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

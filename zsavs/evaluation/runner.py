"""Score strategies on a data set: one pass, any number of strategies, resumable, exact.

A batch is the unit of work: its items go through every strategy together, its numbers are kept as one line of the run
folder, and sums are exact (:mod:`zsavs.metrics`). So a run that was killed and started again, or cut into shards and
merged, ends with the same bytes as one that ran through.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsavs.build import build_pipeline
from zsavs.datasets.base import Dataset
from zsavs.errors import InputError, UnknownName
from zsavs.evaluation.reading import Batch, BatchReader, lender
from zsavs.evaluation.run_folder import RunFolder, left_behind, read_batches, read_json
from zsavs.evaluation.scoring import Answer, feed, score, source_count
from zsavs.evaluation.summary import AUDIO, report_of, write_report
from zsavs.evaluation.video_context import VideoContext
from zsavs.language.label_maps import classes_of, text_side
from zsavs.language.label_sets import open_vocabulary_ids
from zsavs.metrics import suites
from zsavs.metrics.suite import Suite
from zsavs.models.runtime import resolve_device
from zsavs.pipeline import Pipeline
from zsavs.result import AVSResult
from zsavs.storage.files import write_atomically
from zsavs.storage.prefetch import ahead
from zsavs.types import AVSample
from zsavs.version import __version__

__all__ = ["Plan", "evaluate", "lender", "merge"]


@dataclass(frozen=True)
class Plan:
    """What is run; a run folder goes on only under the same plan.

    Args:
        strategies: names.
        preset, device, dtype, vocabulary, bank, decomposition, stereo: as for :func:`zsavs.build_pipeline`, by name.
        suites: names of metric suites beside J and F at 0.5; None for the data set's own.
        audio: which of "recorded", "silent" and "shuffled" to hear; "shuffled" is the recording of another item.
        limit: only the first items.
        batch_size: items that go through the models together.
        smooth: over the frames of a video, in [0, 1), see :class:`zsavs.temporal.smoothing.Smoother`; 0 is off.
        shard: (i, n): only every n-th batch, beginning with the i-th, i from 0.
    """

    strategies: tuple[str, ...]
    preset: str = "base"
    device: str = "auto"
    dtype: str = "auto"
    vocabulary: str | tuple[str, ...] | None = None
    bank: str | None = None
    suites: tuple[str, ...] | None = None
    audio: tuple[str, ...] = AUDIO
    limit: int | None = None
    batch_size: int = 8
    smooth: float = 0.0
    shard: tuple[int, int] = (0, 1)
    decomposition: str | None = None
    stereo: bool = False

    def __post_init__(self) -> None:
        for name in self.audio:
            if name not in AUDIO:
                raise UnknownName("kind of audio", name, AUDIO)
        part, parts = self.shard
        if not 0 <= part < parts:
            raise InputError(f"shard {part + 1}/{parts}: the first of n shards is 1/n and the last is n/n.")
        if self.batch_size < 1 or (self.limit is not None and self.limit < 1) or not self.strategies:
            raise InputError("an evaluation needs a strategy, and batch_size and limit of at least 1.")


def evaluate(
    dataset: Dataset,
    plan: Plan,
    out: str | os.PathLike[str] | None = None,
    *,
    visuals: int = 0,
    retry_failed: bool = False,
    on_items: Callable[[int], Any] = lambda count: None,
) -> dict[str, Any]:
    """Run a plan over a data set, or go on with a run that was interrupted.

    An item that cannot be read, or that a strategy cannot answer, is recorded and left out for every strategy. It stays
    so when the run goes on, unless ``retry_failed`` asks for it; what else has been heard or smoothed without such an
    item, as it could not be read, is left as it is.

    Args:
        dataset: what to score on.
        plan: what to run.
        out: the run folder; without one, nothing is kept.
        visuals: for each strategy, images of so many best and worst items are drawn into ``out/visuals``.
        retry_failed: batches of ``out`` in which an item failed are done again.
        on_items: called with the number of items finished, at once with those of an earlier run.

    Returns:
        The report, plain JSON values: see :func:`zsavs.evaluation.summary.report_of`.

    Raises:
        OutputError: the folder holds another run, such as one of a data set that has other items now, is in use, or
            cannot be written.
        ResultFileError: what the folder holds is damaged, or no batch of this run.
        InputError: no item could be evaluated, a suite does not suit the data set, or ``visuals`` without a folder.
        UnknownName, MissingWeights: as :func:`zsavs.build_pipeline`.
    """
    if visuals and out is None:
        raise InputError("images of the best and worst items are kept in the run folder: name one (--out RUN).")
    models = (plan.preset, plan.device, plan.dtype, plan.vocabulary, plan.bank, plan.decomposition, plan.stereo)
    pipes = {name: build_pipeline(name, *models) for name in plan.strategies}
    names = plan.suites if plan.suites is not None else (dataset.suite,)
    runner = _Runner(dataset, pipes, plan, names)
    settings = {
        "zsavs": __version__,
        "dataset": dataset.name,
        "root": str(Path(dataset.root).resolve()) if hasattr(dataset, "root") else "",
        "split": getattr(dataset, "split", ""),
        "dataset_options": dict(getattr(dataset, "options", {})),
        "classes": list(getattr(dataset, "classes", ()) or ()),
        "items": len(runner.everything),
        # Batches are kept by number: with another list, of the same length too, a number means other items.
        "items_digest": hashlib.blake2b(json.dumps(runner.everything).encode(), digest_size=8).hexdigest(),
        **{key: value for key, value in vars(plan).items() if key != "suites"},
        # What "auto" came to: numbers differ between kinds of devices, and not between two cards that share the work.
        "device": resolve_device(plan.device).type,
        "suites": list(names),
        "models": {name: pipe.meta["models"] for name, pipe in pipes.items()},
        "banks": {name: pipe.meta["banks"] for name, pipe in pipes.items()},
    }
    if out is None:
        batches: dict[int, Any] = {}
        for number, batch in runner.batches():
            batches[number] = json.loads(json.dumps(runner.run(batch)))
            on_items(len(batches[number]["items"]))
        return report_of(settings, batches)
    with RunFolder(out, settings) as folder:
        folder.expect({number: [runner.everything[at] for at in places] for number, places in runner.places().items()})
        known = bool(folder.batches)
        if retry_failed:
            folder.drop([n for n, batch in folder.batches.items() if any("error" in row for row in batch["items"])])
        on_items(sum(len(batch["items"]) for batch in folder.batches.values()))
        for number, batch in runner.batches(done=folder.batches):
            folder.append(number, runner.run(batch))
            on_items(len(folder.batches[number]["items"]))
        with left_behind(folder.folder) if known else nullcontext():
            report = report_of(settings, folder.batches, visuals) if visuals else report_of(settings, folder.batches)
        if visuals:
            _draw_cases(report, runner, folder.folder)
        write_report(report, folder.folder)
    return report


def merge(folders: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> dict[str, Any]:
    """Put the shards of one run together; the numbers are those of a run that was never cut.

    Nothing is drawn: the best and worst items are among those of their own shards, and the images are those that the
    shards have.

    Args:
        folders: run folders with all shards of one plan, also of copies of the data set in several places; the settings
            of the whole then list every root.
        out: the folder of the whole.

    Raises:
        ResultFileError: a folder does not hold a run.
        InputError: the shards do not belong together, or one is missing or unfinished.
        OutputError: ``out`` holds another run, or cannot be written.
    """
    settings: dict[str, Any] | None = None
    roots: list[Any] = []
    batches: dict[int, Any] = {}
    for folder in map(Path, folders):
        own = {**read_json(folder / "settings.json"), "shard": [0, 1]}
        root = own.pop("root", None)  # a copy of the same data on every machine
        roots += [root] if root not in roots else []
        if settings is not None and own != settings:
            changed = [key for key in sorted({*own, *settings}) if own.get(key) != settings.get(key)]
            raise InputError(f"{folder}: is a shard of another run, it differs in {', '.join(changed)}.")
        settings = own
        for number, batch in read_batches(folder / "batches.jsonl").items():
            if number in batches:
                raise InputError(f"{folder}: batch {number} is in another shard too; name each shard once.")
            batches[number] = batch
    if settings is None:
        raise InputError("name the folders of the shards to merge.")
    settings = {**settings, "root": roots[0] if len(roots) == 1 else roots}
    with left_behind(*folders):
        items = min(settings["items"], settings["limit"] or settings["items"])
        missing = sorted(set(range(math.ceil(items / settings["batch_size"]))) - set(batches))
        cases, images = _drawn(folders)
        report = {} if missing else report_of(settings, batches, cases) if cases else report_of(settings, batches)
    if missing:
        raise InputError(f"{len(missing)} batches are missing, the first is {missing[0]}; run and name every shard.")
    with RunFolder(out, settings) as whole:
        for number in sorted(set(batches) - set(whole.batches)):
            whole.append(number, {key: value for key, value in batches[number].items() if key != "batch"})
        _keep_images(report, images, whole.folder)
        write_report(report, whole.folder)
    return report


class _Runner:
    """Answers and scores one batch after the other."""

    def __init__(self, dataset: Dataset, pipes: Mapping[str, Pipeline], plan: Plan, names: Sequence[str]) -> None:
        self.dataset, self.pipes, self.plan, self.names = dataset, pipes, plan, names
        self.everything = list(dataset)
        self.count = len(self.everything[: plan.limit])
        if not self.count:
            raise InputError(f"the data set {dataset.name!r} has no items; check its folder.")
        if not self.places():
            part, parts = plan.shard
            raise InputError(
                f"shard {part + 1}/{parts} has nothing to do: {self.count} items in batches of {plan.batch_size} are "
                f"fewer batches than shards; leave it out, or use a smaller --batch-size."
            )
        classes: tuple[str, ...] = tuple(getattr(dataset, "classes", ()) or ())
        self.options: dict[str, Any] = {"num_classes": len(classes)} if classes else {}
        base, novel = open_vocabulary_ids(classes)
        if base and novel:  # by name, as the ids are those of the data set's own list
            self.options |= {"base": base, "novel": novel}
        self.meanings = {name: classes_of(classes, text_side(pipe.verifier)) for name, pipe in pipes.items()}
        self.neighbours = VideoContext(dataset, self.everything, plan.smooth) if plan.smooth else None
        self.reader = BatchReader(dataset, self.everything, plan.audio, self.neighbours)
        for name in names:
            if self.suite(name).takes == "class_scores":
                raise InputError(f"suite {name!r} needs a score map for each class, which no strategy gives.")
        if "avsbench_compat" in names:
            self._check_whole_videos()

    def _check_whole_videos(self) -> None:
        """A suite whose numbers are those of a video cannot be told of a part of one.

        Raises:
            InputError: a batch would end within a video; says which size of batches does not.
        """
        moment = getattr(self.dataset, "moment", lambda item: None)
        videos = [at and at[0] for at in map(moment, self.everything[: self.count])]
        ends = range(self.plan.batch_size, self.count, self.plan.batch_size)
        if any(videos[end] is not None and videos[end] == videos[end - 1] for end in ends):
            frames = max(videos.count(video) for video in {videos[end] for end in ends} if video is not None)
            raise InputError(
                f"suite 'avsbench_compat' scores a video at a time, and batches of {self.plan.batch_size} would cut "
                f"one; use --batch-size {frames}, where every video has {frames} frames, or --suite avsbench."
            )

    def suite(self, name: str) -> Suite:
        """A fresh suite, told of the data set's classes what it wants to know."""
        wanted = suites.get(name).options
        return suites.get(name, **{key: value for key, value in self.options.items() if key in wanted})

    def places(self) -> dict[int, range]:
        """The batches of this shard by number, and the places of their items in the data set."""
        part, parts = self.plan.shard
        size = self.plan.batch_size
        numbers = range(part, math.ceil(self.count / size), parts)
        return {number: range(number * size, min((number + 1) * size, self.count)) for number in numbers}

    def batches(self, done: Container[int] = ()) -> Iterator[tuple[int, Batch]]:
        """The batches of this shard that are not done yet, and their numbers; the next is read ahead."""
        return ahead((number, self.reader.batch(at)) for number, at in self.places().items() if number not in done)

    def run(self, batch: Batch) -> dict[str, Any]:
        """Answer and score a batch: plain JSON values."""
        order, loaded = batch.order, batch.loaded
        rows = list(batch.broken)
        answers = self._answer([order[name] for name, _ in loaded], batch.heard)
        failed = {
            place: text for per_item in answers.values() for place, text in enumerate(per_item) if isinstance(text, str)
        }
        rows += [{"item": loaded[place][0], "error": text} for place, text in sorted(failed.items())]
        good: dict[tuple[str, str], list[Answer]] = {
            key: [
                Answer(name, item.target, result)
                for place, ((name, item), result) in enumerate(zip(loaded, per_item, strict=True))
                if place not in failed and not isinstance(result, str)
            ]
            for key, per_item in answers.items()
        }
        rows += [self._row(place, good) for place in range(len(loaded) - len(failed))]
        return {
            "items": sorted(rows, key=lambda row: order[row["item"]]),
            "states": {strategy: self._states(strategy, good[AUDIO[0], strategy]) for strategy in self.pipes}
            if AUDIO[0] in self.plan.audio
            else {},
        }

    def _row(self, place: int, good: Mapping[tuple[str, str], Sequence[Answer]]) -> dict[str, Any]:
        """The scores of one item of those that all strategies answered."""
        item, target, _ = next(iter(good.values()))[place]
        return {
            "item": item,
            "category": target.category,
            "sources": source_count(target),
            "scores": {
                audio: {
                    strategy: score(good[audio, strategy][place].result, target, curve=audio == AUDIO[0])
                    for strategy in self.pipes
                }
                for audio in self.plan.audio
            },
        }

    def _answer(
        self, places: Sequence[int], heard: Mapping[str, Mapping[int, AVSample]]
    ) -> dict[tuple[str, str], list[AVSResult | str]]:
        """Every strategy with every kind of audio; an item on which one fails has the reason in place of its result."""
        answers: dict[tuple[str, str], list[AVSResult | str]] = {}
        for audio, samples in heard.items():
            for strategy, pipe in self.pipes.items():
                try:
                    answers[audio, strategy] = list(self._batch(pipe, places, samples))
                except Exception:
                    answers[audio, strategy] = [self._one(strategy, place, samples) for place in places]
        return answers

    def _batch(self, pipe: Pipeline, places: Sequence[int], heard: Mapping[int, AVSample]) -> list[AVSResult]:
        ask = self.neighbours.asking(pipe, places, heard) if self.neighbours else None
        return pipe.batch([heard[place] for place in places], ask)

    def _one(self, strategy: str, place: int, heard: Mapping[int, AVSample]) -> AVSResult | str:
        """One sample alone: its result, or why there is none."""
        try:
            return self._batch(self.pipes[strategy], [place], heard)[0]
        except Exception as error:
            return f"{strategy}: {type(error).__name__}: {' '.join(str(error).split())}"

    def again(self, strategy: str, item: str) -> tuple[AVSample, AVSResult]:
        """An item that was answered before, with its recorded sound, and the answer."""
        place = self.everything.index(item)
        sample = self.dataset.load(item).sample
        return sample, self._batch(self.pipes[strategy], [place], {**self.reader.around([place]), place: sample})[0]

    def _states(self, strategy: str, scored: Sequence[Answer]) -> dict[str, Any]:
        """What each suite keeps of a batch."""
        return {name: feed(self.suite(name), scored, self.meanings[strategy]).state() for name in self.names}


def _drawn(folders: Sequence[str | os.PathLike[str]]) -> tuple[int, dict[tuple[str, str], Path]]:
    """How many best or worst items a shard has images of, at the most, and the images by strategy and item."""
    count = 0
    images: dict[tuple[str, str], Path] = {}
    for folder in map(Path, folders):
        if not (folder / "report.json").exists():  # it was ended just before
            continue
        for strategy, cases in read_json(folder / "report.json")["cases"].items():
            for chosen in cases.values():
                named = {case["item"]: Path(case["picture"]).name for case in chosen if case["picture"]}
                count = max(count, len(named))
                images |= {(strategy, item): folder / "visuals" / name for item, name in named.items()}
    return count, images


def _keep_images(report: Mapping[str, Any], images: Mapping[tuple[str, str], Path], folder: Path) -> None:
    """Copy the images of the report's best and worst items, and note the files in the report."""
    for strategy, cases in report["cases"].items():
        for kind, chosen in cases.items():
            for place, case in enumerate(chosen):
                source = images.get((strategy, case["item"]))
                if source is None or not source.is_file():
                    continue
                data = source.read_bytes()
                case["picture"] = _place(strategy, kind, place)
                write_atomically(folder / case["picture"], lambda file, data=data: file.write(data))  # type: ignore[misc]


def _place(strategy: str, kind: str, place: int) -> str:
    return f"visuals/{strategy}_{kind}_{place + 1}.png"


def _draw_cases(report: Mapping[str, Any], runner: _Runner, folder: Path) -> None:
    """Draw the best and worst items of each strategy and note the files in the report."""
    for strategy, cases in report["cases"].items():
        for kind, chosen in cases.items():
            for place, case in enumerate(chosen):
                sample, result = runner.again(strategy, case["item"])
                image = result.card(sample.audio, f"{strategy} · J {case['J']:.2f}")
                case["picture"] = _place(strategy, kind, place)
                write_atomically(
                    folder / case["picture"],
                    lambda file, image=image: image.save(file, format="PNG"),  # type: ignore[misc]
                )

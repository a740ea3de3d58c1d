"""Runs one batch: every strategy on every kind of audio, scored, as the plain JSON values of a line of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zsavs.datasets.base import Dataset
from zsavs.errors import InputError, OutputError
from zsavs.evaluation.batch_reader import Batch, BatchReader
from zsavs.evaluation.kept_answers import KeptAnswers
from zsavs.evaluation.plan import AUDIO, Plan
from zsavs.evaluation.scoring import ScoredItem, score, source_count, update_suite
from zsavs.evaluation.video_context import VideoContext
from zsavs.language.label_maps import class_mapper, text_embedder
from zsavs.language.label_sets import open_vocabulary_ids
from zsavs.metrics import suites
from zsavs.metrics.base_suite import Suite
from zsavs.pipeline import Pipeline
from zsavs.result import AVSResult
from zsavs.types import AVSample

__all__ = ["BatchRunner", "failure"]


def failure(strategy: str, error: Exception) -> str:
    """Why a strategy has no answer, in a line."""
    return f"{strategy}: {type(error).__name__}: {' '.join(str(error).split())}"


class BatchRunner:
    """Answers and scores batches of a data set's items.

    Args:
        dataset: where the items are.
        items: all ids, in order; items are named by their position in it.
        pipes: the pipeline of each strategy.
        plan: what is run.
        suite_names: the metric suites.

    Attributes:
        asked: the positions of the items that a pipeline has been asked about.
        kept: where answers are kept and looked up; None for nowhere.

    Raises:
        InputError: a suite needs scores that no strategy gives, or smoothing is asked for without videos.
        UnknownName: no such suite.
    """

    #: The kinds of audio whose results go into the suites.
    counted: tuple[str, ...] = AUDIO[:1]
    #: Whether score maps have more than two values, so that another threshold than 0.5 says something.
    soft = True

    def __init__(
        self,
        dataset: Dataset,
        items: Sequence[str],
        pipes: Mapping[str, Pipeline],
        plan: Plan,
        suite_names: Sequence[str],
    ) -> None:
        self.dataset, self.items, self.pipes, self.plan, self.suite_names = dataset, items, pipes, plan, suite_names
        classes: tuple[str, ...] = tuple(getattr(dataset, "classes", ()) or ())
        self.asked: set[int] = set()
        self.kept: KeptAnswers | None = None
        self._suite_options: dict[str, Any] = {"num_classes": len(classes)} if classes else {}
        base, novel = open_vocabulary_ids(classes)
        if base and novel:  # by name, as the ids are those of the data set's own list
            self._suite_options |= {"base": base, "novel": novel}
        self._class_names = {name: class_mapper(classes, text_embedder(pipe.verifier)) for name, pipe in pipes.items()}
        self._context = VideoContext(dataset, items, plan.smooth) if plan.smooth else None
        self.reader = BatchReader(dataset, items, plan.audio, self._context)
        for name in suite_names:
            if self.suite(name).takes == "class_scores":
                raise InputError(f"suite {name!r} needs a score map for each class, which no strategy gives.")

    def suite(self, name: str) -> Suite:
        """A new, empty suite, with those of its options that follow from the data set's classes."""
        wanted = suites.get(name).options
        return suites.get(name, **{key: value for key, value in self._suite_options.items() if key in wanted})

    def run(self, batch: Batch) -> dict[str, Any]:
        """Answer and score a batch.

        Returns:
            Plain JSON values: ``items``, a row of scores or an error for each item; ``states``, by strategy and suite,
            of the suites after this batch alone, recorded audio only; ``files`` and ``beside``, what it was computed
            from (:class:`~zsavs.evaluation.batch_reader.Batch`).
        """
        positions, loaded = batch.positions, batch.loaded
        rows = list(batch.unreadable)
        answers = self.answers(batch)
        failed = {k: text for per_item in answers.values() for k, text in enumerate(per_item) if isinstance(text, str)}
        rows += [{"item": loaded[k][0], "error": text} for k, text in sorted(failed.items())]
        scored: dict[tuple[str, str], list[ScoredItem]] = {
            key: [
                ScoredItem(name, item.target, result)
                for k, ((name, item), result) in enumerate(zip(loaded, per_item, strict=True))
                if k not in failed and not isinstance(result, str)
            ]
            for key, per_item in answers.items()
        }
        rows += [self._row(k, scored) for k in range(len(loaded) - len(failed))]
        return {
            "items": sorted(rows, key=lambda row: positions[row["item"]]),
            "states": {
                strategy: self._states(strategy, of_strategy)
                for (audio, strategy), of_strategy in scored.items()
                if audio in self.counted
            },
            "files": dict(batch.files),
            "beside": list(batch.beside),
        }

    def answer(self, strategy: str, item: str) -> tuple[AVSample, AVSResult]:
        """One item with its recorded audio, and the strategy's result for it, the same as in its batch."""
        position = self.items.index(item)
        sample = self.dataset.load(item).sample
        samples = {**self.reader.context([position]), position: sample}
        return sample, self._answer_batch(strategy, [position], samples)[0]

    def _row(self, k: int, scored: Mapping[tuple[str, str], Sequence[ScoredItem]]) -> dict[str, Any]:
        """The scores of the k-th of the items that all strategies answered."""
        item, target, _ = next(iter(scored.values()))[k]
        scores: dict[str, dict[str, Any]] = {}
        for (audio, strategy), of_strategy in scored.items():
            curve = self.soft and audio == AUDIO[0]
            scores.setdefault(audio, {})[strategy] = score(of_strategy[k].result, target, curve=curve)
        return {"item": item, "category": target.category, "sources": source_count(target), "scores": scores}

    def answers(self, batch: Batch) -> dict[tuple[str, str], list[AVSResult | str]]:
        """By kind of audio and strategy, the results; an item on which a strategy fails has the reason in its place."""
        positions = [batch.positions[name] for name, _ in batch.loaded]
        answers: dict[tuple[str, str], list[AVSResult | str]] = {}
        for audio, samples in batch.samples.items():
            for strategy in self.pipes:
                try:
                    answers[audio, strategy] = list(self._answer_batch(strategy, positions, samples))
                except OutputError:  # of an answer that is to be kept: no fault of an item
                    raise
                except Exception:
                    answers[audio, strategy] = [self._answer_one(strategy, at, samples) for at in positions]
        return answers

    def _answer_batch(
        self, strategy: str, positions: Sequence[int], samples: Mapping[int, AVSample]
    ) -> list[AVSResult]:
        def ask(places: Sequence[int]) -> list[AVSResult]:
            at = [positions[place] for place in places]
            self.asked.update(at)
            query = self._context.query_of(pipe, at, samples) if self._context else None
            return pipe.batch([samples[position] for position in at], query)

        pipe = self.pipes[strategy]
        if self.kept is None:
            return ask(range(len(positions)))
        return self.kept.answer(strategy, [samples[position] for position in positions], ask)

    def _answer_one(self, strategy: str, position: int, samples: Mapping[int, AVSample]) -> AVSResult | str:
        """One sample alone: its result, or why there is none."""
        try:
            return self._answer_batch(strategy, [position], samples)[0]
        except OutputError:
            raise
        except Exception as error:
            return failure(strategy, error)

    def _states(self, strategy: str, scored: Sequence[ScoredItem]) -> dict[str, Any]:
        """The state of each suite after the items of a batch."""
        classes = self._class_names[strategy]
        return {name: update_suite(self.suite(name), scored, classes).state() for name in self.suite_names}

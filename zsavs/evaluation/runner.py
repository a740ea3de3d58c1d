"""Evaluate strategies on a data set: one pass for any number of strategies, resumable, with exact numbers.

A batch is the unit of work: its items go through every strategy together, its numbers are one line of the run folder,
and sums are exact (:mod:`zsavs.metrics.exact_sums`). So a run that was killed and resumed, or run in shards and merged,
ends with the same bytes as one that ran through.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from zsavs.build import build_pipeline, settings_for
from zsavs.datasets.base import Dataset
from zsavs.errors import InputError, UnknownName
from zsavs.evaluation.batch_runner import BatchRunner
from zsavs.evaluation.input_files import InputFiles
from zsavs.evaluation.kept_answers import KeptAnswers
from zsavs.evaluation.oracle import Oracle
from zsavs.evaluation.plan import AUDIO, CEILING, Plan, check_whole_videos
from zsavs.evaluation.resumable_run import ResumableRun
from zsavs.evaluation.run_files import summing_up
from zsavs.evaluation.settings import MAPPINGS, answer_keys, run_settings
from zsavs.evaluation.summary import report_of, write_report
from zsavs.evaluation.video_runner import VideoRunner
from zsavs.evaluation.visuals import draw_cases
from zsavs.evaluation.whole_video import tells_truth, videos_of
from zsavs.pipeline import Pipeline
from zsavs.storage.prefetch import prefetch

__all__ = ["evaluate"]

#: The stages that the ceiling shares with the strategies.
_STAGES = ("grounder", "verifier", "segmenter", "tracker")


def evaluate(
    dataset: Dataset,
    plan: Plan,
    out: str | os.PathLike[str] | None = None,
    *,
    visuals: int = 0,
    retry_failed: bool = False,
    refresh: bool = False,
    keep_answers: bool = False,
    on_items: Callable[[int], Any] = lambda count: None,
) -> dict[str, Any]:
    """Run a plan over a data set, or resume a run that was interrupted.

    An item that cannot be read, or that a strategy cannot answer, is listed as failed and left out for every strategy.
    It stays so when the run is resumed, unless ``retry_failed`` asks for it.

    A run is resumed where all that its numbers come from is what it was: the plan, the source of every component, of
    the data set and of the scoring, the preset, the labels, the weights, and for each finished batch the files of its
    items, and of those whose audio was heard with them, by size and time of writing.

    Whole videos (``Plan.whole_video``) are a protocol of its own, "whole video seen", which every table of the report
    names: the annotated frames of a video go through :meth:`zsavs.pipeline.Pipeline.video` together, with all of its
    audio, and what is found in each is scored by the same suites. Where the data set annotates whole videos there are
    the numbers of :class:`zsavs.metrics.tracking_suite.Tracking`, for every kind of audio, and, if there is more than
    recorded audio, those of an oracle that is told what sounds when.

    Args:
        dataset: what to score on.
        plan: what to run.
        out: the run folder; without one, nothing is stored.
        visuals: for each strategy, images of so many best and worst items are drawn into ``out/visuals``.
        retry_failed: run the batches of ``out`` in which an item failed again.
        refresh: compute again what has changed since the run was begun: the batches with a file that has, and all of
            them where anything else has.
        keep_answers: keep every answer in ``out/answers``, as large as the JSON of a result, and ask a strategy nothing
            again that is answered there: with ``refresh``, what has another mask, suite or place in the list is only
            scored. Of single frames, without smoothing.
        on_items: called with the number of items finished, at once with those of an earlier run.

    Returns:
        The report, plain JSON values: see :func:`zsavs.evaluation.summary.report_of`; and in ``computed_now`` how many
        of its items were computed by this call.

    Raises:
        OutputError: the folder holds another run, or one of files or code that have changed, and no ``refresh``; the
            message shows the difference. Or it is in use, or cannot be written.
        ResultFileError: what the folder holds is damaged, or no batch of this run.
        InputError: no item could be evaluated, a suite does not suit the data set, or ``visuals`` without a folder.
        UnknownName, MissingWeights: as :func:`zsavs.build_pipeline`.
    """
    if keep_answers and (out is None or plan.smooth):
        raise InputError("answers are kept in the run folder (--out RUN), and not of frames that are smoothed.")
    if visuals and out is None:
        raise InputError("images of the best and worst items are kept in the run folder: name one (--out RUN).")
    models = (plan.preset, plan.device, plan.dtype, plan.vocabulary, plan.bank, plan.decomposition, plan.stereo)
    own = settings_for(plan.named, plan.preset, {**plan.settings, **plan.parts}, plan.device)
    pipes = {name: build_pipeline(strategy, *models, **own[name]) for name, strategy in plan.named.items()}
    suites = plan.suites if plan.suites is not None else (dataset.suite,)
    items = list(dataset)
    if not items:
        raise InputError(f"the data set {dataset.name!r} has no items; check its folder.")
    by_video = getattr(dataset, "by_video", False) if plan.whole_video is None else plan.whole_video
    videos = videos_of(dataset, items) if by_video else None
    batches = plan.batches(len(items), videos)
    runner: BatchRunner
    if videos is None:
        runner = BatchRunner(dataset, items, pipes, plan, suites)
        if "avsbench_compat" in suites:
            check_whole_videos(dataset, items[: plan.limit], plan.batch_size)
    else:
        if keep_answers:
            raise InputError("answers to whole videos are not kept; evaluate single frames (--frame-by-frame).")
        if set(plan.audio) > {AUDIO[0]} and tells_truth(dataset, items):
            pipes[CEILING] = _ceiling(plan)
        runner = VideoRunner(dataset, items, pipes, plan, suites, videos)
    count = None if videos is None else len(plan.every_batch(len(items), videos))
    settings = run_settings(dataset, items, plan, pipes, suites, count)
    if out is None:
        results: dict[int, Any] = {}
        for number, result in _run(runner, batches):
            results[number] = json.loads(json.dumps(result))
            on_items(len(result["items"]))
        return {**report_of(settings, results), "computed_now": len(runner.asked)}
    with ResumableRun(out, settings, nested=MAPPINGS, refresh=refresh) as run:
        run.check_items({number: [items[at] for at in positions] for number, positions in batches.items()})
        resumed = bool(run.batches)
        if retry_failed:
            run.drop([n for n, batch in run.batches.items() if any("error" in row for row in batch["items"])])
        run.check_files(InputFiles(dataset, "shuffled" in plan.audio).changed(run.batches))
        if keep_answers:
            runner.kept = KeptAnswers(run.folder / "answers", answer_keys(plan, pipes))
        on_items(sum(len(batch["items"]) for batch in run.batches.values()))
        for number, result in _run(runner, batches, done=run.batches):
            run.append(number, result)
            on_items(len(result["items"]))
        computed = len(runner.asked)
        with summing_up(run.folder) if resumed else nullcontext():
            report = report_of(settings, run.batches, visuals) if visuals else report_of(settings, run.batches)
        if visuals:
            draw_cases(report, runner, run.folder)
        write_report(report, run.folder)
    return {**report, "computed_now": computed}


def _ceiling(plan: Plan) -> Pipeline:
    """The pipeline of the ceiling: the stages of the preset, with the plan's parts, and its settings where they fit."""
    tuned = {key: value for key, value in plan.settings.items() if key.partition(".")[0] in _STAGES}
    models: dict[str, Any] = {"preset": plan.preset, "device": plan.device, "dtype": plan.dtype, **plan.parts}
    models |= {"vocabulary": plan.vocabulary, "bank": plan.bank}
    try:
        return build_pipeline(Oracle(), **models, **tuned)
    except UnknownName:  # they are settings of the stages that a strategy brings itself
        return build_pipeline(Oracle(), **models)


def _run(
    runner: BatchRunner, batches: Mapping[int, Sequence[int]], done: Container[int] = ()
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and result of each batch that is not done yet; while one is run, the next is read."""
    for number, batch in prefetch((n, runner.reader.read(at)) for n, at in batches.items() if n not in done):
        yield number, runner.run(batch)

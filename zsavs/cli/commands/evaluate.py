"""``zsavs eval``: strategies on a data set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from zsavs.cli import console, options, parsing
from zsavs.cli.model_choice import Models, preset_here, strategies, with_settings
from zsavs.cli.overrides import read_parts

__all__ = ["evaluate"]

_Dataset = Annotated[
    str,
    typer.Option(
        "--dataset",
        metavar="NAME",
        parser=parsing.text,
        autocompletion=options.complete("dataset"),
        help="one of 'zsavs list dataset'",
        rich_help_panel=options.DATA,
    ),
]
_Root = Annotated[
    str | None,
    typer.Option(
        "--root",
        "--test_data_path",
        metavar="DIR",
        parser=parsing.text,
        help="where the data set is; only 'orchestra' and 'orchestra_motion' come with zsavs",
        rich_help_panel=options.DATA,
    ),
]
_Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        parser=parsing.text,
        help="which part of it; the test part if left out",
        rich_help_panel=options.DATA,
    ),
]
_Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", parser=parsing.positive, help="only the first N items", rich_help_panel=options.DATA
    ),
]
_Suites = Annotated[
    list[str] | None,
    typer.Option(
        "--suite",
        metavar="NAME",
        parser=parsing.text,
        help="metric suite beside J and F at 0.5, several times for several; the data set's own if left out",
        rich_help_panel=options.METHOD,
    ),
]
_Smooth = Annotated[
    float,
    typer.Option(
        "--smooth",
        metavar="S",
        parser=parsing.number,
        help="smooth over the frames of a video, 0 to below 1; 0 is off",
        rich_help_panel=options.METHOD,
    ),
]
_NoAblations = Annotated[
    bool,
    typer.Option(
        "--no-ablations",
        metavar="",
        help="leave out silent and shuffled audio, and the ceiling of whole videos",
        rich_help_panel=options.METHOD,
    ),
]
_WholeVideo = Annotated[
    bool | None,
    typer.Option(
        "--whole-video/--frame-by-frame",
        metavar="",
        help="answer whole videos, the protocol 'whole video seen', or each frame from its own second; whole videos "
        "of orchestra_motion, single frames of all others if left out",
        show_default=False,
        rich_help_panel=options.VIDEO,
    ),
]
_Tracker = Annotated[
    str | None,
    typer.Option(
        "--tracker",
        metavar="NAME",
        parser=parsing.text,
        autocompletion=options.complete("tracker"),
        help="what follows objects through whole videos, one of 'zsavs list tracker'; the preset's own if left out",
        rich_help_panel=options.VIDEO,
    ),
]
_BatchSize = Annotated[
    int,
    typer.Option(
        "--batch-size", metavar="N", parser=parsing.positive, help="items at once", rich_help_panel=options.MODELS
    ),
]
_Shard = Annotated[
    str,
    typer.Option(
        "--shard",
        metavar="I/N",
        parser=parsing.text,
        help="only the I-th of N parts; 'zsavs merge' puts them together",
        rich_help_panel=options.DATA,
    ),
]
_Run = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="RUN",
        parser=parsing.place,
        help="folder that the run is kept in, and goes on in; nothing is kept without it",
        rich_help_panel=options.OUTPUT,
    ),
]
_Visuals = Annotated[
    int,
    typer.Option(
        "--save-visuals",
        metavar="N",
        parser=parsing.not_negative,
        help="images of the N best and N worst items, in the folder of --out; 0 is off",
        rich_help_panel=options.OUTPUT,
    ),
]
_RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        metavar="",
        help="try items again that failed when the run of --out was begun",
        rich_help_panel=options.OUTPUT,
    ),
]


_Refresh = Annotated[
    bool,
    typer.Option(
        "--refresh",
        metavar="",
        help="compute again what has changed since the run of --out was begun: items whose files have, or all if the "
        "strategies, their code, their models or their settings have",
        rich_help_panel=options.OUTPUT,
    ),
]


_KeepAnswers = Annotated[
    bool,
    typer.Option(
        "--keep-answers",
        metavar="",
        help="keep every answer in the folder of --out: where masks, suites or items change, --refresh scores "
        "them anew and asks no model",
        rich_help_panel=options.OUTPUT,
    ),
]


def evaluate(
    dataset: _Dataset = "folder",
    root: _Root = None,
    split: _Split = None,
    option: options.DataOptions = None,
    limit: _Limit = None,
    shard: _Shard = "1/1",
    strategy: options.Strategies = None,
    decomposition: options.Decomposition = None,
    stereo: options.Stereo = False,
    setting: options.Settings = None,
    suite: _Suites = None,
    smooth: _Smooth = 0.0,
    no_ablations: _NoAblations = False,
    whole_video: _WholeVideo = None,
    tracker: _Tracker = None,
    preset: options.Preset = None,
    part: options.Parts = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    vocabulary: options.Vocabulary = None,
    bank: options.Bank = None,
    batch_size: _BatchSize = 8,
    out: _Run = None,
    save_visuals: _Visuals = 0,
    retry_failed: _RetryFailed = False,
    refresh: _Refresh = False,
    keep_answers: _KeepAnswers = False,
    json: options.Json = False,
    verbose: options.Verbose = 0,
) -> None:
    """Score strategies against the masks of a data set; goes on where it was stopped."""
    parts = read_parts(part)
    share = parsing.shard(shard)
    data = _open(dataset, root, split, option)
    if tracker is not None:
        parts = _with_tracker(parts, tracker, data, whole_video)
    _check_out(out, save_visuals, retry_failed, refresh)
    preset = preset or _preset_for(dataset, device)
    models = Models(preset, device, dtype, _labels(vocabulary), bank, decomposition, stereo, parts)
    names = strategies(strategy, preset, parts)
    plan: dict[str, Any] = {"strategies": tuple(names), **asdict(with_settings(models, names, setting))}
    plan |= {"suites": suite and tuple(dict.fromkeys(suite)), "limit": limit, "batch_size": batch_size}
    plan |= {"smooth": smooth, "shard": share, "whole_video": whole_video}
    again = {"retry_failed": retry_failed, "refresh": refresh, "keep_answers": keep_answers}
    report = _run(data, plan, not no_ablations, out, visuals=save_visuals, **again)
    _print(report, out, json)


def _with_tracker(parts: dict[str, str], tracker: str, dataset: Any, whole_video: bool | None) -> dict[str, str]:
    """The parts with a tracker.

    Raises:
        typer.BadParameter: single frames are answered, or another tracker is named among the parts.
    """
    if not (getattr(dataset, "by_video", False) if whole_video is None else whole_video):
        raise typer.BadParameter("follows objects through whole videos: --whole-video", param_hint="--tracker")
    if parts.get("tracker", tracker) != tracker:
        raise typer.BadParameter(f"{tracker!r}, and --part tracker={parts['tracker']}", param_hint="--tracker")
    return {**parts, "tracker": tracker}


def _preset_for(dataset: str, device: str) -> str:
    """The preset that answers where none is named: that of its scenes for the orchestra, else the best one here."""
    return "nano" if dataset in ("orchestra", "orchestra_motion") else preset_here(device)


def _open(name: str, root: str | None, split: str | None, given: list[str] | None) -> Any:
    """The data set.

    Raises:
        typer.BadParameter: it does not come with zsavs, and its root was not given.
        UnknownName, InputError: no such data set, or it cannot be opened so.
    """
    from zsavs.registry import find_component

    reader = find_component("dataset", name)
    if root is None and getattr(reader, "shipped", None) is None:
        raise typer.BadParameter(f"say where the data set {name!r} is: --root DIR")
    return reader(root, **parsing.dataset_options(reader, split, given))


def _check_out(out: str | None, save_visuals: int, retry_failed: bool, refresh: bool) -> None:
    if save_visuals and not out:
        raise typer.BadParameter("say where the images go: --save-visuals N --out RUN")
    if retry_failed and not out:
        raise typer.BadParameter("say which run to go on with: --retry-failed --out RUN")
    if refresh and not out:
        raise typer.BadParameter("say which run to compute again: --refresh --out RUN")


def _labels(vocabulary: str | None) -> tuple[str, ...] | None:
    """The labels and not their file: a run must not go on after the file has changed."""
    from zsavs.language.vocabulary import load_vocabulary

    return None if vocabulary is None else load_vocabulary(vocabulary)


def _run(dataset: Any, plan: dict[str, Any], ablations: bool, out: str | None, **how: Any) -> dict[str, Any]:
    """Evaluate with a progress bar; the report."""
    from zsavs.evaluation import Plan
    from zsavs.evaluation import evaluate as run
    from zsavs.evaluation.plan import AUDIO

    whole = Plan(**plan, audio=AUDIO if ablations else AUDIO[:1])
    with console.progress("evaluating", min(len(dataset), whole.limit or len(dataset))) as bar:
        return run(dataset, whole, out, **how, on_items=bar.advance)


def _print(report: dict[str, Any], out: str | None, json: bool) -> None:
    """Print the report, how many items failed, and where the run is."""
    from zsavs.evaluation.summary import table

    if json:
        console.answer_json(report)
    else:
        console.answer(table(report))
    if report["dataset"]["failed"]:
        _say_failed(report["dataset"], out)
    if out and not json:
        console.answer(f"{report['computed_now']} of {report['dataset']['items']} items computed now")
        console.answer(f"wrote: {Path(out) / 'report.html'} and the run beside it")


def _say_failed(dataset: dict[str, Any], out: str | None) -> None:
    """How many items failed, the first of them, where all are listed, and how to try them again."""
    failed = dataset["failed"]
    for failure in failed[:3]:
        console.say(f"warning: failed: {failure['item']}: {failure['error']}")
    where = "--json and --out RUN list them all"
    if out:
        where = f"{Path(out) / 'report.html'} lists them all; --retry-failed in the same command tries them again"
    console.say(f"warning: {len(failed)} of {dataset['items']} items failed and count nowhere; {where}")

"""``zsavs label``: a folder or a manifest in, a data set of answers out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsavs.cli import console, options, parsing
from zsavs.cli.model_choice import Models, preset_here, with_settings
from zsavs.cli.overrides import read_parts
from zsavs.presets import find_preset

if TYPE_CHECKING:
    from zsavs.labelling.items import Inputs

__all__ = ["label"]

#: How many items and refusals a dry run shows.
_SHOWN = 10

_Input = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        parser=parsing.text,
        help="a folder of videos, or of images with audio files of the same name; or a manifest, CSV, JSON Lines or "
        "Parquet, with columns id, image, audio or id, video, and if wanted start_s, end_s",
    ),
]
_Out = Annotated[
    str,
    typer.Option(
        "--out",
        metavar="DIR",
        parser=parsing.place,
        help="folder for the data set, in which a job that was stopped goes on",
        rich_help_panel=options.OUTPUT,
    ),
]
_DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        metavar="",
        help="say what would be labelled, what would not and why, and by which rules; nothing is computed or written",
        rich_help_panel=options.DATA,
    ),
]
_Strategies = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        "--methods",
        "--method",
        metavar="NAME",
        parser=parsing.strategy,
        autocompletion=options.complete("strategy"),
        help="one of 'zsavs list strategy', or module:Class of your own; several times for several; the preset's own "
        "if left out",
        rich_help_panel=options.METHOD,
    ),
]
_Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        parser=parsing.text,
        autocompletion=lambda: ["local", "ray"],
        help="what carries the work: local, which is this process; or ray, several GPUs or machines",
        rich_help_panel=options.MODELS,
    ),
]
_Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        parser=parsing.positive,
        help="of ray: actors at the most, each with the models; if left out, one for each GPU, or as many as the CPUs "
        "allow",
        rich_help_panel=options.MODELS,
    ),
]
_WorkerCpus = Annotated[
    int | None,
    typer.Option(
        "--worker-cpus",
        metavar="N",
        parser=parsing.positive,
        help="of ray: CPUs of an actor and its reader; 4 if left out, or all of a smaller machine",
        rich_help_panel=options.MODELS,
    ),
]
_BatchSize = Annotated[
    int,
    typer.Option(
        "--batch-size",
        metavar="N",
        parser=parsing.positive,
        help="items, or frames of a video, at once; so many items are kept together",
        rich_help_panel=options.MODELS,
    ),
]
_Fps = Annotated[
    float | None,
    typer.Option(
        "--fps",
        metavar="N",
        parser=parsing.rate,
        help="frames of a video to look at in a second; 8 if left out",
        rich_help_panel=options.VIDEO,
    ),
]
_Previews = Annotated[
    int,
    typer.Option(
        "--previews",
        metavar="N",
        parser=parsing.not_negative,
        help="cards of N items from the first to the last; 0 is off",
        rich_help_panel=options.OUTPUT,
    ),
]
_ShardSize = Annotated[
    int,
    typer.Option(
        "--shard-size", metavar="N", parser=parsing.positive, help="rows in a file", rich_help_panel=options.OUTPUT
    ),
]
_Format = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAME",
        parser=parsing.text,
        autocompletion=lambda: ["jsonl", "parquet"],
        help="of the files: jsonl, or parquet where pyarrow is installed",
        rich_help_panel=options.OUTPUT,
    ),
]
_RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed", metavar="", help="ask again about items that failed before", rich_help_panel=options.OUTPUT
    ),
]
_Refresh = Annotated[
    bool,
    typer.Option(
        "--refresh",
        metavar="",
        help="compute all again where the strategies, their code, their models or their settings have changed since "
        "the job was begun; items whose files have changed are computed again in any case",
        rich_help_panel=options.OUTPUT,
    ),
]


def label(
    source: _Input,
    out: _Out = "zsavs-labels",
    dry_run: _DryRun = False,
    strategy: _Strategies = None,
    decomposition: options.Decomposition = None,
    stereo: options.Stereo = False,
    setting: options.Settings = None,
    fps: _Fps = None,
    preset: options.Preset = None,
    part: options.Parts = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    vocabulary: options.Vocabulary = None,
    bank: options.Bank = None,
    batch_size: _BatchSize = 8,
    engine: _Engine = "local",
    workers: _Workers = None,
    worker_cpus: _WorkerCpus = None,
    previews: _Previews = 12,
    shard_size: _ShardSize = 1000,
    form: _Format = "jsonl",
    retry_failed: _RetryFailed = False,
    refresh: _Refresh = False,
    json: options.Json = False,
    verbose: options.Verbose = 0,
) -> int:
    """Label a folder of videos, or of images with their audio; goes on where it was stopped."""
    from zsavs.labelling import label as run
    from zsavs.labelling import read_inputs

    inputs = read_inputs(source, out)
    if dry_run:
        _print_inputs(inputs, json)
        return 0
    for refused in inputs.refused[:3]:
        console.say(f"warning: left out: {refused.where}: {refused.why}")
    preset = preset or preset_here(device)
    models = Models(preset, device, dtype, vocabulary, bank, decomposition, stereo, read_parts(part))
    names = list(dict.fromkeys(strategy or [find_preset(preset).strategy]))
    chosen = asdict(with_settings(models, names, setting))
    given = {**chosen.pop("settings"), **chosen.pop("parts"), **chosen}
    given |= {"batch_size": batch_size, "fps": fps, "previews": previews, "shard_size": shard_size, "form": form}
    given |= {"retry_failed": retry_failed, "refresh": refresh, "engine": engine}
    given |= {"workers": workers, "worker_cpus": worker_cpus}
    with console.progress("labelling", len(inputs.items), rate="items") as bar:
        report = run(source, out, names, progress=bar.report, **given)
    if json:
        console.answer_json({**asdict(report), "out": out})
    else:
        _print(report, out)
    return int(bool(report.failed or report.refused))


def _print_inputs(inputs: Inputs, json: bool) -> None:
    """Print what would be labelled."""
    if json:
        items = [{"id": item.id, **item.named} for item in inputs.items]
        console.answer_json({"items": items, "refused": [vars(refused) for refused in inputs.refused]})
        return
    console.answer(f"{inputs.counted()} in {inputs.root}")
    for item in inputs.items[:_SHOWN]:
        files = " + ".join(getattr(item, kind) for kind in ("image", "video", "audio") if getattr(item, kind))
        console.answer(f"  {item.id}: {files}{_part(item.named)}")
    _say_more(len(inputs.items))
    if inputs.refused:
        console.answer(f"{len(inputs.refused)} left out")
    for refused in inputs.refused[:_SHOWN]:
        console.answer(f"  {refused.where}: {refused.why}")
    _say_more(len(inputs.refused))
    console.answer("rules")
    for rule in inputs.rules:
        console.answer(f"  - {rule}")


def _part(named: dict[str, Any]) -> str:
    if not {"start_s", "end_s"} & named.keys():
        return ""
    return f", {named.get('start_s', 0):g} s to {named.get('end_s', 'the end')}{' s' if 'end_s' in named else ''}"


def _say_more(count: int) -> None:
    if count > _SHOWN:
        console.answer(f"  and {count - _SHOWN} more; --json lists them all")


def _print(report: Any, out: str) -> None:
    """Print what came of a job, and how to try again what failed."""
    rate = f", {report.items_per_s:.2f} a second" if report.items_per_s else ""
    console.answer(f"{report.computed_now} of {report.items} items computed now{rate}")
    console.answer(f"{report.done} done, {report.empty} with nothing in view that sounds, {report.failed} failed")
    console.answer(f"wrote: {Path(out) / 'answers-*'} and beside it previews, failures.jsonl, report.json")
    if report.failed or report.refused:
        left_out = f" and {report.refused} of the input left out" if report.refused else ""
        console.say(
            f"warning: {report.failed} of {report.items} items failed{left_out}; {Path(out) / 'failures.jsonl'} says "
            f"why; --retry-failed in the same command tries failed ones again"
        )

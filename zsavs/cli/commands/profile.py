"""``zsavs profile``: where the time of an answer goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsavs.cli import console, options, parsing
from zsavs.cli.commands.segment import OneStrategy
from zsavs.cli.model_choice import Models, preset_here, with_settings
from zsavs.cli.overrides import read_parts
from zsavs.presets import find_preset

if TYPE_CHECKING:
    from zsavs.build import Profile

__all__ = ["profile"]

_Input = Annotated[
    str, typer.Argument(metavar="IMAGE|VIDEO", parser=str, help="an image, or a video, which needs no audio file")
]
_Repeats = Annotated[
    int,
    typer.Option(
        "--repeat",
        metavar="N",
        parser=parsing.not_negative,
        help="ask again so often; the last time is what another pair would take",
        rich_help_panel=options.METHOD,
    ),
]


def profile(
    image: _Input,
    audio: options.Audio = None,
    strategy: OneStrategy = None,
    repeat: _Repeats = 1,
    decomposition: options.Decomposition = None,
    stereo: options.Stereo = False,
    setting: options.Settings = None,
    preset: options.Preset = None,
    part: options.Parts = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    vocabulary: options.Vocabulary = None,
    bank: options.Bank = None,
    json: options.Json = False,
    verbose: options.Verbose = 0,
) -> None:
    """Say where the time of an answer goes: stage by stage, inside the models and around them."""
    from zsavs.build import profile as measure

    models = Models(
        preset or preset_here(device), device, dtype, vocabulary, bank, decomposition, stereo, read_parts(part)
    )
    strategy = strategy or find_preset(models.preset).strategy
    models = with_settings(models, [strategy], setting)
    with console.progress("answering"):
        found = measure(image, audio, strategy, repeats=repeat, **models.for_each([strategy])[strategy])
    if json:
        console.answer_json(found.to_dict())
    else:
        _print(found)


def _print(found: Profile) -> None:
    """The stages of the first and of the last answer, then the models of the last one."""
    stages = [[s.stage, s.seconds, s.in_models_s, s.own_s] for s in found.answers[-1]]
    stages.append(["all", *(sum(column) for column in zip(*(row[1:] for row in stages), strict=True))])
    columns = ["stage", "seconds", "in models", "around them"]
    if len(found.answers) > 1:
        first: dict[str, float] = {s.stage: s.seconds for s in found.answers[0]}
        first["all"] = found.seconds(0)
        stages = [[name, first.get(str(name), 0.0), *rest] for name, *rest in stages]
        columns[1:2] = ["first answer", "next answer"]
    title = (
        f"{found.strategy} ({found.preset}), in seconds; loaded in {_s(found.load_s)} s. "
        f"{found.in_models():.0%} of the {'next ' if len(found.answers) > 1 else ''}answer is spent inside the models"
    )
    rows = [[str(name), *map(_s, numbers)] for name, *numbers in stages]
    console.table(dict.fromkeys(columns, ""), rows, title)
    models = [
        [stage.stage, model, str(stage.calls[model]), _s(seconds)]
        for stage in found.answers[-1]
        for model, seconds in stage.models.items()
    ]
    if models:
        console.table(dict.fromkeys(("stage", "model", "calls", "seconds"), ""), models)


def _s(seconds: Any) -> str:
    return f"{seconds:.2f}" if seconds >= 0.1 else f"{seconds:.3f}"

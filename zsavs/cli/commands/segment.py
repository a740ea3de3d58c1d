"""``zsavs segment``: one strategy on one image with its audio."""

from __future__ import annotations

from typing import Annotated

import typer

from zsavs.cli import console, options, parsing
from zsavs.cli.model_choice import Models, preset_here, with_settings
from zsavs.cli.overrides import read_parts
from zsavs.cli.pairs import answer_pairs, print_answers, read_pairs
from zsavs.presets import find_preset

__all__ = ["segment"]

_Strategy = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        "--methods",
        "--method",
        metavar="NAME",
        parser=parsing.text,
        autocompletion=options.complete("strategy"),
        help="one of 'zsavs list strategy'; the preset's own if left out",
        rich_help_panel=options.METHOD,
    ),
]


def segment(
    image: options.Image = None,
    audio: options.Audio = None,
    img_path: options.ImagePath = None,
    wav_path: options.AudioPath = None,
    strategy: _Strategy = None,
    decomposition: options.Decomposition = None,
    stereo: options.Stereo = False,
    setting: options.Settings = None,
    preset: options.Preset = None,
    part: options.Parts = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    vocabulary: options.Vocabulary = None,
    bank: options.Bank = None,
    out: options.Out = "zsavs-out",
    label_set: options.LabelSet = None,
    json: options.Json = False,
    verbose: options.Verbose = 0,
) -> None:
    """Segment what sounds in one image."""
    pairs = read_pairs(parsing.pairs("segment", image, audio, img_path, wav_path), label_set)
    parts = read_parts(part)
    models = Models(preset or preset_here(), device, dtype, vocabulary, bank, decomposition, stereo, parts)
    strategy = strategy or find_preset(models.preset).strategy
    models = with_settings(models, [strategy], setting)
    (answers,) = answer_pairs(pairs, [strategy], models, out, label_set)
    if json:
        console.answer_json(answers[strategy])
    else:
        print_answers(answers, models.preset)

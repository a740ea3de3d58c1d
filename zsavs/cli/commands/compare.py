"""``zsavs compare``: several strategies on one image with its audio, or on several of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zsavs.cli import console, options, parsing
from zsavs.cli.model_choice import Models, preset_here, strategies, with_settings
from zsavs.cli.output import write_sheet
from zsavs.cli.overrides import read_parts
from zsavs.cli.pairs import Answers, Pair, answer_pairs, print_answers, read_pairs

__all__ = ["compare"]

_More = Annotated[
    list[str] | None,
    typer.Argument(metavar="[IMAGE AUDIO]...", parser=str, help="more pairs: a row each on one page"),
]


def compare(
    image: options.Image = None,
    audio: options.Audio = None,
    more: _More = None,
    img_path: options.ImagePath = None,
    wav_path: options.AudioPath = None,
    strategy: options.Strategies = None,
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
    """Run several strategies on one image with its audio, or on several such pairs."""
    pairs = read_pairs(parsing.pairs("compare", image, audio, img_path, wav_path, more), label_set)
    parts = read_parts(part)
    models = Models(preset or preset_here(), device, dtype, vocabulary, bank, decomposition, stereo, parts)
    names = strategies(strategy, models.preset, parts)
    models = with_settings(models, names, setting)
    told = answer_pairs(pairs, names, models, out, label_set)
    sheet = _write_sheet(pairs, names, told, Path(out))
    if json:
        console.answer_json(_for_json(pairs, told))
        return
    for pair, answers in zip(pairs, told, strict=True):
        if len(pairs) > 1:
            console.answer(f"{pair.image} + {pair.audio}")
        print_answers(answers, models.preset)
    if sheet is not None:
        console.answer(f"side by side: {sheet}")


def _write_sheet(pairs: list[Pair], names: list[str], told: list[Answers], out: Path) -> Path | None:
    """Put all answers on one page: a row for each pair, or one pair's side by side; None for a single answer."""
    if len(pairs) > 1:
        return write_sheet(told, out / "compare.png", columns=len(names))
    if len(names) > 1:
        return write_sheet(told, out / f"{pairs[0].stem}_compare.png")
    return None


def _for_json(pairs: list[Pair], told: list[Answers]) -> Any:
    """The answers to one pair, or a list of such with their files."""
    if len(pairs) == 1:
        return told[0]
    return [
        {"image": pair.image, "audio": pair.audio, "answers": answers}
        for pair, answers in zip(pairs, told, strict=True)
    ]

"""``zsavs compare``: several strategies on one image with its audio, or on several of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zsavs.cli import console, options, parsing
from zsavs.cli.model_choice import Models, preset_here, strategies, with_settings
from zsavs.cli.naming import free_stem
from zsavs.cli.output import write_json, write_sheet
from zsavs.cli.overrides import read_parts
from zsavs.cli.pairs import Answers, Pair, answer_pairs, failures, name_pairs, print_answers, read_pairs

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
) -> int:
    """Run several strategies on one image with its audio, or on several such pairs; one that fails costs itself."""
    pairs = read_pairs(parsing.pairs("compare", image, audio, img_path, wav_path, more), label_set)
    parts = read_parts(part)
    models = Models(preset or preset_here(device), device, dtype, vocabulary, bank, decomposition, stereo, parts)
    names = strategies(strategy, models.preset, parts)
    models = with_settings(models, names, setting)
    pairs = name_pairs(pairs, names, out)
    told = answer_pairs(pairs, names, models, out, label_set)
    sheet = _write_sheet(pairs, names, told, Path(out))
    if json:
        console.answer_json(_for_json(pairs, told))
    else:
        for pair, answers in zip(pairs, told, strict=True):
            if len(pairs) > 1:
                console.answer(pair)
            if pair.error:
                console.answer(f"  failed: {pair.error}")
            print_answers(answers, models.preset)
        if sheet is not None:
            console.answer(f"side by side: {sheet}")
    failed = failures(pairs, told)
    for line in failed:
        console.say(f"failed: {line}")
    if not failed:
        return 0
    good = sum("error" not in answer for answers in told for answer in answers.values())
    return console.complain(f"{len(failed)} failed; the {good} other answers are written to {out}", 1)


def _write_sheet(pairs: list[Pair], names: list[str], told: list[Answers], out: Path) -> Path | None:
    """Put all answers on one page, with a JSON file of them beside it; None for a single answer.

    It has a row for each pair, or one pair's answers side by side, and replaces no page of other pairs.
    """
    rows = [[own.get(name, {}).get("files", {}).get("card") for name in names] for own in told]
    rows = [cards for cards in rows if any(cards)]
    if not rows:
        return None
    if len(pairs) == len(names) == 1:
        return None
    if len(pairs) > 1:
        inputs = [pair.inputs for pair in pairs]
        path = out / f"{free_stem(out, 'compare', inputs, set())}.png"
        value: Any = [{**own, "answers": answers} for own, answers in zip(inputs, told, strict=True)]
    else:
        rows = [[card for card in rows[0] if card]]
        path = out / f"{pairs[0].stem}_compare.png"
        value = {"meta": pairs[0].inputs, "answers": told[0]}
    write_json(path.with_suffix(".json"), value)
    return write_sheet(rows, path, columns=len(names) if len(pairs) > 1 else 3)


def _for_json(pairs: list[Pair], told: list[Answers]) -> Any:
    """The answers to one pair, or a list of such with their files."""
    if len(pairs) == 1:
        return told[0]
    return [
        {"image": pair.image, "audio": pair.audio, "answers": answers, **({"error": pair.error} if pair.error else {})}
        for pair, answers in zip(pairs, told, strict=True)
    ]

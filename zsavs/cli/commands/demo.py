"""``zsavs demo``: a page to look at and to listen to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsavs.cli import console, options, parsing
from zsavs.cli.model_choice import Models, preset_here, strategies, with_settings
from zsavs.cli.overrides import read_parts
from zsavs.cli.pairs import Pair, answer_pairs, failures, name_pairs, print_answers, read_pairs

__all__ = ["demo"]

_Folder = Annotated[
    str,
    typer.Option(
        "--out", metavar="DIR", parser=parsing.place, help="folder for the page", rich_help_panel=options.OUTPUT
    ),
]
_Yes = Annotated[
    bool,
    typer.Option(
        "--yes",
        "-y",
        metavar="",
        help="fetch small models for photographs, about which is asked on a terminal otherwise",
    ),
]


def demo(
    image: options.Image = None,
    audio: options.Audio = None,
    strategy: options.Strategies = None,
    setting: options.Settings = None,
    preset: options.Preset = None,
    part: options.Parts = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    vocabulary: options.Vocabulary = None,
    out: _Folder = "zsavs-demo",
    yes: _Yes = False,
    verbose: options.Verbose = 0,
) -> int:
    """Make a page to look at and to listen to: of scenes that come with zsavs, or of an image of yours with its audio.

    The scenes need no network. Your own pair is answered by the best preset that is on this machine, or by the one that
    you name.
    """
    if image is None:
        told = {
            "--strategy": strategy,
            "--set": setting,
            "--preset": preset,
            "--part": part,
            "--vocabulary": vocabulary,
        }
        for name, value in told.items():
            if value is not None:
                raise typer.BadParameter("is for a pair of your own: zsavs demo IMAGE AUDIO", param_hint=name)
        return _of_scenes(out, yes)
    pairs = read_pairs(parsing.pairs("demo", image, audio, None, None), None)
    parts = read_parts(part)
    models = Models(preset or preset_here(device), device, dtype, vocabulary, None, None, False, parts)
    names = strategies(strategy, models.preset, parts)
    return _of_a_pair(name_pairs(pairs, names, out), names, with_settings(models, names, setting), out)


def _of_scenes(out: str, yes: bool) -> int:
    """The demo of what comes with zsavs."""
    from zsavs.cli.demo import PHOTOGRAPHS, run
    from zsavs.cli.demo.fetching import is_here_now

    photographs = PHOTOGRAPHS if is_here_now(PHOTOGRAPHS, yes=yes) else None
    for line in run(Path(out), photographs=photographs):
        console.answer(line)
    return 0


def _of_a_pair(pairs: list[Pair], names: list[str], models: Models, out: str) -> int:
    """The page of a user's own pair; 1 where a strategy has no answer."""
    from zsavs.cli.demo.own_pair import write_page

    (answers,) = answer_pairs(pairs, names, models, out, None)
    page = write_page(pairs[0], answers, Path(out), models.preset)
    print_answers(answers, models.preset)
    console.answer(f"a page to look at and to listen to: {page}")
    failed = failures(pairs, [answers])
    return console.complain(f"{'; '.join(failed)}", 1) if failed else 0

"""The arguments and options that several commands share, each with the panel of the help that it stands in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeAlias

import typer

from zsavs.cli import console
from zsavs.cli.overrides import complete_part
from zsavs.cli.parsing import place, strategy, text

__all__ = [
    "DATA",
    "METHOD",
    "MODELS",
    "OUTPUT",
    "VIDEO",
    "Audio",
    "AudioPath",
    "Bank",
    "DataOptions",
    "Decomposition",
    "Device",
    "Dtype",
    "Image",
    "ImagePath",
    "Json",
    "LabelSet",
    "Out",
    "Parts",
    "Preset",
    "Settings",
    "Stereo",
    "Strategies",
    "Verbose",
    "Vocabulary",
    "complete",
]

#: The panels of the help of a command.
DATA, METHOD, MODELS, OUTPUT, VIDEO = "Data", "Method", "Models", "Output", "Video"

_DEVICES = ("auto", "cpu", "cuda", "cuda:1", "mps")
_DTYPES = ("auto", "float32", "bfloat16", "float16")


def complete(kind: str) -> Callable[[str], list[str]]:
    """A function for the shell's completion: the names of a kind, as of ``zsavs list KIND``, by their beginning."""

    def names(incomplete: str) -> list[str]:
        from zsavs.registry import list_components

        return [name for name in list_components(kind) if name.startswith(incomplete)]

    return names


# ------------------------------------------------------------------------------------ input
Image: TypeAlias = Annotated[str | None, typer.Argument(metavar="IMAGE", parser=str, help="an image")]
Audio: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="AUDIO", parser=str, help="an audio file: wav, flac, ogg or mp3")
]
ImagePath: TypeAlias = Annotated[str | None, typer.Option("--img_path", parser=str, hidden=True)]
AudioPath: TypeAlias = Annotated[str | None, typer.Option("--wav_path", parser=str, hidden=True)]
DataOptions: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        parser=text,
        help="an option of the data set, for example truth=box or target_size=224; give it several times for several",
        rich_help_panel=DATA,
    ),
]

# ----------------------------------------------------------------------------------- method
Strategies: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        "--methods",
        "--method",
        metavar="NAME",
        parser=strategy,
        autocompletion=complete("strategy"),
        help="one of 'zsavs list strategy', or module:Class of your own; several times for several; all if left out",
        rich_help_panel=METHOD,
    ),
]
Decomposition: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--decomposition",
        metavar="NAME",
        parser=text,
        autocompletion=complete("decomposition"),
        help="decompose the audio into its sources first: windows, nmf or sparse",
        rich_help_panel=METHOD,
    ),
]
Stereo: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--stereo", metavar="", help="look where the sound of stereo audio comes from", rich_help_panel=METHOD
    ),
]

# ----------------------------------------------------------------------------------- models
Preset: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        parser=text,
        autocompletion=complete("preset"),
        help="which models; if left out, the first of large, base and pocket that is on this machine",
        rich_help_panel=MODELS,
    ),
]
Parts: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--part",
        metavar="ROLE=NAME[:CHECKPOINT]",
        parser=text,
        autocompletion=complete_part,
        help="a component in place of the preset's, for example grounder=owlv2:google/owlv2-base-patch16-ensemble; a "
        "checkpoint may be a folder; give it several times for several",
        rich_help_panel=MODELS,
    ),
]
Settings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        parser=text,
        help="a setting of the strategies, such as top_k=5, or ROLE.NAME=VALUE for one of a part; give it several "
        "times for several",
        rich_help_panel=METHOD,
    ),
]
Device: TypeAlias = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        parser=text,
        autocompletion=lambda: list(_DEVICES),
        help=", ".join(_DEVICES),
        rich_help_panel=MODELS,
    ),
]
Dtype: TypeAlias = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="NAME",
        parser=text,
        autocompletion=lambda: list(_DTYPES),
        help=", ".join(_DTYPES),
        rich_help_panel=MODELS,
    ),
]
Vocabulary: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--vocabulary",
        metavar="FILE|NAME|LABELS",
        parser=text,
        autocompletion=complete("vocabulary"),
        help="labels to choose from: a file with one a line, JSON or CSV; one of 'zsavs list vocabulary'; or the "
        'labels themselves, "maracas, trumpet"',
        rich_help_panel=MODELS,
    ),
]
Bank: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--bank",
        metavar="DIR",
        parser=text,
        help="a bank that 'zsavs calibrate' made of your own files, to score against",
        rich_help_panel=MODELS,
    ),
]

# ----------------------------------------------------------------------------------- output
Out: TypeAlias = Annotated[
    str, typer.Option("--out", metavar="DIR", parser=place, help="folder for what is written", rich_help_panel=OUTPUT)
]
LabelSet: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--label-set",
        metavar="NAME",
        parser=text,
        help="write a map of classes too: avss (71) or vpo (22)",
        rich_help_panel=OUTPUT,
    ),
]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", metavar="", help="print the answer as JSON, and nothing else", rich_help_panel=OUTPUT)
]
Verbose: TypeAlias = Annotated[
    int,
    typer.Option(
        "-v",
        "--verbose",
        count=True,
        callback=console.say_more,
        metavar="",
        help="say more; twice for everything",
        show_default=False,
    ),
]

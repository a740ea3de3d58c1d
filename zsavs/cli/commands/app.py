"""``zsavs app``: a page in the browser to try it on."""

from __future__ import annotations

from typing import Annotated

import typer

from zsavs.cli import console, options, parsing

__all__ = ["app"]

_PAGE, _LIMITS = "Page", "Limits"

_Host = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="ADDRESS",
        parser=parsing.text,
        help="where the page is served: this machine alone; 0.0.0.0 for everybody who can reach it",
        rich_help_panel=_PAGE,
    ),
]
_Port = Annotated[
    int,
    typer.Option(
        "--port",
        metavar="N",
        parser=parsing.not_negative,
        help="of the page; 0 is the first free one from 7860 on",
        rich_help_panel=_PAGE,
    ),
]
_Open = Annotated[bool, typer.Option("--open", metavar="", help="open the page in the browser", rich_help_panel=_PAGE)]
_Share = Annotated[
    bool,
    typer.Option(
        "--share",
        metavar="",
        help="a public address for three days: Gradio's tunnel program is fetched and run, and all that visitors give "
        "passes through Gradio's servers",
        rich_help_panel=_PAGE,
    ),
]
_Yes = Annotated[
    bool,
    typer.Option(
        "--yes",
        "-y",
        metavar="",
        help="fetch small models for photographs where there are none, about which is asked on a terminal otherwise",
        rich_help_panel=options.MODELS,
    ),
]
_Megabytes = Annotated[
    int,
    typer.Option(
        "--max-mb", metavar="N", parser=parsing.positive, help="of a visitor's file, in MB", rich_help_panel=_LIMITS
    ),
]
_AudioSeconds = Annotated[
    int,
    typer.Option(
        "--max-audio-s",
        metavar="N",
        parser=parsing.positive,
        help="of a visitor's audio file, in seconds",
        rich_help_panel=_LIMITS,
    ),
]
_VideoSeconds = Annotated[
    int,
    typer.Option(
        "--max-video-s",
        metavar="N",
        parser=parsing.positive,
        help="of a visitor's video, in seconds",
        rich_help_panel=_LIMITS,
    ),
]


def app(
    preset: options.Preset = None,
    device: options.Device = "auto",
    yes: _Yes = False,
    host: _Host = "127.0.0.1",
    port: _Port = 0,
    open_page: _Open = False,
    share: _Share = False,
    max_mb: _Megabytes = 50,
    max_audio_s: _AudioSeconds = 120,
    max_video_s: _VideoSeconds = 30,
    verbose: options.Verbose = 0,
) -> int:
    """Serve a page to try zsavs on in the browser: your image and its sound, or a video; needs the extra zsavs[app].

    It begins with the best preset that is on this machine, and offers all that are.
    """
    from zsavs.webapp.limits import Limits
    from zsavs.webapp.server import Settings, check_installed, serve

    check_installed()
    if preset is None:
        _offer(device, yes)
    limits = Limits(megabytes=max_mb, audio_s=max_audio_s, video_s=max_video_s)
    settings = Settings(preset=preset, device=device, host=host, port=port, share=share, limits=limits)
    serve(settings, console.answer, show=open_page)
    return 0


def _offer(device: str, yes: bool) -> None:
    """Offer preset pocket where no models for a user's own photographs are here."""
    from zsavs.build.availability import missing_weights
    from zsavs.cli.demo.fetching import is_here_now
    from zsavs.presets import FOR_OWN_FILES

    if all(missing_weights(name, device) for name in FOR_OWN_FILES):
        is_here_now("pocket", yes=yes, where="on this page")

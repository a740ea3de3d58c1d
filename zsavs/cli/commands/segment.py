"""``zsavs segment``: one strategy on one image with its audio, or on a video."""

from __future__ import annotations

from typing import Annotated

import typer

from zsavs.cli import console, options, parsing
from zsavs.cli.model_choice import Models, preset_here, with_settings
from zsavs.cli.overrides import read_parts
from zsavs.cli.pairs import answer_pairs, name_pairs, print_answers, read_pairs
from zsavs.cli.videos import VideoOptions, answer_video, check_video, describe_video, looks_like_video
from zsavs.presets import find_preset

__all__ = ["OneStrategy", "segment"]

OneStrategy = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        "--methods",
        "--method",
        metavar="NAME",
        parser=parsing.strategy,
        autocompletion=options.complete("strategy"),
        help="one of 'zsavs list strategy', or module:Class of your own; the preset's own if left out",
        rich_help_panel=options.METHOD,
    ),
]
_Input = Annotated[
    str | None,
    typer.Argument(
        metavar="IMAGE|VIDEO", parser=str, help="an image, or a video, which needs no audio file but may have one"
    ),
]
_Fps = Annotated[
    float | None,
    typer.Option(
        "--fps",
        metavar="N",
        parser=parsing.rate,
        help="frames of the video to look at in a second; 8 if left out. All frames are written",
        rich_help_panel=options.VIDEO,
    ),
]
_Start = Annotated[
    float | None,
    typer.Option(
        "--start",
        metavar="TIME",
        parser=parsing.moment,
        help="where to begin, in seconds or as 1:30",
        rich_help_panel=options.VIDEO,
    ),
]
_End = Annotated[
    float | None,
    typer.Option("--end", metavar="TIME", parser=parsing.moment, help="where to end", rich_help_panel=options.VIDEO),
]
_Tracker = Annotated[
    str | None,
    typer.Option(
        "--tracker",
        metavar="NAME",
        parser=parsing.text,
        autocompletion=options.complete("tracker"),
        help="what follows objects from frame to frame, one of 'zsavs list tracker'; the preset's own if left out",
        rich_help_panel=options.VIDEO,
    ),
]
_Show = Annotated[
    str | None,
    typer.Option(
        "--show",
        metavar="WHEN",
        parser=parsing.text,
        autocompletion=lambda: ["sounding", "always"],
        help="mark a track while it is sounding, which is the default, or outline it always",
        rich_help_panel=options.VIDEO,
    ),
]
_Codec = Annotated[
    str | None,
    typer.Option(
        "--codec",
        metavar="NAME",
        parser=parsing.text,
        autocompletion=lambda: ["vp9", "av1", "h264", "mpeg4"],
        help="of the video that is written: vp9, which is the default and which browsers play, av1, h264 or mpeg4",
        rich_help_panel=options.VIDEO,
    ),
]
_Masks = Annotated[
    str | None,
    typer.Option(
        "--masks",
        metavar="FORM",
        parser=parsing.text,
        autocompletion=lambda: ["rle", "png"],
        help="rle: as run lengths in the JSON file, which is the default; png: an image of each frame as well",
        rich_help_panel=options.VIDEO,
    ),
]


def segment(
    image: _Input = None,
    audio: options.Audio = None,
    img_path: options.ImagePath = None,
    wav_path: options.AudioPath = None,
    strategy: OneStrategy = None,
    decomposition: options.Decomposition = None,
    stereo: options.Stereo = False,
    setting: options.Settings = None,
    fps: _Fps = None,
    start: _Start = None,
    end: _End = None,
    tracker: _Tracker = None,
    show: _Show = None,
    codec: _Codec = None,
    masks: _Masks = None,
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
    """Segment what sounds in one image, or in a video."""
    of_video = VideoOptions(fps, start, end, tracker, show, codec, masks)
    given, sound = image or img_path, audio or wav_path
    once = not ((image and img_path) or (audio and wav_path))
    video = given if once and given and (not sound or looks_like_video(given)) else None
    if video:
        check_video(video, out, of_video, label_set)
    else:
        of_video.refuse_for_an_image()
        files = parsing.pairs("segment", image, audio, img_path, wav_path)
        pairs = read_pairs(files, label_set)
    parts = read_parts(part)
    models = Models(preset or preset_here(device), device, dtype, vocabulary, bank, decomposition, stereo, parts)
    strategy = strategy or find_preset(models.preset).strategy
    models = with_settings(models, [strategy], setting)
    if video:
        answer = answer_video(video, sound, strategy, models, out, of_video)
        if json:
            console.answer_json(answer)
        else:
            console.answer("\n  ".join([f"{strategy} ({models.preset})", *describe_video(answer)]))
        return
    (answers,) = answer_pairs(name_pairs(pairs, [strategy], out), [strategy], models, out, label_set)
    if json:
        console.answer_json(answers[strategy])
    else:
        print_answers(answers, models.preset)

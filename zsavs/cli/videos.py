"""A video, answered by one strategy, and what is written and told of that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zsavs.cli import console
from zsavs.cli.model_choice import Models
from zsavs.cli.naming import free_stem, inputs_of, named_after

if TYPE_CHECKING:
    from zsavs.temporal.video_result import VideoResult

__all__ = ["VideoOptions", "answer_video", "check_video", "describe_video", "looks_like_video"]

_FPS, _CODEC, _SHOW, _MASKS = 8.0, "vp9", "sounding", "rle"


@dataclass(frozen=True)
class VideoOptions:
    """The options that only a video has; None for one that was not given.

    Args:
        fps: frames that are looked at in a second.
        start, end: the part of the video, in seconds.
        tracker: the component that follows objects.
        show: "sounding" or "always".
        codec: of the video that is written.
        masks: "rle" or "png".
    """

    fps: float | None = None
    start: float | None = None
    end: float | None = None
    tracker: str | None = None
    show: str | None = None
    codec: str | None = None
    masks: str | None = None

    def refuse_for_an_image(self) -> None:
        """Refuse an option that says nothing about an image.

        Raises:
            typer.BadParameter: one was given.
        """
        for field in fields(self):
            if getattr(self, field.name) is not None:
                raise typer.BadParameter("is for a video: zsavs segment VIDEO", param_hint=f"--{field.name}")


def check_video(path: str, out: str, options: VideoOptions, label_set: str | None) -> None:
    """Check that there is a video, and that it can be answered as was asked, before any model is loaded.

    Raises:
        typer.BadParameter: the file is no video, and an audio file is lacking; or the options do not fit.
        InputError: there is no such file.
        UnknownName: no such codec.
        OutputError: the annotated video would replace the video itself.
    """
    from zsavs.errors import InputError, OutputError, UnknownName
    from zsavs.media.video_file import is_video
    from zsavs.media.video_writer import CODECS

    if not Path(path).exists():
        raise InputError(f"{path}: there is no such file; give a video, or an image and an audio file.")
    if not is_video(path):
        raise typer.BadParameter(
            f"{path} is no video; an image needs an audio file beside it: zsavs segment IMAGE AUDIO", param_hint=""
        )
    if label_set:
        raise typer.BadParameter("is for an image with its audio, and this is a video", param_hint="--label-set")
    for name, known in (("show", ("sounding", "always")), ("masks", ("rle", "png"))):
        value = getattr(options, name)
        if value is not None and value not in known:
            raise typer.BadParameter(f"must be {' or '.join(known)}, and {value!r} is neither", param_hint=f"--{name}")
    if options.codec is not None and options.codec not in CODECS:
        raise UnknownName("video codec", options.codec, CODECS)
    if options.end is not None and options.end <= (options.start or 0.0):
        raise typer.BadParameter("must be later than --start", param_hint="--end")
    written = Path(out) / f"{Path(path).stem}.mp4"
    if written.exists() and written.samefile(path):
        raise OutputError(f"{written}: this is the video itself; name another folder with --out.")


def looks_like_video(path: str) -> bool:
    """Whether a file is a video, so that an audio file beside it is to be heard in place of its own sound."""
    from zsavs.media.video_file import is_video

    return is_video(path)


def answer_video(
    path: str, audio: str | None, name: str, models: Models, out: str, options: VideoOptions
) -> dict[str, Any]:
    """Ask a strategy about a video, and write the annotated video, its page and the data.

    Args:
        path: the video.
        audio: an audio file in place of its own sound; None for that.
        name: the strategy.
        models: what it is built with.
        out: folder for the files.
        options: those of the video.

    Returns:
        What is told of it, as ``--json`` prints it.

    Raises:
        UnknownName, InputError, MissingWeights: as :func:`zsavs.build_pipeline`.
        OutputError: a file cannot be written.
    """
    from zsavs.build import build_pipeline
    from zsavs.storage.files import check_folder

    inputs = inputs_of(video=path, audio=audio)
    stem = free_stem(Path(out), named_after(path, path), inputs, set())
    masks, show, codec = options.masks or _MASKS, options.show or _SHOW, options.codec or _CODEC
    with console.progress("loading models") as bar:
        pipe = build_pipeline(name, **models.for_each([name])[name])
        check_folder(Path(out))
        bar.start_over(f"running {name}")
        result: VideoResult = pipe.video(
            path,
            audio,
            fps=options.fps or _FPS,
            start_s=options.start or 0.0,
            end_s=math.inf if options.end is None else options.end,
            tracker=options.tracker,
            progress=bar.report,
        )
        result = replace(result, meta={**result.meta, **inputs})
        data = result.save(out, stem, masks)  # before the video, which takes longer and may fail
        beside = {f"{stem}.json": "every track with its times, scores, boxes and masks"}
        bar.start_over("writing the video")
        files = result.save_page(out, stem, audio=audio, show=show, codec=codec, progress=bar.report, files=beside)
    return _told(result, {**files, **data})


def _told(result: VideoResult, files: dict[str, Path]) -> dict[str, Any]:
    """What is told of a result: its tracks without their masks, what was heard, and the files."""
    from zsavs.temporal.display import names

    called = names(result)
    times = result.queries.times or ((),) * len(result.queries)
    return {
        **{kind: result.meta[kind] for kind in ("video", "audio") if kind in result.meta},
        "frames": len(result),
        "tracks": [
            {
                "id": track.id,
                "label": called[track.id],
                "phrase": track.phrase,
                "times_s": _rounded(track.times),
                "score": round(float(track.scores.max(initial=0.0)), 4),
                "frames": len(track),
            }
            for track in result.tracks
        ],
        "heard": [
            {"phrase": phrase, "weight": round(float(weight), 4), "times_s": _rounded(spans)}
            for phrase, weight, spans in zip(result.queries.phrases, result.queries.weights, times, strict=True)
        ],
        "notes": result.meta.get("notes", {}),
        "timings_s": {stage: round(seconds, 4) for stage, seconds in result.timings.items()},
        "files": {name: str(path) for name, path in files.items()},
    }


def _rounded(times: Sequence[tuple[float, float]]) -> list[list[float]]:
    return [[round(on, 3), round(off, 3)] for on, off in times]


def describe_video(answer: dict[str, Any]) -> list[str]:
    """An answer in lines: what was heard, a table of the tracks, and the files."""
    from zsavs.types import when

    named = [f"{row['phrase']} {row['weight']:.2f}{when(row['times_s'])}" for row in answer["heard"]]
    lines = [f"heard: {', '.join(named) or 'nothing it knows'}"]
    if answer["tracks"]:
        rows = [("id", "label", "best", "sounds")]
        for row in answer["tracks"]:
            told = when(row["times_s"]).removeprefix(" at ") or "not at all"
            rows.append((str(row["id"]), row["label"], f"{row['score']:.2f}", told))
        number, label, score = (max(len(row[column]) for row in rows) for column in range(3))
        lines += [f"{a:>{number}}  {b:<{label}}  {c:>{score}}  {d}" for a, b, c, d in rows]
    else:
        lines.append("found: nothing in view is sounding")
    files = answer["files"]
    others = ", ".join(Path(path).name for name, path in files.items() if name != "page")
    return [*lines, f"wrote: {files['page']} and beside it {others}"]

"""The page of a video's result: written beside the annotated video, which it plays."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs.draw.audio import envelope
from zsavs.errors import OutputError
from zsavs.media.audio_clip import AudioClip
from zsavs.media.regions import touched_pixels
from zsavs.report.values import line
from zsavs.report.video_page import Source, VideoPage, render_video
from zsavs.storage import rle
from zsavs.storage.files import png, write_atomically
from zsavs.storage.progress_bar import Progress
from zsavs.temporal import display
from zsavs.temporal.annotate import Frames, Sound, annotate, sound_of
from zsavs.types import when

if TYPE_CHECKING:
    from zsavs.temporal.video_result import Track, VideoResult

__all__ = ["write_page"]

#: Spans of time that the waveform is drawn of.
_WAVE_COLUMNS = 480
#: Side of the image of a source, in pixels, and how bright its surroundings are.
_CROP, _AROUND = 112, 0.45


def write_page(
    result: VideoResult,
    folder: str | os.PathLike[str],
    stem: str,
    *,
    video: str | os.PathLike[str] | None = None,
    frames: Frames | None = None,
    fps: float | None = None,
    audio: Sound | None = None,
    show: str = "sounding",
    codec: str = "vp9",
    progress: Progress | None = None,
    files: Mapping[str, str] | None = None,
) -> dict[str, Path]:
    """Write the annotated video, and a page that plays it with a lane for each source.

    Args:
        result, video, frames, fps, audio, show, codec, progress: see :func:`~zsavs.temporal.annotate.annotate`.
        folder: made if it does not exist.
        stem: start of the file names, without folders.
        files: what else lies in the folder and is told on the page: names, and what they are.

    Returns:
        ``{"video": <stem>.mp4, "page": <stem>.html}`` with their folder.

    Raises:
        as :func:`~zsavs.temporal.annotate.annotate`.
    """
    if not stem or Path(stem).name != stem:
        raise OutputError(f"{stem!r} cannot be the start of a file name; give a name without folders.")
    written = {"video": Path(folder) / f"{stem}.mp4", "page": Path(folder) / f"{stem}.html"}
    crops = _Crops(result)
    clip = sound_of(result, video, audio)
    given: dict[str, Any] = {"video": video, "frames": frames, "fps": fps, "show": show, "codec": codec}
    # The sound of the video's own file is decoded once for both.
    given["audio"] = clip if audio is None else audio
    annotate(result, written["video"], **given, progress=progress, watch=crops.watch)
    page = _page(result, stem, crops, clip, files or {})
    text = render_video(page).encode("utf-8", "backslashreplace")
    write_atomically(written["page"], lambda file: file.write(text))
    return written


class _Crops:
    """An image of each track where it is surest while it sounds, cut out as the video goes by.

    Args:
        result: whose tracks they are.
    """

    def __init__(self, result: VideoResult) -> None:
        self._result = result
        self._wanted: dict[int, list[tuple[Track, int]]] = {}  # tracks and their places, by the frame's number
        for track in result.tracks:
            if len(track):
                sounding = np.array([track.sounds_at(time_s) for time_s in result.frames[track.frames]])
                place = int(np.argmax(np.where(sounding, 2.0, 0.0) + track.scores))
                self._wanted.setdefault(int(track.frames[place]), []).append((track, place))
        self._apart: dict[int, float] = {}  # seconds between the frame and the image that was cut, by the number
        self.images: dict[int, bytes] = {}
        self.times: dict[int, float] = {}
        self._last: list[float] = []  # when the last two images are shown

    @property
    def end_s(self) -> float:
        """When the last image ends, if it is shown as long as the one before."""
        return 2 * self._last[-1] - self._last[0] if len(self._last) == 2 else np.inf

    def watch(self, image: NDArray[np.uint8], time_s: float, number: int) -> None:
        """Cut the tracks out of an image that is nearer to their frame than those before."""
        self._last = [*self._last[-1:], time_s]
        if number not in self._wanted:
            return
        apart = abs(time_s - float(self._result.frames[number]))
        if apart < self._apart.get(number, np.inf):
            self._apart[number] = apart
            for track, place in self._wanted[number]:
                self.images[track.id] = _crop(image, rle.decode(track.runs[place]), track.boxes_xyxy[place])
                self.times[track.id] = time_s


def _crop(image: NDArray[np.uint8], mask: NDArray[np.bool_], box: NDArray[np.float32]) -> bytes:
    """A square PNG file of what is in a mask, with its surroundings darkened."""
    x0, y0, x1, y1 = box.tolist()
    half = max(x1 - x0, y1 - y0, 8) * 0.6
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    left, top, right, bottom = touched_pixels(image, [x - half, y - half, x + half, y + half], 0.0)
    part, inside = image[top:bottom, left:right], mask[top:bottom, left:right]
    shaded = np.where(inside[..., None], part, part * _AROUND).astype(np.uint8)
    cut = Image.fromarray(shaded)
    cut.thumbnail((_CROP, _CROP))
    return png(cut)


def _page(result: VideoResult, stem: str, crops: _Crops, clip: AudioClip | None, files: Mapping[str, str]) -> VideoPage:
    """What stands on the page."""
    names, colours = display.names(result), display.colours(result)
    start, end = display.shown_span(result)
    span = start, max(start + 1e-3, min(end, crops.end_s))
    lanes = {lane.label: lane for lane in display.lanes(result)}
    sources = [
        Source(
            names[track.id],
            track.times,
            _told(track.times) if track.times else "in view, and does not sound",
            colours[track.id],
            lanes[names[track.id]].seen,
            float(track.scores.max()),
            crops.images.get(track.id, b""),
            crops.times.get(track.id, 0.0),
        )
        for track in result.tracks
        if len(track)
    ]
    for name, weight, times in display.unseen(result):
        told = f"not in view; {_told(times)}" if times else "not in view"
        sources.append(Source(name, times, told, None, (), weight))
    name = Path(result.source).name if result.source else stem
    strategy = line(result.meta.get("strategy")) or "zsavs"
    return VideoPage(
        title=f"What sounds in {name}",
        video=f"{stem}.mp4",
        shown_hw=result.size_hw,
        span_s=span,
        sources=sources,
        wave=None if clip is None else _wave(clip, span),
        notes=_notes(result),
        models={strategy: result.meta.get("models")},
        files=[(f"{stem}.mp4", "the annotated video, with this timeline beneath"), *(files or {}).items()],
    )


def _told(times: tuple[tuple[float, float], ...]) -> str:
    """Times in words."""
    return f"sounds{when(times)}"


def _wave(clip: AudioClip, span: tuple[float, float]) -> NDArray[np.float32] | None:
    """Lowest and highest values over a span of the video; zeros where the sound has ended."""
    rate, samples = clip.sample_rate_hz, clip.waveform.shape[1]
    first, last = round(span[0] * rate), round(span[1] * rate)
    end = min(last, samples)
    columns = round(_WAVE_COLUMNS * (end - first) / max(1, last - first))
    wave = np.zeros((2, _WAVE_COLUMNS), np.float32)
    if columns >= 1 and end > first:
        wave[:, :columns] = envelope(clip.part(first, end), columns)
    return wave


def _notes(result: VideoResult) -> list[str]:
    """What has to be known of this video, a sentence each."""
    notes: Any = result.meta.get("notes") or {}
    start = float(result.frames[0])
    told = [f"All times are those of the whole video, of which this begins at {start:.1f} s."] if start > 0.05 else []
    if isinstance(notes, Mapping):
        rows = [
            line(note)
            if isinstance(note, str) and " " in note
            else f"{line(name)}: {line(note)}"  # a sentence, a value
            for name, note in notes.items()
        ]
    else:
        rows = [line(note) for note in (notes if isinstance(notes, list | tuple) else [notes])]
    return told + [row for row in rows if row]

"""The clip in motion of the demo: answered as a whole, written as a video with its page, and told on the demo's."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from zsavs.build import build_pipeline
from zsavs.datasets.orchestra_motion import MotionClip, OrchestraMotion
from zsavs.metrics.functional import jaccard
from zsavs.report.blocks import Cell, Paragraph, Row, Section, Table, Video
from zsavs.report.values import line
from zsavs.temporal.video_result import VideoResult
from zsavs.types import Times, when

__all__ = ["CLIP", "STRATEGY", "clip_section", "mean_jaccard", "shipped_clip", "write_clip"]

#: The clip that is shown: the first one in which two things sound, one after the other.
CLIP = "in_turn_000"
STRATEGY = "audio_to_text"
#: Where the video and its page go, under the demo's folder.
_FOLDER = "page"


def shipped_clip() -> MotionClip:
    """The clip that is shown.

    Raises:
        InputError: the clips that come with zsavs are not there, or it cannot be read.
    """
    return OrchestraMotion().clip(CLIP)


def write_clip(clip: MotionClip, preset: str, folder: Path) -> VideoResult:
    """Answer a clip as a whole; write the annotated video and its page into the demo's folder.

    Args:
        clip: frames and sound.
        preset: the models.
        folder: of the demo; is made.

    Raises:
        MissingExtra: PyAV is not installed.
        OutputError: the folder cannot be written.
    """
    pipe = build_pipeline(STRATEGY, preset=preset, device="cpu")
    result = pipe.video(clip.frames, clip.audio, fps=clip.fps, tracker="associate")
    result.save_page(folder / _FOLDER, clip.name, frames=clip.frames, fps=clip.fps, audio=clip.audio)
    return result


def clip_section(clip: MotionClip, result: VideoResult) -> Section:
    """The section of the clip: the annotated video, and for each source when it sounds and when it was found to."""
    true = clip.script.times
    found: dict[str, Times] = {track.phrase: track.times for track in reversed(result.tracks)}
    rows = [
        Row((Cell(line(label)), Cell(_told(true.get(label, ()))), Cell(_told(found.get(label, ())))))
        for label in dict.fromkeys([*true, *found])
    ]
    return Section(
        "A clip in motion",
        (
            Paragraph(
                f"Things move, and some of them sound for a while. {STRATEGY} answers the clip as a whole: what it "
                f"finds is followed from frame to frame, and marked while it sounds. Mean J over the frames in which "
                f"something sounds: {mean_jaccard(clip, result):.2f}."
            ),
            Video(
                f"{_FOLDER}/{clip.name}.mp4",
                "The page of this clip, with a lane for each source that lights up while it sounds",
                f"{_FOLDER}/{clip.name}.html",
            ),
            Table(("Source", "Sounds", "Found to sound"), rows, 3),
        ),
    )


def mean_jaccard(clip: MotionClip, result: VideoResult) -> float:
    """J, mean over the frames in which something in view sounds; in [0, 1]."""
    pairs = zip(result, clip.targets, strict=True)
    return fmean(jaccard(frame.mask, target) for frame, target in pairs if target.any())


def _told(times: Times) -> str:
    return when(times).removeprefix(" at ") or "never"

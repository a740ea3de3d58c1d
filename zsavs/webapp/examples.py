"""What can be tried without any file: photographs, scenes of the orchestra, and a clip in which they move."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from zsavs.datasets.orchestra import Orchestra
from zsavs.datasets.orchestra_motion import OrchestraMotion
from zsavs.datasets.photographs import shipped_photographs
from zsavs.media.video_writer import VideoWriter
from zsavs.presets import FOR_OWN_FILES

__all__ = ["Example", "examples_for", "put"]

#: Scenes that show one source, several, and the sound of something off screen.
_SCENES = {
    "two_000": "Emoji: two sources",
    "same_colours_000": "Emoji: a distractor of the same colour",
    "off_screen_000": "Emoji: a sound off screen",
}
_CLIP, _CLIP_TITLE = "in_turn_000", "Emoji in motion"


@dataclass(frozen=True)
class Example:
    """Something to try.

    Args:
        title: on its button.
        preset: the models that know it.
        image, audio: files; None of the clip, which is written as a video when it is asked for.
    """

    title: str
    preset: str
    image: Path | None = None
    audio: Path | None = None


def examples_for(presets: list[str]) -> list[Example]:
    """The examples that one of some presets can answer, in the order in which they are offered.

    Args:
        presets: names, the best for photographs first.
    """
    found = []
    own = next((name for name in presets if name in FOR_OWN_FILES), None)
    if own:
        found += [Example(p.title, own, p.image.path, p.audio.path) for p in shipped_photographs()]
    if "nano" in presets:
        orchestra = Orchestra()
        found += [Example(title, "nano", *orchestra.files(name)[:2]) for name, title in _SCENES.items()]
        found.append(Example(_CLIP_TITLE, "nano"))
    return found


def put(example: Example, folder: Path) -> tuple[Path | None, Path | None, Path | None]:
    """Put the files of an example into a folder: image, audio and video; None for what it has not.

    Raises:
        MissingExtra: PyAV is not installed, with which the clip is written.
    """
    if example.image is None or example.audio is None:
        return None, None, _write_clip(folder)
    image, audio = (Path(shutil.copy(path, folder)) for path in (example.image, example.audio))
    return image, audio, None


def _write_clip(folder: Path) -> Path:
    """Write the clip of the examples as a video with its sound."""
    clips = OrchestraMotion()
    clip, audio = clips.clip(_CLIP), clips.files(f"{_CLIP}/0")[1]
    path = folder / f"{_CLIP}.mp4"
    with VideoWriter(path, clip.frames.shape[1:3], clip.fps, audio_from=audio) as writer:
        for number, frame in enumerate(clip.frames):
            writer.write(frame, number / clip.fps)
    return path

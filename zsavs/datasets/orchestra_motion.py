"""The orchestra in motion: clips of things that move and sounds that start and stop, with exact masks, in named groups.

Layout: ``clips.json`` says what is in each clip, ``frames/NAME.webp`` are its frames side by side, a row for each
second, ``masks/NAME.png`` in the same order an 8-bit palette image in which 0 is the background and i the visible
pixels of the i-th object, ``audio/NAME.ogg`` its audio. One image for a clip is read by Pillow alone, is quick to open,
and gives the same bits everywhere, which the decoders of video files do not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.datasets.audio import AudioFiles, check_context
from zsavs.datasets.base import Item, Reader, Target, VideoTruth
from zsavs.datasets.layout import find_folder, need_folder
from zsavs.datasets.masks import read_ids, read_image
from zsavs.datasets.scene_list import brief, check_labels, checked_text, checked_times, file_name, read_list
from zsavs.errors import InputError
from zsavs.media.arrays import frozen
from zsavs.media.audio_clip import excerpt
from zsavs.media.waveform import fit
from zsavs.storage.files import is_there
from zsavs.types import AudioClip, AVSample, Times

__all__ = ["MotionClip", "MotionThing", "OrchestraMotion", "Script"]

_LIST = "clips.json"


class MotionThing(NamedTuple):
    """An object of a clip, and when it sounds: on and off in seconds, nothing if it never does."""

    label: str
    times: Times


class Script(NamedTuple):
    """The annotation of a clip.

    Args:
        group: the group it belongs to.
        fps: frames a second; frame k is shown at k / fps.
        frames: number of frames, a multiple of fps.
        things: the objects in the frames, no two with one label; the i-th of them, from 1, has the value i in masks.
        off_screen: by label, when the sources sound that are never in the frame.
        noise: whether the audio is nothing but loud noise.
    """

    group: str
    fps: int
    frames: int
    things: tuple[MotionThing, ...]
    off_screen: Mapping[str, Times]
    noise: bool = False

    @property
    def duration_s(self) -> float:
        """Length of the clip in seconds."""
        return self.frames / self.fps

    @property
    def times(self) -> dict[str, Times]:
        """By label, when every source of the audio sounds, in view or not."""
        return {**{thing.label: thing.times for thing in self.things if thing.times}, **self.off_screen}

    def sounding(self, frame: int) -> tuple[int, ...]:
        """The objects that sound when a frame is shown, by their value in masks, whether they are seen then or not."""
        time_s = frame / self.fps
        return tuple(i for i, thing in enumerate(self.things, 1) if _contain(thing.times, time_s))

    def condition(self, frame: int, seen: bool) -> str:
        """The condition of the suite "robust" that a frame belongs to; ``seen``: whether a source is in view."""
        if seen:
            return "positive"
        if self.noise:
            return "noise"
        heard = any(_contain(times, frame / self.fps) for times in self.times.values())
        return "offscreen" if heard else "silence"


@dataclass(frozen=True, eq=False)
class MotionClip:
    """A clip that was read.

    Args:
        name: of the clip.
        script: its annotation.
        frames: (T, H, W, 3) uint8 RGB.
        objects: (T, H, W) uint8: 0 the background, i the visible pixels of ``script.things[i - 1]``.
        audio: all of its audio.
    """

    name: str
    script: Script
    frames: NDArray[np.uint8]
    objects: NDArray[np.uint8]
    audio: AudioClip

    @property
    def fps(self) -> int:
        """Frames a second."""
        return self.script.fps

    def target(self, frame: int) -> NDArray[np.bool_]:
        """The visible pixels (H, W) of what sounds in a frame."""
        return np.isin(self.objects[frame], self.script.sounding(frame))

    @property
    def truth(self) -> VideoTruth:
        """The annotation as metrics of whole videos take it; an object's id is its value in masks."""
        sounding = [{i: self.objects[k] == i for i in self.script.sounding(k)} for k in range(len(self))]
        return VideoTruth(
            [{i: mask for i, mask in masks.items() if mask.any()} for masks in sounding],
            {thing.label: thing.times for thing in self.script.things if thing.times},
            self.script.times,
            self.script.duration_s,
        )

    @property
    def targets(self) -> NDArray[np.bool_]:
        """The visible pixels (T, H, W) of what sounds in each frame."""
        return np.stack([self.target(frame) for frame in range(len(self.frames))])

    def __len__(self) -> int:
        return len(self.frames)


class OrchestraMotion(Reader):
    """Clips of one folder; without a folder, the ones that come with zsavs.

    Args:
        root: the folder with ``clips.json``; None for the clips in the package.
        split: "test"; a folder has no other.
        groups: names of the groups to keep; None for all.
        context_s: seconds of audio that a frame comes with when it is an item; see
            :func:`zsavs.media.audio_clip.excerpt`.

    Items are frames, of which an evaluation answers those of a clip together; an id is the clip's name and the frame's
    number. Target: at the image's size, labels over :attr:`classes`; sources with one label for each object that sounds
    and is seen; category: the clip's group; condition. Whole clips are read by :meth:`clip`. Clips alternate between
    the groups, one of each at a time.

    Attributes:
        groups: the groups that are kept, with what each of them is.
        scripts: by name, the annotation of each clip that is kept.
        classes: the background, and every label of a source in any clip of the folder, in alphabetical order.

    Raises:
        UnknownName: no such split or group.
        InputError: no such folder, or a list of clips that cannot be used; says which and what was found.
    """

    name = "orchestra_motion"
    suite = "robust"
    by_video = True
    shipped: ClassVar[Path] = Path(__file__).parents[1] / "data" / "orchestra_motion"

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        split: str = "test",
        groups: Sequence[str] | None = None,
        context_s: float = 1.0,
    ) -> None:
        root = self.shipped if root is None else root
        if Path(root) == self.shipped and not is_there(self.shipped / _LIST):
            raise InputError(
                f"{self.shipped / _LIST}: this installation has no clips of the orchestra; install zsavs again, or "
                f"name a folder of clips (on the command line with --root)."
            )
        super().__init__(root, split)
        self._context_s = check_context(context_s)
        path = find_folder(self.root, ("",), _LIST) / _LIST
        self.annotations = (path,)
        self.groups: dict[str, str]
        self.scripts: Mapping[str, Script]
        self.groups, self.scripts, everything = read_list(path, "clips", groups, _script)
        self.classes = check_labels(path, {label for script in everything for label in script.times})
        self._folders = [need_folder(self.root / name) for name in ("frames", "audio", "masks")]
        self._audio_files = AudioFiles()
        self._last: MotionClip | None = None

    # ---------------------------------------------------------------------- clips
    def clips(self) -> Iterator[MotionClip]:
        """Every clip, read when it is asked for; see :meth:`clip`."""
        return map(self.clip, self.scripts)

    def clip(self, name: str) -> MotionClip:
        """Read a clip, all its frames and masks at once.

        Raises:
            InputError: no such clip, or a file of it cannot be read or is of another size than the list says.
        """
        frames_file, audio_file, mask_file = self.files(f"{name}/0")
        script = self.scripts[name]
        sheet = read_image(frames_file)
        table = np.full(256, -1, np.int16)
        table[: len(script.things) + 1] = np.arange(len(script.things) + 1)
        index = read_ids(mask_file, table)
        if index.shape != sheet.shape[:2]:
            raise InputError(f"{mask_file}: {index.shape} pixels, the frames {frames_file} have {sheet.shape[:2]}.")
        frames, objects = _cut(sheet, script, frames_file), _cut(index, script, mask_file)
        return MotionClip(name, script, frozen(frames), frozen(objects), self._audio_files(audio_file))

    # ---------------------------------------------------------------------- frames
    def __len__(self) -> int:
        return sum(script.frames for script in self.scripts.values())

    def __iter__(self) -> Iterator[str]:
        return (f"{name}/{frame}" for name, script in self.scripts.items() for frame in range(script.frames))

    def group_count(self) -> int:
        """Number of clips."""
        return len(self.scripts)

    def moment(self, item: str) -> tuple[str, int]:
        """The clip and the number of a frame; see :meth:`Reader.moment`."""
        name, _, number = item.rpartition("/")
        script = self.scripts.get(name)
        if script is None or not number.isdecimal() or int(number) >= script.frames:
            raise self.unknown(item)
        return name, int(number)

    def files(self, item: str) -> tuple[Path, ...]:
        """Frames, audio file and masks of the clip of an item; see :meth:`Reader.files`."""
        name, _ = self.moment(item)
        endings = (".webp", ".ogg", ".png")
        return tuple(folder / f"{name}{end}" for folder, end in zip(self._folders, endings, strict=True))

    def load(self, item: str) -> Item:
        """Read one frame with the audio around it; see :meth:`Reader.load`."""
        name, number = self.moment(item)
        clip = self._clip_of(item)
        script, objects = clip.script, clip.objects[number]
        seen = [i for i in script.sounding(number) if (objects == i).any()]
        ids = np.zeros(len(script.things) + 1, np.uint8)
        for i in seen:
            ids[i] = self.classes.index(script.things[i - 1].label)
        target = Target.from_labels(
            ids[objects],
            self.classes,
            category=script.group,
            sources=tuple(script.things[i - 1].label for i in seen),
            video_id=name,
            frame=number,
            group=name,
            condition=script.condition(number, bool(seen)),
        )
        audio = excerpt(clip.audio, number / script.fps, 1 / script.fps, self._context_s)
        return Item(AVSample(clip.frames[number].copy(), audio, self.sample_name(item)), target)

    # ---------------------------------------------------------------------- whole videos
    def video_audio(self, item: str) -> AudioClip:
        """All of the audio of an item's clip; see :meth:`Reader.video_audio`."""
        return self._audio_files(self.files(item)[1])

    def video_time(self, item: str) -> float:
        """When a frame is shown; see :meth:`Reader.video_time`."""
        name, number = self.moment(item)
        return number / self.scripts[name].fps

    def video_truth(self, item: str) -> VideoTruth:
        """The annotation of an item's clip; see :meth:`Reader.video_truth`."""
        return self._clip_of(item).truth

    def other_audio(self, item: str) -> AudioClip | None:
        """The audio of another clip, repeated or cut to the length of an item's clip; see :meth:`Reader.other_audio`.

        It is that of the first clip, half of the data set away, in which something sounds and nothing that is in the
        frames of this one, so that nothing is right by coincidence; None if there is no such clip.
        """
        files = self.other_audio_files(item)
        if not files:
            return None
        audio = self._audio_files(files[0])
        wave = fit(audio.mono(), round(self.scripts[self.moment(item)[0]].duration_s * audio.sample_rate_hz))
        return AudioClip(wave[None], audio.sample_rate_hz)

    def other_audio_files(self, item: str) -> tuple[Path, ...]:
        """The audio file of the clip that :meth:`other_audio` takes; see :meth:`Reader.other_audio_files`."""
        name, _ = self.moment(item)
        names = list(self.scripts)
        labels = {thing.label for thing in self.scripts[name].things}
        start = names.index(name) + max(1, len(names) // 2)
        for other in (names[(start + step) % len(names)] for step in range(len(names))):
            if other != name and self.scripts[other].times and not labels & self.scripts[other].times.keys():
                return (self.files(f"{other}/0")[1],)
        return ()

    def _clip_of(self, item: str) -> MotionClip:
        """The clip of an item; the last one is kept, as the frames of a clip come one after the other."""
        name, _ = self.moment(item)
        clip = self._last
        if clip is None or clip.name != name:
            clip = self._last = self.clip(name)
        return clip


def _contain(times: Times, time_s: float) -> bool:
    return any(on <= time_s < off for on, off in times)


def _cut(sheet: NDArray[np.uint8], script: Script, path: Path) -> NDArray[np.uint8]:
    """The frames (T, H, W, ...) of a sheet that has a row of them for each second."""
    rows, columns = script.frames // script.fps, script.fps
    height, width, *rest = sheet.shape
    if height % rows or width % columns:
        raise InputError(
            f"{path}: {width}x{height} pixels cannot be {columns} frames side by side in {rows} rows, as {_LIST} says."
        )
    frames = sheet.reshape(rows, height // rows, columns, width // columns, *rest).swapaxes(1, 2)
    return np.ascontiguousarray(frames).reshape(-1, height // rows, width // columns, *rest)


def _script(row: Any) -> tuple[str, Script]:
    """Name and annotation of an entry; KeyError, TypeError or ValueError where it is none."""
    name, fps, frames, off_screen = file_name(row["name"]), row["fps"], row["frames"], row["off_screen"]
    if type(fps) is not int or type(frames) is not int or not 0 < fps <= frames or frames % fps:
        raise ValueError(f"'frames' is a multiple of 'fps', found {frames!r:.20} and {fps!r:.20}")
    if not isinstance(off_screen, dict):
        raise TypeError(f"'off_screen' maps labels to seconds, found {brief(off_screen)}")
    labels = [checked_text(thing["label"]) for thing in row["things"]]
    seen = checked_times(labels, [thing["times"] for thing in row["things"]])
    unseen = checked_times([checked_text(label) for label in off_screen], list(off_screen.values()))
    everything = [*labels, *unseen]
    if len(set(everything)) < len(everything) or len(labels) > 255:
        raise ValueError(f"every thing needs a label of its own, found {', '.join(everything):.60}")
    if type(row["noise"]) is not bool:
        raise TypeError("'noise' is not true or false")
    things = tuple(MotionThing(label, seen[label]) for label in labels)
    return name, Script(checked_text(row["group"]), fps, frames, things, unseen, row["noise"])

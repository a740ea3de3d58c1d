"""What the video benchmarks share: frames one second apart, each with the sound of its second."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from zsavs.datasets.audio import Recordings, around_second, check_context
from zsavs.datasets.base import Item, Reader, Target
from zsavs.types import AudioClip, AVSample

__all__ = ["FrameFiles", "FrameReader", "Video"]


class Video(NamedTuple):
    """One recording of a list.

    Args:
        name: as the list calls it.
        part: the folder above it: a category, a part of the benchmark, or "".
        category: see :class:`Target`.
        sources: see :class:`Target`.
        frames: numbers of its annotated frames, as the files carry them.
    """

    name: str
    part: str
    category: str
    sources: tuple[str, ...]
    frames: range


class FrameFiles(NamedTuple):
    """Where the parts of an item are."""

    image: Path
    sound: Path
    truth: Path


class FrameReader(Reader):
    """A benchmark of videos, one annotated frame a second. An id is the video's folder and the frame's file number.

    Args:
        root, split: see :class:`Reader`.
        context_s: seconds of sound that a frame comes with; see :func:`zsavs.datasets.audio.around_second`.

    Raises:
        UnknownName, InputError: see :class:`Reader`.
    """

    #: Number that the files give to the frame of the first second.
    first_frame = 0

    def __init__(self, root: str | os.PathLike[str], split: str, context_s: float) -> None:
        super().__init__(root, split)
        self._context_s = check_context(context_s)
        self._recordings = Recordings()
        self._videos: dict[str, Video] = {}

    def __len__(self) -> int:
        return sum(len(video.frames) for video in self._videos.values())

    def __iter__(self) -> Iterator[str]:
        return (f"{key}/{number}" for key, video in self._videos.items() for number in video.frames)

    def group_count(self) -> int:
        """Number of videos."""
        return len(self._videos)

    def files(self, item: str) -> tuple[Path, ...]:
        """Image, recording and mask of an item; see :meth:`Reader.files`."""
        return tuple(self._files(*self.find(item)))

    def load(self, item: str) -> Item:
        """Read one frame with its sound; see :meth:`Reader.load`."""
        video, number = self.find(item)
        files = self._files(video, number)
        image, target = self._look(files, video, **self._facts(video, number))
        sound = self.window(self.recording(files.sound), item)
        return Item(AVSample(image, sound, self.sample_name(item)), target)

    def recording(self, path: Path) -> AudioClip:
        """A whole recording, decoded once for the frames of a video.

        Raises:
            AudioError: it cannot be read.
        """
        return self._recordings(path)

    def window(self, recording: AudioClip, item: str) -> AudioClip:
        """The part of a recording that an item comes with.

        Raises:
            InputError: there is no such item.
        """
        _, number = self.find(item)
        return around_second(recording, number - self.first_frame, self._context_s)

    def moment(self, item: str) -> tuple[str, int]:
        """The video and the second that an item is; see :meth:`Reader.moment`."""
        _, number = self.find(item)
        return item.rpartition("/")[0], number - self.first_frame

    def videos(self) -> Mapping[str, Video]:
        """The videos by what their ids begin with, in the order of the list."""
        return self._videos

    def find(self, item: str) -> tuple[Video, int]:
        """The video and the number of the frame that an id names.

        Raises:
            InputError: there is no such item.
        """
        key, _, number = item.rpartition("/")
        video = self._videos.get(key)
        if video is None or not number.isdecimal() or int(number) not in video.frames:
            raise self.unknown(item)
        return video, int(number)

    @abstractmethod
    def _files(self, video: Video, number: int) -> FrameFiles:
        """Where an item is."""

    @abstractmethod
    def _look(self, files: FrameFiles, video: Video, **facts: Any) -> tuple[Any, Target]:
        """Read the image, (H, W, 3) uint8, and the target."""

    def _facts(self, video: Video, number: int) -> dict[str, Any]:
        """What the target says beside the mask."""
        return {
            "category": video.category,
            "sources": video.sources,
            "video_id": video.name,
            "frame": number - self.first_frame,
            "group": f"{video.part}/{video.name}" if video.part else video.name,
        }

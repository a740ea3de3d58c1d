"""Benchmarks of videos: annotated frames one second apart, each with the audio of its second."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from zsavs.datasets.audio import AudioFiles, around_second, check_context
from zsavs.datasets.base import Item, Reader, Target
from zsavs.datasets.metadata import relative_path
from zsavs.types import AudioClip, AVSample

__all__ = ["FrameFiles", "FrameReader", "Video"]

log = logging.getLogger(__name__)


class Video(NamedTuple):
    """One video of a benchmark's list.

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
    """The files of an item; the audio file is that of the whole video, and the mask may be a list that has it."""

    image: Path
    audio: Path
    mask: Path


class FrameReader(Reader):
    """A benchmark of videos, one annotated frame a second. An id is the video's folder and the frame's file number.

    Args:
        root, split: see :class:`Reader`.
        context_s: seconds of audio that a frame comes with; see :func:`zsavs.datasets.audio.around_second`.

    Raises:
        UnknownName, InputError: see :class:`Reader`.
    """

    #: Number that the files give to the frame of the first second.
    first_frame = 0

    def __init__(self, root: str | os.PathLike[str], split: str, context_s: float) -> None:
        super().__init__(root, split)
        self._context_s = check_context(context_s)
        self._audio_files = AudioFiles()
        self._videos: dict[str, Video] = {}

    def __len__(self) -> int:
        return sum(len(video.frames) for video in self._videos.values())

    def __iter__(self) -> Iterator[str]:
        return (f"{key}/{number}" for key, video in self._videos.items() for number in video.frames)

    def group_count(self) -> int:
        """Number of videos."""
        return len(self._videos)

    def files(self, item: str) -> tuple[Path, ...]:
        """Image, audio file and mask of an item; see :meth:`Reader.files`."""
        return tuple(self._files(*self.find(item)))

    def load(self, item: str) -> Item:
        """Read one frame with its audio; see :meth:`Reader.load`."""
        video, number = self.find(item)
        files = self._files(video, number)
        image, target = self._read(files, video, **self._facts(video, number))
        audio = self.window(self.whole_audio(files.audio), item)
        return Item(AVSample(image, audio, self.sample_name(item)), target)

    def whole_audio(self, path: Path) -> AudioClip:
        """The audio of a whole video, decoded once for all its frames.

        Raises:
            AudioError: it cannot be read.
        """
        return self._audio_files(path)

    def window(self, audio: AudioClip, item: str) -> AudioClip:
        """The part of a whole video's audio that an item comes with.

        Raises:
            InputError: there is no such item.
        """
        _, number = self.find(item)
        return around_second(audio, number - self.first_frame, self._context_s)

    def moment(self, item: str) -> tuple[str, int]:
        """The video and the second of an item; see :meth:`Reader.moment`."""
        _, number = self.find(item)
        return item.rpartition("/")[0], number - self.first_frame

    def video_audio(self, item: str) -> AudioClip:
        """All of the audio of an item's video; see :meth:`Reader.video_audio`."""
        return self.whole_audio(self._files(*self.find(item)).audio)

    def video_time(self, item: str) -> float:
        """The middle of the second that a frame stands for; see :meth:`Reader.video_time`."""
        return self.moment(item)[1] + 0.5

    def videos(self) -> Mapping[str, Video]:
        """The videos by the start of their frames' ids, in the order of the list."""
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

    def _add(self, key: str, video: Video, table: Path) -> None:
        """Take in a video of the list ``table``; ``key`` is the start of its frames' ids.

        Raises:
            InputError: the key leads out of the data set's folder.
        """
        relative_path(key, table)
        if key in self._videos:
            log.warning("%s: %s is listed twice; using it once.", self.name, key)
        self._videos[key] = video

    @abstractmethod
    def _files(self, video: Video, number: int) -> FrameFiles:
        """The files of an item."""

    @abstractmethod
    def _read(self, files: FrameFiles, video: Video, **facts: Any) -> tuple[Any, Target]:
        """Read the image, (H, W, 3) uint8, and the target."""

    def _facts(self, video: Video, number: int) -> dict[str, Any]:
        """The fields of the target beside the mask."""
        return {
            "category": video.category,
            "sources": video.sources,
            "video_id": video.name,
            "frame": number - self.first_frame,
            "group": f"{video.part}/{video.name}" if video.part else video.name,
        }

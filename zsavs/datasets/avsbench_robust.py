"""AVSBench-Robust: the frames of S4 or MS3 with their own audio, with silence, noise, and an off-screen sound.

Definition: dataset_generation/audio_processing.py in jiali-home/AVSBench-Robust at 04d5100. What that script chooses
depends on the order in which a disk lists its files and cannot be repeated; here it follows from the seed and the
video's name alone. Folders that the script has written are read with ``audios``.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from zsavs.datasets.avsbench import MS3, S4
from zsavs.datasets.avss import AVSS_PLACES
from zsavs.datasets.base import Counts, Item, Reader
from zsavs.datasets.layout import find_folder, need_folder
from zsavs.datasets.metadata import read_table
from zsavs.datasets.video_frames import FrameReader, Video
from zsavs.errors import InputError, UnknownName
from zsavs.language.label_sets import robust_groups
from zsavs.types import AudioClip, AVSample

__all__ = ["CONDITIONS", "Robust", "RobustMS3", "RobustS4"]

log = logging.getLogger(__name__)

#: What can be done to the audio; in all but the first its sources are not in view, so the target is empty.
CONDITIONS = ("positive", "silence", "noise", "offscreen")
#: Where the published script writes the audio files of a condition.
_WRITTEN = {"noise": "audio_wav_noise", "offscreen": "audio_wav_misaligned"}


class Robust(Reader):
    """Every frame once for each condition, one after the other; the classes below name the data set.

    Silence is digital silence; noise is uniform in [-1, 1); an off-screen sound is the audio of another video of the
    split, whose group (music, human, animal, device) is not in view, nor one that often goes with what is. All are as
    long as the video's own audio.

    Args:
        root: as for :class:`S4` or :class:`MS3`.
        split: "train", "val" or "test".
        context_s: seconds of audio that a frame comes with; as for :class:`S4`.
        conditions: some of :data:`CONDITIONS`.
        seed: of the noise and of the choice of off-screen sounds.
        audios: a folder written by the published script, with ``silent.wav`` and ``Single-source/s4_data/`` or
            ``Multi-sources/ms3_data/`` in it; its audio files are used instead of derived audio.

    Target: the mask of the frame, empty under every condition but "positive"; ``condition``. An id is the condition
    and the frame's id.

    Raises:
        UnknownName: no such split or condition.
        InputError: lists or folders are missing.
    """

    suite = "robust"
    splits = ("train", "val", "test")
    base: ClassVar[type[S4] | type[MS3]]
    #: Where the published script puts the audio files of this data set.
    tree: ClassVar[str]

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        split: str = "test",
        context_s: float = 1.0,
        conditions: Sequence[str] = CONDITIONS,
        seed: int = 42,
        audios: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(root, split)
        for condition in conditions:
            if condition not in CONDITIONS:
                raise UnknownName("condition", condition, CONDITIONS)
        if not conditions:
            raise InputError(f"{self.name}: no conditions; choose from {', '.join(CONDITIONS)}.")
        self._conditions = tuple(dict.fromkeys(conditions))
        self._frames: FrameReader = self.base(root, split=split, context_s=context_s)
        self.annotations = self._frames.annotations
        self._last: tuple[str, Item | None] = "", None
        self._seed = seed
        self._audios = None if audios is None else need_folder(Path(audios).expanduser())
        if self._audios is None and "offscreen" in self._conditions:
            self._groups = self._groups_in_view()

    def __len__(self) -> int:
        return len(self._frames) * len(self._conditions)

    def __iter__(self) -> Iterator[str]:
        return (f"{condition}/{item}" for item in self._frames for condition in self._conditions)

    def group_count(self) -> int:
        """Number of videos."""
        return self._frames.group_count()

    def files(self, item: str) -> tuple[Path, ...]:
        """Image, audio files and mask of an item; see :meth:`Reader.files`."""
        condition, frame = self._split(item)
        image, own, mask = self._frames.files(frame)
        other = self._audio_file(condition, frame)
        return (image, own, mask) if other is None else (image, own, other, mask)

    def moment(self, item: str) -> tuple[str, int]:
        """The video under one condition, and the second; see :meth:`Reader.moment`."""
        condition, frame = self._split(item)
        video, second = self._frames.moment(frame)
        return f"{condition}/{video}", second

    def video_audio(self, item: str) -> AudioClip:
        """All of the audio that a video has under a condition; see :meth:`Reader.video_audio`."""
        condition, frame = self._split(item)
        return self._frames.video_audio(frame) if condition == "positive" else self._whole_audio(condition, frame)

    def video_time(self, item: str) -> float:
        """The middle of the second that a frame stands for; see :meth:`Reader.video_time`."""
        return self._frames.video_time(self._split(item)[1])

    def load(self, item: str) -> Item:
        """Read one frame with the audio of its condition; see :meth:`Reader.load`."""
        condition, frame = self._split(item)
        # The conditions of a frame come one after the other and share its image, and with it what is computed of it.
        last, positive = self._last
        if last != frame or positive is None:
            positive = self._frames.load(frame)
            self._last = frame, positive
        sample, target = positive
        if condition == "positive":
            audio = sample.audio
        else:
            audio = self._frames.window(self._whole_audio(condition, frame), frame)
            target = replace(target, mask=np.zeros_like(target.mask), condition=condition)
        return Item(AVSample(sample.image, audio, self.sample_name(item)), target)

    def _split(self, item: str) -> tuple[str, str]:
        condition, _, frame = item.partition("/")
        if condition not in self._conditions:
            raise self.unknown(item)
        return condition, frame

    def _audio_file(self, condition: str, frame: str) -> Path | None:
        """The audio file that a condition puts in the place of the frame's own; None if its audio is computed."""
        key = frame.rpartition("/")[0]
        if condition == "positive":
            return None
        if self._audios is None:
            return self._frames.files(self._offscreen_frame(key))[1] if condition == "offscreen" else None
        if condition == "silence":
            return self._audios / "silent.wav"
        return self._audios / self.tree / _WRITTEN[condition] / self.split / f"{key}.wav"

    def _whole_audio(self, condition: str, frame: str) -> AudioClip:
        path = self._audio_file(condition, frame)
        if path is not None:
            return self._frames.whole_audio(path)
        own = self._frames.whole_audio(self._frames.files(frame)[1])
        samples = own.waveform.shape[1]
        if condition == "silence":
            return AudioClip(np.zeros((1, samples), np.float32), own.sample_rate_hz)
        # RandomState, as numpy promises never to change its numbers; a local one, so that global state is not touched.
        draw = np.random.RandomState(self._hash("noise", frame.rpartition("/")[0]) % 2**32)
        return AudioClip(draw.uniform(-1, 1, (1, samples)).astype(np.float32), own.sample_rate_hz)

    def _offscreen_frame(self, key: str) -> str:
        """A frame of the video whose audio replaces that of the video ``key``."""
        video, groups = self._frames.videos()[key], self._groups[key]
        _, avoid = robust_groups(self.base.name)
        excluded = groups | {avoid[group] for group in groups if group in avoid}
        others = {k: v for k, v in self._frames.videos().items() if k != key and self._elsewhere(v, video)}
        suitable = {k: v for k, v in others.items() if groups and self._groups[k] and not self._groups[k] & excluded}
        chosen = suitable or others
        if not chosen:
            raise InputError(f"{self.name} ({self.split}): no other video has an off-screen sound for {key}.")
        # First a category and then one of its videos, each with equal chance, so that large categories do not prevail.
        category = self._pick("category", key, sorted({v.category for v in chosen.values()}))
        other = self._pick("video", key, sorted(k for k, v in chosen.items() if v.category == category))
        return f"{other}/{chosen[other].frames[0]}"

    @staticmethod
    def _elsewhere(other: Video, video: Video) -> bool:
        """Whether two videos differ in category, as far as they have one."""
        return not other.category or other.category != video.category

    def _pick(self, what: str, key: str, names: Sequence[str]) -> str:
        return names[self._hash(what, key) % len(names)]

    def _hash(self, what: str, key: str) -> int:
        text = f"{self._seed}/{self.base.name}/{self.split}/{what}/{key}"
        return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")

    def _groups_in_view(self) -> Mapping[str, frozenset[str]]:
        """The groups of each video's sources."""
        groups, _ = robust_groups(self.base.name)
        return {
            key: frozenset({groups[video.category]} if video.category in groups else ())
            for key, video in self._frames.videos().items()
        }


class RobustS4(Robust):
    """AVSBench-Robust on S4: 4 x 3700 test items. See :class:`Robust`."""

    name = "robust_s4"
    base = S4
    tree = "Single-source/s4_data"
    published: ClassVar[Mapping[str, Counts]] = {
        "train": Counts(4 * 3452, 3452),
        "val": Counts(4 * 3700, 740),
        "test": Counts(4 * 3700, 740),
    }


class RobustMS3(Robust):
    """AVSBench-Robust on MS3: 4 x 320 test items. See :class:`Robust`.

    The sources of a video of MS3 are listed in the ``metadata.csv`` of AVSBench-semantic only, so off-screen sounds
    need it (or ``audios``).

    Args:
        root, options: see :class:`Robust`.
        metadata: that file, if it is not in ``avsbench_semantic/`` or ``AVSS/`` below ``root``.
    """

    name = "robust_ms3"
    base = MS3
    tree = "Multi-sources/ms3_data"
    published: ClassVar[Mapping[str, Counts]] = {
        "train": Counts(4 * 1480, 296),
        "val": Counts(4 * 320, 64),
        "test": Counts(4 * 320, 64),
    }

    def __init__(
        self, root: str | os.PathLike[str], *, metadata: str | os.PathLike[str] | None = None, **options: Any
    ) -> None:
        self._metadata = None if metadata is None else Path(metadata).expanduser()
        super().__init__(root, **options)

    def _groups_in_view(self) -> Mapping[str, frozenset[str]]:
        if self._metadata is None:
            try:
                self._metadata = find_folder(self.root, AVSS_PLACES, "metadata.csv") / "metadata.csv"
            except InputError as error:
                raise InputError(
                    f"{error} Off-screen sounds need AVSBench-semantic's list: give metadata=FILE, audios=FOLDER, or "
                    f"conditions without 'offscreen'."
                ) from error
        self.annotations += (self._metadata,)
        groups, _ = robust_groups(self.base.name)
        rows = read_table(self._metadata, ("vid", "a_obj", "label"))
        named = {vid: a_obj.split("_") for vid, a_obj, label in rows if label == "v1m"}
        lost = [key for key in self._frames.videos() if key not in named]
        if lost:
            log.warning("%s: %d videos of MS3 are not in it, first %r.", self._metadata, len(lost), lost[0])
        return {
            key: frozenset(groups[word] for word in ("".join(w.split()) for w in named.get(key, ())) if word in groups)
            for key in self._frames.videos()
        }

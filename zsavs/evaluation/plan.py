"""The plan of an evaluation: which strategies, models, audio and items, and how the items are cut into batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zsavs.datasets.base import Dataset
from zsavs.errors import InputError, UnknownName

__all__ = ["AUDIO", "CEILING", "TOLD", "WHOLE_VIDEO", "Plan", "check_whole_videos"]

#: The kinds of audio that an item is run with. "silent" and "shuffled" (the audio of another item) are ablations: they
#: show how much of a strategy's numbers depends on the audio.
AUDIO = ("recorded", "silent", "shuffled")

#: The name of the protocol under which whole videos are answered; it stands wherever such numbers do.
WHOLE_VIDEO = "whole video seen"
#: The row of an oracle that is told what sounds when, and what stands there in the place of a kind of audio.
CEILING, TOLD = "ceiling (an oracle)", "told"


@dataclass(frozen=True)
class Plan:
    """What is run; a run is resumed only under the same plan.

    Args:
        strategies: names, where classes of your own are ("my_idea:MyIdea"), or objects with ``query(samples)``. An
            object is called by its class, by ``Class-2`` where there are several; what it holds is part of the key.
        preset, device, dtype, vocabulary, bank, decomposition, stereo: as for :func:`zsavs.build_pipeline`, by name.
        parts: by role, "name" or "name:checkpoint" in place of the preset's part, or an object.
        settings: of the strategies and parts that have them, by name or "role.name", plain values.
        suites: names of metric suites beside J and F at 0.5; None for the data set's own.
        audio: some of "recorded", "silent" and "shuffled", see :data:`AUDIO`.
        limit: only the first items; of whole videos, those that begin among them.
        batch_size: items that go through the models together.
        smooth: over the frames of a video, in [0, 1), see :class:`zsavs.temporal.smoothing.Smoother`; 0 is off.
        whole_video: whether whole videos are answered, with the tracker of the pipeline, and a batch is a video; None
            for what is usual for the data set (:attr:`zsavs.datasets.base.Reader.by_video`).
        shard: (i, n): only every n-th batch, beginning with the i-th, i from 0.

    Raises:
        UnknownName: a kind of audio that there is not.
        InputError: no strategy, one that cannot be asked, or a batch size, limit or shard that cannot be.
    """

    strategies: tuple[str | Any, ...]
    preset: str = "base"
    device: str = "auto"
    dtype: str = "auto"
    vocabulary: str | tuple[str, ...] | None = None
    bank: str | None = None
    suites: tuple[str, ...] | None = None
    audio: tuple[str, ...] = AUDIO
    limit: int | None = None
    batch_size: int = 8
    smooth: float = 0.0
    whole_video: bool | None = None
    shard: tuple[int, int] = (0, 1)
    decomposition: str | Any | None = None
    stereo: bool = False
    parts: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.audio:
            if name not in AUDIO:
                raise UnknownName("kind of audio", name, AUDIO)
        part, parts = self.shard
        if not 0 <= part < parts:
            raise InputError(f"shard {part + 1}/{parts}: the first of n shards is 1/n and the last is n/n.")
        if self.batch_size < 1 or (self.limit is not None and self.limit < 1) or not self.strategies:
            raise InputError("an evaluation needs a strategy, and batch_size and limit of at least 1.")
        for strategy in self.strategies:
            if isinstance(strategy, type) or not (isinstance(strategy, str) or hasattr(strategy, "query")):
                raise InputError(f"strategies: expected names, or objects with query(samples), got {strategy!r:.60}.")

    @property
    def named(self) -> dict[str, Any]:
        """The strategies by the names that they have in the run."""
        found: dict[str, Any] = {}
        for strategy in self.strategies:
            name = free = strategy if isinstance(strategy, str) else type(strategy).__name__
            number = 1
            while free in found and found[free] is not strategy:
                number += 1
                free = f"{name}-{number}"
            found[free] = strategy
        return found

    def batches(self, count: int, videos: Sequence[Sequence[int]] | None = None) -> dict[int, Sequence[int]]:
        """The batches of this shard.

        Args:
            count: items that the data set has.
            videos: the positions of each video's items, where a batch is a video.

        Returns:
            The number of each batch, counted over all shards, to the positions of its items in the data set.

        Raises:
            InputError: the shard has no batch.
        """
        part, parts = self.shard
        every = self.every_batch(count, videos)
        if part >= len(every):
            told = f"shard {part + 1}/{parts} has nothing to do:"
            if videos is not None:
                raise InputError(f"{told} {len(every)} videos are fewer than shards; leave it out.")
            raise InputError(
                f"{told} {min(count, self.limit or count)} items in batches of {self.batch_size} are "
                f"fewer batches than shards; leave it out, or use a smaller --batch-size."
            )
        return {number: every[number] for number in range(part, len(every), parts)}

    def every_batch(self, count: int, videos: Sequence[Sequence[int]] | None = None) -> Sequence[Sequence[int]]:
        """The batches of all shards; see :meth:`batches`."""
        count = min(count, self.limit or count)
        if videos is not None:
            return [video for video in videos if min(video) < count]
        return [range(start, min(start + self.batch_size, count)) for start in range(0, count, self.batch_size)]


def check_whole_videos(dataset: Dataset, items: Sequence[str], batch_size: int) -> None:
    """Check that no batch ends within a video, for a suite whose numbers are those of whole videos.

    Args:
        dataset: whose items are frames of videos, see :meth:`zsavs.datasets.base.Reader.moment`.
        items: the ids that are run, in order.
        batch_size: items in a batch.

    Raises:
        InputError: a batch would end within a video; says which size of batches does not.
    """
    moment = getattr(dataset, "moment", lambda item: None)
    videos = [at and at[0] for at in map(moment, items)]
    ends = range(batch_size, len(items), batch_size)
    if any(videos[end] is not None and videos[end] == videos[end - 1] for end in ends):
        frames = max(videos.count(video) for video in {videos[end] for end in ends} if video is not None)
        raise InputError(
            f"suite 'avsbench_compat' scores a video at a time, and batches of {batch_size} would cut "
            f"one; use --batch-size {frames}, where every video has {frames} frames, or --suite avsbench."
        )

"""The queries of a video's frames as they come, each smoothed over those around it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from zsavs.temporal.frames import NO_AUDIO
from zsavs.temporal.smoothing import Smoother
from zsavs.types import AVSample, Query

__all__ = ["SmoothedQueries"]


class SmoothedQueries:
    """Queries of a video's frames, each smoothed over the frames around it.

    Held are the frames that have been read and not answered, and the queries of frames within the smoother's reach.

    Args:
        frames: of one video, in order.
        smoother: makes one query of those of the frames around a frame.
        query: the strategy's queries, one for each frame.
        batch_size: the most frames that the strategy is given at a time.
    """

    def __init__(
        self,
        frames: Iterator[AVSample],
        smoother: Smoother,
        query: Callable[[Sequence[AVSample]], list[Query]],
        batch_size: int,
    ) -> None:
        self._frames, self._smoother, self._query, self._batch_size = frames, smoother, query, batch_size
        self._batch: list[AVSample] = []
        self._waiting: deque[AVSample] = deque()
        self._first = 0  # the number of the batch's first frame
        self._queries: dict[int, Query] = {}  # by the frame's number

    def next_batch(self) -> list[AVSample]:
        """The next frames to answer for; none after the last one."""
        self._first += len(self._batch)
        for number in [number for number in self._queries if number < self._first - self._smoother.reach]:
            del self._queries[number]
        self._read(self._batch_size)
        self._batch = [self._waiting.popleft() for _ in range(min(self._batch_size, len(self._waiting)))]
        return self._batch

    def query(self, _: Sequence[AVSample]) -> list[Query]:
        """The smoothed queries of the batch, after the strategy was asked for all frames within reach."""
        self._read(self._smoother.reach)
        frames = enumerate([*self._batch, *self._waiting], start=self._first)
        new = {number: frame for number, frame in frames if number not in self._queries}
        spent: dict[str, float] = {}
        for at in range(0, len(new), self._batch_size):
            numbers = list(new)[at : at + self._batch_size]
            answers = self._query([new[number] for number in numbers])
            self._queries.update(zip(numbers, answers, strict=True))
            for name, seconds in chain.from_iterable(answer.seconds.items() for answer in answers):
                spent[name] = spent.get(name, 0.0) + seconds / len(self._batch)
        numbers_of_batch = range(self._first, self._first + len(self._batch))
        # Where the audio has ended there is nothing to smooth, and nothing to smooth others with.
        heard = {number: query for number, query in self._queries.items() if NO_AUDIO not in query.notes}
        smoothed = [
            self._smoother(number, heard) if number in heard else self._queries[number] for number in numbers_of_batch
        ]
        # Some of these frames were asked for with an earlier batch, whose timings have that already.
        return [replace(query, seconds={**dict.fromkeys(query.seconds, 0.0), **spent}) for query in smoothed]

    def _read(self, count: int) -> None:
        """Read frames until ``count`` wait, or the video ends."""
        self._waiting.extend(islice(self._frames, max(0, count - len(self._waiting))))

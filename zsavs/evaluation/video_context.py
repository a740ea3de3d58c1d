"""Items that are frames of one video: which frames are around which, and the smoothing of their queries over them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from zsavs.datasets.base import Dataset
from zsavs.errors import InputError
from zsavs.pipeline import Pipeline
from zsavs.temporal.smoothing import Smoother
from zsavs.types import AVSample, Query

__all__ = ["VideoContext"]


class VideoContext:
    """Smooths the query of a frame over the frames around it in its video, whichever batches those are in.

    Args:
        dataset: whose items are frames of videos (:meth:`zsavs.datasets.base.Reader.moment`).
        items: all ids, in order; items are named by their position in it.
        smooth: see :class:`~zsavs.temporal.smoothing.Smoother`.

    Raises:
        InputError: no item is a frame of a video, or ``smooth`` is out of range.
    """

    def __init__(self, dataset: Dataset, items: Sequence[str], smooth: float) -> None:
        self._smoother = Smoother(smooth)
        moment = getattr(dataset, "moment", lambda item: None)
        self._moments: list[tuple[str, int] | None] = [moment(item) for item in items]
        if not any(self._moments):
            raise InputError(f"the data set {dataset.name!r} has no videos to smooth over; leave smoothing out.")
        #: For each video the number and the position of each frame.
        self._videos: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for position, moment_of_item in enumerate(self._moments):
            if moment_of_item is not None:
                video, frame = moment_of_item
                self._videos[video].append((frame, position))

    def frames_around(self, position: int) -> dict[int, int]:
        """The frames that an item is smoothed over, itself among them: number of the frame to position."""
        moment = self._moments[position]
        if moment is None:
            return {0: position}
        video, frame = moment
        return {number: other for number, other in self._videos[video] if abs(number - frame) <= self._smoother.reach}

    def query_of(
        self, pipe: Pipeline, positions: Sequence[int], context: Mapping[int, AVSample]
    ) -> Callable[[Sequence[AVSample]], list[Query]]:
        """The function that stands in for the strategy's ``query`` in :meth:`Pipeline.batch`, and smooths its queries.

        Args:
            pipe: the pipeline with the strategy.
            positions: of the samples that the function will be given, in order.
            context: samples of other items by position; frames around an item that are not in it are left out.
        """

        def smoothed_queries(samples: Sequence[AVSample]) -> list[Query]:
            queries = dict(zip(positions, pipe.strategy.query(samples), strict=True))
            around = {other for position in positions for other in self.frames_around(position).values()}
            wanted = (around - queries.keys()) & context.keys()
            queries |= _queries(pipe, {position: context[position] for position in sorted(wanted)})
            return [self._smoothed(position, queries) for position in positions]

        return smoothed_queries

    def _smoothed(self, position: int, queries: Mapping[int, Query]) -> Query:
        frames = self.frames_around(position)
        own = next(number for number, other in frames.items() if other == position)
        return self._smoother(own, {number: queries[other] for number, other in frames.items() if other in queries})


def _queries(pipe: Pipeline, samples: Mapping[int, AVSample]) -> dict[int, Query]:
    """The queries of samples by position; a sample on which the strategy fails is left out."""
    try:
        return dict(zip(samples, pipe.query(list(samples.values())), strict=True))
    except Exception:
        if len(samples) == 1:
            return {}
        answered: dict[int, Query] = {}
        for position, sample in samples.items():
            answered |= _queries(pipe, {position: sample})
        return answered

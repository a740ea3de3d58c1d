"""Items of a data set that are frames of one video, and what they have to say about each other."""

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
    """Smooths the queries of items over the frames around them, within their video, whichever batch those are in.

    Args:
        dataset: whose items know their moment (:meth:`zsavs.datasets.base.Reader.moment`).
        items: all ids, in order; items are called by their place in it.
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
        self._videos: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, at in enumerate(self._moments):
            if at is not None:
                self._videos[at[0]].append((at[1], place))

    def of(self, place: int) -> dict[int, int]:
        """The frames that count for an item, itself among them: number of the frame to place."""
        at = self._moments[place]
        if at is None:
            return {0: place}
        video, frame = at
        return {number: other for number, other in self._videos[video] if abs(number - frame) <= self._smoother.reach}

    def asking(
        self, pipe: Pipeline, places: Sequence[int], context: Mapping[int, AVSample]
    ) -> Callable[[Sequence[AVSample]], list[Query]]:
        """What :meth:`Pipeline.batch` is to ask in place of its strategy, for the items at some places.

        Args:
            pipe: whose strategy is asked.
            places: of the samples that it will be asked about, in order.
            context: samples of other items; those around an item that are not here do not count.
        """

        def ask(samples: Sequence[AVSample]) -> list[Query]:
            known = dict(zip(places, pipe.strategy.query(samples), strict=True))
            wanted = {other for place in places for other in self.of(place).values()} - known.keys()
            known |= _queries(pipe, {place: context[place] for place in sorted(wanted & context.keys())})
            return [self._smoothed(place, known) for place in places]

        return ask

    def _smoothed(self, place: int, known: Mapping[int, Query]) -> Query:
        frames = self.of(place)
        own = next(number for number, other in frames.items() if other == place)
        return self._smoother(own, {number: known[other] for number, other in frames.items() if other in known})


def _queries(pipe: Pipeline, samples: Mapping[int, AVSample]) -> dict[int, Query]:
    """What a strategy answers for context; a sample that it cannot answer is no context."""
    try:
        return dict(zip(samples, pipe.query(list(samples.values())), strict=True))
    except Exception:
        if len(samples) == 1:
            return {}
        answered: dict[int, Query] = {}
        for place, sample in samples.items():
            answered |= _queries(pipe, {place: sample})
        return answered

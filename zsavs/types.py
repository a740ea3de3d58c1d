"""What flows between the stages of a pipeline: the sample, the query and the region proposals, frozen and validated.

Arrays are read-only, so that no stage can change what another one is given. Instances compare by identity: two samples
are the same sample only if they are the same object, which is also what features are memoised by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError, ContractError, ImageError
from zsavs.media.activity import Times
from zsavs.media.arrays import as_array, checked_floats, checked_unit_range, frozen, row_numbers
from zsavs.media.audio_clip import AudioClip

__all__ = [
    "AVSample",
    "AudioClip",
    "Detections",
    "Evidence",
    "Proposals",
    "Query",
    "Times",
    "as_sample",
    "note_of_left_out",
]

#: What is told of a source's times in words; a result has all of them.
_MOST_TIMES = 4


def _times(rows: Sequence[Sequence[Sequence[float]]], count: int) -> tuple[Times, ...]:
    """The times of ``count`` rows, after a check: pairs of seconds that only ever increase."""
    try:
        times = tuple(tuple((float(on), float(off)) for on, off in row) for row in rows)
    except (TypeError, ValueError) as error:
        raise ContractError(f"Query.times: expected for each row pairs of seconds (on, off); {error}.") from error
    if len(times) != count:
        raise ContractError(f"Query.times: expected one for each of {count} rows, got {len(times)}.")
    for row in times:
        moments = [0.0, *(moment for pair in row for moment in pair)]
        # Two spans may touch, and the first one may start with the clip; none may be without length.
        if not all(on < off for on, off in row) or not all(a <= b < float("inf") for a, b in pairwise(moments)):
            raise ContractError(f"Query.times: seconds must start at 0 and increase, on < off; got {row}.")
    return times


def when(times: Iterable[Sequence[float]]) -> str:
    """The times of a source in words, to follow its name, at most four of them; "" where they are not known.

    >>> when([(0.0, 1.25), (2.5, 4.0)])
    ' at 0.0-1.2 and 2.5-4.0 s'
    >>> when([(second, second + 0.5) for second in range(9)])
    ' at 0.0-0.5, 1.0-1.5, 2.0-2.5 and 3.0-3.5 s and 5 more times'
    """
    spans = [f"{on:.1f}-{off:.1f}" for on, off in times]
    if not spans:
        return ""
    *before, last = spans[:_MOST_TIMES]
    left = len(spans) - _MOST_TIMES
    more = f" and {left} more time{'s'[: left != 1]}" if left > 0 else ""
    return f" at {' and '.join(filter(None, (', '.join(before), last)))} s{more}"


@dataclass(frozen=True, eq=False)
class AVSample:
    """One image and the audio clip that goes with it.

    Args:
        image: (H, W, 3) uint8 RGB as displayed (orientation applied), H and W at least 1.
        audio: what was recorded while the image was taken.
        name: a name for messages and file names; no component may read an answer out of it.

    Raises:
        ImageError: the array is not an image.
        AudioError: ``audio`` is not an :class:`AudioClip`.
    """

    image: NDArray[np.uint8]
    audio: AudioClip
    name: str = ""

    def __post_init__(self) -> None:
        where = f"{self.name}: " if self.name else "AVSample: "
        image = as_array(self.image, f"{where}image", ImageError)
        if image.dtype != np.uint8:
            raise ImageError(f"{where}image must be uint8 RGB, got {image.dtype}; scale it to 0..255 and cast it.")
        if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ImageError(f"{where}image must be (height, width, 3) and not empty, got shape {image.shape}.")
        if not isinstance(self.audio, AudioClip):
            raise AudioError(f"{where}audio must be a zsavs.AudioClip, got {type(self.audio).__name__}.")
        object.__setattr__(self, "image", frozen(image))
        object.__setattr__(self, "name", str(self.name))

    @classmethod
    def from_files(cls, image: str | PathLike[str], audio: str | PathLike[str]) -> AVSample:
        """The sample of an image file and an audio file; see :func:`zsavs.media.image_file.load_image` and
        :func:`zsavs.media.audio_file.load_audio`.

        Raises:
            ImageError, AudioError: naming the file and what to do.
        """
        from zsavs.media.audio_file import load_audio
        from zsavs.media.image_file import load_image

        return cls(load_image(image), load_audio(audio), name=str(image))

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        return self.image.shape[0], self.image.shape[1]

    def __repr__(self) -> str:
        height, width = self.size_hw
        return f"AVSample({self.name or 'unnamed'}, {height}x{width}, {self.audio!r})"


def as_sample(given: Any) -> Any:
    """The sample of a pair of an image file and an audio file, read now; what is no such pair, as it is."""
    pair = isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(one, str | PathLike) for one in given)
    return AVSample.from_files(*given) if pair else given


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence that a query was chosen from, and the rule: enough to choose again from better evidence.

    Args:
        phrases: K phrases that were considered.
        z: (K,) standardised similarities, 0 is what is usual; minus infinity for what is ruled out.
        top_k, min_z, max_gap: see :func:`zsavs.calibration.abstention.evidence_to_query`.
    """

    phrases: tuple[str, ...]
    z: NDArray[np.float32]
    top_k: int
    min_z: float
    max_gap: float


@dataclass(frozen=True, eq=False)
class Query:
    """What to look for in one image: a row for each sounding source. No rows mean that nothing is to be looked for.

    Args:
        phrases: K phrases, in the words that a grounder is asked.
        weights: (K,) in [0, 1], how sure the strategy is that the source sounds.
        embeddings: optional (K, D) unit rows, one per phrase, in the embedding space named ``space``.
        space: name of that space; given exactly when ``embeddings`` or ``meanings`` are.
        prior: optional (h, w) map in [0, 1] of where to look, stretched over the image, or (K, h, w), one for each
            row; 1 says nothing against a region there.
        maps: optional (K, h, w) in [0, 1], for each row the score map of its source, for grounders that take their
            regions from it; unlike the prior it is no evidence against other regions.
        times: optional, for each row when it sounds, on and off in seconds from the start of the audio clip; () for a
            row of which that is not known. Always None without rows.
        meanings: optional (K, D) unit rows in the same space: for each source a text embedding that stands for it in
            place of the embedding of its phrase.
        evidence: optional, what the rows were chosen from; no stage reads it, smoothing over a video's frames does.
        notes: how the query came about, for the reader of the result, such as the steps of a test-time optimisation;
            plain JSON values, the same whenever the same is asked.
        seconds: time that parts of the query took, by name, such as a test-time optimisation.

    Raises:
        ContractError: lengths disagree, or values are out of range.
    """

    phrases: tuple[str, ...]
    weights: NDArray[np.float32]
    embeddings: NDArray[np.float32] | None = None
    space: str | None = None
    prior: NDArray[np.float32] | None = None
    times: tuple[Times, ...] | None = None
    meanings: NDArray[np.float32] | None = None
    evidence: Evidence | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    maps: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.phrases, str):
            raise ContractError(f"Query.phrases: expected several strings, got the single one {self.phrases!r}.")
        object.__setattr__(self, "phrases", tuple(self.phrases))
        count = len(self.phrases)
        if not all(isinstance(phrase, str) and phrase.strip() for phrase in self.phrases):
            raise ContractError("Query.phrases: every phrase must be a non-empty string.")
        object.__setattr__(self, "weights", checked_unit_range(self.weights, (count,), "Query.weights"))
        if (self.embeddings is None and self.meanings is None) != (self.space is None):
            raise ContractError(
                "Query: embeddings and space go together, and so do meanings and space; give both or neither."
            )
        for name in ("embeddings", "meanings"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checked_floats(getattr(self, name), (count, None), f"Query.{name}"))
        if self.prior is not None:
            shape = (count, None, None) if np.ndim(self.prior) == 3 else (None, None)
            object.__setattr__(self, "prior", checked_unit_range(self.prior, shape, "Query.prior"))
        if self.maps is not None:
            object.__setattr__(self, "maps", checked_unit_range(self.maps, (count, None, None), "Query.maps"))
        if self.times is not None:
            object.__setattr__(self, "times", _times(self.times, count) or None)

    @classmethod
    def nothing(cls) -> Query:
        """The query without rows, of a strategy that abstains."""
        return cls((), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.phrases)

    def rows(self, index: Sequence[int] | NDArray[Any]) -> Query:
        """The query of the rows named by ``index`` (whole numbers in order, or a mask)."""
        index = row_numbers(index)
        return replace(
            self,
            phrases=tuple(self.phrases[i] for i in index),
            weights=self.weights[index],
            embeddings=None if self.embeddings is None else self.embeddings[index],
            meanings=None if self.meanings is None else self.meanings[index],
            prior=self.prior[index] if self.prior is not None and self.prior.ndim == 3 else self.prior,
            maps=None if self.maps is None else self.maps[index],
            times=None if self.times is None else tuple(self.times[i] for i in index),
        )

    def top(self, k: int) -> Query:
        """The query of the ``k`` heaviest rows, heaviest first; equal weights keep their order.

        The others are in its notes (:func:`note_of_left_out`).
        """
        order = np.argsort(-self.weights, kind="stable")
        left_out = [self.phrases[row] for row in order[k:]]
        return replace(self.rows(order[:k]), notes={**self.notes, **note_of_left_out(k, left_out)})

    def __repr__(self) -> str:
        times = self.times or ((),) * len(self)
        rows = ", ".join(f"{p!r}: {w:.2f}{when(t)}" for p, w, t in zip(self.phrases, self.weights, times, strict=True))
        return f"Query({{{rows}}})"


def note_of_left_out(top_k: int, phrases: Sequence[str]) -> dict[str, Any]:
    """A note for :class:`Query` on the phrases that ``top_k`` left out though there was evidence for them.

    Args:
        top_k: the most sources.
        phrases: those left out, the one with most evidence first.

    Returns:
        ``{"top_k": {"kept": top_k, "left_out": how many, "next": the first ten}}``; {} if none was left out.
    """
    return {"top_k": {"kept": top_k, "left_out": len(phrases), "next": list(phrases[:10])}} if phrases else {}


@dataclass(frozen=True, eq=False)
class Proposals:
    """The region proposals of one image, before or after verification.

    Args:
        boxes_xyxy: (R, 4) absolute pixels, x to the right and y down, x0 < x1 and y0 < y1.
        scores: (R,) in [0, 1]: the grounder's score, and after verification the verifier's.
        sources: (R,) whole numbers, the row of the :class:`Query` that each region answers.
        evidence: (R,) log evidence that the region is its source: 0 says nothing, below 0 speaks against it.
            Defaults to zeros: not verified.
        selected: (R,) bool, whether the region goes into the result. Defaults to all.
        labels: R names that the grounder's own list of classes has for the regions, for segmenters that know classes;
            () where it has no such list.
        masks: (R, h, w) bool, stretched over the image, of a grounder that segments what it finds, for the segmenter
            ``from_grounder``; None of one that gives boxes alone.
        points_xy: (R, P, 2) points on what each region shows, in pixels of the image, x to the right and y down, for
            segmenters that take them beside a box; NaN where a region has none, or fewer. None of no region.
        notes: how they were verified, for the reader of the result, in plain JSON values.

    Raises:
        ContractError: lengths disagree, a box is degenerate, values are out of range, or masks are no booleans.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    sources: NDArray[np.int64]
    evidence: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    selected: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    labels: tuple[str, ...] = ()
    masks: NDArray[np.bool_] | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    points_xy: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        boxes = checked_floats(self.boxes_xyxy, (None, 4), "Proposals.boxes_xyxy")
        count = len(boxes)
        if not ((boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])).all():
            raise ContractError("Proposals.boxes_xyxy: every box needs x0 < x1 and y0 < y1.")
        sources = np.asarray(self.sources)
        if sources.shape != (count,) or (count and not np.issubdtype(sources.dtype, np.integer)):
            raise ContractError(f"Proposals.sources: expected {count} whole numbers, got {sources!r}.")
        if count and sources.min() < 0:
            raise ContractError("Proposals.sources: rows of the query start at 0, found a negative one.")
        evidence = self.evidence if len(self.evidence) or not count else np.zeros(count, np.float32)
        selected = np.asarray(self.selected if len(self.selected) or not count else np.ones(count, np.bool_))
        if selected.shape != (count,) or selected.dtype != np.bool_:
            raise ContractError(
                f"Proposals.selected: expected {count} booleans, got {selected.dtype} {selected.shape}."
            )
        if len(self.labels) not in (0, count):
            raise ContractError(f"Proposals.labels: expected {count} names or none, got {len(self.labels)}.")
        if self.masks is not None:
            masks = np.asarray(self.masks)
            if masks.dtype != np.bool_ or masks.ndim != 3 or len(masks) != count or (count and not masks.size):
                raise ContractError(
                    f"Proposals.masks: expected ({count}, height, width) booleans, got {masks.dtype} {masks.shape}."
                )
            object.__setattr__(self, "masks", frozen(masks))
        if self.points_xy is not None:
            points = np.asarray(self.points_xy, np.float32)
            missing = np.isnan(points)
            shaped = points.ndim == 3 and points.shape[::2] == (count, 2) and not np.isinf(points).any()
            if not shaped or (missing[..., 0] != missing[..., 1]).any():
                raise ContractError(
                    f"Proposals.points_xy: expected ({count}, points, 2), x and y in pixels or both NaN, got an "
                    f"array of {points.shape}."
                )
            object.__setattr__(self, "points_xy", frozen(points))
        object.__setattr__(self, "boxes_xyxy", boxes)
        object.__setattr__(self, "scores", checked_unit_range(self.scores, (count,), "Proposals.scores"))
        object.__setattr__(self, "sources", frozen(sources.astype(np.int64)))
        object.__setattr__(self, "evidence", checked_floats(evidence, (count,), "Proposals.evidence"))
        object.__setattr__(self, "selected", frozen(selected))

    @classmethod
    def nothing(cls) -> Proposals:
        """No region at all, of an image where nothing answers the query."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def rows(self, index: Sequence[int] | NDArray[Any]) -> Proposals:
        """The regions named by ``index`` (whole numbers in order, or a mask)."""
        index = row_numbers(index)
        return Proposals(
            self.boxes_xyxy[index],
            self.scores[index],
            self.sources[index],
            self.evidence[index],
            self.selected[index],
            tuple(self.labels[i] for i in index) if self.labels else (),
            None if self.masks is None else self.masks[index],
            self.notes,
            None if self.points_xy is None else self.points_xy[index],
        )


@dataclass(frozen=True, eq=False)
class Detections:
    """The objects found in one frame of a video, as a tracker takes and gives them.

    Args:
        masks: (N, H, W) bool, of the frame's size.
        phrases: N labels.
        scores: (N,) in [0, 1].
        ids: (N,) whole numbers, the object that each is in the frames around; zeros where that is not known yet.

    Raises:
        ContractError: lengths disagree, or values are out of range.
    """

    masks: NDArray[np.bool_]
    phrases: tuple[str, ...]
    scores: NDArray[np.float32]
    ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        object.__setattr__(self, "phrases", tuple(self.phrases))
        count = len(self.phrases)
        if self.masks.dtype != np.bool_ or self.masks.ndim != 3 or len(self.masks) != count:
            raise ContractError(
                f"Detections.masks: expected ({count}, height, width) booleans, got {self.masks.dtype} "
                f"{self.masks.shape}."
            )
        ids = np.asarray(self.ids if len(self.ids) or not count else np.zeros(count), np.int64)
        if ids.shape != (count,):
            raise ContractError(f"Detections.ids: expected {count} numbers, got {ids.shape}.")
        object.__setattr__(self, "masks", frozen(self.masks))
        object.__setattr__(self, "scores", checked_unit_range(self.scores, (count,), "Detections.scores"))
        object.__setattr__(self, "ids", frozen(ids))

    @classmethod
    def nothing(cls, size_hw: tuple[int, int]) -> Detections:
        """No object, in a frame of ``size_hw`` (height, width)."""
        return cls(np.zeros((0, *size_hw), np.bool_), (), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.phrases)

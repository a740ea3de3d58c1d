"""The base of every suite: it is updated, computes its numbers, and is merged, stored and restored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import InputError, ResultFileError
from zsavs.metrics.input_checks import Mask, Scores, check_logits, check_masks, check_same_shape, check_scores
from zsavs.metrics.streaming import Stream

__all__ = ["ScoreInput", "Suite"]

#: What a score map holds. ``raw_logits`` sweeps the thresholds 0 to 1 over logits, as some published code does.
ScoreInput = Literal["probabilities", "logits", "raw_logits"]

#: The only step from a score map to a mask, strict as in all the published code.
MASK_THRESHOLD = 0.5

_FORMAT = 1


class Suite(ABC):
    """The numbers of one benchmark under one set of rules.

    Attributes:
        name: the name it is registered under.
        takes: what ``update`` wants first: "scores" (H, W) or (N, H, W), "labels" likewise, "class_scores" (C, H, W)
            or (N, C, H, W), or "videos", masks by the ids of objects for each frame.
        needs: keyword arguments that ``update`` requires beside prediction and target.
        allows: keyword arguments that it accepts.
        options: the settings it was made with, JSON-able; store them with every result.
    """

    name: ClassVar[str]
    takes: ClassVar[Literal["scores", "labels", "class_scores", "videos"]]
    needs: ClassVar[tuple[str, ...]] = ()
    allows: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **options: Any) -> None:
        self.options: dict[str, Any] = options

    @abstractmethod
    def update(self, *args: Any, **kwargs: Any) -> None:
        """Add predictions and targets."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """The numbers so far, by the names that the benchmark prints; NaN where one is undefined."""

    def per_class(self) -> dict[str, NDArray[np.float64]]:
        """(C,) numbers of each class by name, such as IoU and F; none where a suite has no classes."""
        return {}

    def merge(self, other: Self) -> Self:
        """Add everything that ``other``, a suite of the same name and options, was updated with; returns self.

        Raises:
            InputError: the other suite has other rules.
        """
        if (self.name, self.options) != (other.name, other.options):
            raise InputError(
                f"cannot merge suite {self.name!r} {self.options} with {other.name!r} {other.options}: "
                "the rules differ, so evaluate both parts with the same suite and options."
            )
        for stream, others in zip(self._streams().values(), other._streams().values(), strict=True):
            stream.merge(others)
        return self

    def state(self) -> dict[str, Any]:
        """The state so far, JSON-able; :func:`zsavs.metrics.suites.from_state` restores the suite from it."""
        parts = {part: stream.state() for part, stream in self._streams().items()}
        return {"suite": self.name, "format": _FORMAT, "options": self.options, "parts": parts}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """A suite of this class, restored from a stored state.

        Raises:
            ResultFileError: the state is of another suite, of a newer version, or damaged.
        """
        if state.get("suite") != cls.name or state.get("format") != _FORMAT:
            found = f"{state.get('suite')!r} in format {state.get('format')!r}"
            raise ResultFileError(f"stored state: expected suite {cls.name!r} in format {_FORMAT}, found {found}.")
        options, parts = state.get("options"), state.get("parts")
        if not isinstance(options, Mapping) or not isinstance(parts, Mapping):
            raise ResultFileError("stored state: 'options' and 'parts' are missing; run the evaluation again.")
        try:
            suite = cls(**options)
        except (TypeError, InputError) as error:
            raise ResultFileError(
                f"stored state: {dict(options)} are no options of suite {cls.name!r} ({error})."
            ) from None
        for part, stream in suite._streams().items():
            if not isinstance(parts.get(part), Mapping):
                raise ResultFileError(f"stored state: the part {part!r} is missing; run the evaluation again.")
            stream.load(parts[part])
        return suite

    def _streams(self) -> dict[str, Stream]:
        streams: dict[str, Stream] = {}
        for name, value in vars(self).items():
            if isinstance(value, Stream):
                streams[name.strip("_")] = value
            elif isinstance(value, dict):
                streams |= {f"{name.strip('_')}.{key}": v for key, v in value.items() if isinstance(v, Stream)}
        return streams


def choice(value: str, known: Sequence[str], what: str) -> str:
    """Return ``value`` if it is one of ``known``, else raise InputError naming them."""
    if value not in known:
        raise InputError(f"{what} must be one of {', '.join(known)}, got {value!r}.")
    return value


def score_pair(scores: ArrayLike, targets: ArrayLike, what: str, kind: str = "probabilities") -> tuple[Scores, Mask]:
    """Check score maps and targets of a suite, (H, W) or (N, H, W), and return both as (N, H, W).

    Raises:
        InputError: scores that are not float, outside [0, 1] (probabilities) or not finite (logits), targets that are
            not bool, or shapes that differ.
    """
    check = check_scores if kind == "probabilities" else check_logits
    maps, masks = check(scores, f"{what}: scores"), check_masks(targets, f"{what}: targets")
    check_same_shape(maps, masks, what)
    return maps, masks


def sigmoid(logits: Scores) -> Scores:
    """1 / (1 + exp(-x)) in float32 whatever the precision of the input, so that it rounds as the published code's does.

    A logit in (0, 6e-8] gives exactly 0.5, and one above 16.7 exactly 1.
    """
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-logits.astype(np.float32))))


def keys(names: str | Sequence[str], count: int, what: str) -> list[str]:
    """One string per frame; a single string will do for a single frame.

    Raises:
        InputError: another number of strings than of frames.
    """
    listed = [names] if isinstance(names, str) else list(names)
    if len(listed) != count:
        raise InputError(f"{what}: {count} frames need as many names, got {len(listed)}.")
    return listed


def per_class(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """Quotient per class, NaN where the denominator is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)

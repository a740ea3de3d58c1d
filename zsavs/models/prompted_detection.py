"""The class that detectors inherit which read the image together with a text that names what to look for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from zsavs.models.adapter import Adapter
from zsavs.models.batching import in_batches
from zsavs.models.detection import Found, as_proposals, keep_best, warn_of_left_out
from zsavs.models.inputs import check_counts, check_shares
from zsavs.models.prompts import Prompt, Prompts
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AVSample, Proposals, Query

__all__ = ["PromptedGrounder"]

P = TypeVar("P", bound=Prompt)


class PromptedGrounder(Adapter, Generic[P]):
    """Boxes for each phrase of a query (:class:`zsavs.protocols.Grounder`), prompt by prompt.

    Strategies often ask the same of an image: what each prompt found is in a memo for as long as the image lives.

    Args:
        model: it is moved, frozen and put into evaluation mode.
        prompts: phrases to what the model reads.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        nms_iou: of two boxes of one phrase that overlap by more, the better stays, in [0, 1].
        max_boxes: the most boxes for one phrase; a warning says how many more there were.
        batch_size: the most prompts in the model at once.

    Raises:
        InputError: a setting out of range.
    """

    half_is_safe = False  # it moves boxes
    #: The model, for messages.
    family: ClassVar[str] = ""

    def __init__(
        self,
        model: Any,
        prompts: Prompts[P],
        *,
        card: WeightCard,
        device: str,
        nms_iou: float,
        max_boxes: int,
        batch_size: int,
    ) -> None:
        check_shares(self, nms_iou=nms_iou)
        check_counts(self, max_boxes=max_boxes, batch_size=batch_size, phrases_per_prompt=prompts.phrases_per_prompt)
        super().__init__(model, card, device)
        self.prompts = prompts
        self.phrases_per_prompt = prompts.phrases_per_prompt
        self.nms_iou = nms_iou
        self.max_boxes = max_boxes
        self.batch_size = batch_size
        self._answers: Memo[dict[str, dict[str, Found]]] = Memo()

    @abstractmethod
    def _detect(self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[P]) -> list[list[Found]]:
        """Ask each prompt of the image beside it: for each prompt, what each of its phrases found."""

    @abstractmethod
    def _alike(self, image: NDArray[np.uint8], prompt: P) -> Hashable:
        """What an image and a prompt have to share with others for the model to answer in a batch as it does alone."""

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Candidate boxes for each sample, best first; none where the query is empty.

        Raises:
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        cleaned = [[self.prompts.clean(phrase) for phrase in query.phrases] for query in queries]
        answers = self._answers([sample.image for sample in samples], lambda new: [{} for _ in new])
        work: dict[Hashable, list[tuple[int, P]]] = {}
        for number, (sample, phrases) in enumerate(zip(samples, cleaned, strict=True)):
            for prompt in self.prompts.of(phrases):
                if prompt.text not in answers[number]:
                    work.setdefault(self._alike(sample.image, prompt), []).append((number, prompt))
        for alike in work.values():
            found = in_batches(
                lambda batch: self._detect([samples[n].image for n, _ in batch], [prompt for _, prompt in batch]),
                alike,
                self.batch_size,
            )
            for (number, prompt), of_phrases in zip(alike, found, strict=True):
                answers[number][prompt.text] = dict(zip(prompt.phrases, of_phrases, strict=True))
        by_phrase = [self._by_phrase(phrases, known) for phrases, known in zip(cleaned, answers, strict=True)]
        left_out = (each.left_out for rows in by_phrase for each in rows)
        warn_of_left_out(self.family, "max_boxes", self.max_boxes, left_out)
        return [as_proposals(found) for found in by_phrase]

    def _by_phrase(self, phrases: Sequence[str], answers: dict[str, dict[str, Found]]) -> list[Found]:
        """What each phrase of one query found, out of what each prompt did."""
        found = {"": Found.nothing()}  # "" stands for a phrase of which nothing is left to ask
        for prompt in self.prompts.of(phrases):
            found |= answers[prompt.text]
        return [found[phrase] for phrase in phrases]

    def _found(
        self, boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32], image: NDArray[np.uint8], threshold: float
    ) -> Found:
        """The boxes of a phrase, out of all candidates (N, 4) and their scores for it (N,)."""
        return keep_best(
            boxes_xyxy,
            scores,
            image.shape[:2],
            threshold=threshold,
            nms_iou=self.nms_iou,
            max_boxes=self.max_boxes,
        )

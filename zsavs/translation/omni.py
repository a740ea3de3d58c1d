"""Models that hear and see at once, asked what makes a sound and whether a thing does (role ``omni``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from zsavs.protocols import Judged, Translation
from zsavs.storage.weights import WeightCard
from zsavs.translation.asked import ask_in_form
from zsavs.translation.prompts import judging_question, naming_question
from zsavs.types import AudioClip, AVSample

__all__ = ["AskedOmni"]

Chat = Sequence[Mapping[str, str]]


class HearsAndSees(Protocol):
    """A language model that is given an image and an audio clip with each chat."""

    card: WeightCard

    def reply(self, image: NDArray[np.uint8], clip: AudioClip, chat: Chat) -> tuple[str, int]:
        """Its next turn, and how many tokens all were."""
        ...

    def log_odds_of_yes(self, image: NDArray[np.uint8], clip: AudioClip, chat: Chat) -> tuple[float, int]:
        """The log odds of yes against no as the first word of its next turn, and how many tokens it was asked."""
        ...


class AskedOmni:
    """A language model that hears and sees, asked in words (:class:`zsavs.protocols.OmniModel`).

    What it names has to be JSON of one form (:mod:`zsavs.translation.reply`); a reply that is not is sent back once,
    and if the second is not either nothing is named, and the notes say so. Its judgement is the log odds of yes against
    no as the next word, from the probabilities of both.

    Args:
        model: is asked, about one image with one clip at a time.
    """

    #: The adapter that ``load`` loads.
    adapter: ClassVar[Any] = None

    def __init__(self, model: HearsAndSees) -> None:
        self.model = model
        self.card = model.card

    @classmethod
    def load(cls, checkpoint: str | Path = "", **settings: Any) -> Self:
        """A checkpoint that is on this machine: as :meth:`zsavs.models.adapter.Adapter.load`."""
        return cls(cls.adapter.load(checkpoint, **settings))

    @classmethod
    def files_of(cls, checkpoint: str | Path) -> tuple[str, ...]:
        """What the loader needs of a checkpoint."""
        files: tuple[str, ...] = cls.adapter.files_of(checkpoint)
        return files

    def name_sources(self, samples: Sequence[AVSample]) -> list[Translation]:
        """For each sample the things in its image that the model says make its sound.

        Raises:
            WeightsError: the model cannot be asked.
        """
        return [self._name(sample) for sample in samples]

    def _name(self, sample: AVSample) -> Translation:
        def ask(chat: Sequence[Any]) -> tuple[str, int]:
            return self.model.reply(sample.image, sample.audio, [message._asdict() for message in chat])

        asked = ask_in_form(naming_question(), ask, None)
        return Translation(asked.sources or (), asked.notes)

    def judge(self, images: Sequence[NDArray[np.uint8]], clips: Sequence[AudioClip], phrases: Sequence[str]) -> Judged:
        """The log odds of yes to whether each thing makes the sound of its clip, and the tokens of the questions.

        Raises:
            WeightsError: the model cannot be asked.
        """
        answers = [
            self.model.log_odds_of_yes(image, clip, [message._asdict() for message in judging_question(phrase)])
            for image, clip, phrase in zip(images, clips, phrases, strict=True)
        ]
        return Judged(np.array([odds for odds, _ in answers], np.float32), sum(tokens for _, tokens in answers))

"""Omni models by the classes of transformers: language models that hear and see at once.

Qwen2.5-Omni (Xu et al., arXiv 2503.20215) and Qwen3-Omni (arXiv 2509.17765). Of both only the thinker is loaded, which
writes; the talker, which speaks, is left in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import WeightsError, first_line
from zsavs.media.waveform import resample
from zsavs.models.adapter import Adapter
from zsavs.models.batching import inference
from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, check_tokenizer, needing
from zsavs.models.device_copies import copy_to_device
from zsavs.models.inputs import check_counts
from zsavs.models.runtime import quiet
from zsavs.storage.weights import WeightCard
from zsavs.types import AudioClip

__all__ = ["CARDS", "QWEN2_5_CARDS", "QWEN3_CARDS", "Qwen3OmniModel", "Qwen25OmniModel"]

_FILES = (
    *MODEL_FILES,
    *PREPROCESSOR_FILES,
    "tokenizer.json | vocab.json + merges.txt",
    "tokenizer_config.json",
    "chat_template.jinja | chat_template.json",
)
_SAW = "text, images, video and audio of all kinds, speech, and instructions with answers about all of them"

QWEN2_5_CARDS: dict[str, WeightCard] = needing(
    {
        "Qwen/Qwen2.5-Omni-7B": WeightCard(
            "Qwen/Qwen2.5-Omni-7B", "Apache-2.0", 22_400, _SAW, verified="licence and size from memory, look before use"
        ),
    },
    _FILES,
)
QWEN3_CARDS: dict[str, WeightCard] = needing(
    {
        "Qwen/Qwen3-Omni-30B-A3B-Instruct": WeightCard(
            "Qwen/Qwen3-Omni-30B-A3B-Instruct",
            "Apache-2.0",
            70_500,
            _SAW,
            verified="licence from the notes of its release, size from memory, look before use",
        ),
    },
    _FILES,
)

CARDS: dict[str, WeightCard] = {**QWEN2_5_CARDS, **QWEN3_CARDS}

#: How a reply may begin that means yes, and no; those that are one token of the tokenizer count.
_YES, _NO = ("Yes", "yes", "YES"), ("No", "no", "NO")

#: What the image and the audio stand for in a chat: turns with "role" and "content".
Chat = Sequence[Mapping[str, str]]


class _Thinker(Adapter):
    """A thinker, asked about one image with one audio clip.

    One at a time: padding would change the numbers. Replies are greedy, so that nothing is drawn at random.

    Args:
        model: the thinker of transformers; it is moved, frozen and put into evaluation mode.
        processor: its processor, with a chat template.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        max_new_tokens: the longest reply, at least 1.

    Raises:
        InputError: ``max_new_tokens`` is out of range.
        WeightsError: the tokenizer is not the model's own, has no chat template, or no token for yes or for no.
    """

    def __init__(
        self, model: Any, processor: Any, *, card: WeightCard, device: str = "cpu", max_new_tokens: int = 300
    ) -> None:
        check_counts(self, max_new_tokens=max_new_tokens)
        check_tokenizer(processor.tokenizer, model.config.text_config.vocab_size, card.source)
        if not processor.chat_template:
            raise WeightsError(f"{card.source}: its processor has no chat template, so nothing can be asked of it.")
        super().__init__(model, card, device)
        self.processor = processor
        self.max_new_tokens = max_new_tokens
        self.sample_rate_hz = int(processor.feature_extractor.sampling_rate)
        self._yes, self._no = self._tokens_of(_YES), self._tokens_of(_NO)

    def reply(self, image: NDArray[np.uint8], clip: AudioClip, chat: Chat) -> tuple[str, int]:
        """The model's next turn.

        Args:
            image: (H, W, 3) uint8 RGB.
            clip: of any rate and channel count.
            chat: turns; image and audio stand before the words of the first turn of the user.

        Returns:
            The reply, stripped, and how many tokens question and reply were together, those of image and audio too.

        Raises:
            WeightsError: the template takes no such chat, or the device's memory is too small.
        """
        inputs = self._inputs(image, clip, chat)
        asked = inputs["input_ids"].shape[1]
        with inference(self.parts[0]), quiet():
            tokens = self.model.generate(
                **inputs, do_sample=False, temperature=None, top_p=None, top_k=None, max_new_tokens=self.max_new_tokens
            )
        text: str = self.processor.tokenizer.decode(tokens[0, asked:], skip_special_tokens=True)
        return text.strip(), int(tokens.shape[1])

    def log_odds_of_yes(self, image: NDArray[np.uint8], clip: AudioClip, chat: Chat) -> tuple[float, int]:
        """The log odds of yes against no as the first word of the model's next turn, and the tokens of the question.

        The probability of yes is that of all its spellings together, likewise of no; all other words are left out.

        Args:
            image, clip, chat: as for :meth:`reply`.

        Raises:
            WeightsError: as :meth:`reply`.
        """
        inputs = self._inputs(image, clip, chat)
        with inference(self.parts[0]), quiet():
            # By generate, as it gives all of the models the positions that they have in a reply.
            first = self.model.generate(
                **inputs,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                max_new_tokens=1,
                output_logits=True,
                return_dict_in_generate=True,
            )
        logits = first.logits[0][0].float()
        odds = logits[self._yes].logsumexp(0) - logits[self._no].logsumexp(0)
        return float(odds), int(inputs["input_ids"].shape[1])

    def _tokens_of(self, spellings: Sequence[str]) -> list[int]:
        """The tokens that each are one spelling of a word.

        Raises:
            WeightsError: there is none.
        """
        spelt = (self.processor.tokenizer.encode(word, add_special_tokens=False) for word in spellings)
        tokens = sorted({ids[0] for ids in spelt if len(ids) == 1})
        if not tokens:
            raise WeightsError(f"{self.card.source}: its tokenizer spells {spellings[0]!r} in several tokens.")
        return tokens

    def _inputs(self, image: NDArray[np.uint8], clip: AudioClip, chat: Chat) -> dict[str, Any]:
        turns = [{"role": turn["role"], "content": [{"type": "text", "text": turn["content"]}]} for turn in chat]
        first = next(turn for turn in turns if turn["role"] == "user")
        first["content"] = [{"type": "image"}, {"type": "audio"}, *first["content"]]
        try:
            asked = self.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        except Exception as error:  # a template is a program of the checkpoint, and may raise anything
            raise WeightsError(f"{self.card.source}: its chat template failed ({first_line(error)}).") from error
        given = self.processor(
            text=[asked],
            images=[image.copy()],  # torch wants to be able to write
            audio=[resample(clip.mono(), clip.sample_rate_hz, self.sample_rate_hz)],
            sampling_rate=self.sample_rate_hz,
            return_tensors="pt",
        )
        dtypes = dict.fromkeys(("input_features", "pixel_values"), self.model.dtype)
        return {name: copy_to_device(tensor, self.device, dtypes.get(name)) for name, tensor in given.items()}


class Qwen25OmniModel(_Thinker):
    """Qwen2.5-Omni's thinker."""

    cards, default, files = QWEN2_5_CARDS, next(iter(QWEN2_5_CARDS)), _FILES
    parts = ("Qwen2_5OmniThinkerForConditionalGeneration", "Qwen2_5OmniProcessor")
    towers = ("model.audio_tower", "model.visual")


class Qwen3OmniModel(_Thinker):
    """Qwen3-Omni's thinker, a mixture of experts."""

    cards, default, files = QWEN3_CARDS, next(iter(QWEN3_CARDS)), _FILES
    parts = ("Qwen3OmniMoeThinkerForConditionalGeneration", "Qwen3OmniMoeProcessor")
    towers = ("model.audio_tower", "model.visual")

"""Qwen2-Audio as an audio captioner (Chu et al., "Qwen2-Audio Technical Report", arXiv 2407.10759), by the classes of
transformers: a language model that hears, asked for a caption."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.models.adapter import Adapter
from zsavs.models.audio_windows import checked_hop, joined_captions, mono_windows
from zsavs.models.batching import inference
from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, check_tokenizer, needing
from zsavs.models.device_copies import copy_to_device
from zsavs.models.inputs import check_clips, check_counts
from zsavs.models.runtime import quiet
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AudioClip

__all__ = ["CARDS", "DEFAULT", "PROMPT", "QwenAudioCaptioner"]

DEFAULT = "Qwen/Qwen2-Audio-7B"

_MODEL = "Qwen2AudioForConditionalGeneration"

#: What the pretrained model is asked for a caption, as in transformers' documentation of it.
PROMPT = "<|audio_bos|><|AUDIO|><|audio_eos|>Generate the caption in English:"

_FILES = (*MODEL_FILES, *PREPROCESSOR_FILES, "tokenizer.json | vocab.json + merges.txt", "tokenizer_config.json")

CARDS: dict[str, WeightCard] = needing(
    {
        DEFAULT: WeightCard(
            DEFAULT,
            "Apache-2.0",
            16_800,
            "audio of all kinds with text, speech; no images",
            verified="licence from the notes of its release, size from memory, look before use",
        )
    },
    _FILES,
)


class QwenAudioCaptioner(Adapter):
    """Audio clips to captions (:class:`zsavs.protocols.AudioCaptioner`), under a permissive licence.

    A clip is cut into windows as long as the model's (30 s), which lie ``hop_s`` apart, the last moved back to end with
    the clip; the captions of its windows, each sentence once, are its caption. Decoding is greedy, a window at a time.

    Args:
        model: a ``transformers.Qwen2AudioForConditionalGeneration``; it is moved, frozen and put into evaluation mode.
        processor: its ``Qwen2AudioProcessor``.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        prompt: what is asked, with one place for the audio.
        max_new_tokens: the most tokens of a window's caption.
        hop_s: seconds from window to window, at most a window's length; None for just that.

    Raises:
        InputError: a setting is out of range, or the prompt has no place for the audio, or several.
        WeightsError: the tokenizer is not the text model's own.
    """

    cards, default, files = CARDS, DEFAULT, _FILES
    parts = (_MODEL, "Qwen2AudioProcessor")
    towers = ("model.audio_tower",)

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        prompt: str = PROMPT,
        max_new_tokens: int = 60,
        hop_s: float | None = None,
    ) -> None:
        extractor = processor.feature_extractor
        self.window_s = float(extractor.chunk_length)
        self.hop_s = checked_hop(self, hop_s, self.window_s)
        check_counts(self, max_new_tokens=max_new_tokens)
        if prompt.count(processor.audio_token) != 1:
            raise InputError(
                f"QwenAudioCaptioner: the prompt needs {processor.audio_token} once, for the audio, got {prompt!r}."
            )
        check_tokenizer(processor.tokenizer, model.config.text_config.vocab_size, card.source)
        super().__init__(model, card, device)
        self.processor = processor
        self.sample_rate_hz = int(extractor.sampling_rate)
        self.prompt, self.max_new_tokens = prompt, max_new_tokens
        self._captions: Memo[str] = Memo()

    def caption(self, items: Sequence[AudioClip]) -> list[str]:
        """Describe N clips of any rate, length and channel count: N captions, stripped, possibly empty.

        Raises:
            AudioError: not a list of :class:`AudioClip`.
            WeightsError: the device's memory is too small.
        """
        return self._captions(
            check_clips(items), lambda clips: [joined_captions(list(self._describe(clip))) for clip in clips]
        )

    def _describe(self, clip: AudioClip) -> Iterator[str]:
        """The caption of each window."""
        for window in mono_windows(clip, self.sample_rate_hz, self.window_s, self.hop_s):
            yield self._describe_window(window)

    def _describe_window(self, window: NDArray[np.float32]) -> str:
        given = self.processor(
            text=[self.prompt], audio=[window], sampling_rate=self.sample_rate_hz, return_tensors="pt"
        )
        dtypes = {"input_features": self.model.dtype}
        inputs = {name: copy_to_device(tensor, self.device, dtypes.get(name)) for name, tensor in given.items()}
        with inference(_MODEL), quiet():
            tokens = self.model.generate(
                **inputs, do_sample=False, temperature=None, top_p=None, top_k=None, max_new_tokens=self.max_new_tokens
            )
        (text,) = self.processor.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return " ".join(str(text).split())

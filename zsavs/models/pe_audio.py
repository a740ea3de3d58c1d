"""PE-A-Frame: audio, 25 times a second, and text in one space (Vyas et al., "Pushing the Frontier of Audiovisual
Perception with Large-Scale Multimodal Correspondence Learning", arXiv 2512.19687), by transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.media.arrays import frozen
from zsavs.media.waveform import stream_windows
from zsavs.models.adapter import Adapter
from zsavs.models.audio_windows import answers_by_clip, mono_windows
from zsavs.models.batching import inference
from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, TOKENIZER_FILES, check_tokenizer, needing
from zsavs.models.device_copies import copy_to_device, token_inputs
from zsavs.models.inputs import check_clips, check_counts, check_phrases
from zsavs.models.outputs import finite, normalise, unit_rows
from zsavs.models.pe_text import first_tokens, leave_out_last_norm
from zsavs.models.text_memo import TextMemo
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "PeAudioFrameEncoder"]

DEFAULT = "facebook/pe-a-frame-base"

_MODEL = "PeAudioFrameLevelModel"
_TRAINED_ON = "audio with synthetic captions of what sounds when (from memory)"
_FILES = (*MODEL_FILES, *PREPROCESSOR_FILES, *TOKENIZER_FILES)

CARDS: dict[str, WeightCard] = needing(
    {
        name: WeightCard(
            name,
            "Apache-2.0",
            size_mb,
            _TRAINED_ON,
            verified=f"a stored copy of its hub page; size by the parameters that it states, {millions} million",
        )
        for name, size_mb, millions in (
            ("facebook/pe-a-frame-small", 1800, 450),
            (DEFAULT, 2242, 560),
            ("facebook/pe-a-frame-large", 5826, 1400),
        )
    },
    _FILES,
)


class PeAudioFrameEncoder(Adapter):
    """Audio clips, frame by frame, and texts to embeddings in one space (:class:`zsavs.protocols.AudioFrameEncoder`).

    The model was trained to say for any text in which frames of a clip it is heard; a frame is 0.04 s long. A clip of
    more than ``window_s`` is cut into windows, the last one moved back to end with the clip; windows of one length
    share batches, and nothing is padded but the end of a window to a whole frame, by its own extractor. A window's
    embedding is the mean of its frames', and a clip's that of its windows'.

    Args:
        model: a ``transformers.PeAudioFrameLevelModel``; it is moved, frozen and put into evaluation mode.
        feature_extractor: its ``PeAudioFeatureExtractor``.
        tokenizer: its tokenizer.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        batch_size: the most windows in the model at once.
        window_s: the most seconds in the model at once.
        max_text_tokens: longer texts are cut.

    Raises:
        InputError: a batch size or window out of range.
        WeightsError: the tokenizer is not the text model's own.
    """

    cards, default, files = CARDS, DEFAULT, _FILES
    parts = (_MODEL, "PeAudioFeatureExtractor", "AutoTokenizer")
    towers = ("audio_encoder",)

    def __init__(
        self,
        model: Any,
        feature_extractor: Any,
        tokenizer: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        batch_size: int = 8,
        window_s: float = 10.0,
        max_text_tokens: int = 512,
    ) -> None:
        check_counts(self, batch_size=batch_size)
        if not 0.1 <= window_s <= 600:
            raise InputError(f"PeAudioFrameEncoder: window_s must be in [0.1, 600] seconds, got {window_s}.")
        check_tokenizer(tokenizer, model.config.text_config.vocab_size, card.source)
        super().__init__(model, card, device)
        leave_out_last_norm(self.model.text_model)
        self.feature_extractor, self.tokenizer = feature_extractor, tokenizer
        self.space = f"pe_audio:{card.source}"
        self.batch_size, self.window_s = batch_size, window_s
        self.sample_rate_hz = int(feature_extractor.sampling_rate)
        self.frame_s = feature_extractor.hop_length / self.sample_rate_hz
        self.max_text_tokens = min(max_text_tokens, model.config.text_config.max_position_embeddings)
        self._texts = TextMemo(self._embed_texts, space=self.space)
        self._clips: Memo[NDArray[np.float32]] = Memo()

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        """Embed N clips of any rate, length and channel count: (N, D), unit rows. None give (0, D).

        Raises:
            AudioError: not a list of :class:`AudioClip`.
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        rows = self._clips(check_clips(clips), self._embed_clips)
        return np.stack(rows) if rows else self.encode_text([])

    def encode_audio_frames(self, clips: Sequence[AudioClip]) -> list[NDArray[np.float32]]:
        """Embed each frame of each clip: N arrays (F, D), unit rows in order of time, F at least 1.

        Frame ``i`` begins at ``i * frame_s``; the last one may reach beyond the clip. Where the last window of a long
        clip does not begin with a frame, its frames are taken for those that they lie nearest to.

        Raises:
            AudioError, WeightsError: as :meth:`encode_audio`.
        """
        return self._by_frame(clips, self._frames)

    def encode_audio_tokens(self, clips: Sequence[AudioClip]) -> list[NDArray[np.float32]]:
        """What each frame is before the last linear layer: N arrays (1, F, C), as frames have no frequencies.

        Raises:
            AudioError, WeightsError: as :meth:`encode_audio`.
        """
        return [rows[None] for rows in self._by_frame(clips, self._tokens)]

    def project_audio_tokens(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring tokens, or means of them, into the embedding space: (N, C) gives (N, D), unit rows."""
        import torch

        with inference(_MODEL):
            rows = copy_to_device(torch.from_numpy(np.array(tokens)), self.device, self.model.dtype)
            return unit_rows(self.model.audio_head.proj(rows), _MODEL)

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K texts: (K, D), unit rows. Each phrase is computed once. No texts give (0, D).

        Raises:
            InputError: not a list of strings.
        """
        return self._texts(check_phrases(phrases))

    def _by_frame(
        self, clips: Sequence[AudioClip], compute: Callable[[list[torch.Tensor]], NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """What is computed for each frame of the windows of each clip: N arrays (F, ...), in order of time."""
        starts_s: list[list[float]] = []

        def samples(clip: AudioClip) -> Iterator[torch.Tensor]:
            starts_s.append([])
            for start_s, window in stream_windows(clip, self.sample_rate_hz, self.window_s, self.window_s):
                starts_s[-1].append(start_s)
                yield self._extract(window)

        by_clip = answers_by_clip(check_clips(clips), samples, compute, self.batch_size)
        return [frozen(self._in_order(begins, windows)) for begins, windows in zip(starts_s, by_clip, strict=True)]

    def _embed_clips(self, clips: list[AudioClip]) -> list[NDArray[np.float32]]:
        by_clip = answers_by_clip(clips, self._samples, self._means, self.batch_size)
        return [*normalise(np.stack([np.mean(windows, axis=0) for windows in by_clip]))]

    def _samples(self, clip: AudioClip) -> Iterator[torch.Tensor]:
        for window in mono_windows(clip, self.sample_rate_hz, self.window_s, self.window_s):
            yield self._extract(window)

    def _extract(self, window: NDArray[np.float32]) -> torch.Tensor:
        """The samples of a window, (1, 1, T), T a whole number of frames."""
        made = self.feature_extractor(window, sampling_rate=self.sample_rate_hz, return_tensors="pt")
        samples: torch.Tensor = made["input_values"]
        return samples

    def _means(self, samples: list[torch.Tensor]) -> NDArray[np.float32]:
        """(W, D) for W windows of one length: the means of their frames' embeddings."""
        return np.asarray(self._frames(samples).mean(axis=1))

    def _frames(self, samples: list[torch.Tensor]) -> NDArray[np.float32]:
        """(W, F, D) for W windows of one length, unit rows."""
        tokens = self._tokens(samples)
        rows = self.project_audio_tokens(tokens.reshape(-1, tokens.shape[-1]))
        return rows.reshape(*tokens.shape[:2], -1)

    def _tokens(self, samples: list[torch.Tensor]) -> NDArray[np.float32]:
        """(W, F, C) for W windows of one length."""
        import torch

        with inference(_MODEL):
            values = copy_to_device(torch.cat(samples), self.device, self.model.dtype)
            states = self.model.audio_encoder(values).last_hidden_state
            return finite(self.model.audio_head.layer_norm(states), _MODEL)

    def _in_order(self, starts_s: Sequence[float], windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The frames of a clip, (F, C), from those of its windows; where two windows have one, the earlier counts."""
        frames: list[NDArray[np.float32]] = []
        count = 0
        for start_s, window in zip(starts_s, windows, strict=True):
            frames.append(window[count - round(start_s / self.frame_s) :])
            count += len(frames[-1])
        return np.concatenate(frames)

    def _tokenize(self, texts: list[str]) -> Any:
        return self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_text_tokens, return_tensors="pt"
        )

    def _embed_texts(self, phrases: list[str]) -> NDArray[np.float32]:
        tokens = self._tokenize(phrases)
        with inference(_MODEL):
            first = first_tokens(self.model.text_model, **token_inputs(tokens, self.device))
            return unit_rows(self.model.text_audio_head(first), _MODEL)

"""CLAP: audio and text in one embedding space (Wu et al., "Large-scale Contrastive Language-Audio Pretraining with
Feature Fusion and Keyword-to-Caption Augmentation", ICASSP 2023), by the CLAP classes of transformers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.media.arrays import frozen
from zsavs.models.adapter import Adapter
from zsavs.models.audio_windows import answers_by_clip, checked_hop, mono_windows
from zsavs.models.batching import inference
from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, TOKENIZER_FILES, check_tokenizer, needing
from zsavs.models.clap_mel import ClapMel
from zsavs.models.device_copies import copy_to_device, token_inputs
from zsavs.models.inputs import check_clips, check_counts, check_phrases
from zsavs.models.native import clap as native
from zsavs.models.outputs import finite, normalise, unit_rows
from zsavs.models.text_memo import TextMemo
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "ClapEncoder"]

DEFAULT = "laion/clap-htsat-unfused"

_MODEL = "ClapModel"
_DATA = "LAION-Audio-630K, AudioSet, Clotho, AudioCaps: sound with text"
_READ = "a stored copy of its hub page, commit "

_FILES = (*MODEL_FILES, *PREPROCESSOR_FILES, *TOKENIZER_FILES)

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(DEFAULT, "Apache-2.0", 614, _DATA, verified=f"{_READ}8fa0f1c"),
    "laion/clap-htsat-fused": WeightCard(
        "laion/clap-htsat-fused", "Apache-2.0", 614, _DATA, verified=f"{_READ}cca9e28"
    ),
    "zsavs:nano/clap": WeightCard("zsavs:nano/clap", "Apache-2.0", 4, "rendered sounds of the orchestra with names"),
    "laion/larger_clap_general": WeightCard(
        "laion/larger_clap_general",
        "Apache-2.0",
        776,
        "general audio, music and speech with text",
        verified=f"{_READ}ada0c23",
    ),
}
CARDS = needing(CARDS, _FILES)


class ClapEncoder(Adapter):
    """Audio clips and texts to embeddings in CLAP's space (:class:`zsavs.protocols.AudioTokenEncoder`).

    A clip is cut into windows as long as the model was trained on (10 s): a shorter clip is one window, repeated to
    fill it as CLAP does; the windows of a longer one lie ``hop_s`` apart, the last moved back to end with the clip.
    The clip's embedding is the mean of theirs, brought back to unit length. So every second is heard, and nothing is
    left to chance: CLAP's own feature extractor crops long clips, and marks them as long, at random.

    Args:
        model: a ``transformers.ClapModel``; it is moved, frozen and put into evaluation mode.
        feature_extractor: its ``ClapFeatureExtractor``.
        tokenizer: its tokenizer.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        batch_size: the most windows in the model at once.
        hop_s: seconds from window to window, at most a window's length; None for just that.
        max_text_tokens: longer texts are cut; LAION's checkpoints were trained on 77 tokens.
        sound_bank: (B, D) embeddings of unlabelled audio clips that scores are calibrated against
            (:mod:`zsavs.calibration.bank`).

    Raises:
        InputError: a hop or a batch size out of range.
        WeightsError: the tokenizer is not the text model's own.
    """

    cards, default, files = CARDS, DEFAULT, _FILES
    parts = (_MODEL, "ClapFeatureExtractor", "AutoTokenizer")
    banks = ("sound_bank",)
    towers = ("audio_model",)

    def __init__(
        self,
        model: Any,
        feature_extractor: Any,
        tokenizer: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        batch_size: int = 8,
        hop_s: float | None = None,
        max_text_tokens: int = 77,
        sound_bank: NDArray[np.float32] | None = None,
    ) -> None:
        self.window_s = float(feature_extractor.max_length_s)
        self.hop_s = checked_hop(self, hop_s, self.window_s)
        check_counts(self, batch_size=batch_size)
        super().__init__(model, card, device)
        self.feature_extractor = feature_extractor
        self.mel = ClapMel(feature_extractor, bool(model.config.audio_config.enable_fusion), self.device)
        self.tokenizer = tokenizer
        self.space = f"clap:{card.source}"
        self.batch_size = batch_size
        self.sample_rate_hz = int(feature_extractor.sampling_rate)
        text = model.config.text_config
        check_tokenizer(tokenizer, text.vocab_size, card.source)
        # RoBERTa counts positions from after its padding id, and an index past the table is an error deep inside.
        self.max_text_tokens = min(max_text_tokens, text.max_position_embeddings - text.pad_token_id - 1)
        self._texts = TextMemo(self._embed_texts, space=f"{self.space} {self.max_text_tokens} tokens")
        self._windows: Memo[NDArray[np.float32]] = Memo()
        self._grids: Memo[NDArray[np.float32]] = Memo()
        self.sound_bank = sound_bank
        self.temperature = math.exp(-float(model.logit_scale_a))

    @classmethod
    def read_file(cls, path: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model, its feature extractor and its tokenizer, from LAION's own file
        (:func:`zsavs.models.native.clap.read`)."""
        return native.read(path, dtype)

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        """Embed N clips of any rate, length and channel count: (N, D), unit rows.

        Raises:
            AudioError: not a list of :class:`AudioClip`.
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        rows = self.audio_windows(clips)
        if not rows:
            return self.encode_text([])
        return normalise(np.stack([windowed.mean(axis=0) for windowed in rows]))

    def audio_windows(self, clips: Sequence[AudioClip]) -> list[NDArray[np.float32]]:
        """Embed each window of each clip: N arrays (W, D), unit rows in order of time, W at least 1.

        Raises:
            AudioError, WeightsError: as :meth:`encode_audio`.
        """
        return self._windows(check_clips(clips), self._embed_clips)

    def encode_audio_tokens(self, clips: Sequence[AudioClip]) -> list[NDArray[np.float32]]:
        """What CLAP averages over each clip: N arrays (F, T, C), HTSAT's last features by frequency and time.

        They lie before the head (:meth:`project_audio_tokens`), as the model averages there: the projected mean over
        the grid is :meth:`encode_audio` of a clip of one window. A longer clip's windows follow each other in time.

        Raises:
            AudioError, WeightsError: as :meth:`encode_audio`.
        """
        return self._grids(check_clips(clips), self._token_clips)

    def project_audio_tokens(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring means of tokens into the embedding space, through CLAP's head: (N, C) gives (N, D), unit rows."""
        import torch

        with inference(_MODEL):
            rows = copy_to_device(torch.from_numpy(np.array(tokens)), self.device, self.model.dtype)
            return unit_rows(self.model.audio_projection(rows), _MODEL)

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K texts: (K, D), unit rows. Each phrase is computed once. No texts give (0, D).

        Raises:
            InputError: not a list of strings.
        """
        return self._texts(check_phrases(phrases))

    def _embed_clips(self, clips: list[AudioClip]) -> list[NDArray[np.float32]]:
        by_clip = answers_by_clip(clips, self._filled, self._embed_windows, self.batch_size)
        return [frozen(np.stack(windows)) for windows in by_clip]

    def _token_clips(self, clips: list[AudioClip]) -> list[NDArray[np.float32]]:
        by_clip = answers_by_clip(clips, self._filled, self._token_windows, self.batch_size)
        return [frozen(np.concatenate(windows, axis=1)) for windows in by_clip]

    def _filled(self, clip: AudioClip) -> Iterator[torch.Tensor]:
        """Each window of a clip, filled up to the model's length, (1, samples)."""
        return map(self.mel.filled, mono_windows(clip, self.sample_rate_hz, self.window_s, self.hop_s))

    def _embed_windows(self, windows: list[torch.Tensor]) -> NDArray[np.float32]:
        with inference(_MODEL):
            return unit_rows(self.model.get_audio_features(**self._inputs(windows)).pooler_output, _MODEL)

    def _token_windows(self, windows: list[torch.Tensor]) -> NDArray[np.float32]:
        """(W, F, T, C) for W windows."""
        with inference(_MODEL):
            out = self.model.audio_model(**self._inputs(windows))
            return finite(out.last_hidden_state.permute(0, 2, 3, 1), _MODEL)

    def _inputs(self, windows: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        import torch

        # No window is longer than the model's, so fusion has nothing to fuse.
        is_longer = torch.zeros(len(windows), 1, dtype=torch.bool, device=self.device)
        return {
            "input_features": copy_to_device(self.mel(windows), self.device, self.model.dtype),
            "is_longer": is_longer,
        }

    def _embed_texts(self, phrases: list[str]) -> NDArray[np.float32]:
        tokens = self.tokenizer(
            phrases, padding=True, truncation=True, max_length=self.max_text_tokens, return_tensors="pt"
        )
        with inference(_MODEL):
            return unit_rows(self.model.get_text_features(**token_inputs(tokens, self.device)).pooler_output, _MODEL)

"""CLAP: sound and text in one embedding space (Wu et al., "Large-scale Contrastive Language-Audio Pretraining with
Feature Fusion and Keyword-to-Caption Augmentation", ICASSP 2023), by the CLAP classes of transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.media.arrays import frozen
from zsavs.media.waveform import resample, windows
from zsavs.models.batching import in_batches, inference
from zsavs.models.checkpoints import bank_beside, card_for, load_model
from zsavs.models.inputs import check_clips, check_phrases
from zsavs.models.outputs import finite, normalise, unit_rows
from zsavs.models.runtime import load_part, resolve_device, resolve_dtype, to_device
from zsavs.models.text_memo import TextMemo
from zsavs.models.transfer import copy_to_device
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard, locate
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "ClapEncoder"]

DEFAULT = "laion/clap-htsat-unfused"

_MEMORY = "from memory, look before relying on it"

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(DEFAULT, "Apache-2.0", 614, "LAION-Audio-630K, AudioSet, Clotho, AudioCaps: sound with text"),
    "laion/clap-htsat-fused": WeightCard(
        "laion/clap-htsat-fused", "Apache-2.0", 614, "LAION-Audio-630K, AudioSet, Clotho, AudioCaps: sound with text"
    ),
    "zsavs:nano/clap": WeightCard("zsavs:nano/clap", "Apache-2.0", 4, "rendered sounds of the orchestra with names"),
    "laion/larger_clap_general": WeightCard(
        "laion/larger_clap_general", "Apache-2.0", 776, "general audio, music and speech with text", verified=_MEMORY
    ),
}


class ClapEncoder:
    """Embeds sounds and texts in CLAP's space (:class:`zsavs.protocols.AudioTokenEncoder`).

    A sound is heard through windows as long as the model was trained on (10 s): a shorter sound is one window, repeated
    to fill it as CLAP does; a longer one is cut into windows ``hop_s`` apart, the last moved back to end with the
    sound; its embedding is the mean of theirs, brought back to unit length. So every second is heard, and nothing is
    left to chance: CLAP's own feature extractor crops long sounds, and marks clips as long, at random.

    Args:
        model: a ``transformers.ClapModel``; it is moved, frozen and put into evaluation mode.
        feature_extractor: its ``ClapFeatureExtractor``.
        tokenizer: its tokenizer.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        batch_size: the most windows in the model at once.
        hop_s: seconds from window to window, at most a window's length; None for just that.
        max_text_tokens: longer texts are cut; LAION's checkpoints were trained on 77 tokens.
        sound_bank: (B, D) embeddings of unlabelled sounds that scores are calibrated against
            (:mod:`zsavs.calibration.bank`).

    Raises:
        InputError: a hop or a batch size out of range.
    """

    #: For :func:`zsavs.models.compiled.compile_towers`.
    towers: ClassVar[tuple[str, ...]] = ("audio_model",)

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
        self.hop_s = self.window_s if hop_s is None else hop_s
        if batch_size < 1 or not 0 < self.hop_s <= self.window_s:
            raise InputError(
                f"ClapEncoder: batch_size must be at least 1 and hop_s in (0, {self.window_s:g}] seconds, "
                f"got {batch_size} and {hop_s}."
            )
        self.device = resolve_device(device)
        self.model = to_device(model, self.device)
        self.feature_extractor = feature_extractor
        self.tokenizer = tokenizer
        self.card = card
        self.space = f"clap:{card.source}"
        self.batch_size = batch_size
        self.sample_rate_hz = int(feature_extractor.sampling_rate)
        text = model.config.text_config
        # RoBERTa counts positions from after its padding id, and an index past the table is an error deep inside.
        self.max_text_tokens = min(max_text_tokens, text.max_position_embeddings - text.pad_token_id - 1)
        self._texts = TextMemo(self._embed_texts, space=f"{self.space} {self.max_text_tokens} tokens")
        self._sounds: Memo[NDArray[np.float32]] = Memo()
        self._grids: Memo[NDArray[np.float32]] = Memo()
        self.sound_bank = sound_bank

    @classmethod
    def load(
        cls,
        checkpoint: str | Path = DEFAULT,
        *,
        revision: str = "main",
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int = 8,
        hop_s: float | None = None,
    ) -> ClapEncoder:
        """Load a checkpoint that is on this machine: a folder made by ``save_pretrained``, or a hub name.

        Args:
            checkpoint: "laion/clap-htsat-unfused", "laion/clap-htsat-fused", "laion/larger_clap_general", any other
                CLAP repository in the hub cache, or a folder.
            revision: branch, tag or commit of a hub repository.
            device, dtype: see :mod:`zsavs.models.runtime`.
            batch_size, hop_s: as for the class.

        Raises:
            MissingWeights: the checkpoint or one of its files is not on this machine.
            WeightsError: it cannot be read as a CLAP model.
        """
        folder = locate(checkpoint, revision)
        where = resolve_device(device)
        return cls(
            load_model("ClapModel", folder, resolve_dtype(dtype, where)),
            load_part("ClapFeatureExtractor", folder),
            load_part("AutoTokenizer", folder),
            card=card_for(CARDS, checkpoint, folder),
            device=str(where),
            batch_size=batch_size,
            hop_s=hop_s,
            sound_bank=bank_beside(folder, "sound_bank"),
        )

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
        return self._sounds(check_clips(clips), self._embed_clips)

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

        with inference("ClapModel"):
            rows = copy_to_device(torch.from_numpy(np.array(tokens)), self.device, self.model.dtype)
            return unit_rows(self.model.audio_projection(rows), "ClapModel")

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K texts: (K, D), unit rows. Each phrase is computed once. No texts give (0, D).

        Raises:
            InputError: not a list of strings.
        """
        return self._texts(check_phrases(phrases))

    def _embed_clips(self, clips: list[AudioClip]) -> list[NDArray[np.float32]]:
        return self._by_clip(clips, self._embed_features)

    def _token_clips(self, clips: list[AudioClip]) -> list[NDArray[np.float32]]:
        grids = self._by_clip(clips, self._token_features)
        return [frozen(np.concatenate(list(windowed), axis=1)) for windowed in grids]

    def _by_clip(
        self, clips: list[AudioClip], compute: Callable[[list[torch.Tensor]], NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """What ``compute`` says of each window's features, (W, ...) for each clip.

        Windows of all clips share batches; only one clip's windows and one batch are in memory.
        """
        counts: list[int] = []

        def features() -> Iterator[torch.Tensor]:
            for clip in clips:
                pieces = self._pieces(clip)
                counts.append(len(pieces))
                yield from map(self._features, pieces)

        rows = np.stack(in_batches(compute, features(), self.batch_size))
        return [frozen(part.copy()) for part in np.split(rows, np.cumsum(counts)[:-1])]

    def _pieces(self, clip: AudioClip) -> Sequence[NDArray[np.float32]]:
        """Cut a clip into mono windows of the model's rate, none longer than the model's window."""
        wave = resample(clip.mono(), clip.sample_rate_hz, self.sample_rate_hz)
        if len(wave) <= self.feature_extractor.nb_max_samples:
            return [wave]
        return list(windows(wave, self.sample_rate_hz, self.window_s, self.hop_s))

    def _features(self, window: NDArray[np.float32]) -> torch.Tensor:
        """Log-mel features of one window, (1, 1 or 4, frames, mel bins).

        One window for each call: given several, the fusion extractor marks one of them as long by a draw from numpy's
        global generator. With a single one there is nothing to draw and the generator is left alone.
        """
        # Named here: an extractor of the other kind makes four spectrograms where the model takes one.
        kind = "fusion" if self.model.config.audio_config.enable_fusion else "rand_trunc"
        extracted = self.feature_extractor(
            window, truncation=kind, sampling_rate=self.sample_rate_hz, return_tensors="pt"
        )
        features: torch.Tensor = extracted["input_features"]
        return features

    def _embed_features(self, features: list[torch.Tensor]) -> NDArray[np.float32]:
        with inference("ClapModel"):
            out = self.model.get_audio_features(**self._inputs(features))
            return unit_rows(out.pooler_output, "ClapModel")

    def _token_features(self, features: list[torch.Tensor]) -> NDArray[np.float32]:
        """(W, F, T, C) for W windows."""
        with inference("ClapModel"):
            out = self.model.audio_model(**self._inputs(features))
            return finite(out.last_hidden_state.permute(0, 2, 3, 1), "ClapModel")

    def _inputs(self, features: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        import torch

        # No window is longer than the model's, so fusion has nothing to fuse, whatever the extractor drew.
        is_longer = torch.zeros(len(features), 1, dtype=torch.bool, device=self.device)
        inputs = copy_to_device(torch.cat(features), self.device, self.model.dtype)
        return {"input_features": inputs, "is_longer": is_longer}

    def _embed_texts(self, phrases: list[str]) -> NDArray[np.float32]:
        tokens = self.tokenizer(
            phrases, padding=True, truncation=True, max_length=self.max_text_tokens, return_tensors="pt"
        )
        with inference("ClapModel"):
            out = self.model.get_text_features(
                input_ids=copy_to_device(tokens["input_ids"], self.device),
                attention_mask=copy_to_device(tokens["attention_mask"], self.device),
            )
            return unit_rows(out.pooler_output, "ClapModel")

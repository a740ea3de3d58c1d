"""AST: names sounds by AudioSet's 527 labels (Gong, Chung and Glass, "AST: Audio Spectrogram Transformer", Interspeech
2021), by the AST classes of transformers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError, WeightsError
from zsavs.media.waveform import fit, resample, windows
from zsavs.models.batching import in_batches, inference
from zsavs.models.checkpoints import card_for, load_model
from zsavs.models.inputs import check_clips
from zsavs.models.runtime import load_part, resolve_device, resolve_dtype, to_device
from zsavs.models.transfer import copy_to_device
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard, locate
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "AstTagger"]

DEFAULT = "MIT/ast-finetuned-audioset-10-10-0.4593"

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(
        DEFAULT,
        "BSD-3-Clause",
        346,
        "ImageNet (DeiT), AudioSet: sound with labels, no images",
        verified="licence tag of its sibling ast-finetuned-audioset-10-10-0.450",
    ),
    "zsavs:nano/tagger": WeightCard(
        "zsavs:nano/tagger", "Apache-2.0", 2, "rendered sounds of the orchestra with labels"
    ),
}

#: Samples of one spectrogram frame and from one frame to the next: 25 and 10 ms at 16 kHz, fixed in the extractor.
_FRAME, _HOP = 400, 160


class AstTagger:
    """Names sounds from a fixed list of labels (:class:`zsavs.protocols.AudioTagger`).

    A sound is heard through windows as long as the model's spectrogram (1024 frames, 10.255 s), as the feature
    extractor silently drops what is longer. A shorter sound is one window, padded as the extractor does; a longer one
    is cut into windows ``hop_s`` apart, the last moved back to end with the sound. The probability of a label is its
    largest over the windows: AudioSet's labels say that something sounds somewhere in a clip, so a bark in one window
    is a bark in the clip, and a mean would let it drown in the silence around it. The price is that a longer sound has
    more chances of a false alarm.

    Labels do not exclude each other: each has a probability of its own (sigmoid), and they do not sum to 1.

    Args:
        model: a ``transformers.ASTForAudioClassification``; it is moved, frozen and put into evaluation mode.
        feature_extractor: its ``ASTFeatureExtractor``.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        batch_size: the most windows in the model at once.
        hop_s: seconds from window to window, at most a window's length; None for just that.

    Raises:
        InputError: a hop or a batch size out of range.
        WeightsError: the model's configuration does not name its labels.
    """

    #: For :func:`zsavs.models.compiled.compile_towers`.
    towers: ClassVar[tuple[str, ...]] = ("audio_spectrogram_transformer",)

    def __init__(
        self,
        model: Any,
        feature_extractor: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        batch_size: int = 8,
        hop_s: float | None = None,
    ) -> None:
        self.sample_rate_hz = int(feature_extractor.sampling_rate)
        self._window = _FRAME + (int(feature_extractor.max_length) - 1) * _HOP
        self.window_s = self._window / self.sample_rate_hz
        self.hop_s = self.window_s if hop_s is None else hop_s
        if batch_size < 1 or not 0 < self.hop_s <= self.window_s:
            raise InputError(
                f"AstTagger: batch_size must be at least 1 and hop_s in (0, {self.window_s:g}] seconds, "
                f"got {batch_size} and {hop_s}."
            )
        self.labels = tuple(str(model.config.id2label[i]) for i in range(model.config.num_labels))
        if any(label == f"LABEL_{i}" for i, label in enumerate(self.labels)):
            raise WeightsError(
                f"{card.source}: its classes have numbers and no names (LABEL_0, ...), so it cannot name a sound; "
                f"write the names into id2label of its config.json, or use {DEFAULT}."
            )
        self.device = resolve_device(device)
        self.model = to_device(model, self.device)
        self.feature_extractor = feature_extractor
        self.card = card
        self.batch_size = batch_size
        self._tags: Memo[tuple[tuple[str, float], ...]] = Memo()

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
    ) -> AstTagger:
        """Load a checkpoint that is on this machine: a folder made by ``save_pretrained``, or a hub name.

        Args:
            checkpoint: "MIT/ast-finetuned-audioset-10-10-0.4593", another AST with named labels, or a folder.
            revision: branch, tag or commit of a hub repository.
            device, dtype: see :mod:`zsavs.models.runtime`.
            batch_size, hop_s: as for the class.

        Raises:
            MissingWeights: the checkpoint or one of its files is not on this machine.
            WeightsError: it cannot be read as an AST classifier, or its labels have no names.
        """
        folder = locate(checkpoint, revision)
        where = resolve_device(device)
        # AST's own filter bank has empty filters at the low end, about which every construction of it warns.
        with warnings.catch_warnings(record=True):
            feature_extractor = load_part("ASTFeatureExtractor", folder)
        return cls(
            load_model("ASTForAudioClassification", folder, resolve_dtype(dtype, where)),
            feature_extractor,
            card=card_for(CARDS, checkpoint, folder),
            device=str(where),
            batch_size=batch_size,
            hop_s=hop_s,
        )

    def tag(self, clips: Sequence[AudioClip]) -> list[list[tuple[str, float]]]:
        """Name N clips of any rate, length and channel count: all labels with probabilities in [0, 1], largest first.

        Equal probabilities keep the order of the model's labels.

        Raises:
            AudioError: not a list of :class:`AudioClip`.
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        return [list(tags) for tags in self._tags(check_clips(clips), self._tag_all)]

    def _tag_all(self, clips: list[AudioClip]) -> list[tuple[tuple[str, float], ...]]:
        """Windows of all clips share batches; only one clip's windows and one batch are in memory."""
        counts: list[int] = []

        def features() -> Iterator[torch.Tensor]:
            for clip in clips:
                pieces = self._pieces(clip)
                counts.append(len(pieces))
                yield from map(self._features, pieces)

        rows = np.stack(in_batches(self._probabilities, features(), self.batch_size))
        return [self._named(part.max(axis=0)) for part in np.split(rows, np.cumsum(counts)[:-1])]

    def _named(self, probabilities: NDArray[np.float32]) -> tuple[tuple[str, float], ...]:
        order = np.argsort(-probabilities, kind="stable")
        return tuple((self.labels[i], float(probabilities[i])) for i in order)

    def _pieces(self, clip: AudioClip) -> Sequence[NDArray[np.float32]]:
        """Cut a clip into mono windows of the model's rate, none longer than the model's window."""
        wave = resample(clip.mono(), clip.sample_rate_hz, self.sample_rate_hz)
        if len(wave) <= self._window:
            # Less than one frame has no spectrogram.
            return [fit(wave, _FRAME) if len(wave) < _FRAME else wave]
        return list(windows(wave, self.sample_rate_hz, self.window_s, self.hop_s))

    def _features(self, window: NDArray[np.float32]) -> torch.Tensor:
        """Log-mel features of one window: (1, frames, mel bins)."""
        extracted = self.feature_extractor(window, sampling_rate=self.sample_rate_hz, return_tensors="pt")
        features: torch.Tensor = extracted["input_values"]
        return features

    def _probabilities(self, features: list[torch.Tensor]) -> NDArray[np.float32]:
        """(W, labels) in [0, 1]."""
        import torch

        with inference("ASTForAudioClassification"):
            inputs = copy_to_device(torch.cat(features), self.device, self.model.dtype)
            logits = self.model(input_values=inputs).logits.float().cpu()
        if not torch.isfinite(logits).all():
            raise WeightsError(
                "ASTForAudioClassification returned NaN or infinity; load it with dtype='float32', and if that does "
                "not help, the weights are broken: delete and fetch them again"
            )
        probabilities: NDArray[np.float32] = logits.sigmoid().numpy()
        return probabilities

"""AST: AudioSet's 527 labels for an audio clip (Gong, Chung and Glass, "AST: Audio Spectrogram Transformer",
Interspeech 2021), by the AST classes of transformers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import WeightsError
from zsavs.media.waveform import fit
from zsavs.models.adapter import Adapter
from zsavs.models.audio_windows import answers_by_clip, checked_hop, mono_windows
from zsavs.models.batching import inference
from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, needing
from zsavs.models.device_copies import copy_to_device
from zsavs.models.inputs import check_clips, check_counts
from zsavs.models.outputs import finite, ranked
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "AstTagger"]

DEFAULT = "MIT/ast-finetuned-audioset-10-10-0.4593"

_FILES = (*MODEL_FILES, *PREPROCESSOR_FILES)

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(
        DEFAULT,
        "BSD-3-Clause",
        346,
        "ImageNet (DeiT), AudioSet: sound with labels, no images",
        verified="a stored copy of its hub page, commit f826b80",
    ),
    "zsavs:nano/tagger": WeightCard(
        "zsavs:nano/tagger", "Apache-2.0", 2, "rendered sounds of the orchestra with labels"
    ),
}
CARDS = needing(CARDS, _FILES)

_MODEL = "ASTForAudioClassification"

#: Samples of one spectrogram frame and from one frame to the next: 25 and 10 ms at 16 kHz, fixed in the extractor.
_FRAME, _HOP = 400, 160


class AstTagger(Adapter):
    """Audio clips to scored labels of a fixed list (:class:`zsavs.protocols.AudioTagger`).

    A clip is cut into windows as long as the model's spectrogram (1024 frames, 10.255 s), as the feature extractor
    silently drops what is longer. A shorter clip is one window, padded as the extractor does; the windows of a longer
    one lie ``hop_s`` apart, the last moved back to end with the clip. The probability of a label is its largest over
    the windows: AudioSet's labels say that something sounds somewhere in a clip, so a bark in one window is a bark in
    the clip, and a mean would let it drown in the silence around it. The price is that a longer clip has more chances
    of a false alarm.

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

    cards, default, files = CARDS, DEFAULT, _FILES
    parts = (_MODEL, "ASTFeatureExtractor")
    towers = ("audio_spectrogram_transformer",)

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
        self.window_s = (_FRAME + (int(feature_extractor.max_length) - 1) * _HOP) / self.sample_rate_hz
        self.hop_s = checked_hop(self, hop_s, self.window_s)
        check_counts(self, batch_size=batch_size)
        self.labels = tuple(str(model.config.id2label[i]) for i in range(model.config.num_labels))
        if any(label == f"LABEL_{i}" for i, label in enumerate(self.labels)):
            raise WeightsError(
                f"{card.source}: its classes have numbers and no names (LABEL_0, ...), so it cannot name a sound; "
                f"write the names into id2label of its config.json, or use {DEFAULT}."
            )
        super().__init__(model, card, device)
        self.feature_extractor = feature_extractor
        self.batch_size = batch_size
        self._tags: Memo[tuple[tuple[str, float], ...]] = Memo()

    @classmethod
    def read_parts(cls, folder: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model and its feature extractor.

        Raises:
            MissingWeights, WeightsError: as :meth:`load`.
        """
        # AST's own filter bank has empty filters at the low end, about which every construction of it warns.
        with warnings.catch_warnings(record=True):
            return super().read_parts(folder, dtype)

    def tag(self, clips: Sequence[AudioClip]) -> list[list[tuple[str, float]]]:
        """Name N clips of any rate, length and channel count: all labels with probabilities in [0, 1], largest first.

        Equal probabilities keep the order of the model's labels.

        Raises:
            AudioError: not a list of :class:`AudioClip`.
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        return [list(tags) for tags in self._tags(check_clips(clips), self._tag_all)]

    def _tag_all(self, clips: list[AudioClip]) -> list[tuple[tuple[str, float], ...]]:
        by_clip = answers_by_clip(clips, self._features, self._probabilities, self.batch_size)
        return [tuple(ranked(self.labels, np.max(windows, axis=0))) for windows in by_clip]

    def _features(self, clip: AudioClip) -> Iterator[torch.Tensor]:
        """Log-mel features of each window of a clip: (1, frames, mel bins)."""
        for window in mono_windows(clip, self.sample_rate_hz, self.window_s, self.hop_s):
            whole = window if len(window) >= _FRAME else fit(window, _FRAME)  # less than one frame has no spectrogram
            extracted = self.feature_extractor(whole, sampling_rate=self.sample_rate_hz, return_tensors="pt")
            yield extracted["input_values"]

    def _probabilities(self, features: list[torch.Tensor]) -> NDArray[np.float32]:
        """(W, labels) in [0, 1]."""
        import torch

        with inference(_MODEL):
            inputs = copy_to_device(torch.cat(features), self.device, self.model.dtype)
            logits = finite(self.model(input_values=inputs).logits, _MODEL)
        probabilities: NDArray[np.float32] = torch.from_numpy(logits).sigmoid().numpy()
        return probabilities

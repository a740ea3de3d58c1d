"""YAMNet: AudioSet's labels for an audio clip, every half second (tensorflow/models, research/audioset/yamnet), by
LiteRT."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import WeightsError
from zsavs.media.arrays import frozen
from zsavs.media.waveform import resampled_blocks
from zsavs.models.file_adapter import FileAdapter
from zsavs.models.file_runtimes import Network, litert_network
from zsavs.models.inputs import check_clips, check_phrases
from zsavs.models.label_space import LabelSpace
from zsavs.models.outputs import check_finite, ranked
from zsavs.models.yamnet_features import HOP_S, RATE_HZ, WINDOW_S, stream_patches
from zsavs.storage.memo import Memo, shared_memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AudioClip

__all__ = ["CARDS", "DEFAULT", "YamnetEncoder", "YamnetTagger"]

DEFAULT = "yamnet_spectra_in.tflite"

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(
        f"https://raw.githubusercontent.com/google-coral/coralmicro/c9f665b0/models/{DEFAULT}",
        "Apache-2.0",
        4.05,
        "AudioSet: sound with labels, no images",
        revision="c9f665b0",
        verified="licence file of google-coral/coralmicro",
        sha256="0a266465c46718f3fcc4137366be82882a8c93bfcc4f0278581a11d11dddcdf9",
    )
}


def _labels() -> tuple[str, ...]:
    text = (resources.files("zsavs") / "data" / "labels" / "yamnet.json").read_text(encoding="utf-8")
    return tuple(json.loads(text))


class _Yamnet(FileAdapter):
    """The network's answers for audio clips; those that are made from one file share them."""

    cards, default, runtime = CARDS, DEFAULT, staticmethod(litert_network)

    def __init__(self, network: Network, *, card: WeightCard) -> None:
        super().__init__(network, card)
        self.labels = _labels()
        self.window_s, self.hop_s = WINDOW_S, HOP_S
        self._probabilities: Memo[NDArray[np.float32]] = shared_memo(network, "yamnet")

    def tag_windows(self, clips: Sequence[AudioClip]) -> list[NDArray[np.float32]]:
        """The probabilities of all labels in each window of each clip: N arrays (W, 521) in [0, 1], by time.

        Raises:
            AudioError: not a list of :class:`AudioClip`.
            WeightsError: the network returned NaN, or is another one.
        """
        return self._probabilities(check_clips(clips), lambda new: [self._by_window(clip) for clip in new])

    def _by_window(self, clip: AudioClip) -> NDArray[np.float32]:
        rows = [self.network(patch[None])[0] for patch in stream_patches(resampled_blocks(clip, RATE_HZ))]
        probabilities = np.stack(rows).astype(np.float32)
        if probabilities.shape[1] != len(self.labels):
            raise WeightsError(f"{self.card.source}: has {probabilities.shape[1]} labels, YAMNet has 521.")
        check_finite("YAMNet", probabilities)
        return frozen(np.clip(probabilities, 0, 1))


class YamnetTagger(_Yamnet):
    """Audio clips to scored labels of AudioSet (:class:`zsavs.protocols.TimedAudioTagger`).

    The probability of a label is its largest over the patches of a clip, of 0.975 s each and 0.48 s apart: AudioSet's
    labels say that something sounds somewhere in a clip. Labels do not exclude each other.

    Args:
        network: (1, 96, 64) float32 log-mel patches to (1, 521) probabilities.
        card: what the weights are.
    """

    def tag(self, clips: Sequence[AudioClip]) -> list[list[tuple[str, float]]]:
        """Name N clips of any rate, length and channel count: all labels with probabilities in [0, 1], largest first.

        Raises:
            AudioError: not a list of :class:`AudioClip`.
            WeightsError: the network returned NaN, or is another one.
        """
        return [ranked(self.labels, by_window.max(axis=0)) for by_window in self.tag_windows(clips)]


class YamnetEncoder(_Yamnet):
    """Audio clips and texts in a space spanned by YAMNet's labels (:class:`zsavs.protocols.AudioTextEncoder`).

    It is no embedding that was learned with texts: it knows the things that AudioSet's 521 labels name
    (:mod:`zsavs.models.label_space`), and every other phrase alike.

    Args:
        network, card: as for :class:`YamnetTagger`.
    """

    def __init__(self, network: Network, *, card: WeightCard) -> None:
        super().__init__(network, card=card)
        self.space = f"yamnet labels:{card.source}"
        self._labels = LabelSpace(self.labels)

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        """Embed N clips by the largest probability of each label: (N, 522), unit rows.

        Raises:
            AudioError, WeightsError: as :meth:`YamnetTagger.tag`.
        """
        rows = [by_window.max(axis=0) for by_window in self.tag_windows(clips)]
        return self._labels.embed_scores(np.array(rows, np.float32).reshape(-1, len(self.labels)))

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K phrases, alone or in a sentence: (K, 522), unit rows.

        Raises:
            InputError: not a list of strings.
        """
        return self._labels.embed_phrases(check_phrases(phrases))

"""ImageBind as an encoder: audio, images and text in one space."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from zsavs.models.adapter import Adapter
from zsavs.models.batching import in_batches, inference
from zsavs.models.imagebind.audio import preprocess_audio
from zsavs.models.imagebind.checkpoint import CARDS, DEFAULT, find, read, sizes_beside
from zsavs.models.imagebind.config import ImageBindConfig
from zsavs.models.imagebind.image import preprocess_image
from zsavs.models.imagebind.text import tokenize
from zsavs.models.inputs import check_clips, check_counts, check_images, check_phrases
from zsavs.models.outputs import unit_rows
from zsavs.models.pseudo_words import differentiably, mean_of_tokens, with_place
from zsavs.models.runtime import resolve_device, resolve_dtype
from zsavs.models.text_memo import TextMemo
from zsavs.protocols import Pull
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

    from zsavs.models.imagebind.towers import ImageBind

__all__ = ["ImageBindEncoder"]

log = logging.getLogger(__name__)

_NAME = "ImageBind"
#: Seconds of one of ImageBind's windows.
_WINDOW_S = 2.0


class ImageBindEncoder(Adapter):
    """Audio clips, images and texts to embeddings in ImageBind's space (:class:`zsavs.protocols.JointEncoder`).

    It also reads words given as vectors (:class:`zsavs.protocols.PseudoWordEncoder`).

    The official model returns texts and audio longer than images (by a learned scale, and by 20), so that its dot
    products are logits; here every row has unit length, and products are cosines. The scales are
    ``encoder.model.scale("text")`` and ``encoder.model.scale("audio")``.

    An audio clip is heard as officially: through three windows of 2 s, the first at its beginning, the last at its end,
    and their embeddings are averaged. So of a clip longer than 6 s only 6 s are heard; ask for more windows (``clips``)
    for more, or cut the clip. The official code takes the first channel alone and hears nothing of what is in the
    second one only; here the mean of the channels is heard, unless ``downmix`` is off.

    Args:
        model: :class:`zsavs.models.imagebind.ImageBind` with its weights; it is moved and frozen.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        batch_size: the most images, or audio clips, in the model at once.
        clips: windows of 2 s for each audio clip, which the official code calls clips.
        downmix: hear the mean of the channels; False for the first channel alone, as officially.
        sound_bank, picture_bank: (B, D) embeddings of unlabelled items that scores are calibrated against
            (:mod:`zsavs.calibration.bank`).

    Raises:
        InputError: a batch size or a number of clips below 1.
    """

    cards, default = CARDS, DEFAULT
    banks = ("sound_bank", "picture_bank")
    towers = ("modality_trunks.vision", "modality_trunks.audio")

    model: ImageBind

    def __init__(
        self,
        model: ImageBind,
        *,
        card: WeightCard,
        device: str = "cpu",
        batch_size: int = 8,
        clips: int = 3,
        downmix: bool = True,
        sound_bank: NDArray[np.float32] | None = None,
        picture_bank: NDArray[np.float32] | None = None,
    ) -> None:
        check_counts(self, batch_size=batch_size, clips=clips)
        super().__init__(model, card, device)
        self.space = f"imagebind:{card.source}"
        self.batch_size = batch_size
        self.clips = clips
        self.downmix = downmix
        self.sound_bank, self.picture_bank = sound_bank, picture_bank
        self.temperature = 1 / float(model.modality_postprocessors["text"][-1].scale)  # type: ignore[index]
        self._texts = TextMemo(self._embed_texts, space=self.space)
        self._images: Memo[NDArray[np.float32]] = Memo()
        self._audio: Memo[NDArray[np.float32]] = Memo()

    @classmethod
    def load(
        cls,
        checkpoint: str | Path = DEFAULT,
        *,
        revision: str = "main",
        device: str = "auto",
        dtype: str = "auto",
        config: ImageBindConfig | None = None,
        **settings: Any,
    ) -> Self:
        """Load weights that are on this machine: the published ones, or a folder with weights of another size.

        Args:
            checkpoint, revision: the file, or where it is; see :func:`zsavs.models.imagebind.checkpoint.find`.
            device, dtype: see :mod:`zsavs.models.runtime`.
            config: sizes, for a file of other sizes than the published one; without them, those that ``config.json``
                beside the file gives.
            settings: those of the class. A bank that is left out, or None, is the one beside the weights.

        Raises:
            UnknownName: a setting that the class does not have.
            MissingWeights: the file is not here; names it, its licence, and where to put it.
            WeightsError: it cannot be read as these weights.
        """
        cls.check_settings(settings)
        path = find(checkpoint, revision)
        where = resolve_device(device)
        return cls(
            read(path, config or sizes_beside(path)).to(resolve_dtype(dtype, where)),
            card=CARDS.get(str(checkpoint), CARDS[DEFAULT]).at(
                path.parent if path.parent.parent.name == "snapshots" else path
            ),
            device=str(where),
            **cls.with_banks(path.parent, settings),
        )

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        """Embed N clips of any rate, length and channel count: (N, D), unit rows. None give (0, D).

        Raises:
            AudioError: not a list of :class:`AudioClip`.
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        return self._stack(self._audio(check_clips(clips), self._embed_clips))

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed N images, each (H, W, 3) uint8 RGB of its own size: (N, D), unit rows. None give (0, D).

        The middle square of an image is seen.

        Raises:
            ImageError: not a list of images.
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        return self._stack(self._images(check_images(images), self._embed_images))

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K texts: (K, D), unit rows. Each phrase is computed once. No texts give (0, D).

        Of a text longer than 75 tokens the first 75 are read.

        Raises:
            InputError: not a list of strings, or a text that holds CLIP's own marks.
        """
        phrases = check_phrases(phrases)
        return self._texts(phrases) if phrases else self._stack([])

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The mean of the vectors that each of K words' tokens enter with: (K, W). No words give (0, W).

        Raises:
            InputError: as :meth:`encode_text`.
        """
        import torch

        if not check_phrases(words):
            return np.zeros((0, self.model.config.text_embed_dim), np.float32)
        ids = tokenize(words)
        places = torch.arange(ids.shape[1])
        own = (places > 0) & (places < ids.argmax(dim=1, keepdim=True))
        with inference(_NAME):
            return mean_of_tokens(self.model.token_vectors(ids), own)

    def encode_pseudo_words(self, prompt: str, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], Pull]:
        """Embed a prompt around each of N vectors (N, W): (N, D), unit rows, and the way back to the vectors.

        Raises:
            InputError: the prompt has no place for one word.
            WeightsError: as :meth:`encode_image`.
        """
        ids, place = with_place(prompt, tokenize)
        repeated = ids.expand(len(vectors), -1)

        def encode(words: torch.Tensor) -> torch.Tensor:
            return self.model.encode_text_tokens(repeated, raw=True, words=words, place=place)

        return differentiably(encode, vectors, self.device, self.model.dtype, _NAME)

    def _stack(self, rows: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.stack(rows) if rows else np.zeros((0, self.model.config.out_embed_dim), np.float32)

    def _embed_clips(self, clips: list[AudioClip]) -> list[NDArray[np.float32]]:
        for clip in clips:
            if clip.source and clip.duration_s > self.clips * _WINDOW_S:
                log.warning(
                    "%s: %.1f s long; ImageBind hears %d of %g s, evenly spaced (clips=%d).",
                    *(clip.source, clip.duration_s, self.clips, _WINDOW_S, self.clips),
                )
        return in_batches(self._embed_clip_batch, clips, self.batch_size)

    def _embed_clip_batch(self, clips: list[AudioClip]) -> NDArray[np.float32]:
        import torch

        mels = torch.stack([self._mels(clip) for clip in clips])
        with inference(_NAME):
            return unit_rows(self.model.encode_audio_mels(mels, raw=True), _NAME)

    def _mels(self, clip: AudioClip) -> torch.Tensor:
        config = self.model.config
        return preprocess_audio(
            clip.mono()[None] if self.downmix else clip.waveform,
            clip.sample_rate_hz,
            clips=self.clips,
            mel_bins=config.audio_num_mel_bins,
            frames=config.audio_target_len,
        )

    def _embed_images(self, images: list[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        return in_batches(self._embed_image_batch, images, self.batch_size)

    def _embed_image_batch(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        import torch

        pixels = torch.stack([preprocess_image(image) for image in images])
        with inference(_NAME):
            return unit_rows(self.model.encode_image_tensor(pixels, raw=True), _NAME)

    def _embed_texts(self, phrases: list[str]) -> NDArray[np.float32]:
        ids = tokenize(phrases)
        with inference(_NAME):
            return unit_rows(self.model.encode_text_tokens(ids, raw=True), _NAME)

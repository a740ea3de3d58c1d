"""PE-AV: audio, images and text in one space (Meta's Perception Encoder Audiovisual), by the PeAudioVideo classes
of transformers. Permissively licensed, where ImageBind is not."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError, UnknownName
from zsavs.models.adapter import Adapter
from zsavs.models.audio_windows import answers_by_clip, mono_windows
from zsavs.models.batching import in_batches, inference
from zsavs.models.checkpoints import (
    MODEL_FILES,
    PREPROCESSOR_FILES,
    TOKENIZER_FILES,
    check_tokenizer,
    load_model,
    needing,
)
from zsavs.models.device_copies import copy_to_device, token_inputs
from zsavs.models.inputs import check_clips, check_counts, check_images, check_phrases
from zsavs.models.outputs import normalise, unit_rows
from zsavs.models.pe_text import first_tokens, leave_out_last_norm
from zsavs.models.pseudo_words import differentiably, mean_of_tokens, with_place
from zsavs.models.runtime import import_transformers, load_part
from zsavs.models.text_memo import TextMemo
from zsavs.protocols import Pull
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "PeAvEncoder"]

DEFAULT = "facebook/pe-av-base"

_MODEL = "PeAudioVideoModel"
_TRAINED_ON = "videos with their sound and synthetic captions (from memory)"
_TEXTS = ("both", "sound", "picture")

#: The video processor would take the audio's preprocessor_config.json for its own, and lack every size.
_FILES = (
    *MODEL_FILES,
    *PREPROCESSOR_FILES,
    "video_preprocessor_config.json | processor_config.json",
    *TOKENIZER_FILES,
)

CARDS: dict[str, WeightCard] = {
    name: WeightCard(
        name,
        "Apache-2.0",
        size_mb,
        _TRAINED_ON,
        verified=f"licence tag of its hub page, a stored copy; size {by}",
    )
    for name, size_mb, by in (
        ("facebook/pe-av-small", 0, "not known"),  # and is shown as such
        (DEFAULT, 5248, "estimated, by towers as Meta's code makes them by default"),
        ("facebook/pe-av-large", 5847, "estimated, by towers as transformers makes them by default"),
    )
}
CARDS = needing(CARDS, _FILES)


@contextlib.contextmanager
def without_notes() -> Iterator[None]:
    """Swallow a note to transformers' own developers that its PE-AV classes print when the first model is made."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _repair(transformers: Any) -> None:
    """Let PE-AV be loaded whatever timm is installed.

    Two copies of the vision tower share their weights by a pattern of names. The pattern leaves out the one buffer of
    positions that timm had when it was written; newer timm has two (``rope.bands``), and from_pretrained then stops
    with "not an nn.Parameter" (transformers 5.23 with timm 1.0.31). Buffers of positions are computed, not loaded, so
    all of them are left out here. Doing it twice changes nothing.
    """
    model = transformers.PeAudioVideoModel
    model._tied_weights_keys = {
        copy.replace(r".*\.rope\.pos_embed", r".*\.rope\."): own.replace(r".*\.rope\.pos_embed", r".*\.rope\.")
        for copy, own in model._tied_weights_keys.items()
    }


def with_all_outputs(config: Any) -> Any:
    """A PE-AV configuration whose image tower has the outputs that it names, in place.

    They are "num_classes" there, which became the number of labels up to transformers 5.0. In 5.24 it is read and not
    used: the tower has two outputs, the default, and published weights are refused for their sizes.
    """
    vision = config.audio_video_config.video_config.vision_config
    vision.num_labels = getattr(vision, "num_classes", vision.num_labels)
    return config


class PeAvEncoder(Adapter):
    """Audio clips, images and texts to embeddings in PE-AV's space (:class:`zsavs.protocols.JointEncoder`).

    It also reads words given as vectors (:class:`zsavs.protocols.PseudoWordEncoder`).

    The model was trained to align audio with video directly, and has two heads for texts: one to compare with audio,
    one with videos. An image is a video of one frame. A text's embedding is here the mean of what both heads give,
    each of unit length, so that one row serves on both sides; ``text`` takes a single head instead.

    A clip of more than ``window_s`` is cut into windows, the last one moved back to end with the clip, and its
    embedding is the mean of theirs; memory so does not grow with its length. Windows of one length share batches:
    nothing is padded but the end of a window to whole steps of the model, by its own extractor.

    Args:
        model: a ``transformers.PeAudioVideoModel``; it is moved, frozen and put into evaluation mode.
        feature_extractor: its ``PeAudioFeatureExtractor``.
        video_processor: its ``PeVideoVideoProcessor``.
        tokenizer: its tokenizer.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        batch_size: the most windows, or images, in the model at once.
        window_s: the most seconds in the model at once.
        text: which head reads texts: "both", "sound" or "picture".
        max_text_tokens: longer texts are cut.

    Raises:
        InputError: a batch size or window out of range.
        UnknownName: no such text head.
        WeightsError: the tokenizer is not the text model's own.
    """

    cards, default, files = CARDS, DEFAULT, _FILES
    parts = (_MODEL, "PeAudioFeatureExtractor", "PeVideoVideoProcessor", "AutoTokenizer")
    towers = ("audio_model.audio_encoder", "video_model.video_encoder")

    def __init__(
        self,
        model: Any,
        feature_extractor: Any,
        video_processor: Any,
        tokenizer: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        batch_size: int = 8,
        window_s: float = 10.0,
        text: str = "both",
        max_text_tokens: int = 512,
    ) -> None:
        check_counts(self, batch_size=batch_size)
        if not 0.1 <= window_s <= 600:
            raise InputError(f"PeAvEncoder: window_s must be in [0.1, 600] seconds, got {window_s}.")
        if text not in _TEXTS:
            raise UnknownName("text head of PE-AV", str(text), _TEXTS)
        check_tokenizer(tokenizer, model.config.text_config.vocab_size, card.source)
        super().__init__(model, card, device)
        leave_out_last_norm(self.model.text_model)
        self.feature_extractor, self.video_processor, self.tokenizer = feature_extractor, video_processor, tokenizer
        self.space = f"pe_av:{card.source}" + ("" if text == "both" else f":{text}")
        self.batch_size, self.window_s, self.text = batch_size, window_s, text
        self.sample_rate_hz = int(feature_extractor.sampling_rate)
        self.max_text_tokens = min(max_text_tokens, model.config.text_config.max_position_embeddings)
        self._texts = TextMemo(self._embed_texts, space=self.space)
        self._images: Memo[NDArray[np.float32]] = Memo()
        self._audio: Memo[NDArray[np.float32]] = Memo()

    @classmethod
    def read_parts(cls, folder: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model, its feature extractor, its video processor and its tokenizer.

        Raises:
            MissingWeights, WeightsError: as :meth:`load`.
        """
        model, *others = cls.parts
        with without_notes():
            _repair(import_transformers())
            config = with_all_outputs(load_part("PeAudioVideoConfig", folder))
            whole = load_model(model, folder, dtype, config=config)
        return [whole, *(load_part(name, folder) for name in others)]

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        """Embed N clips of any rate, length and channel count: (N, D), unit rows. None give (0, D).

        Raises:
            AudioError: not a list of :class:`AudioClip`.
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        return self._stack(self._audio(check_clips(clips), self._embed_clips))

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed N images, each (H, W, 3) uint8 RGB of its own size: (N, D), unit rows. None give (0, D).

        Raises:
            ImageError: not a list of images.
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        return self._stack(self._images(check_images(images), self._embed_images))

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K texts: (K, D), unit rows. Each phrase is computed once. No texts give (0, D).

        Raises:
            InputError: not a list of strings.
        """
        phrases = check_phrases(phrases)
        return self._texts(phrases) if phrases else self._stack([])

    def _stack(self, rows: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.stack(rows) if rows else np.zeros((0, self.model.config.text_config.hidden_size), np.float32)

    def _embed_clips(self, clips: list[AudioClip]) -> list[NDArray[np.float32]]:
        by_clip = answers_by_clip(clips, self._samples, self._embed_windows, self.batch_size)
        return [*normalise(np.stack([np.mean(windows, axis=0) for windows in by_clip]))]

    def _samples(self, clip: AudioClip) -> Iterator[torch.Tensor]:
        """The samples of each window of a clip, (1, 1, T), T a whole number of the model's steps."""
        for window in mono_windows(clip, self.sample_rate_hz, self.window_s, self.window_s):
            made = self.feature_extractor(window, sampling_rate=self.sample_rate_hz, return_tensors="pt")
            yield made["input_values"]

    def _embed_windows(self, samples: list[torch.Tensor]) -> NDArray[np.float32]:
        import torch

        with inference(_MODEL):
            values = copy_to_device(torch.cat(samples), self.device, self.model.dtype)
            return unit_rows(self.model.get_audio_embeds(values), _MODEL)

    def _embed_images(self, images: list[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        return in_batches(self._embed_frames, images, self.batch_size)

    def _embed_frames(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        import torch

        video = self.model.video_model
        frames = torch.cat([self._frame(image) for image in images])
        with inference(_MODEL):
            # Not get_video_embeds, which asks for a method that the model does not have (transformers 5.24).
            encoded = video.video_encoder(pixel_values_videos=copy_to_device(frames, self.device, self.model.dtype))
            return unit_rows(video.video_head(encoded.pooler_output), _MODEL)

    def _frame(self, image: NDArray[np.uint8]) -> torch.Tensor:
        """(1, 1, 3, H, W): a video of one frame, as the model's processor makes it."""
        import torch

        frame = torch.from_numpy(image.transpose(2, 0, 1)[None].copy())
        made = self.video_processor([frame], do_sample_frames=False, return_tensors="pt")
        values: torch.Tensor = made["pixel_values_videos"]
        return values

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The mean of the vectors that each of K words' tokens enter with: (K, W). No words give (0, W).

        Raises:
            InputError: not a list of strings.
        """
        vectors = self.model.text_model.get_input_embeddings()
        if not check_phrases(words):
            return np.zeros((0, vectors.embedding_dim), np.float32)
        # With the space that it has in a prompt: a word at the beginning of a text is another token.
        tokens = self._tokenize([f" {word}" for word in words], add_special_tokens=False)
        with inference(_MODEL):
            return mean_of_tokens(vectors(tokens["input_ids"].to(self.device)), tokens["attention_mask"] > 0)

    def encode_pseudo_words(self, prompt: str, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], Pull]:
        """Embed a prompt around each of N vectors (N, W): (N, D), unit rows, and the way back to the vectors.

        Raises:
            InputError: the prompt has no place for one word.
            WeightsError: as :meth:`encode_image`.
        """
        ids, place = with_place(prompt, lambda texts: self._tokenize(texts)["input_ids"])
        around = self.model.text_model.get_input_embeddings()(ids.to(self.device)).detach()

        def encode(words: torch.Tensor) -> torch.Tensor:
            import torch

            x = around.expand(len(words), -1, -1)
            x = torch.cat([x[:, :place], words[:, None], x[:, place + 1 :]], dim=1)
            return self._read(
                inputs_embeds=x, attention_mask=torch.ones(x.shape[:2], dtype=torch.long, device=x.device)
            )

        return differentiably(encode, vectors, self.device, self.model.dtype, _MODEL)

    def _tokenize(self, texts: list[str], **settings: bool) -> Any:
        return self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_text_tokens, return_tensors="pt", **settings
        )

    def _embed_texts(self, phrases: list[str]) -> NDArray[np.float32]:
        tokens = self._tokenize(phrases)
        with inference(_MODEL):
            return unit_rows(self._read(**token_inputs(tokens, self.device)), _MODEL)

    def _read(self, **inputs: torch.Tensor) -> torch.Tensor:
        """(K, D): the mean of what the heads give, each of unit length."""
        import torch
        from torch.nn import functional

        heads = {"sound": self.model.audio_model.text_audio_head, "picture": self.model.video_model.text_video_head}
        # Not get_text_audio_embeds, which asks for a method that the model does not have (transformers 5.24).
        hidden = first_tokens(self.model.text_model, **inputs)
        read = [
            functional.normalize(head(hidden).float(), dim=-1)
            for name, head in heads.items()
            if self.text in (name, "both")
        ]
        return torch.stack(read).mean(dim=0)

"""CLIP and its relatives: images and text in one embedding space (Radford et al., "Learning Transferable Visual
Models From Natural Language Supervision", ICML 2021; Cherti et al., "Reproducible scaling laws for contrastive
language-image learning", CVPR 2023), by the open_clip library."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.media.arrays import frozen
from zsavs.models.adapter import Adapter
from zsavs.models.batching import in_batches, in_threads, inference
from zsavs.models.checkpoints import TOKENIZER_FILES, card_for, needing
from zsavs.models.device_copies import copy_to_device
from zsavs.models.inputs import check_counts, check_images, check_phrases
from zsavs.models.open_clip_text import embed_tokens
from zsavs.models.open_clip_tokens import Tower, squeezed, tower
from zsavs.models.outputs import finite, unit_rows
from zsavs.models.runtime import resolve_device, resolve_dtype
from zsavs.models.text_memo import TextMemo
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "OpenClipEncoder"]

DEFAULT = "ViT-B-32/laion2b_s34b_b79k"

_LAION_2B = "LAION-2B: 2 billion English image-text pairs from the web"
_WEBLI = "WebLI: images with texts in many languages, and captions and masks of other models (from memory)"
_DFN = "DFNDR-2B: English image-text pairs with captions and embeddings of other models (from memory)"
_META = "5.4 billion image-text pairs and 22 million videos with captions (from memory)"
_READ = "licence tag of the hub page, as listed elsewhere"
_BY_SIZE = "size by the architecture's weights"

#: open_clip's own; beside them lie others, named as transformers names them and written for it.
_WEIGHTS = ("open_clip_model.safetensors | open_clip_pytorch_model.safetensors | open_clip_pytorch_model.bin",)

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "MIT", 605, _LAION_2B, verified=_READ),
    "zsavs:nano/clip": WeightCard(
        "zsavs:nano/clip",
        "Apache-2.0",
        11,
        "drawn images of the orchestra with names",
        files=(*_WEIGHTS, "open_clip_config.json", *TOKENIZER_FILES),
    ),
    "ViT-L-14/laion2b_s32b_b82k": WeightCard(
        "laion/CLIP-ViT-L-14-laion2B-s32B-b82K", "MIT", 1710, _LAION_2B, verified=_READ
    ),
}
#: With a tokenizer of their own, Gemma's.
CARDS |= {
    f"{name}/webli": WeightCard(
        f"timm/{name}",
        "Apache-2.0",
        size_mb,
        _WEBLI,
        verified=f"licence tag of a relative's hub page, a stored copy; {_BY_SIZE}",
        files=(*_WEIGHTS, *TOKENIZER_FILES),
    )
    for name, size_mb in (
        ("ViT-B-32-SigLIP2-256", 1507),
        ("ViT-B-16-SigLIP2", 1501),
        ("ViT-L-16-SigLIP2-256", 3526),
        ("ViT-SO400M-14-SigLIP2", 4542),
    )
}
CARDS |= {
    f"{name}/dfndr2b": WeightCard(
        f"timm/{name}-OpenCLIP",
        "apple-amlr",
        size_mb,
        _DFN,
        verified=f"LICENSE in Apple's own repository of a relative: for scientific research alone; {_BY_SIZE}",
    )
    for name, size_mb in (
        ("MobileCLIP2-S0", 299),
        ("MobileCLIP2-S2", 397),
        ("MobileCLIP2-B", 599),
        ("MobileCLIP2-S3", 996),
        ("MobileCLIP2-S4", 1782),
        ("MobileCLIP2-L-14", 1711),
    )
}
CARDS |= {
    f"{name}/meta": WeightCard(
        f"timm/{name}", "Apache-2.0", size_mb, _META, verified=f"LICENSE.PE of Meta's own repository; {_BY_SIZE}"
    )
    for name, size_mb in (
        ("PE-Core-T-16-384", 278),
        ("PE-Core-S-16-384", 349),
        ("PE-Core-B-16", 1791),
        ("PE-Core-L-14-336", 2685),
    )
}
# Architecture and tokenizer of the others are within open_clip.
CARDS = needing(CARDS, _WEIGHTS)

#: Images this many times longer than wide are cut to it before they are scaled up to a square's height.
_MAX_ASPECT = 32


class OpenClipEncoder(Adapter):
    """Images and texts to embeddings in the space of a CLIP-like model (:class:`zsavs.protocols.ImageTokenEncoder`).

    ``temperature`` is what the model divided cosines by in training. One that was trained with sigmoids (SigLIP) has a
    bias too, which no difference of labels shows: of labels that exclude each other, the odds of its sigmoids are those
    of the softmax at this temperature.

    Args:
        model: an open_clip model; it is moved, frozen and put into evaluation mode.
        preprocess: its inference transform, PIL image to (3, H, W) tensor.
        tokenizer: its tokenizer, list of texts to (K, tokens) ids.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        batch_size: the most images in the model at once.
        picture_bank: (B, D) embeddings of unlabelled images that scores are calibrated against
            (:mod:`zsavs.calibration.bank`).

    Raises:
        InputError: a batch size below 1.
    """

    cards, default = CARDS, DEFAULT
    banks = ("picture_bank",)
    towers = ("visual",)

    def __init__(
        self,
        model: Any,
        preprocess: Callable[[Any], torch.Tensor],
        tokenizer: Callable[[list[str]], torch.Tensor],
        *,
        card: WeightCard,
        device: str = "cpu",
        batch_size: int = 32,
        picture_bank: NDArray[np.float32] | None = None,
    ) -> None:
        check_counts(self, batch_size=batch_size)
        super().__init__(model, card, device)
        self.preprocess = preprocess
        self.tokenizer = tokenizer
        self.space = f"open_clip:{card.source}"
        self.batch_size = batch_size
        self._name = type(model).__name__
        self._dtype: torch.dtype = next(model.parameters()).dtype
        self._texts = TextMemo(self._embed_texts, space=self.space)
        self._images: Memo[NDArray[np.float32]] = Memo()
        self._grids: dict[float, Memo[NDArray[np.float32]]] = {}
        self.picture_bank = picture_bank
        self.temperature = math.exp(-float(model.logit_scale))

    @classmethod
    def load(
        cls,
        checkpoint: str | Path = DEFAULT,
        *,
        revision: str = "main",
        device: str = "auto",
        dtype: str = "auto",
        weights: str | Path | None = None,
        **settings: Any,
    ) -> Self:
        """Load a model that is on this machine.

        Args:
            checkpoint: one of
                "ARCHITECTURE/TAG", names of ``open_clip.list_pretrained()``, the weights in the hub cache;
                "ARCHITECTURE" with ``weights``;
                "ARCHITECTURE/TAG@FILE" or "ARCHITECTURE@FILE", the same in one word;
                a file of weights, where its name, its shapes or an ``open_clip_config.json`` beside it say of what
                (:mod:`zsavs.models.open_clip_architecture`);
                "org/name", a repository with ``open_clip_config.json`` in the hub cache;
                a folder with ``open_clip_config.json`` and weights.
            revision: branch, tag or commit of a hub repository.
            device, dtype: see :mod:`zsavs.models.runtime`.
            weights: a file (.safetensors, .bin, .pt, .pth) to read in place of the checkpoint's own.
            settings: those of the class. A bank that is left out, or None, is the one beside the weights.

        Raises:
            UnknownName: open_clip has no such tag for the architecture, or the class no such setting.
            MissingWeights: a file is not on this machine.
            WeightsError: a file cannot be read as this model.
        """
        from zsavs.models.open_clip_files import build, find

        cls.check_settings(settings)
        if weights is None:
            files = find(checkpoint, revision, needs=cls.files_of(checkpoint))
        else:
            files = find(checkpoint, revision, Path(weights))
        where = resolve_device(device)
        model, preprocess, tokenizer = build(files)
        return cls(
            model.to(resolve_dtype(dtype, where)),
            preprocess,
            tokenizer,
            card=card_for(CARDS, files.source, files.where),
            device=str(where),
            **(cls.with_banks(files.where, settings) if files.where.is_dir() else settings),
        )

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed N images, each (H, W, 3) uint8 RGB of its own size: (N, D), unit rows. None give (0, D).

        Scaling, cropping and colour are the checkpoint's own, by open_clip's transform. Where that takes the middle
        square of the image, an image more than 32 times as long as wide is cut to that beforehand.

        Raises:
            ImageError: not a list of images.
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        rows = self._images(check_images(images), self._embed_images)
        return np.stack(rows) if rows else self.encode_text([])

    def encode_image_tokens(self, images: Sequence[NDArray[np.uint8]], scale: float = 1.0) -> list[NDArray[np.float32]]:
        """The features that the model pools over each image: N arrays (h, w, C), its last features row by row.

        They lie before the head (:meth:`project_image_tokens`). Where the model pools by averaging, the projected mean
        over the grid at scale 1 is :meth:`encode_image` of a square image; where it reads a class token, or attends to
        its patches, these come out of the same last norm, pool and head, which were not trained for single ones.

        The image is squeezed into a square whatever the checkpoint's transform does, so that the grid covers it.

        Args:
            images: each (H, W, 3) uint8 RGB of its own size.
            scale: of the trained side, above 0: a convolutional model sees more detail at a larger one. A
                transformer, whose positions are learned for one size, always takes its own.

        Raises:
            ImageError: not a list of images.
            InputError: the image tower pools in a way that leaves its tokens without meaning, or ``scale`` is not
                above 0.
            WeightsError: as :meth:`encode_image`.
        """
        if not 0 < scale < float("inf"):
            raise InputError(f"encode_image_tokens: scale is a number above 0, got {scale}.")
        grids = self._grids.setdefault(float(scale), Memo())
        return grids(check_images(images), lambda new: self._token_images(new, scale))

    def project_image_tokens(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring means of tokens into the embedding space, through the model's head: (N, C) gives (N, D), unit rows.

        Raises:
            InputError: as :meth:`encode_image_tokens`.
        """
        import torch

        with inference(self._name):
            rows = copy_to_device(torch.from_numpy(np.array(tokens)), self.device, self._dtype)
            return unit_rows(self._tower.project(rows), self._name)

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K texts: (K, D), unit rows. Each phrase is computed once. No texts give (0, D).

        A text longer than the model's context is cut.

        Raises:
            InputError: not a list of strings.
        """
        return self._texts(check_phrases(phrases))

    def _embed_images(self, images: list[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        return in_batches(self._embed_batch, images, self.batch_size)

    def _embed_batch(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        import torch

        inputs = torch.stack(in_threads(self._prepare, images))
        with inference(self._name):
            features = self.model.encode_image(copy_to_device(inputs, self.device, self._dtype), normalize=False)
            return unit_rows(features, self._name)

    @functools.cached_property
    def _tower(self) -> Tower:
        return tower(self.model.visual)

    def _token_images(self, images: list[NDArray[np.uint8]], scale: float) -> list[NDArray[np.float32]]:
        import torch

        side = self._tower.side(scale)

        def compute(some: list[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
            settings = self.model.visual.preprocess_cfg
            inputs = torch.stack(in_threads(lambda image: squeezed(image, side, settings), some))
            with inference(self._name):
                features = self._tower.tokens(copy_to_device(inputs, self.device, self._dtype))
                return [frozen(grid) for grid in finite(features, self._name)]

        return in_batches(compute, images, self.batch_size)

    def _prepare(self, image: NDArray[np.uint8]) -> torch.Tensor:
        from PIL import Image

        settings = getattr(self.model.visual, "preprocess_cfg", {})
        if settings.get("resize_mode", "shortest") == "shortest":
            image = _middle(image, _MAX_ASPECT)
        return self.preprocess(Image.fromarray(image))

    def _embed_texts(self, phrases: list[str]) -> NDArray[np.float32]:
        tokens = self.tokenizer(phrases)
        with inference(self._name):
            return unit_rows(embed_tokens(self.model, tokens, self.device), self._name)


def _middle(image: NDArray[np.uint8], aspect: int) -> NDArray[np.uint8]:
    """The middle of a very long image.

    open_clip scales the short side up to the model's size before it crops; a line one pixel high and 10 000 wide
    would take gigabytes on its way to a square of 224 pixels that is over 9 000 times shorter than itself.
    """
    sides = []
    for length, other in zip(image.shape[:2], image.shape[1::-1], strict=True):
        keep = min(length, aspect * other)
        sides.append(slice((length - keep) // 2, (length - keep) // 2 + keep))
    return image[sides[0], sides[1]]

"""The features that an open_clip model's image tower pools into its embedding, place by place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["Tower", "squeezed", "tower"]


class Tower(Protocol):
    """An image tower cut in two, at its pooling."""

    def side(self, scale: float) -> tuple[int, int]:
        """Height and width of its input, in pixels."""
        ...

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) to (N, h, w, C), what is pooled."""
        ...

    def project(self, rows: torch.Tensor) -> torch.Tensor:
        """(N, C) to (N, D), what becomes of the pooled."""
        ...


def tower(visual: Any) -> Tower:
    """The image tower of an open_clip model, cut in two.

    Raises:
        InputError: it pools in no way known here, so that single tokens mean nothing.
    """
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import VisionTransformer

    kind = type(visual).__name__
    if isinstance(visual, TimmModel):
        kind = f"timm's {type(visual.trunk).__name__}"
        if _averages(visual):
            return _Convolutional(visual)
        if _reads_tokens(visual):
            return _TimmTransformer(visual)
    elif isinstance(visual, VisionTransformer) and visual.attn_pool is None and visual.pool_type in ("tok", "avg"):
        return _Transformer(visual)
    raise InputError(
        f"encode_image_tokens: the image tower ({kind}) does not average, read a class token or attend to its tokens, "
        "and has none to compare with text; use a ViT or a convolutional timm model with average pooling, "
        "as image_text='open_clip:ViT-B-32/laion2b_s34b_b79k'."
    )


def _averages(visual: Any) -> bool:
    """Whether a timm tower averages a grid of features, in its trunk or in its trunk's head."""
    for part in (visual.trunk, getattr(visual.trunk, "head", None)):
        if getattr(getattr(part, "global_pool", None), "pool_type", None) == "avg":
            return "pool" not in visual.head._modules  # a pool of open_clip's own, which attends
    return False


class _Convolutional:
    """A timm trunk of convolutions: pools by averaging, and takes images of any size."""

    def __init__(self, visual: Any) -> None:
        self.visual = visual

    def side(self, scale: float) -> tuple[int, int]:
        height, width = self.visual.image_size
        return max(1, round(height * scale)), max(1, round(width * scale))

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.visual.trunk.forward_features(pixels)
        return features.permute(0, 2, 3, 1)

    def project(self, rows: torch.Tensor) -> torch.Tensor:
        # A grid of one cell, which pooling leaves as it is: what comes between pooling and head stays in its place.
        projected: torch.Tensor = self.visual.head(self.visual.trunk.forward_head(rows[:, :, None, None]))
        return projected


def _reads_tokens(visual: Any) -> bool:
    """Whether a timm tower is a transformer that reads a class token, or attends to its tokens wherever they are."""
    from timm.models import Eva, VisionTransformer

    trunk = visual.trunk
    if not isinstance(trunk, (Eva, VisionTransformer)) or "pool" in visual.head._modules:
        return False
    return trunk.global_pool == "token" or (trunk.global_pool == "map" and trunk.attn_pool.pos_embed is None)


class _TimmTransformer:
    """A timm transformer, as of SigLIP, PE-Core and MobileCLIP2-B.

    Where it reads a class token, a patch is taken for one. Where it pools by attention, a patch is what the pool makes
    of it alone: with nothing else to attend to, its value goes through, as in Zhou et al., "Extract Free Dense Labels
    from CLIP", ECCV 2022.
    """

    def __init__(self, visual: Any) -> None:
        self.visual = visual

    def side(self, scale: float) -> tuple[int, int]:
        height, width = self.visual.image_size
        return int(height), int(width)

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        trunk = self.visual.trunk
        features: torch.Tensor = trunk.forward_features(pixels)[:, trunk.num_prefix_tokens :]
        return features.reshape(len(pixels), *trunk.patch_embed.grid_size, -1)

    def project(self, rows: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self.visual.head(self.visual.trunk.forward_head(rows[:, None]))
        return projected


class _Transformer:
    """OpenAI's kind of ViT: reads its class token, or averages its patches, after a last norm."""

    def __init__(self, visual: Any) -> None:
        self.visual = visual

    def side(self, scale: float) -> tuple[int, int]:
        height, width = self.visual.image_size
        return int(height), int(width)

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        last = self.visual.forward_intermediates(
            pixels, indices=1, normalize_intermediates=not self.visual.final_ln_after_pool, intermediates_only=True
        )
        features: torch.Tensor = last["image_intermediates"][-1]
        return features.permute(0, 2, 3, 1)

    def project(self, rows: torch.Tensor) -> torch.Tensor:
        pooled = self.visual.ln_post(rows) if self.visual.final_ln_after_pool else rows
        return pooled if self.visual.proj is None else pooled @ self.visual.proj


def squeezed(image: NDArray[np.uint8], size_hw: tuple[int, int], settings: Mapping[str, Any]) -> torch.Tensor:
    """The whole image as the model takes it: (3, h, w), standardised as the checkpoint asks.

    Args:
        image: (H, W, 3) uint8.
        size_hw: height and width for the model.
        settings: open_clip's ``preprocess_cfg``.
    """
    import torch
    from PIL import Image

    kind = {"bilinear": Image.Resampling.BILINEAR}.get(settings["interpolation"], Image.Resampling.BICUBIC)
    small = np.asarray(Image.fromarray(image).resize(size_hw[::-1], kind), np.float32) / 255
    scaled = (small - np.array(settings["mean"], np.float32)) / np.array(settings["std"], np.float32)
    return torch.from_numpy(scaled.transpose(2, 0, 1).copy())

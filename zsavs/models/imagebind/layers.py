"""The layers of ImageBind's towers; attributes carry the names of the published weights.

In the shapes, B is the batch, T the tokens, W the tower's width and D that of the joint space.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from zsavs.models.imagebind.config import CONTEXT_LENGTH, VOCABULARY_SIZE, ImageBindConfig

__all__ = [
    "AudioStem",
    "ImageStem",
    "LogitScale",
    "PatchTokens",
    "TextHead",
    "TextTokens",
    "Trunk",
    "UnitLength",
    "causal_mask",
    "class_token_head",
]

#: Of every layer norm but the one in the audio stem, which keeps torch's default.
_EPS = 1e-6
_STEM_EPS = 1e-5

#: Scales above this are cut to it.
_MAX_SCALE = 100.0


# ------------------------------------------------------------------------------ input to tokens
class StillPatches(nn.Module):
    """(B, 3, 224, 224) to (B, patches, W), row by row.

    The kernel spans two frames, and a still is two equal frames; so its two halves are summed, and applied once.
    """

    def __init__(self, width: int, kernel: tuple[int, int, int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, 3, *kernel))
        nn.init.normal_(self.weight, std=1 / math.sqrt(3 * math.prod(kernel)))

    def forward(self, pixels: Tensor) -> Tensor:
        return functional.conv2d(pixels, self.weight.sum(dim=2), stride=self.weight.shape[-2:]).flatten(2).mT


class ImageStem(nn.Module):
    """Pixels to patches, under the name that the file gives the step."""

    def __init__(self, config: ImageBindConfig) -> None:
        super().__init__()
        # The file counts the repetition of the frame as step 0, which has no weights.
        self.proj = nn.Sequential(nn.Identity(), StillPatches(config.vision_embed_dim, config.kernel_size))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.proj(pixels)  # type: ignore[no-any-return]


class AudioStem(nn.Module):
    """(B, 1, mel bins, frames) to (B, patches, W), one row of patches (a band of frequencies) after the other."""

    def __init__(self, config: ImageBindConfig) -> None:
        super().__init__()
        width = config.audio_embed_dim
        self.proj = nn.Conv2d(1, width, config.audio_kernel_size, stride=config.audio_stride, bias=False)
        self.norm_layer = nn.LayerNorm(width, eps=_STEM_EPS)

    def forward(self, mels: Tensor) -> Tensor:
        return self.norm_layer(self.proj(mels).flatten(2).mT)  # type: ignore[no-any-return]


class Positions(nn.Module):
    """A learned vector (1, T, W) for each place."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.randn(1, tokens, width) * 0.02)


class PatchTokens(nn.Module):
    """Patches behind a class token, each with its position."""

    def __init__(self, stem: nn.Module, tokens: int, width: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.rgbt_stem = stem
        self.pos_embedding_helper = Positions(tokens, width)

    def forward(self, inputs: Tensor) -> Tensor:
        patches = self.rgbt_stem(inputs)
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        return tokens + self.pos_embedding_helper.pos_embed


class TextTokens(nn.Module):
    """(B, T) ids to (B, T, W); ``mask`` (77, 77) is added to attention scores: -inf at later tokens.

    With ``words`` (B, W), these stand at ``place`` in the tokens' stead.
    """

    mask: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY_SIZE, width)
        self.pos_embed = nn.Parameter(torch.randn(1, CONTEXT_LENGTH, width) * 0.01)
        self.register_buffer("mask", causal_mask())

    def forward(self, ids: Tensor, words: Tensor | None = None, place: int = 0) -> Tensor:
        x: Tensor = self.token_embedding(ids)
        if words is not None:
            x = torch.cat([x[:, :place], words[:, None], x[:, place + 1 :]], dim=1)
        return x + self.pos_embed[:, : ids.shape[1]]


def causal_mask() -> Tensor:
    """(77, 77): 0 where a token may attend, -inf at later ones."""
    return torch.full((CONTEXT_LENGTH, CONTEXT_LENGTH), -torch.inf).triu(1)


# ---------------------------------------------------------------------------------- transformer
class Attention(nn.Module):
    """Multi-head self-attention; with ``sink``, every token also attends to one learned key with its value.

    The learned pair comes after the projection and is not projected itself. It has no query and no mask.
    """

    def __init__(self, width: int, heads: int, sink: bool) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        self.bias_k = nn.Parameter(torch.randn(1, 1, width)) if sink else None
        self.bias_v = nn.Parameter(torch.randn(1, 1, width)) if sink else None
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        query, key, value = functional.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        if self.bias_k is not None and self.bias_v is not None:
            key = torch.cat([key, self.bias_k.expand(len(x), -1, -1)], dim=1)
            value = torch.cat([value, self.bias_v.expand(len(x), -1, -1)], dim=1)
        query, key, value = (self._by_head(part) for part in (query, key, value))
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out_proj(seen.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _by_head(self, x: Tensor) -> Tensor:
        """(B, T, W) to (B, heads, T, W / heads)."""
        return x.reshape(*x.shape[:2], self.heads, x.shape[2] // self.heads).transpose(1, 2)


class Mlp(nn.Module):
    """(B, T, W) to (B, T, W), through four times the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        # The exact GELU in all towers; the text tower is built like CLIP's, which was trained with another one.
        return self.fc2(functional.gelu(self.fc1(x)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """(B, T, W) to (B, T, W): attention and MLP, each behind a layer norm and added to its input."""

    def __init__(self, width: int, heads: int, sink: bool) -> None:
        super().__init__()
        self.attn = Attention(width, heads, sink)
        self.norm_1 = nn.LayerNorm(width, eps=_EPS)
        self.mlp = Mlp(width)
        self.norm_2 = nn.LayerNorm(width, eps=_EPS)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.attn(self.norm_1(x), mask)
        return x + self.mlp(self.norm_2(x))  # type: ignore[no-any-return]


class Trunk(nn.Module):
    """(B, T, W) to (B, T, W). ``norm_first``: a layer norm before the blocks; there is none after them."""

    def __init__(self, width: int, depth: int, heads: int, *, norm_first: bool = False, sink: bool = False) -> None:
        super().__init__()
        self.pre_transformer_layer = nn.Sequential(*([nn.LayerNorm(width, eps=_EPS)] if norm_first else []))
        self.blocks = nn.ModuleList(Block(width, heads, sink) for _ in range(depth))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.pre_transformer_layer(x)
        for block in self.blocks:
            x = block(x, mask)
        return x


# -------------------------------------------------------------------------------- tokens to space
class ClassToken(nn.Module):
    """(B, T, W) to (B, W): the first token."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]


def class_token_head(width: int, out: int) -> nn.Sequential:
    """(B, T, W) to (B, D), from the class token."""
    return nn.Sequential(nn.LayerNorm(width, eps=_EPS), ClassToken(), nn.Linear(width, out, bias=False))


class TextHead(nn.Module):
    """(B, T, W) to (B, D), from the token at position ``ends`` (B,)."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(nn.LayerNorm(width, eps=_EPS), nn.Linear(width, out, bias=False))

    def forward(self, x: Tensor, ends: Tensor) -> Tensor:
        return self.proj(x[torch.arange(len(x), device=x.device), ends])  # type: ignore[no-any-return]


class UnitLength(nn.Module):
    """(B, D) to rows of length 1."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(x, dim=-1)


class LogitScale(nn.Module):
    """Times a scale that is stored as its logarithm: learned for text, 20 for audio."""

    log_logit_scale: Tensor

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.register_buffer("log_logit_scale", torch.tensor(math.log(scale)))

    @property
    def scale(self) -> Tensor:
        """The factor itself, at most 100."""
        return self.log_logit_scale.exp().clamp(max=_MAX_SCALE)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale

"""The sizes of an ImageBind model, under the names that the official constructor gives them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zsavs.errors import InputError

__all__ = ["CONTEXT_LENGTH", "HUGE", "IGNORED", "IMAGE_SIZE", "VOCABULARY_SIZE", "ImageBindConfig"]

#: The same in every ImageBind model, as the published positional embeddings and CLIP's vocabulary fix them.
IMAGE_SIZE = 224
CONTEXT_LENGTH = 77
VOCABULARY_SIZE = 49408

#: Modalities of the official model that are not built here; their settings and weights are passed over. Videos have no
#: weights of their own: they go through the image tower.
IGNORED = ("depth", "thermal", "imu")


@dataclass(frozen=True)
class ImageBindConfig:
    """Sizes of the three towers. The defaults are those of ``imagebind_huge``.

    Args:
        out_embed_dim: width D of the joint space.
        vision_embed_dim, vision_num_blocks, vision_num_heads: width, depth and attention heads of the image tower.
        text_embed_dim, text_num_blocks, text_num_heads: of the text tower.
        audio_embed_dim, audio_num_blocks, audio_num_heads: of the audio tower.
        kernel_size: frames, height and width of an image patch; two frames, as a still is a video of two equal ones.
        audio_kernel_size, audio_stride: side of a spectrogram patch, and the step from patch to patch.
        audio_num_mel_bins, audio_target_len: height and width of a spectrogram.

    Raises:
        InputError: a size that is not a positive whole number, a width that its heads do not divide, or a patch that
            does not fit.
    """

    out_embed_dim: int = 1024
    vision_embed_dim: int = 1280
    vision_num_blocks: int = 32
    vision_num_heads: int = 16
    text_embed_dim: int = 1024
    text_num_blocks: int = 24
    text_num_heads: int = 16
    audio_embed_dim: int = 768
    audio_num_blocks: int = 12
    audio_num_heads: int = 12
    kernel_size: tuple[int, int, int] = (2, 14, 14)
    audio_kernel_size: int = 16
    audio_stride: int = 10
    audio_num_mel_bins: int = 128
    audio_target_len: int = 204

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel_size", tuple(self.kernel_size))
        for field in dataclasses.fields(self):
            sizes = getattr(self, field.name)
            for size in sizes if isinstance(sizes, tuple) else (sizes,):
                if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                    raise InputError(f"ImageBindConfig: {field.name} must be positive whole numbers, got {sizes!r}.")
        for tower in ("vision", "text", "audio"):
            width, heads = getattr(self, f"{tower}_embed_dim"), getattr(self, f"{tower}_num_heads")
            if width % heads:
                raise InputError(f"ImageBindConfig: {heads} heads do not divide the {tower} tower's width {width}.")
        if len(self.kernel_size) != 3 or self.kernel_size[0] != 2 or max(self.kernel_size) > IMAGE_SIZE:
            raise InputError(f"ImageBindConfig: kernel_size must be (2, height, width), got {self.kernel_size}.")
        if self.audio_kernel_size > min(self.audio_num_mel_bins, self.audio_target_len):
            raise InputError(
                f"ImageBindConfig: a patch of {self.audio_kernel_size} does not fit into a spectrogram of "
                f"{self.audio_num_mel_bins} x {self.audio_target_len}."
            )

    @classmethod
    def from_official(cls, settings: Mapping[str, Any]) -> ImageBindConfig:
        """Read the arguments of the official constructor; what is left out is as in ``imagebind_huge``.

        Settings of depth, thermal and imu are passed over, and so is ``audio_drop_path``, which acts in training only.

        Raises:
            InputError: a name that is none of these.
        """
        own = {field.name for field in dataclasses.fields(cls)}
        others = {name for name in settings if name.startswith(IGNORED) or name == "audio_drop_path"}
        unknown = sorted(set(settings) - own - others)
        if unknown:
            raise InputError(f"ImageBind has no setting {unknown[0]!r}; it has {', '.join(sorted(own))}.")
        return cls(**{name: value for name, value in settings.items() if name in own})

    @property
    def image_tokens(self) -> int:
        """Patches of an image, and the class token."""
        _, height, width = self.kernel_size
        return (IMAGE_SIZE // height) * (IMAGE_SIZE // width) + 1

    @property
    def audio_tokens(self) -> int:
        """Patches of a spectrogram, and the class token."""
        rows = (self.audio_num_mel_bins - self.audio_kernel_size) // self.audio_stride + 1
        columns = (self.audio_target_len - self.audio_kernel_size) // self.audio_stride + 1
        return rows * columns + 1


#: The one published size.
HUGE = ImageBindConfig()

"""A toy encoder for a joint space: ImageBind's towers around random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsavs.tiny.encoders import seeded, tiny_card

if TYPE_CHECKING:
    from zsavs.models.imagebind import ImageBindEncoder

__all__ = ["tiny_imagebind"]


def tiny_imagebind(seed: int = 0) -> ImageBindEncoder:
    """An ImageBind of some 500 000 weights, nearly all of them the vocabulary: 16 dimensions.

    Pictures and sounds have the real one's sizes, in larger patches.

    Args:
        seed: of the weights.
    """
    from zsavs.models.imagebind import ImageBind, ImageBindConfig, ImageBindEncoder

    config = ImageBindConfig(
        out_embed_dim=16,
        vision_embed_dim=16,
        vision_num_blocks=1,
        vision_num_heads=2,
        text_embed_dim=8,
        text_num_blocks=1,
        text_num_heads=2,
        audio_embed_dim=16,
        audio_num_blocks=1,
        audio_num_heads=2,
        kernel_size=(2, 32, 32),
        audio_kernel_size=16,
        audio_stride=16,
    )
    with seeded(seed):
        model = ImageBind(config)
    return ImageBindEncoder(model, card=tiny_card("tiny-imagebind", seed))

"""The image encoder of SAM 3, which its grounder, its segmenter and its tracker share: its weights, and what it saw.

It is half of the model, and takes most of the time of a phrase. What follows it, a pyramid of convolutions, each of
them has for itself.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.models.batching import in_batches, in_threads, inference
from zsavs.models.device_copies import copy_to_device
from zsavs.models.prompted_masks import square_pixels
from zsavs.storage.memo import shared_memo

if TYPE_CHECKING:
    import torch

__all__ = ["FAMILY", "prompt_scales", "see", "share_encoder"]

FAMILY = "SAM 3"

#: Images whose features are in the memo: at 1008 pixels they take 21 MB each.
_KEPT_IMAGES = 16
#: The finest scales of the pyramid; there is one more, which nothing reads.
_SCALES = 3

#: Encoders that are alive in this process.
_alive: weakref.WeakSet[Any] = weakref.WeakSet()


def share_encoder(model: Any) -> Any:
    """Let a model see with an encoder of another model that has the same weights on the same device, if one is alive.

    And bring all but the encoder to float32: in bfloat16 boxes and prompts are off.

    Args:
        model: a ``Sam3Model``, ``Sam3TrackerModel`` or ``Sam3TrackerVideoModel``, which is changed.

    Returns:
        The model.
    """
    own = model.vision_encoder.backbone
    model.vision_encoder.backbone = None  # others may share it: it is left as it is
    model.float()
    shared = next((other for other in _alive if other is own or _equal(other, own)), own)
    _alive.add(shared)
    model.vision_encoder.backbone = shared
    return model


def _equal(one: Any, other: Any) -> bool:
    """Whether two encoders give the same for every image."""
    weights, others = one.state_dict(), other.state_dict()
    return (
        _settings(one) == _settings(other)
        and weights.keys() == others.keys()
        and all(
            weight.dtype == others[name].dtype
            and weight.device == others[name].device
            and weight.shape == others[name].shape
            and bool((weight == others[name]).all())
            for name, weight in weights.items()
        )
    )


def _settings(encoder: Any) -> dict[str, Any]:
    told = ("dtype", "transformers_version", "architectures")  # where it comes from, and not what it does
    return {name: value for name, value in encoder.config.to_dict().items() if name not in told and name[0] != "_"}


def see(
    model: Any, image_processor: Any, images: Sequence[NDArray[np.uint8]], device: torch.device, batch_size: int
) -> list[torch.Tensor]:
    """What the encoder makes of each image: (1, C, h, w), on the device and in the encoder's dtype.

    The last 16 images are in a memo, for all models that share the encoder.

    Args:
        model: one that :func:`share_encoder` returned.
        image_processor: its ``Sam3ImageProcessor``.
        images: (H, W, 3) uint8; squeezed into the model's square.
        device: of the model.
        batch_size: the most images at once.

    Raises:
        OutOfMemory: the device's memory is too small for one image.
    """
    import torch

    encoder = model.vision_encoder.backbone

    def encoded(some: list[NDArray[np.uint8]]) -> list[torch.Tensor]:
        pixels = torch.cat(in_threads(lambda image: square_pixels(image_processor, image), some))
        with inference(FAMILY):
            dtype = next(encoder.parameters()).dtype
            rows = encoder(copy_to_device(pixels, device, dtype)).last_hidden_state
            height, width = (side // encoder.config.patch_size for side in pixels.shape[-2:])
            # In memory as the model itself hands them on, so that what follows rounds as there.
            maps = rows.view(len(some), height, width, -1).permute(0, 3, 1, 2)
            return [maps[i : i + 1].clone(memory_format=torch.preserve_format) for i in range(len(some))]

    square = image_processor.size
    settings = (square["height"], square["width"], *image_processor.image_mean, *image_processor.image_std)
    memo = shared_memo(encoder, "images", *settings, max_items=_KEPT_IMAGES)
    return memo(images, lambda new: in_batches(encoded, new, batch_size))


def prompt_scales(model: Any, features: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """What a tracker's decoder reads of an image: features at three scales, the finest first, each (N, C, h, w)
    float32, and the encodings of their places.

    Args:
        model: a ``Sam3TrackerModel`` or ``Sam3TrackerVideoModel``.
        features: (N, C, h, w), what :func:`see` gave for N images.
    """
    scales, places = model.vision_encoder.neck(features)
    scales = list(scales[:_SCALES])
    scales[0] = model.mask_decoder.conv_s0(scales[0])
    scales[1] = model.mask_decoder.conv_s1(scales[1])
    return scales, list(places[:_SCALES])

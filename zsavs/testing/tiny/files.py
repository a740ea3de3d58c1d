"""Single-file adapters around small random networks in numpy, with the inputs and outputs of the published ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.models.deeplab import CLASSES, DeepLabSegmenter
from zsavs.models.file_runtimes import Network
from zsavs.models.u2net import U2NetSegmenter
from zsavs.models.yamnet import YamnetEncoder, YamnetTagger
from zsavs.models.yolox import YoloxCaptioner, YoloxEncoder, YoloxGrounder
from zsavs.testing.tiny.encoders import tiny_card

__all__ = [
    "tiny_deeplab",
    "tiny_u2net",
    "tiny_yamnet",
    "tiny_yamnet_encoder",
    "tiny_yolox",
    "tiny_yolox_captioner",
    "tiny_yolox_encoder",
]


def tiny_yamnet(seed: int = 0) -> YamnetTagger:
    """YAMNet's labels from the mean spectrum of a patch."""
    return YamnetTagger(_yamnet(seed), card=tiny_card("yamnet", seed))


def tiny_yamnet_encoder(seed: int = 0) -> YamnetEncoder:
    """An encoder spanned by the labels of :func:`tiny_yamnet`."""
    return YamnetEncoder(_yamnet(seed), card=tiny_card("yamnet", seed))


def tiny_yolox(seed: int = 0, **settings: Any) -> YoloxGrounder:
    """COCO's classes from the mean colour of each cell."""
    return YoloxGrounder(_yolox(seed), card=tiny_card("yolox", seed), **settings)


def tiny_yolox_encoder(seed: int = 0) -> YoloxEncoder:
    """An encoder spanned by the classes of :func:`tiny_yolox`."""
    return YoloxEncoder(_yolox(seed), card=tiny_card("yolox", seed))


def tiny_yolox_captioner(seed: int = 0, **settings: Any) -> YoloxCaptioner:
    """What :func:`tiny_yolox` sees, as a caption."""
    return YoloxCaptioner(_yolox(seed), card=tiny_card("yolox", seed), **settings)


def tiny_u2net(seed: int = 0, **settings: Any) -> U2NetSegmenter:
    """Saliency from the colour of a pixel."""
    colours = np.random.default_rng(seed).standard_normal((1, 3, 1, 1))

    def network(pixels: NDArray[Any]) -> NDArray[Any]:
        return _sigmoid((pixels * colours).sum(axis=1, keepdims=True))

    return U2NetSegmenter(network, card=tiny_card("u2net", seed), **settings)


def tiny_deeplab(seed: int = 0, **settings: Any) -> DeepLabSegmenter:
    """VOC's classes from the colour of a pixel."""
    colours = np.random.default_rng(seed).standard_normal((3, len(CLASSES)))

    def network(pixels: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(((pixels - 127.0) @ colours).argmax(axis=-1))

    return DeepLabSegmenter(network, card=tiny_card("deeplab", seed), **settings)


def _yamnet(seed: int) -> Network:
    weights = np.random.default_rng(seed).standard_normal((64, 521))

    def network(patch: NDArray[Any]) -> NDArray[Any]:
        return _sigmoid((patch.mean(axis=1) + 3) @ weights)

    return network


def _yolox(seed: int) -> Network:
    weights = np.random.default_rng(seed).standard_normal((3, 85))

    def network(pixels: NDArray[Any]) -> NDArray[Any]:
        cells = []
        for stride in (8, 16, 32):
            count = 416 // stride
            colours = pixels[0].reshape(3, count, stride, count, stride).mean(axis=(2, 4)).reshape(3, -1).T
            values = (colours / 128 - 1) @ weights
            cells.append(np.concatenate([np.tanh(values[:, :4]), _sigmoid(values[:, 4:])], axis=1))
        return np.concatenate(cells)[None].astype(np.float32)

    return network


def _sigmoid(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-values)), np.float32)

"""From free phrases to the classes of a label set, and from a result to a label map."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.media.image import resize_map
from zsavs.result import AVSResult

__all__ = ["ClassNames", "label_map"]


class ClassNames:
    """Finds the class that a phrase means.

    In this order: the class of that name; the longest class name among the phrase's words ("brown dog" is a dog); the
    class with the nearest text embedding, where there is an encoder.

    Args:
        classes: names by id; id 0 is the background and never an answer.
        embed: text embeddings of K phrases, (K, D) unit rows; None to go by words alone.
    """

    def __init__(
        self, classes: Sequence[str], embed: Callable[[Sequence[str]], NDArray[np.float32]] | None = None
    ) -> None:
        self.names = [_plain(name) for name in classes]
        self._embed = embed
        self._known: dict[str, int] = {}

    def __call__(self, phrase: str) -> int:
        """The id of the class, 0 where none is found."""
        if phrase not in self._known:
            self._known[phrase] = self._find(_plain(phrase))
        return self._known[phrase]

    def _find(self, phrase: str) -> int:
        foreground = range(1, len(self.names))
        within = [i for i in foreground if f" {self.names[i]} " in f" {phrase} "]
        if within:
            return max(within, key=lambda i: (self.names[i] == phrase, len(self.names[i]), -i))
        if self._embed is None or len(self.names) < 2:
            return 0
        return 1 + int((self._embed(self.names[1:]) @ self._embed([phrase])[0]).argmax())


def label_map(result: AVSResult, classes: ClassNames, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Paint each object's class, the surest on top: (H, W) uint8, 0 is background.

    Args:
        result: what was found.
        classes: at most 255 of them.
        size_hw: height and width of the map; masks are stretched to it.
    """
    labels = np.zeros(size_hw, np.uint8)
    for phrase, mask in reversed(list(zip(result.phrases, result.masks, strict=True))):
        inside = mask if mask.shape == size_hw else resize_map(mask.astype(np.float32), size_hw) > 0.5
        labels[inside] = classes(phrase)
    return labels


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("-", " ").replace("_", " ").split())

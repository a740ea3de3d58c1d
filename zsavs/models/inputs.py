"""Checks of what an adapter is given: phrases, audio clips, images, settings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError, ImageError, InputError
from zsavs.media.arrays import frozen
from zsavs.types import AudioClip

__all__ = ["check_clips", "check_counts", "check_images", "check_phrases", "check_shares"]


def check_phrases(phrases: Sequence[str]) -> list[str]:
    """Return the phrases as a list.

    Raises:
        InputError: one bare string (which would be taken for its letters), or an item that is not a string.
    """
    if isinstance(phrases, str):
        raise InputError(f"encode_text takes a list of phrases, got the single string {phrases!r}; use [{phrases!r}].")
    for phrase in phrases:
        if not isinstance(phrase, str):
            raise InputError(f"encode_text takes strings, got {type(phrase).__name__}.")
    return list(phrases)


def check_clips(clips: Sequence[AudioClip]) -> list[AudioClip]:
    """Return the clips as a list.

    Raises:
        AudioError: an item is not an :class:`AudioClip`, or one bare clip instead of a list.
    """
    if isinstance(clips, AudioClip):
        raise AudioError("expected a list of AudioClip, got a single one; use [clip].")
    for clip in clips:
        if not isinstance(clip, AudioClip):
            raise AudioError(f"expected zsavs.AudioClip, got {type(clip).__name__}; use AudioClip(waveform, rate).")
    return list(clips)


def check_images(images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Return the images as a list of read-only arrays.

    An image that its owner can still change comes back as a new view of it: answers are memoised by the identity of
    the array (:class:`zsavs.storage.memo.Memo`), so none is found again for it in a later call.

    Raises:
        ImageError: an item is not (H, W, 3) uint8, or one bare image instead of a list.
    """
    if isinstance(images, np.ndarray) and images.ndim < 4:
        raise ImageError("expected a list of images, got a single array; use [image].")
    checked = []
    for image in images:
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            raise ImageError(f"expected uint8 RGB arrays, got {getattr(image, 'dtype', type(image).__name__)}.")
        if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ImageError(f"an image must be (height, width, 3) and not empty, got shape {image.shape}.")
        checked.append(frozen(image) if image.flags.writeable else image)
    return checked


def check_counts(adapter: object, **settings: int) -> None:
    """Refuse settings that count something and are below 1.

    Raises:
        InputError: naming the adapter's class and the setting.
    """
    for name, value in settings.items():
        if value < 1:
            raise InputError(f"{type(adapter).__name__}: {name} must be at least 1, got {value}.")


def check_shares(adapter: object, **settings: float) -> None:
    """Refuse settings that are shares or probabilities and not in [0, 1].

    Raises:
        InputError: naming the adapter's class and the setting.
    """
    for name, value in settings.items():
        if not 0 <= value <= 1:
            raise InputError(f"{type(adapter).__name__}: {name} lies in [0, 1], got {value}.")

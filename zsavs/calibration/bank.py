"""Banks: embeddings of unlabelled items, which say what is usual for a model.

The synthetic bank is of audio clips (silence, noises, hums, tones, sweeps, clicks, chords) and images (flat colours,
gradients, noises, stripes, checks, blobs). It is made from a fixed seed, so it is the same everywhere. It says what is
usual for a *model*; what is usual in *your files* is only known from a bank of them (``zsavs calibrate``,
:mod:`zsavs.calibration.user_bank`).
"""

from __future__ import annotations

import functools
import hashlib
import io
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import OutputError
from zsavs.media.arrays import frozen
from zsavs.protocols import AudioTextEncoder, ImageTextEncoder
from zsavs.storage.array_file import read_array
from zsavs.storage.files import write_atomically
from zsavs.storage.memo import Memo
from zsavs.storage.text_embedding_cache import cache_folder
from zsavs.types import AudioClip

__all__ = ["Bank", "is_shipped", "of_audio", "of_images", "probe", "source_of", "synthetic_audio", "synthetic_images"]

log = logging.getLogger(__name__)

#: Change it whenever the synthetic items change: cached embeddings of older ones are then not used.
_VERSION = 1
_RATE_HZ = 48_000
_SECONDS = 5.0
_SIDE = 224
#: Two answers of one model to the same item, on other devices or in other precision, are nearer than this.
SAME_MODEL = 0.1
_SYNTHETIC = f"synthetic items, version {_VERSION}, seed 0"
_SHIPPED = "shipped with the model"


@dataclass(frozen=True, eq=False)
class Bank:
    """Embeddings of unlabelled items, which say what is usual for a model.

    Args:
        embeddings: (B, D) float32, unit rows.
        source: what they were computed from, in words.
        blank: whether no item has a source, as the synthetic ones; what resembles one of these has none, either.
    """

    embeddings: NDArray[np.float32]
    source: str
    blank: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "embeddings", frozen(np.asarray(self.embeddings, np.float32)))


#: By identity: an encoder need not be hashable, and equal settings do not make equal weights.
_banks: Memo[dict[str, Bank]] = Memo()


def of_audio(encoder: AudioTextEncoder) -> Bank:
    """The bank that the encoder ships as ``encoder.sound_bank`` (rows, or a :class:`Bank`), else the synthetic one."""
    return _bank(encoder, "sound_bank", synthetic_audio, encoder.encode_audio)


def of_images(encoder: ImageTextEncoder) -> Bank:
    """The bank that the encoder ships as ``encoder.picture_bank``, else the synthetic images in its space."""
    return _bank(encoder, "picture_bank", synthetic_images, encoder.encode_image)


def source_of(encoder: Any, kind: str) -> str:
    """What an encoder's bank was computed from, in words; nothing is computed.

    Args:
        encoder: any encoder.
        kind: "sound_bank" or "picture_bank".
    """
    own = getattr(encoder, kind, None)
    if isinstance(own, Bank):
        return own.source
    return _SYNTHETIC if own is None else _SHIPPED


def is_shipped(encoder: Any, kind: str) -> bool:
    """Whether an encoder came with a bank of its own, whatever bank of a user's it is calibrated against.

    Args:
        encoder: any encoder.
        kind: "sound_bank" or "picture_bank".
    """
    return getattr(getattr(encoder, "calibrated_from", encoder), kind, None) is not None


def probe(encoder: Any, kind: str) -> NDArray[np.float32]:
    """A model's fingerprint: its embedding (D,) of one busy synthetic item. Other weights give another one.

    Args:
        encoder: with ``encode_audio`` or ``encode_image``.
        kind: "sound_bank" or "picture_bank".
    """
    if kind == "sound_bank":
        answer: NDArray[np.float32] = encoder.encode_audio(synthetic_audio()[-1:])[0]
    else:
        answer = encoder.encode_image(synthetic_images()[-1:])[0]
    return answer


def _bank(encoder: Any, shipped: str, items: Callable[[], tuple[Any, ...]], encode: Callable[[Any], Any]) -> Bank:
    """The encoder's own bank, else the one in this process or in the user's cache, else a new one."""
    own = getattr(encoder, shipped, None)
    if isinstance(own, Bank):
        return own
    if own is not None:
        return Bank(own, _SHIPPED)
    banks = _banks([encoder], lambda new: [{} for _ in new])[0]
    if shipped not in banks:
        banks[shipped] = _computed(encoder, shipped, items(), encode)
    return banks[shipped]


def _computed(encoder: Any, kind: str, items: tuple[Any, ...], encode: Callable[[Any], Any]) -> Bank:
    source = f"{len(items)} {_SYNTHETIC}"
    # Other weights, another dtype or device, another key.
    answer = probe(encoder, kind)
    key = hashlib.sha256(f"{kind} {_VERSION} {encoder.space} ".encode() + answer.tobytes()).hexdigest()[:32]
    path = cache_folder() / f"{kind}-{key}.npy"
    try:
        kept = read_array(path)
        same_kind = kept.shape == (len(items), len(answer)) and kept.dtype == np.float32
        if same_kind and np.isfinite(kept).all() and np.linalg.norm(kept[-1] - answer) < SAME_MODEL:
            return Bank(kept, source, blank=True)
        log.warning("%s: not the expected bank; computing it again", path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        log.warning("%s: cannot be read (%s); computing the bank again", path, error)
    log.info("computing the calibration bank of %s (once for each model)", encoder.space)
    bank = Bank(encode(items), source, blank=True)
    buffer = io.BytesIO()
    np.save(buffer, bank.embeddings, allow_pickle=False)
    try:
        write_atomically(path, lambda file: file.write(buffer.getvalue()))
    except OutputError as error:
        log.warning("the calibration bank is not cached: %s", error)
    return bank


@functools.cache
def synthetic_audio() -> tuple[AudioClip, ...]:
    """Forty-odd synthetic audio clips of no source, 5 s mono at 48 kHz, the same on every machine."""
    rng = np.random.default_rng(0)
    count = int(_SECONDS * _RATE_HZ)
    time = np.arange(count) / _RATE_HZ
    waves: list[Any] = [np.zeros(count), np.full(count, 0.1)]
    for slope in (0.0, 0.5, 1.0, 2.0):  # white, in between, pink, brown; quiet to loud
        waves += [10 ** (level / 20) * _coloured_noise(rng, count, slope) for level in (-60, -40, -20, -6)]
    for pitch in (50.0, 120.0, 440.0, 1000.0, 3150.0, 8000.0):
        waves.append(0.3 * np.sin(2 * np.pi * pitch * time))
    for pitch in (110.0, 220.0, 523.25):  # a buzz: all harmonics up to 8 kHz, decaying or steady
        buzz = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, int(8000 / pitch)))
        waves += [0.2 * buzz, 0.3 * buzz * np.exp(-3 * (time % 1.0))]
    for low, high in ((100.0, 8000.0), (8000.0, 100.0), (300.0, 600.0)):
        waves.append(0.3 * np.sin(2 * np.pi * low * _SECONDS / np.log(high / low) * (high / low) ** (time / _SECONDS)))
    for rate in (1.0, 4.0, 15.0, 40.0):  # clicks, and noise that swells and fades
        waves.append(0.5 * (time * rate % 1.0 < 1e-3))
        waves.append(0.2 * _coloured_noise(rng, count, 1.0) * (0.5 + 0.5 * np.sin(2 * np.pi * rate * time)))
    # The last item is the model's fingerprint: a busy one, so that no two models agree on it.
    waves.append(0.1 * _coloured_noise(rng, count, 1.0) + 0.2 * np.sin(2 * np.pi * 700.0 * time * (1 + 0.1 * time)))
    return tuple(AudioClip(wave[None].astype(np.float32), _RATE_HZ) for wave in waves)


def _coloured_noise(rng: np.random.Generator, count: int, slope: float) -> NDArray[np.float64]:
    """Gaussian noise with power falling as 1/f**slope, scaled to a peak of 1."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (slope / 2)
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / np.abs(noise).max())


@functools.cache
def synthetic_images() -> tuple[NDArray[np.uint8], ...]:
    """Forty synthetic images of no object, 224 x 224, the same on every machine."""
    rng = np.random.default_rng(0)
    down, right = np.mgrid[0:_SIDE, 0:_SIDE] / _SIDE
    maps: list[Any] = [np.full((_SIDE, _SIDE), level) for level in (0.0, 0.5, 1.0)]
    maps += [down, right, 1 - down, np.hypot(down - 0.5, right - 0.5)]
    for cycles in (3, 12, 40):
        maps += [np.sin(2 * np.pi * cycles * down), np.sin(2 * np.pi * cycles * (down + right))]
        maps.append(np.sign(np.sin(2 * np.pi * cycles * down) * np.sin(2 * np.pi * cycles * right)))
    for slope in (0.0, 1.0, 2.0, 3.0):
        maps += [_noise_map(rng, slope) for _ in range(4)]
    images = []
    for number, brightness in enumerate(maps):
        span = np.ptp(brightness)
        unit = (brightness - brightness.min()) / span if span else np.clip(brightness, 0, 1)
        dark, light = rng.uniform(0, 255, (2, 3)) if number % 2 else (np.zeros(3), np.full(3, 255.0))
        images.append(dark + unit[..., None] * (light - dark))
    for colour in rng.uniform(0, 255, (8, 3)):  # one soft blob on a flat ground
        middle, width = rng.uniform(0.2, 0.8, 2), rng.uniform(0.1, 0.3)
        blob = np.exp(-((down - middle[0]) ** 2 + (right - middle[1]) ** 2) / width**2)
        images.append(colour + blob[..., None] * (255 - 2 * colour))
    return tuple(frozen(np.clip(np.rint(image), 0, 255).astype(np.uint8)) for image in images)


def _noise_map(rng: np.random.Generator, slope: float) -> NDArray[np.float64]:
    """Gaussian noise with amplitude falling as 1/f**slope in both directions."""
    spectrum = np.fft.rfft2(rng.standard_normal((_SIDE, _SIDE)))
    frequency = np.hypot(np.fft.fftfreq(_SIDE)[:, None], np.fft.rfftfreq(_SIDE)[None]) * _SIDE
    spectrum /= np.maximum(frequency, 1) ** slope
    return np.asarray(np.fft.irfft2(spectrum, (_SIDE, _SIDE)))

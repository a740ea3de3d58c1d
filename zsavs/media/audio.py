"""Recordings: decode, resample, cut into windows.

A waveform is float32 with full scale [-1, 1]; time is always the last axis. Nothing here draws random numbers: the
same file gives the same bits.
"""

from __future__ import annotations

import logging
import math
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError, BrokenInstallation
from zsavs.media.audio_clip import AudioClip
from zsavs.media.opening import looks_like, open_input, readable_name

__all__ = ["around", "fit", "load_audio", "resample", "rms_db", "windows"]

log = logging.getLogger(__name__)

#: Length of the pieces in which a long recording is heard; the audio encoders look at 10 s at a time.
EXCERPT_S = 10.0

#: The level of digital silence, where the logarithm would be minus infinity.
SILENCE_DB = -120.0

#: The most samples, over all channels, that a clip may hold (256 MiB); 8 channels of 96 kHz for a minute are below.
_MAX_VALUES = 2**26

#: The most samples that resampling makes (1 GiB): an hour and a half at 48 kHz.
_MAX_RESAMPLED = 2**28

#: The fastest converters run at 768 kHz; a header that says more is damaged.
_MAX_RATE_HZ = 768_000

#: The most channels that an AudioClip takes.
_MAX_CHANNELS = 256

#: Frames decoded at a time: a damaged file loses at most this much before the damage.
_BLOCK = 4096

#: libsndfile's frame count for a stream that does not state its length.
_UNSTATED = 2**62

#: libsndfile's own words for a file whose end is missing or whose header is wrong about its length.
_LIES = re.compile(
    r"^\s*(?:data|SSND|Data Size)\s*:\s*\d+ \(should be \d+\)|does not match value from 'ds64'|"
    r"Last page lacks an end-of-stream|Unknown chunk marker .* Exiting parser",
    re.MULTILINE,
)


def load_audio(path: str | os.PathLike[str], *, max_duration_s: float = 60.0) -> AudioClip:
    """Read a recording: WAV (also RF64), FLAC, OGG, Opus, MP3 and whatever else libsndfile decodes.

    A recording longer than ``max_duration_s`` is heard as excerpts of 10 s, as many as fit into ``max_duration_s``,
    evenly spaced, the first from the start and the last up to the end, one after the other in the clip. Only they are
    decoded. (Below 20 s there is one excerpt, from the start.) This is logged, as is a file that is shorter than its
    header says, which is used up to where it breaks off.

    Memory stays below about 256 MiB for any file at the default length: a clip that would hold more than 2^26 samples
    over all channels, or more than 256 channels, is averaged to one channel while it is decoded, which is logged.

    Args:
        path: the file.
        max_duration_s: the most seconds to hear, above 0.

    Returns:
        The clip at the file's own sample rate, all channels, with ``source`` set to the path.

    Raises:
        AudioError: not there, not readable, not a recording, no samples, NaN or infinity among them, or a sample
            rate above 768 kHz.
        BrokenInstallation: soundfile cannot be imported.
    """
    name = readable_name(path, AudioError)
    if not max_duration_s > 0:
        raise AudioError(f"max_duration_s must be above 0, got {max_duration_s!r}.")
    with open_input(path, AudioError) as file:
        with _decoder(file, name) as sound:
            rate, channels, frames, notes = sound.samplerate, sound.channels, sound.frames, sound.extra_info
        if not 0 < rate <= _MAX_RATE_HZ:
            raise AudioError(f"{name}: the header says {rate} Hz, which no recording has; export the file again.")
        if frames >= _UNSTATED or min(frames, max_duration_s * rate) > _MAX_VALUES:
            frames = _count(file, name)
        excerpts = _excerpts(frames, rate, max_duration_s)
        waveform = _read(file, name, channels, excerpts)
        if waveform.shape[1] < sum(length for _, length in excerpts):
            stated, frames = frames, _count(file, name)
            log.warning("%s: only %.2f of %.2f s can be decoded; using those.", name, frames / rate, stated / rate)
            excerpts = _excerpts(frames, rate, max_duration_s)
            waveform = _read(file, name, channels, excerpts)
        elif frames and _LIES.search(notes):
            log.warning("%s: cut off, or its header is wrong; using the %.2f s found.", name, frames / rate)
    heard = waveform.shape[1]
    if heard == 0:
        raise AudioError(
            f"{name}: holds no samples that can be decoded; record or download it again, or, if a recorder was "
            f"interrupted, run: ffmpeg -ignore_length 1 -i {shlex.quote(name)} {_converted(name)}"
        )
    if heard < frames:
        log.warning(
            "%s: %.1f s long; hearing %d evenly spaced excerpts, %.1f s in all (max_duration_s=%g).",
            *(name, frames / rate, len(excerpts), heard / rate, max_duration_s),
        )
    if len(waveform) < channels:
        log.warning("%s: %d channels at %d Hz are averaged to one to save memory.", name, channels, rate)
    return AudioClip(waveform, rate, source=os.fsdecode(path))


def _decoder(file: BinaryIO, name: str) -> Any:
    """A ``soundfile.SoundFile`` that reads forward from the start of ``file`` without seeking in between."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the wheel came without libsndfile
        raise BrokenInstallation(
            f"soundfile cannot be imported ({error}); run: pip install --force-reinstall soundfile"
        ) from error

    class Forward(soundfile.SoundFile):  # type: ignore[misc]
        # For a seekable file soundfile seeks after every read, which makes MP3 lose its bit reservoir and FLAC
        # without a stated length fail. Explicit seeks still work.
        def seekable(self) -> bool:
            return False

    file.seek(0)
    try:
        return Forward(_Steady(file))
    except soundfile.SoundFileError as error:
        kind = looks_like(file)
        raise AudioError(
            f"{name}: cannot be decoded as WAV, FLAC, OGG, Opus or MP3"
            f"{f' (it looks like {kind})' if kind else ''}; name a recording, or convert it first: "
            f"ffmpeg -i {shlex.quote(name)} {_converted(name)}"
        ) from error


class _Steady:
    """A file as libsndfile asks for it, for damaged headers that send it to places that no file has.

    An exception in soundfile's callbacks would be printed with its traceback and then ignored; here such a seek leaves
    the position where it is, and libsndfile finds by itself that it is not where it wanted to be.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell, self.read, self.readinto = file.tell, file.read, file.readinto  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As that of the file, where the file has such a place."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return self._file.tell()


def _converted(name: str) -> str:
    """A name for the converted file that differs from the original's."""
    path = Path(name)
    return shlex.quote(f"{path.stem}.wav" if path.suffix.lower() != ".wav" else f"{path.stem}_fixed.wav")


def _excerpts(frames: int, rate: int, max_duration_s: float) -> list[tuple[int, int]]:
    """Where to listen: (first frame, number of frames) of each piece, in order and without overlap."""
    if frames <= max_duration_s * rate:
        return [(0, frames)]
    length = max(1, int(min(EXCERPT_S, max_duration_s) * rate))
    count = max(1, int(max_duration_s // EXCERPT_S))
    return [(k * (frames - length) // max(1, count - 1), length) for k in range(count)]


def _read(file: BinaryIO, name: str, channels: int, excerpts: list[tuple[int, int]]) -> NDArray[np.float32]:
    """Decode the excerpts, (C, T) float32, with T shorter than asked for if the file breaks off."""
    total = sum(length for _, length in excerpts)
    mix = channels > _MAX_CHANNELS or channels * total > _MAX_VALUES
    waveform = np.empty((1 if mix else channels, total), np.float32)
    filled = 0
    with _decoder(file, name) as sound:
        for start, length in excerpts:
            for block in _blocks(sound, start, length):
                # Loud float files may overflow here; AudioClip refuses what comes of it.
                with np.errstate(over="ignore", invalid="ignore"):
                    heard = block.T.mean(axis=0, keepdims=True) if mix else block.T
                waveform[:, filled : filled + len(block)] = heard
                filled += len(block)
    return waveform[:, :filled]


def _blocks(sound: Any, start: int, length: int) -> Iterator[NDArray[np.float32]]:
    """Decode ``length`` frames from ``start``, a block (n, C) at a time, up to where the file breaks off."""
    import soundfile

    try:
        sound.seek(start)
        while length > 0 and len(block := sound.read(min(_BLOCK, length), dtype="float32", always_2d=True)):
            yield block
            length -= len(block)
    except soundfile.SoundFileError as error:
        log.debug("decoding ends before frame %d: %s", start + length, error)


def _count(file: BinaryIO, name: str) -> int:
    """The frames that can be decoded from the start, by decoding them."""
    with _decoder(file, name) as sound:
        return sum(len(block) for block in _blocks(sound, 0, _UNSTATED))


def resample(wave: NDArray[np.float32], rate_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Change the sample rate with soxr's band-limited "HQ" filter (linear phase, no delay).

    Each channel comes out as it would alone. The output has ``max(1, round(T * to_hz / rate_hz))`` samples, halves
    rounded up.

    Args:
        wave: (T,) or (C, T) float32, T at least 1.
        rate_hz: its sample rate.
        to_hz: the rate wanted, both at least 1 and this at most 768000.

    Returns:
        (T',) or (C, T') float32; ``wave`` itself where the rates agree.

    Raises:
        AudioError: no samples, more than two dimensions, a rate out of range, or a result of more than 2^28 samples.
        BrokenInstallation: soxr cannot be imported.
    """
    wave = np.asarray(wave, np.float32)
    if wave.ndim not in (1, 2) or wave.size == 0:
        raise AudioError(f"resample: expected samples (T,) or (C, T), got shape {wave.shape}.")
    if rate_hz < 1 or not 1 <= to_hz <= _MAX_RATE_HZ:  # soxr does not come back from absurd ratios
        raise AudioError(
            f"resample: sample rates must be at least 1 Hz, the new one at most {_MAX_RATE_HZ}, got {rate_hz} and "
            f"{to_hz}."
        )
    if rate_hz == to_hz:
        return wave
    try:
        import soxr
    except ImportError as error:
        raise BrokenInstallation(
            f"soxr cannot be imported ({error}); run: pip install --force-reinstall soxr"
        ) from error
    length = max(1, (2 * wave.shape[-1] * to_hz + rate_hz) // (2 * rate_hz))
    if wave.size // wave.shape[-1] * length > _MAX_RESAMPLED:
        raise AudioError(
            f"resample: {wave.shape[-1]} samples at {rate_hz} Hz, {wave.shape[-1] / rate_hz:.0f} s, are too long for "
            f"{to_hz} Hz; check the sample rate, or cut the recording."
        )
    changed: NDArray[np.float32] = soxr.resample(wave.T, rate_hz, to_hz, quality="HQ").T
    missing = length - changed.shape[-1]
    if missing > 0:  # soxr may round a half down, and makes no sample of very few
        last = (changed if changed.size else wave)[..., -1:]
        changed = np.concatenate([changed, np.repeat(last, missing, axis=-1)], axis=-1)
    return np.ascontiguousarray(changed[..., :length])


def fit(wave: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Make a mono sound exactly ``n`` samples long: repeat it until it is long enough, then cut the end off.

    Args:
        wave: (T,) float32, T at least 1.
        n: at least 1.

    Returns:
        (n,) float32.

    Raises:
        AudioError: not mono, no samples, or ``n`` below 1.
    """
    wave = _mono(wave, "fit")
    if n < 1:
        raise AudioError(f"fit: the length must be at least one sample, got {n}.")
    return np.tile(wave, -(-n // len(wave)))[:n] if len(wave) < n else wave[:n]


def windows(wave: NDArray[np.float32], sample_rate_hz: int, length_s: float, hop_s: float) -> NDArray[np.float32]:
    """Cut a mono sound into equally long windows that cover all of it.

    With L = round(length_s * rate) and H = round(hop_s * rate), each at least 1, window k holds the samples from kH
    on; the last one is moved back to end where the sound ends, so that nothing is padded. A sound not longer than one
    window gives one window, the sound repeated up to L samples (:func:`fit`).

    Args:
        wave: (T,) float32, T at least 1.
        sample_rate_hz: its rate, at least 1.
        length_s: length of a window in seconds, above 0.
        hop_s: from the start of one window to the next, in seconds, above 0 and not above ``length_s``.

    Returns:
        (W, L) float32, W = 1 + ceil((T - L) / H), at least 1.

    Raises:
        AudioError: not mono, no samples, or lengths out of range.
    """
    wave = _mono(wave, "windows")
    if sample_rate_hz < 1 or not 0 < hop_s <= length_s < math.inf:
        raise AudioError(
            f"windows: expected a rate of at least 1 Hz and 0 < hop_s <= length_s, got {sample_rate_hz} Hz, "
            f"hop_s={hop_s}, length_s={length_s}."
        )
    length = max(1, round(length_s * sample_rate_hz))
    hop = max(1, round(hop_s * sample_rate_hz))
    if len(wave) <= length:
        return fit(wave, length)[None]
    starts = np.append(np.arange(0, len(wave) - length, hop), len(wave) - length)
    cut: NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(wave, length)[starts]
    return cut


def around(clip: AudioClip, begin_s: float, length_s: float, context_s: float) -> AudioClip:
    """The part of a recording that belongs to a stretch of time, all channels.

    Context as long as the stretch is exactly [begin, begin + length); longer context has the stretch in its middle. A
    window that passes an end of the recording is moved back into it, and a recording shorter than the window is used
    as it is. The first sample is ``round((begin_s + (length_s - context_s) / 2) * rate)``.

    Args:
        clip: the recording.
        begin_s: where the stretch begins, in seconds.
        length_s: how long it is, in seconds.
        context_s: length of the result in seconds, above 0; ``math.inf`` for the whole recording.
    """
    rate, total = clip.sample_rate_hz, clip.waveform.shape[1]
    if math.isinf(context_s) or (count := max(1, round(context_s * rate))) >= total:
        return clip
    start = round((begin_s + (length_s - context_s) / 2) * rate)
    start = min(max(start, 0), total - count)
    # A copy: a view would keep the whole recording alive, and within reach of whoever sees the sample.
    return AudioClip(clip.waveform[:, start : start + count].copy(), rate)


def rms_db(wave: NDArray[np.float32]) -> float:
    """The level in dB below full scale, 10 log10 of the mean square over all samples and channels.

    A square wave of amplitude 1 has 0 dB, a sine of amplitude 1 has -3.01 dB; digital silence has -120 dB, and
    nothing has less.

    Args:
        wave: float array of any shape, at least one sample, full scale [-1, 1].

    Raises:
        AudioError: no samples.
    """
    if np.size(wave) == 0:
        raise AudioError("rms_db: a sound without samples has no level.")
    power = float(np.mean(np.square(wave, dtype=np.float64)))
    return max(SILENCE_DB, 10 * math.log10(power)) if power > 0 else SILENCE_DB


def _mono(wave: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """Check that a waveform is (T,) with at least one sample."""
    wave = np.asarray(wave, np.float32)
    if wave.ndim != 1 or len(wave) == 0:
        raise AudioError(f"{what}: expected a mono sound (T,), got shape {wave.shape}; use clip.mono().")
    return wave

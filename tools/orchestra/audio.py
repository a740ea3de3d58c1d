"""The audio of scenes: phrases of recorded samples, rendered by FluidSynth, in a room and over some noise."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tools.orchestra.catalogue import Patch, Thing

__all__ = [
    "LONG_SECONDS",
    "RATE_HZ",
    "SECONDS",
    "Band",
    "at_times",
    "background",
    "in_turn",
    "longest_rest",
    "mix",
    "sounding",
]

RATE_HZ = 32_000
SECONDS = 4.0
#: Of a recording of sources one after the other.
LONG_SECONDS = 20.0
SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")

#: A clip whose loudest 50 ms stay below this has failed to sound (a note out of the patch's range).
_FAINT = 1e-3
#: A source has begun, and not ended, where 50 ms of it are louder than this, in dB relative to its loudest 50 ms.
_BEGUN_DB = -20.0
#: Before, between and after the sources of a recording, at least.
_REST_S = 0.5


class Band:
    """Plays things on a synthesizer with the General MIDI sound font.

    The same calls in the same order after the beginning give the same bits. A reset does not bring the synthesizer back
    to its beginning, so a clip that must not depend on what was played before needs a new band.

    Args:
        sound_font: an SF2 file; Debian's fluid-soundfont-gm installs the default one.

    Raises:
        FileNotFoundError: there is no such file.
    """

    def __init__(self, sound_font: Path = SOUND_FONT) -> None:
        if not sound_font.is_file():
            raise FileNotFoundError(f"{sound_font}: no such sound font; on Debian: apt install fluid-soundfont-gm")
        import fluidsynth

        _fix_dither()
        self.synth = fluidsynth.Synth(gain=0.5, samplerate=float(RATE_HZ))
        self.font = self.synth.sfload(str(sound_font))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.synth.delete()

    def play(self, thing: Thing, rng: np.random.Generator, seconds: float = SECONDS) -> NDArray[np.float32]:
        """A clip of a sounding thing: (T,) float32 in [-1, 1], peak 1, without noise."""
        while True:
            patch = thing.patches[int(rng.integers(len(thing.patches)))]
            wave = self._render(patch, rng, seconds)
            peak = float(np.abs(wave).max())
            if peak > _FAINT:
                return wave / peak

    def _render(self, patch: Patch, rng: np.random.Generator, seconds: float) -> NDArray[np.float32]:
        synth = self.synth
        synth.system_reset()
        synth.set_reverb(*rng.uniform((0.1, 0.0, 0.0, 0.0), (0.9, 0.8, 1.0, 0.7)))
        synth.program_select(0, self.font, patch.bank, patch.program)
        synth.cc(0, 91, int(rng.integers(0, 128)))  # how much of it goes to the reverb
        pieces, left = [], int(seconds * RATE_HZ)
        for notes, velocity, sound, rest in _phrase(patch, rng):
            for note in notes:
                synth.noteon(0, note, velocity)
            pieces.append(synth.get_samples(min(left, sound)))
            for note in notes:
                synth.noteoff(0, note)
            left -= len(pieces[-1]) // 2
            if left:
                pieces.append(synth.get_samples(min(left, rest)))
                left -= len(pieces[-1]) // 2
            if not left:
                break
        stereo = np.concatenate(pieces).reshape(-1, 2)
        return np.asarray(stereo.mean(axis=1) / 32768, np.float32)


@functools.cache
def _fix_dither() -> None:
    """Have FluidSynth draw its dither, once for a process, from the beginning of C's random numbers.

    Otherwise a clip would depend on whoever drew some of them before; the dither of a faint one is heard when it is
    brought to full scale.
    """
    ctypes.CDLL(None).srand(1)


def _phrase(patch: Patch, rng: np.random.Generator):  # type: ignore[no-untyped-def]
    """Endless notes: which MIDI notes together, how hard, and for how many samples they sound and rest."""
    pace = rng.uniform(0.2, 0.8)
    legato = rng.uniform(0.5, 1.0)
    while True:
        count = int(rng.integers(1, 4)) if patch.manner == "chords" else 1
        notes = rng.integers(patch.low, patch.high + 1, count)
        velocity = int(rng.integers(60, 125))
        if patch.manner == "held":
            seconds, rest = rng.uniform(1.5, 4.0), rng.uniform(0.05, 0.3)
        elif patch.manner == "hits":
            seconds, rest = 0.05, rng.choice([0.1, 0.2, 0.4]) * (0.5 + pace)
        else:
            length = pace * rng.choice([0.5, 1.0, 2.0])
            seconds, rest = legato * length, (1 - legato) * length
        # FluidSynth renders whole blocks of 64.
        yield [int(n) for n in notes], velocity, _blocks(seconds), _blocks(rest)


def _blocks(seconds: float) -> int:
    return max(1, round(seconds * RATE_HZ / 64)) * 64


def background(rng: np.random.Generator, seconds: float = SECONDS) -> NDArray[np.float32]:
    """Noise of a random colour, (T,) float32 with a root mean square of 1."""
    count = int(seconds * RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.arange(1, len(spectrum) + 1)
    spectrum /= frequency ** rng.uniform(0, 1.2)
    spectrum *= np.exp(-((frequency / len(spectrum)) ** 2) * rng.uniform(0, 6))
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / np.sqrt((noise**2).mean()), np.float32)


def mix(parts: Sequence[NDArray[np.float32]], rng: np.random.Generator) -> NDArray[np.float32]:
    """Several clips sounding together over a background: (T,) float32, at most 1.

    Each clip has about the same loudness (within 3 dB either way); the background lies 20 to 45 dB below; the whole
    peaks between -20 and -1 dBFS.
    """
    loud = [_levelled(part, rng) for part in parts]
    whole = np.sum(loud, axis=0) + background(rng) * 10 ** (-rng.uniform(20, 45) / 20)
    return np.asarray(whole / np.abs(whole).max() * 10 ** (-rng.uniform(1, 20) / 20), np.float32)


def in_turn(
    parts: Sequence[NDArray[np.float32]], rng: np.random.Generator
) -> tuple[NDArray[np.float32], list[tuple[float, float]]]:
    """Several clips one after the other over a background that goes on: the recording, and when each of them sounds.

    Loudness and background are as :func:`mix` has them. Before, between and after the clips there is half a second of
    the background at least.

    Args:
        parts: clips, together at least (n + 1) / 2 seconds shorter than ``LONG_SECONDS``.
        rng: draws levels and rests.

    Returns:
        (T,) float32 of ``LONG_SECONDS``, at most 1; for each clip on and off in seconds, from its first to its last
        50 ms that are louder than 20 dB below its loudest.
    """
    spare = int(LONG_SECONDS * RATE_HZ) - sum(map(len, parts)) - (len(parts) + 1) * _REST_S * RATE_HZ
    rests = _REST_S * RATE_HZ + spare * rng.dirichlet(np.ones(len(parts) + 1))
    starts, times, start = [], [], 0
    for part, rest in zip(parts, rests, strict=False):
        start += int(rest)
        starts.append(start)
        on, off = sounding(part)
        times.append((start / RATE_HZ + on, start / RATE_HZ + off))
        start += len(part)
    return at_times(parts, starts, LONG_SECONDS, rng), times


def at_times(
    parts: Sequence[NDArray[np.float32]], starts: Sequence[int], seconds: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Several clips, each from a sample of its own on, over a background that goes on.

    Loudness and background are as :func:`mix` has them.

    Args:
        parts: clips, none of which passes the end.
        starts: the first sample of each.
        seconds: of the recording.
        rng: draws levels.

    Returns:
        (T,) float32, at most 1.
    """
    whole = background(rng, seconds) * 10 ** (-rng.uniform(20, 45) / 20)
    for part, start in zip(parts, starts, strict=True):
        whole[start : start + len(part)] += _levelled(part, rng)
    return np.asarray(whole / np.abs(whole).max() * 10 ** (-rng.uniform(1, 20) / 20), np.float32)


def _levelled(part: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A clip at about the same loudness as any other, within 3 dB either way."""
    return np.asarray(part / np.sqrt((part**2).mean()) * 10 ** (rng.uniform(-3, 3) / 20))


def sounding(part: NDArray[np.float32]) -> tuple[float, float]:
    """When a clip begins and ends to sound, in seconds from its start."""
    loud = _loud(part)
    return loud[0] / 20, (loud[-1] + 1) / 20


def longest_rest(part: NDArray[np.float32]) -> float:
    """The longest time in seconds, between its begin and its end, for which a clip does not sound."""
    return float(np.diff(_loud(part)).max(initial=1) - 1) / 20


def _loud(part: NDArray[np.float32]) -> NDArray[np.int64]:
    """Which twentieths of a second sound."""
    step = RATE_HZ // 20
    power = (part[: len(part) // step * step].reshape(-1, step) ** 2).mean(axis=1)
    return np.flatnonzero(power > power.max() * 10 ** (_BEGUN_DB / 10))

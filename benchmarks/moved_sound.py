"""Every strategy with the sound moved: silence, hiss, room tone or another quiet sound before and after it.

    python benchmarks/moved_sound.py                           # preset nano on the scenes that come with zsavs
    python benchmarks/moved_sound.py --root DIR --each 4       # on four scenes of each group of a folder
    python benchmarks/moved_sound.py --real DIR                # preset pocket on pairs, laid out as for real_pairs.py
    python benchmarks/moved_sound.py --strategy fused --padding silence --seconds 8 --place before

Prints Markdown. J is the mean over what has a source in view, in percent, and FP the share of the image that is wrongly
marked where nothing in view sounds. Paddings, each from its own seed:

- silence: digital silence.
- hiss60, hiss40: white noise with a root mean square of -60 and -40 dB re full scale.
- room: a hum of 50 Hz with five harmonics and noise that falls by 6 dB an octave from 200 Hz on, together at -45 dB.
- other: the sound of another scene, of something that is neither heard nor in view here (of the pairs: one that belongs
  to no class), over and over, 35 dB below the sound that is moved, or at -60 dB where there is no more of that.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from real_pairs import listed

import zsavs
from zsavs.build import strategies_of
from zsavs.datasets.orchestra import Orchestra
from zsavs.errors import InputError, ZsavsError
from zsavs.media.waveform import resample, rms_db
from zsavs.metrics.functional import false_positive_share, jaccard
from zsavs.report.blocks import Cell, Page, Paragraph, Row, Section, Table
from zsavs.report.render import render
from zsavs.report.values import percent
from zsavs.storage.files import write_atomically

PADDINGS = ("silence", "hiss60", "hiss40", "room", "other")
SECONDS = (4.0, 8.0, 12.0, 30.0, 120.0)
PLACES = ("both", "before", "after")
#: Groups of the orchestra that are left out unless they are named: their sounds have a place of their own.
_MOVED_ALREADY = ("in_turn",)
_OTHER_DB, _OTHER_LEAST_DB = -35.0, -60.0
#: Audio that goes through the models together, in seconds; a recording of more goes alone.
_BATCH_S = 300.0
_OWN = ("own", 0.0)

_GROUPS_NOTE = "moved: the largest mean over a group of all paddings and lengths."

Moved = tuple[str, float]


@dataclass(frozen=True)
class Case:
    """An image with its sound and what is true of it.

    Args:
        name, group: which.
        sample: the image with its own sound.
        target: (H, W) bool, the pixels that sound.
        other: gives another, unrelated sound.
    """

    name: str
    group: str
    sample: zsavs.AVSample
    target: NDArray[np.bool_]
    other: Callable[[], zsavs.AudioClip]


@dataclass
class Scores:
    """J by strategy and way to move the sound, and the false-positive share by group as well."""

    j: dict[tuple[str, Moved], list[float]] = field(default_factory=lambda: defaultdict(list))
    fp: dict[tuple[str, str, Moved], list[float]] = field(default_factory=lambda: defaultdict(list))
    groups: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    audio_s: float = 0.0
    wall_s: float = 0.0

    def add(self, case: Case, strategy: str, moved: Moved, mask: NDArray[np.bool_]) -> None:
        """Score a mask."""
        if case.target.any():
            self.j[strategy, moved].append(jaccard(mask, case.target))
        else:
            self.fp[strategy, case.group, moved].append(false_positive_share(mask, case.target))


# ------------------------------------------------------------------------------------------ sounds
def padding(name: str, count: int, rate_hz: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """``count`` samples of a padding that is made: (count,) float32."""
    if name == "silence":
        return np.zeros(count, np.float32)
    if name.startswith("hiss"):
        return (rng.standard_normal(count) * 10 ** (-float(name.removeprefix("hiss")) / 20)).astype(np.float32)
    hertz = np.fft.rfftfreq(count, 1 / rate_hz)
    spectrum = np.fft.rfft(rng.standard_normal(count)) / np.sqrt(1 + (hertz / 200) ** 2)
    tone = np.fft.irfft(spectrum, count)
    turns = np.arange(count)[None] * 50 * np.arange(1, 7)[:, None] / rate_hz + rng.random((6, 1))
    hum = (np.sin(2 * np.pi * turns) / np.arange(1, 7)[:, None]).sum(axis=0)
    return _at_level(tone / max(float(tone.std()), 1e-9) + hum / max(float(hum.std()), 1e-9), -45.0)


def _at_level(wave: NDArray[Any], level_db: float) -> NDArray[np.float32]:
    """The waveform at a root mean square in dB re full scale; silence stays silent."""
    rms = float(np.sqrt((wave.astype(np.float64) ** 2).mean()))
    return (wave * (10 ** (level_db / 20) / max(rms, 1e-9))).astype(np.float32)


def moved_clip(case: Case, moved: Moved, place: str = "both") -> zsavs.AudioClip:
    """The sound of a case with a padding of so many seconds before it, after it or both; all channels get the same."""
    (name, seconds), clip = moved, case.sample.audio
    if moved == _OWN:
        return clip
    rate, count = clip.sample_rate_hz, round(seconds * clip.sample_rate_hz)
    parts = [clip.waveform]
    for end in ("before", "after") if place == "both" else (place,):
        rng = np.random.default_rng(zlib.crc32(f"{case.name} {name} {seconds:g} {end}".encode()))
        if name == "other":
            other = case.other()
            mono = resample(other.mono(), other.sample_rate_hz, rate)
            level = max(rms_db(clip.waveform) + _OTHER_DB, _OTHER_LEAST_DB)
            wave = np.resize(_at_level(mono, level), count)
        else:
            wave = padding(name, count, rate, rng)
        wide = np.repeat(wave[None], len(clip.waveform), axis=0)
        parts = [wide, *parts] if end == "before" else [*parts, wide]
    return zsavs.AudioClip(np.concatenate(parts, axis=1), rate)


# ------------------------------------------------------------------------------------------- cases
def orchestra_cases(root: Path | None, groups: Sequence[str] | None, each: int | None) -> Iterator[Case]:
    """Scenes of the orchestra, the first ``each`` of every group; the other sound is the next scene's that fits.

    Raises:
        InputError: no scene has a sound that is not in view of another one.
    """
    data = Orchestra(root, groups=groups)
    items, counts = list(data), defaultdict(int)
    for place, item in enumerate(items):
        scene = data.scenes[item]
        counts[scene.group] += 1
        if (groups is None and scene.group in _MOVED_ALREADY) or (each and counts[scene.group] > each):
            continue
        here = {*scene.heard, *(thing.label for thing in scene.things)}
        others = (data.scenes[other].heard and not here & {*data.scenes[other].heard} for other in items[place:])
        fits = next((items[place + k] for k, fit in enumerate(others) if fit), None) or next(
            (other for other in items if data.scenes[other].heard and not here & {*data.scenes[other].heard}), None
        )
        if fits is None:
            raise InputError(f"{data.root}: no scene has a sound that is not in view in {item}; add scenes.")
        loaded = data.load(item)
        yield Case(item, scene.group, loaded.sample, loaded.target.mask, lambda fits=fits: data.load(fits).sample.audio)


def real_cases(root: Path, each: int | None) -> Iterator[Case]:
    """Photographs with audio, the first ``each`` of every label and kind; the other sound is one of no class.

    Raises:
        InputError: see :func:`real_pairs.listed`; or there are fewer than two pairs with a sound of no class.
    """
    pairs, data = listed(root)
    ambient, counts = [pair for pair in pairs if not pair.label], defaultdict(int)
    if len(ambient) < 2:
        raise InputError(f"{root}: needs two pairs with a sound of no class at least, to lay it beside the others'.")
    for place, pair in enumerate(pairs):
        counts[pair.kind, pair.label] += 1
        if each and counts[pair.kind, pair.label] > each:
            continue
        loaded = data.load(pair.item)
        others = [other for other in ambient if other is not pair]
        other = others[place % len(others)].item
        sample, mask = replace(loaded.sample, name=pair.item), loaded.target.mask
        mask = mask if pair.kind == "positive" else np.zeros_like(mask)
        yield Case(pair.item, pair.kind, sample, mask, lambda other=other: data.load(other).sample.audio)


# ---------------------------------------------------------------------------------------- measuring
def measure(
    cases: Iterable[Case], pipes: dict[str, zsavs.Pipeline], ways: Sequence[Moved], place: str = "both"
) -> Scores:
    """All strategies over every case, its sound as it is and moved in every way."""
    scores, begin = Scores(), time.perf_counter()
    for number, case in enumerate(cases, 1):
        scores.groups[case.group] += 1
        for some in _batches(case, [_OWN, *ways], place):
            samples = [replace(case.sample, audio=moved_clip(case, moved, place)) for moved in some]
            scores.audio_s += sum(sample.audio.duration_s for sample in samples)
            for name, pipe in pipes.items():
                for moved, result in zip(some, pipe.batch(samples), strict=True):
                    scores.add(case, name, moved, result.mask)
        print(f"{number}: {case.name}, {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    scores.wall_s = time.perf_counter() - begin
    return scores


def _batches(case: Case, ways: Sequence[Moved], place: str) -> Iterator[list[Moved]]:
    """The ways in their order, as many together as there may be seconds in a batch."""
    some: list[Moved] = []
    total = 0.0
    for moved in ways:
        length = case.sample.audio.duration_s + moved[1] * (2 if place == "both" else 1)
        if some and total + length > _BATCH_S:
            yield some
            some, total = [], 0.0
        some, total = [*some, moved], total + length
    yield some


def page(scores: Scores, strategies: Sequence[str], ways: Sequence[Moved], title: str, about: str) -> Page:
    """The tables: J and FP by strategy, padding and seconds, and the largest FP by group."""
    names, lengths = list(dict.fromkeys(name for name, _ in ways)), sorted({seconds for _, seconds in ways})
    heads = ["Strategy", "Padding", "0 s", *(f"{seconds:g} s" for seconds in lengths)]
    j_rows, fp_rows, group_rows = [], [], []
    negative = [group for group in scores.groups if any(group == other for _, other, _ in scores.fp)]

    def fp(strategy: str, groups: Sequence[str], moved: Moved) -> list[float]:
        return [share for group in groups for share in scores.fp[strategy, group, moved]]

    for strategy in strategies:
        for name in names:
            across = [_OWN, *((name, seconds) for seconds in lengths)]
            j = [_mean(scores.j[strategy, moved]) for moved in across]
            lost = None if None in j else max(0.0, *(j[0] - other for other in j[1:]))  # type: ignore[operator]
            j_rows.append(_row(strategy, name, *map(percent, j), percent(lost)))
            fps = [_mean(fp(strategy, negative, moved)) for moved in across]
            fp_rows.append(_row(strategy, name, *map(percent, fps)))
        worst = [[m for moved in ways if (m := _mean(fp(strategy, [group], moved))) is not None] for group in negative]
        owns = [_mean(fp(strategy, [group], _OWN)) for group in negative]
        cells = [cell for own, most in zip(owns, worst, strict=True) for cell in (own, max(most, default=None))]
        group_rows.append(_row(strategy, *map(percent, cells)))
    counts = ", ".join(f"{count} {group}" for group, count in scores.groups.items())
    spent = (
        f"All numbers are percent. {counts}. {scores.wall_s / 60:.0f} minutes for {scores.audio_s / 3600:.1f} hours of "
        f"audio and {len(strategies)} strategies; at most {_peak_mb():.0f} MB of memory."
    )
    group_heads = ["Strategy", *(head for group in negative for head in (group, f"{group}, moved"))]
    sections = [
        Section("J", [Table([*heads, "Largest loss"], j_rows, words=2), Paragraph(spent)]),
        Section("False positives", [Table(heads, fp_rows, words=2)]),
        Section("False positives by group", [Table(group_heads, group_rows, words=1), Paragraph(_GROUPS_NOTE)]),
    ]
    return Page(title, about, sections if negative else sections[:1])


def _row(*cells: str) -> Row:
    return Row(tuple(map(Cell, cells)))


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _peak_mb() -> float:
    """The most memory that this process has held: kilobytes on Linux, bytes on macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if it was done, 1 if not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--root", type=Path, metavar="DIR", help="a folder of scenes; those of the package if left out")
    where.add_argument("--real", type=Path, metavar="DIR", help="a folder of pairs, in place of scenes")
    parser.add_argument("--preset", help="which models; nano for scenes and pocket for pairs if left out")
    parser.add_argument("--strategy", action="append", metavar="NAME", help="several times; all if left out")
    parser.add_argument("--padding", action="append", choices=PADDINGS, help="several times; all if left out")
    parser.add_argument("--seconds", action="append", type=float, metavar="S", help=f"several times; {SECONDS}")
    parser.add_argument("--place", choices=PLACES, default="both", help="where the padding goes (%(default)s)")
    parser.add_argument("--group", action="append", metavar="NAME", help="a group of scenes; several times")
    parser.add_argument("--each", type=int, metavar="N", help="so many scenes of a group, or pairs of a label")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the Markdown there, too")
    asked = parser.parse_args(argv)
    preset = asked.preset or ("pocket" if asked.real else "nano")
    lengths = [seconds for seconds in asked.seconds or SECONDS if seconds > 0]
    ways = [(name, seconds) for name in asked.padding or PADDINGS for seconds in lengths]
    try:
        strategies = asked.strategy or strategies_of(preset)
        pipes = {name: zsavs.build_pipeline(name, preset, device=asked.device) for name in strategies}
        cases = (
            real_cases(asked.real, asked.each) if asked.real else orchestra_cases(asked.root, asked.group, asked.each)
        )
        scores = measure(cases, pipes, ways, asked.place)
        side = {"both": "before and after"}.get(asked.place, asked.place)
        about = f"zsavs {zsavs.__version__}; the padding lies {side} the sound, so long each."
        title = f"The sound moved, preset {preset}{', real pairs' if asked.real else ''}"
        text = render(page(scores, strategies, ways, title, about), "markdown")
        print(text, end="")
        if asked.out is not None:
            write_atomically(asked.out, lambda file: file.write(text.encode()))
    except ZsavsError as error:
        print(f"moved_sound: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("moved_sound: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Strategies and trackers on the orchestra in motion, beside the ceiling and with the sound of other clips.

    python benchmarks/motion.py                                   # the clips that come with zsavs
    python benchmarks/motion.py --tracker associate --tracker none --out motion.md
    python benchmarks/motion.py --fresh 2027 --each 3             # new clips; needs what tools/orchestra needs

Prints Markdown. Each clip goes through ``pipe.video`` as a whole. J and J&F are means over the frames in which
something in view sounds; where nothing does, the share of the frame that is wrongly marked is given. Identities are
those of the objects while they sound. When a source sounds is taken from the tracks of its label.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

import zsavs
from zsavs.datasets.orchestra_motion import MotionClip, OrchestraMotion, Script
from zsavs.errors import InputError, ZsavsError
from zsavs.media.activity import unite
from zsavs.media.waveform import fit
from zsavs.metrics.functional import false_positive_share, jaccard
from zsavs.metrics.tracking import COLLAR_S, SEGMENT_S, OnOff, boundary_f, identity_switches, match_objects
from zsavs.presets import find_preset
from zsavs.report.blocks import Block, Cell, Page, Paragraph, Row, Section, Table
from zsavs.report.render import render
from zsavs.report.values import percent
from zsavs.storage.files import write_atomically
from zsavs.temporal.video_result import VideoResult
from zsavs.types import Evidence, Times

ROOT = Path(__file__).resolve().parents[1]
CEILING = "ceiling (an oracle)"
STRATEGIES = ("audio_to_text", "fused", "classify", "text_bridged")
#: Clips of a group that --fresh draws, as many as come with zsavs.
EACH = 3
#: A window that is not longer is answered for its middle, in seconds.
_SHORT_S = 2.0
#: Evidence for what sounds throughout a window, in standard deviations.
_CERTAIN = 10.0


class Clock:
    """Audio that says what time it is, for the oracle: it rises from 0.5 to 0.6, too little to be a sound that begins.

    Args:
        duration_s: its length.
    """

    RATE_HZ = 16_000

    def __init__(self, duration_s: float) -> None:
        self.duration_s = duration_s
        count = round(duration_s * self.RATE_HZ)
        self.audio = zsavs.AudioClip(np.linspace(0.5, 0.6, count, dtype=np.float32)[None], self.RATE_HZ)

    def span(self, audio: zsavs.AudioClip) -> tuple[float, float] | None:
        """From when to when an excerpt of it is, in seconds; None for what is none."""
        heard = audio.waveform[audio.waveform > 0.49]
        if not heard.size:
            return None
        first, last = ((float(level) - 0.5) / 0.1 * self.duration_s for level in (heard.min(), heard.max()))
        return max(0.0, first), min(self.duration_s, last + 1 / self.RATE_HZ)


class Oracle:
    """AN ORACLE, for the ceiling only: gives the annotated labels of what sounds, at its times; it hears a clock.

    With the same grounder, verifier, segmenter and tracker after it, it shows what is lost after the strategy. Of a
    short window it names what sounds in its middle, of a long one all that sounds in it; the evidence for each label is
    the share of the window in which it sounds.

    Attributes:
        script: the annotation of the clip that is asked about.
        clock: what stands in for the clip's audio.
    """

    script: Script
    clock: Clock

    def tell(self, script: Script) -> zsavs.AudioClip:
        """Turn to another clip; the audio to give to the pipeline in place of the clip's own."""
        self.script, self.clock = script, Clock(script.duration_s)
        return self.clock.audio

    def query(self, samples: Sequence[zsavs.AVSample]) -> list[zsavs.Query]:
        """The labels of what sounds in each sample's audio, all with the weight 1, and when, from its start."""
        return [self._query(self.clock.span(sample.audio)) for sample in samples]

    def _query(self, span: tuple[float, float] | None) -> zsavs.Query:
        if span is None:
            return zsavs.Query.nothing()
        begin, end = span
        middle = (begin + end) / 2
        labels = tuple(self.script.times)
        share = np.zeros(len(labels), np.float32)
        for row, times in enumerate(self.script.times.values()):
            if end - begin <= _SHORT_S:
                share[row] = any(on <= middle < off for on, off in times)
            else:
                share[row] = sum(max(0.0, min(off, end) - max(on, begin)) for on, off in times) / (end - begin)
        said = share > 0
        evidence = Evidence(labels, _CERTAIN * share, len(labels), 0.0, np.inf)
        return zsavs.Query(
            tuple(label for label, on in zip(labels, said, strict=True) if on),
            np.ones(int(said.sum()), np.float32),
            evidence=evidence,
        )


@dataclass
class Tally:
    """What was counted of one strategy with one tracker and one kind of sound.

    Args:
        js, j_and_fs: by group, J and J&F of every frame in which something in view sounds.
        shares: by group, the wrongly marked share of every other frame.
        switches, objects, tracks: switches of identity, objects that were followed, and tracks in the results.
        followed: when the tracks of each label sound, in view; heard: when each label is heard, in view or not.
        seconds, video_s: how long it took, and the length of the clips.
    """

    js: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    j_and_fs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    shares: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    switches: int = 0
    objects: int = 0
    tracks: int = 0
    followed: OnOff = field(default_factory=OnOff)
    heard: OnOff = field(default_factory=OnOff)
    seconds: float = 0.0
    video_s: float = 0.0

    def add(self, clip: MotionClip, result: VideoResult, seconds: float) -> None:
        """Count a clip.

        Raises:
            InputError: the result has another number of frames.
        """
        if len(result) != len(clip):
            raise InputError(f"{clip.name}: {len(clip)} frames were given and {len(result)} answered.")
        group, script = clip.script.group, clip.script
        truth, found = [], []
        for number, objects in enumerate(clip.objects):
            shown = {track.id: track.mask(number) for track, _ in result.shown(number)}
            masks = {key: mask for key, mask in shown.items() if mask is not None}
            marked = np.any(list(masks.values()), axis=0) if masks else np.zeros(objects.shape, np.bool_)
            target = clip.target(number)
            if target.any():
                j = jaccard(marked, target)
                self.js[group].append(j)
                self.j_and_fs[group].append((j + boundary_f(marked, target)) / 2)
            else:
                self.shares[group].append(false_positive_share(marked, target))
            here = {i: objects == i for i in script.sounding(number)}
            truth.append({i: mask for i, mask in here.items() if mask.any()})
            found.append(masks)
        identities = identity_switches(match_objects(truth, found))
        self.switches, self.objects = self.switches + identities.switches, self.objects + identities.objects
        self.tracks += len(result.tracks)
        in_view = {thing.label: thing.times for thing in script.things if thing.times}
        said = [(track.phrase, track.times) for track in result.tracks if len(track)]
        heard = list(zip(result.queries.phrases, result.queries.times or (), strict=False))
        self.followed.add(_by_label(list(in_view.items())), _by_label(said), script.duration_s)
        self.heard.add(_by_label(list(script.times.items())), _by_label(heard), script.duration_s)
        self.seconds, self.video_s = self.seconds + seconds, self.video_s + script.duration_s

    def mean(self, kind: str, group: str | None = None) -> float | None:
        """The mean of "js", "j_and_fs" or "shares" over the frames of a group, or of all; None without frames."""
        by_group = getattr(self, kind)
        values = by_group[group] if group else [value for each in by_group.values() for value in each]
        return fmean(values) if values else None


def _by_label(rows: Sequence[tuple[str, Times]]) -> dict[str, Times]:
    """When each label sounds, whatever its case and however many have it."""
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for label, times in rows:
        spans[label.casefold()] += times
    return {label: unite(times, gap_s=1e-6) for label, times in spans.items() if times}


def other_sound(dataset: OrchestraMotion, name: str) -> zsavs.AudioClip | None:
    """The sound of another clip, repeated or cut to the length of the clip ``name``.

    It is that of the first clip, half of the data set away, in which something sounds and nothing that is in the frames
    of this one, so that nothing is right by coincidence; None if there is no such clip.
    """
    names, script = list(dataset.scripts), dataset.scripts[name]
    start = names.index(name) + max(1, len(names) // 2)
    labels = {thing.label for thing in script.things}
    for step in range(len(names)):
        other = names[(start + step) % len(names)]
        if other != name and dataset.scripts[other].times and not labels & dataset.scripts[other].times.keys():
            audio = dataset.clip(other).audio
            wave = fit(audio.mono(), round(script.duration_s * audio.sample_rate_hz))
            return zsavs.AudioClip(wave[None], audio.sample_rate_hz)
    return None


def build(strategies: Sequence[str], options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The pipelines that can be built, the ceiling last, and a line for each of the others.

    Raises:
        InputError: none can be built.
    """
    find_preset(options["preset"])
    pipes, skipped = {}, []
    for name in strategies:
        try:
            pipes[name] = zsavs.build_pipeline(name, **options)
        except ZsavsError as error:
            skipped.append(f"Left out {name}: {error}")
    if not pipes:
        raise InputError(f"the preset {options['preset']!r} can run none of the strategies. {' '.join(skipped)}")
    return {**pipes, CEILING: zsavs.build_pipeline(Oracle(), **options)}, skipped


Key = tuple[str, str, str]


def measure(dataset: OrchestraMotion, pipes: Mapping[str, Any], trackers: Sequence[str]) -> dict[Key, Tally]:
    """Run every pipeline over every clip, with its own sound and, but for the ceiling, with another one's.

    Returns:
        The tallies by strategy, tracker and sound.
    """
    tallies: dict[Key, Tally] = defaultdict(Tally)
    for number, clip in enumerate(dataset.clips(), 1):
        other = other_sound(dataset, clip.name)
        for name, pipe in pipes.items():
            own = pipe.strategy.tell(clip.script) if name == CEILING else clip.audio
            for sound, audio in {"own": own, "another": None if name == CEILING else other}.items():
                for tracker in trackers if audio is not None else ():
                    start = time.perf_counter()
                    result = pipe.video(list(clip.frames), audio, fps=clip.fps, tracker=tracker)
                    tallies[name, tracker, sound].add(clip, result, time.perf_counter() - start)
        print(f"{number} of {len(dataset.scripts)} clips", file=sys.stderr)
    return dict(tallies)


def page(
    dataset: OrchestraMotion, tallies: Mapping[Key, Tally], skipped: Sequence[str], title: str, source: str
) -> Page:
    """The tables, and notes on how they are read."""
    columns = ["Strategy", "Tracker", "Sound", "J", "J&F", "FP", "Switches", "Per 20", "Events", "Segments", "Heard"]
    order = sorted(tallies, key=lambda key: (key[0] == CEILING, key[2] != "own"))
    rows, by_group = [], []
    for key in order:
        tally = tallies[key]
        own = key[2] == "own"
        cells = [*key, *(percent(tally.mean(kind)) for kind in ("js", "j_and_fs", "shares"))]
        per_20 = f"{20 * tally.switches / tally.objects:.2f}" if tally.objects else "–"
        f1s = (tally.followed.events_f1, tally.followed.segments_f1, tally.heard.events_f1)
        cells += [f"{tally.switches} in {tally.objects}", per_20, *map(_percent, f1s)] if own else [""] * 5
        rows.append(Row([Cell(text) for text in (*cells, f"{tally.seconds / tally.video_s:.2f}")]))
        if own:
            cells = [*key[:2], *(percent(tally.mean("js", group)) for group in dataset.groups)]
            cells += [percent(tally.mean("shares", group)) for group in dataset.groups]
            by_group.append(Row([Cell(text) for text in cells]))
    any_tally = next(iter(tallies.values()))
    frames = sum(map(len, any_tally.js.values())), sum(map(len, any_tally.shares.values()))
    blocks: list[Block] = [
        Table([*columns, "s/s"], rows, words=3),
        Paragraph(
            f"Percent, but for switches and seconds. J and J&F: means over the {frames[0]} frames in which something "
            f"in view sounds; FP: the wrongly marked share of the {frames[1]} others. Switches: of identity, among the "
            f"objects that were followed while they sound; Per 20: for twenty such objects. Events and Segments: F1 of "
            f"when the tracks of each label sound, by spans that begin and end within {COLLAR_S:g} s of the true ones, "
            f"and by segments of {SEGMENT_S:g} s; Heard: F1 of events of what is heard, off screen too. s/s: seconds "
            f"for a second of video of {any_tally.video_s:g} s in all."
        ),
        Paragraph(
            f"{CEILING}: the same grounder, verifier, segmenter and tracker, told which labels sound when. No strategy "
            f"is told. Sound of another clip: one in which nothing sounds that is in the frames, scored against the "
            f"targets of the frames' own sound."
        ),
        *map(Paragraph, skipped),
    ]
    heads = ["Strategy", "Tracker", *(f"J {group}" for group in dataset.groups)]
    heads += [f"FP {group}" for group in dataset.groups]
    return Page(
        title,
        f"zsavs {zsavs.__version__} on {len(dataset.scripts)} clips: {source}.",
        [Section("Results", blocks), Section("By group", [Table(heads, by_group, words=2)])],
    )


def _percent(value: float) -> str:
    return percent(None if np.isnan(value) else value)


def fresh(folder: Path, seed: int, each: int) -> Path:
    """Draw new clips.

    Raises:
        InputError: the generator lacks something; says what.
    """
    sys.path.insert(0, str(ROOT))
    try:
        from tools.orchestra.__main__ import write_clips

        write_clips(folder, seed, each)
    except (ImportError, OSError) as error:
        raise InputError(
            f"--fresh draws clips with tools/orchestra of a clone of the repository, which needs pyfluidsynth and "
            f"Debian's fluidsynth, fluid-soundfont-gm and fonts-noto-color-emoji: {error}"
        ) from error
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if it was done, 1 if not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--root", type=Path, metavar="DIR", help="a folder of clips; those of the package if left out")
    where.add_argument("--fresh", type=int, metavar="SEED", help="draw new clips, --each of a group")
    parser.add_argument(
        "--each", type=int, default=EACH, metavar="N", help="clips of a group for --fresh (%(default)s)"
    )
    parser.add_argument("--group", action="append", metavar="NAME", help="several times for several; all if left out")
    parser.add_argument("--preset", default="nano", help="which models (%(default)s)")
    parser.add_argument(
        "--strategy", action="append", metavar="NAME", help=f"several times for several; {', '.join(STRATEGIES)}"
    )
    parser.add_argument("--tracker", action="append", metavar="NAME", help="several times for several; associate")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the Markdown there, too")
    arguments = parser.parse_args(argv)
    options = {"preset": arguments.preset, "device": arguments.device}
    try:
        with tempfile.TemporaryDirectory(prefix="motion-") as temporary:
            root, source = arguments.root, f"the folder {arguments.root}"
            if arguments.fresh is not None:
                root = fresh(Path(temporary), arguments.fresh, arguments.each)
                source = f"fresh, seed {arguments.fresh}"
            elif root is None:
                source = "those that come with the package"
            dataset = OrchestraMotion(root, groups=arguments.group)
            pipes, skipped = build(list(dict.fromkeys(arguments.strategy or STRATEGIES)), options)
            tallies = measure(dataset, pipes, list(dict.fromkeys(arguments.tracker or ["associate"])))
            title = f"The orchestra in motion, preset {arguments.preset}"
            text = render(page(dataset, tallies, skipped, title, source), "markdown")
        print(text, end="")
        if arguments.out is not None:
            write_atomically(arguments.out, lambda file: file.write(text.encode()))
    except ZsavsError as error:
        print(f"motion: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("motion: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Rules of calibration compared: which sounds are heard, which are named wrongly, and what is heard in nothing.

    python benchmarks/calibration.py                                  # the simulated space, and nano on the orchestra
    python benchmarks/calibration.py --esc10 DIR --out calibration.md # and YAMNet on ESC-10's clips, DIR/CLASS/*.ogg

Prints Markdown. The first rule of a table is the one that zsavs had before, and "all of it" the library's own
(:func:`zsavs.calibration.scorers.standardise`); the others leave out one of its parts. All have the same threshold in a
table, but for the softmax, whose threshold is the middle between chance and certainty, and in nano's table, where each
has the one that was chosen for it on other scenes (tools/orchestra --seed 11 and 12).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simulated_space import RANGES, Space

from zsavs.algebra.log_linear_pooling import log_softmax
from zsavs.build import build_encoders
from zsavs.calibration.bank import synthetic_audio
from zsavs.calibration.scorers import AudioScorer, Usual, standardise
from zsavs.datasets.orchestra import Orchestra
from zsavs.errors import ZsavsError
from zsavs.language.vocabulary import load_vocabulary
from zsavs.media.audio_file import load_audio
from zsavs.presets import find_preset
from zsavs.report.blocks import Cell, Page, Row, Section, Table
from zsavs.report.render import render
from zsavs.storage.files import write_atomically
from zsavs.types import AudioClip

Rows = NDArray[np.floating[Any]]
#: (N, D) items, (K, D) texts and what is usual to (N, K) scores.
Rule = Callable[[Rows, Rows, Usual], Rows]

#: Of zsavs' labels of YAMNet, those that stand for nothing.
_NOTHING = ("Silence", "Sine wave", "Harmonic", "Chirp tone", "Pulse", "Noise", "Environmental noise", "Static")
_NOTHING += ("Mains hum", "White noise", "Pink noise", "Hum", "Inside, small room")
#: The folders of ESC-10, and YAMNet's label for each.
_ESC10 = {
    "dog_bark": "Dog",
    "rooster": "Crowing, cock-a-doodle-doo",
    "baby_cry": "Baby cry, infant cry",
    "person_sneeze": "Sneeze",
    "clock_tick": "Tick-tock",
    "rain": "Rain",
    "sea_waves": "Waves, surf",
    "fire_crackling": "Fire",
    "helicopter": "Helicopter",
    "chainsaw": "Chainsaw",
}
#: YAMNet's probabilities come in steps of 1/256: what is nearer to 0 or 1 than half a step is not known.
_STEP = 1 / 512


def of_each_label(items: Rows, text: Rows, usual: Usual) -> Rows:
    """The rule before: mean and deviation of each label over the bank, and the deviation of the space beside it."""
    similarity = usual.bank @ text.T
    deviation = np.sqrt(similarity.var(axis=0) + usual.bank.var(axis=0).mean())
    return np.asarray((items @ text.T - similarity.mean(axis=0)) / deviation)


def softmax(temperature: float) -> Rule:
    """``log(p sqrt(K))`` of each label among all labels and the texts for nothing, at a model's own temperature."""

    def rule(items: Rows, text: Rows, usual: Usual) -> Rows:
        everything = np.concatenate([text, usual.nothing])
        log_p = log_softmax(items @ everything.T - usual.offset(everything), temperature)
        return log_p[:, : len(text)] + 0.5 * np.log(len(everything))

    return rule


def without(**parts: Any) -> Rule:
    """The library's rule without a part, which is replaced."""
    return lambda items, text, usual: standardise(items, text, usual._replace(**parts))


def rules(dim: int) -> dict[str, Rule]:
    """The rules by name, for a space of ``dim`` dimensions."""
    none = np.zeros((0, dim))
    return {
        "mean and deviation of each label (before)": of_each_label,
        "offset and one deviation, no more": without(rivals=none, nothing=none),
        "without rivals": without(rivals=none),
        "without texts for nothing": without(nothing=none),
        "without blank items: their median as offset, no penalty for resembling them": without(blank=False),
        "all of it": standardise,
    }


def heard(scores: Rows, least: float, gap: float = 2.0, count: int = 3) -> NDArray[np.bool_]:
    """Which labels are heard in each item, (N, K): above a threshold, not far below the best, at most ``count``."""
    ranks = (-scores).argsort(axis=1, kind="stable").argsort(axis=1)
    near = scores >= scores.max(axis=1, keepdims=True) - gap
    return np.asarray((scores > least) & near & (ranks < count), np.bool_)


# --------------------------------------------------------------------------------- simulation
def simulated(name: str, least: float) -> Section:
    """The rules in a simulated space with low, middle or high cosines."""
    space = Space(RANGES[name])
    own = np.repeat(np.arange(len(space.labels)), 6)
    recordings = space.audio(space.labels[own])
    first, second = np.random.default_rng(7).integers(0, len(space.labels), (2, 600))
    apart = space.family[first] != space.family[second]
    pairs = np.stack([first, second], axis=1)[apart]
    mixtures = space.audio(space.labels[pairs].sum(axis=1) / 1.2)
    blanks = {kind: space.blank(kind, 150) for kind in space.blanks}
    unknown = space.audio(space.meanings(300))
    temperature = space.trained_temperature()

    def row(name: str, rule: Rule, least: float) -> Row:
        def labels(items: Rows) -> NDArray[np.bool_]:
            return heard(rule(items, space.text, space.usual), least)

        found = labels(recordings)
        right = found[np.arange(len(own)), own]
        wrong = (found & (space.family != space.family[own][:, None])).any(axis=1)
        shares = [right[space.kind[own] == kind] for kind in ("noise-like", "tone-like", "other")]
        both = np.take_along_axis(labels(mixtures), pairs, axis=1)
        nothing = [labels(items).any(axis=1) for items in (*blanks.values(), unknown)]
        return _row(name, [*shares, both, wrong, *nothing])

    cosines = {who: ", ".join(f"{value:.2f}" for value in values) for who, values in space.cosines().items()}
    table = Table(
        ["Rule", "Noise-like", "Tone-like", "Others", "Both of two", "Wrong", "Noise", "Tones", "Silence", "Unknown"],
        [
            *(row(rule, function, least) for rule, function in rules(space.text.shape[1]).items()),
            row(f"softmax at the trained temperature, {temperature:.3f}", softmax(temperature), 0.0),
        ],
        caption=(
            f"Cosines of a recording with its own label {cosines['own']}, with labels of other families "
            f"{cosines['others']} (5th, 50th and 95th percentile)."
        ),
    )
    return Section(f"Simulated space, {name} cosines", [table])


# -------------------------------------------------------------------------------------- YAMNet
def yamnet(folder: Path, least: float) -> Section:
    """The rules in the space of YAMNet's logits, on ESC-10's clips: the largest of each label over a clip's windows."""
    from zsavs.models.yamnet import YamnetTagger

    tagger = YamnetTagger.load()
    files = sorted(path for name in _ESC10 for path in (folder / name).glob("*.ogg"))
    truth = np.array([list(_ESC10).index(path.parent.name) for path in files])

    def logits(clips: Sequence[AudioClip]) -> Rows:
        windows = [np.clip(each, _STEP, 1 - _STEP) for each in tagger.tag_windows(clips)]
        return np.stack([np.log(each / (1 - each)).max(axis=0) for each in windows]).astype(np.float64)

    items = logits([load_audio(path) for path in files])
    unit = np.eye(len(tagger.labels))
    ten = unit[[tagger.labels.index(label) for label in _ESC10.values()]]
    nothing = [tagger.labels.index(label) for label in _NOTHING]
    labels = np.delete(unit, nothing, axis=0)
    usual = Usual(logits(synthetic_audio()), labels, labels, unit[nothing], blank=True)
    blanks = logits(_unseen_blanks())

    def row(name: str, rule: Rule, least: float) -> Row:
        scores, everything = rule(items, ten, usual), rule(items, unit, usual)
        own = scores[np.arange(len(truth)), truth]
        right, audible = scores.argmax(axis=1) == truth, own > least
        least_heard = min(float(audible[truth == number].mean()) for number in range(len(ten)))
        among_five = (everything > own[:, None]).sum(axis=1) < 5
        false = (rule(blanks, ten, usual) > least).any(axis=1)
        rain = right[truth == list(_ESC10).index("rain")]
        return _row(name, [right, rain, among_five, audible, least_heard, false])

    table = Table(
        ["Rule", "Top-1 of ten", "Rain", "Among the best 5 of 521", "Heard", "Least heard class", "Heard in blanks"],
        [
            row("raw logits", lambda items, text, usual: items @ text.T, 0.0),
            *(row(name, rule, least) for name, rule in rules(len(unit)).items()),
        ],
        caption=(
            f"{len(files)} clips of ten classes. Raw logits are heard above 0, a probability of a half. Blanks: "
            f"{len(blanks)} noises, tones, hums and silences that are not in the bank."
        ),
    )
    return Section("YAMNet on ESC-10", [table])


def _unseen_blanks() -> list[AudioClip]:
    """Noises, tones, hums and silences of five seconds, none of which is in the bank."""
    rng, rate = np.random.default_rng(5), 16_000
    time = np.arange(5 * rate) / rate
    waves: list[Any] = [np.zeros(len(time)), 1e-5 * rng.standard_normal(len(time))]
    for _ in range(8):
        waves.append(10 ** (rng.uniform(-50, -3) / 20) * rng.uniform(-1, 1, len(time)))
        slowed = np.cumsum(rng.standard_normal(len(time)))  # brown noise
        slowed -= np.linspace(slowed[0], slowed[-1], len(time))
        waves.append(10 ** (rng.uniform(-50, -3) / 20) * slowed / np.abs(slowed).max())
        waves.append(0.3 * np.sin(2 * np.pi * rng.uniform(60, 6000) * time))
    for _ in range(4):
        partials = [np.sin(2 * np.pi * 50 * k * time + rng.uniform(0, 6)) / k for k in range(1, 9)]
        waves.append(0.05 * np.sum(partials, axis=0) + 0.003 * rng.standard_normal(len(time)))
    return [AudioClip(wave[None].astype(np.float32), rate) for wave in waves]


# ------------------------------------------------------------------------------------- nano
def nano(root: Path | None, least: float) -> Section:
    """The rules with nano's CLAP, which ships a bank, on the audio of the orchestra."""
    dataset = Orchestra(root)
    scorer, labels = AudioScorer(build_encoders("nano")["audio_text"], "orchestra"), load_vocabulary("orchestra")
    text, usual = scorer.text(labels), scorer.usual
    items = list(dataset)
    rows = np.concatenate(
        [
            scorer.embed([dataset.load(item)[0].audio for item in items[start : start + 16]])
            for start in range(0, len(items), 16)
        ]
    )
    scenes = [dataset.scenes[item] for item in items]
    truth = np.array([[label in scene.heard for label in labels] for scene in scenes])
    blank = np.array([scene.group in ("silence", "noise") for scene in scenes])

    def row(name: str, rule: Rule, least: float) -> Row:
        found = heard(rule(rows, text, usual), least, 4.0)
        several = truth.sum(axis=1) > 1
        counts = [found[truth], found[several][truth[several]], truth[found] == 0, found[blank].any(axis=1)]
        return _row(name, counts)

    table = Table(
        ["Rule", "Sources heard", "Of several at once", "Heard wrongly", "Heard in silence and noise"],
        [row("mean and deviation of each label (before)", of_each_label, 1.1), row("all of it", standardise, least)],
        caption=f"{len(scenes)} scenes: {root or 'those that come with zsavs'}.",
    )
    return Section("nano's CLAP on the orchestra", [table])


def _row(name: str, shares: Sequence[Any]) -> Row:
    """A rule and its shares in percent; a mean over items, or one number."""
    return Row((Cell(name), *(Cell(f"{100 * float(np.mean(share)):.0f}") for share in shares)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 if it was printed."""
    parser = argparse.ArgumentParser(description="Rules of calibration compared")
    parser.add_argument("--esc10", type=Path, metavar="DIR", help="a folder of each class of ESC-10, with .ogg files")
    parser.add_argument("--root", type=Path, metavar="DIR", help="scenes of the orchestra; the package's if left out")
    parser.add_argument("--out", type=Path, help="a file to write the tables to as well")
    asked = parser.parse_args(argv)
    try:
        sections = [simulated(name, 3.0) for name in RANGES]
        if asked.esc10 is not None:
            sections.append(yamnet(asked.esc10, 3.0))
        sections.append(nano(asked.root, float(find_preset("nano").settings["min_z"])))
        page = Page("Rules of calibration", "Shares in percent; docs/calibration.md says what the parts are.", sections)
        text = render(page, "markdown")
        if asked.out is not None:
            write_atomically(asked.out, lambda file: file.write(text.encode()))
    except ZsavsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

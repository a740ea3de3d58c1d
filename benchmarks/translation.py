"""What translation brings where a label does not name the thing: general words, and words for the event.

    python benchmarks/translation.py --out benchmarks/translation.md
    python benchmarks/translation.py --translator openai:MODEL@http://localhost:8000/v1

Prints Markdown, two sections; ``--section`` prints one of them.

``general``: the tagger of preset nano says "Brass instrument" where it hears a trumpet: each of its labels is replaced
by the one above it in AudioSet's ontology, where AudioSet's 527 labels hold it. What is looked for is then the label as
it is, the phrase that the tables have for the label (strategy ``classify``), or its translation with what the image
shows (strategy ``translated``). The last two rows are with the tagger's own labels. J is the mean over the scenes of a
group, in percent; where nothing in view sounds, the share of the frame that is wrongly predicted.

``events``: the scenes of ``benchmarks/events``, in which two things could sound and one does. What is heard is the
scene's caption, "a clapper tolls", in place of a tagger, so that only translation is measured.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import zsavs
from zsavs.build import build_parts
from zsavs.datasets.orchestra import Orchestra
from zsavs.metrics.functional import false_positive_share, jaccard
from zsavs.report.blocks import Cell, Page, Row, Section, Table
from zsavs.report.render import render
from zsavs.report.values import percent
from zsavs.storage.files import write_atomically

#: The label above each in AudioSet's ontology. Telephone, applause and wave stand under labels that are no label of a
#: tagger, or under "Alarm" and "Water", which are.
ABOVE = {
    "piano": "Keyboard (musical)",
    "guitar": "Plucked string instrument",
    "banjo": "Plucked string instrument",
    "violin": "Bowed string instrument",
    "trumpet": "Brass instrument",
    "saxophone": "Wind instrument, woodwind instrument",
    "flute": "Wind instrument, woodwind instrument",
    "drum": "Percussion",
    "maracas": "Percussion",
    "accordion": "Musical instrument",
    "bell": "Musical instrument",
    "telephone": "Alarm",
    "helicopter": "Aircraft",
    "bird": "Animal",
    "wave": "Water",
}
EVENTS = Path(__file__).parent / "events"
GROUPS = ("single", "two", "three", "same_colours", "off_screen")


class General:
    """A tagger whose labels are replaced by more general ones; of several the surest stays.

    Args:
        tagger: the one that hears.
    """

    def __init__(self, tagger: Any) -> None:
        self.tagger = tagger

    def tag(self, clips: Sequence[zsavs.AudioClip]) -> list[list[tuple[str, float]]]:
        """For each clip the labels with probabilities, most probable first."""
        answers = []
        for tags in self.tagger.tag(clips):
            surest: dict[str, float] = {}
            for label, probability in tags:
                name = ABOVE.get(label, label)
                surest[name] = max(probability, surest.get(name, 0.0))
            answers.append(sorted(surest.items(), key=lambda tag: -tag[1]))
        return answers


def measured(pipe: zsavs.Pipeline, scenes: Orchestra) -> dict[str, float]:
    """The mean of each group."""
    by_group = defaultdict(list)
    items = list(scenes)
    for item, result in zip(items, pipe.map((scenes.load(item).sample for item in items), 8), strict=True):
        scene, target = scenes.scenes[item], scenes.load(item).target.mask
        score = jaccard if scene.sources else false_positive_share
        by_group[scene.group].append(score(result.mask, target))
    return {group: float(np.mean(values)) for group, values in by_group.items()}


class Told:
    """A tagger that hears what it is told; ``says`` is set for each scene."""

    says = ""

    def tag(self, clips: Sequence[zsavs.AudioClip]) -> list[list[tuple[str, float]]]:
        """For each clip what is told, for sure."""
        return [[(self.says, 1.0)] for _ in clips]


def measured_events(strategy: str, scenes: Orchestra, labels: bool, settings: Mapping[str, Any]) -> list[str]:
    """J in percent; the share of scenes in which just the source is looked for; seconds and tokens for each scene.

    Args:
        strategy: its name.
        scenes: of the group ``events``.
        labels: whether the source's label is told, and not the caption.
        settings: of the pipeline, beside what is told.
    """
    told = Told()
    pipe = zsavs.build_pipeline(strategy, "nano", "cpu", audio_tagger=told, **settings)
    scores, right, seconds, tokens = [], [], 0.0, 0
    for item in scenes:
        scene, (sample, target) = scenes.scenes[item], scenes.load(item)
        told.says = scene.sources[0] if labels else scene.event
        result = pipe(sample)
        scores.append(jaccard(result.mask, target.mask))
        right.append(result.queries.phrases == scene.sources)
        seconds += sum(result.timings.get(part, 0.0) for part in ("query", "translation"))
        tokens += result.meta.get("notes", {}).get("translation", {}).get("tokens", 0)
    count = len(scores)
    return [percent(np.mean(scores)), percent(np.mean(right)), f"{seconds / count:.2f}", f"{tokens / count:.0f}"]


def events(translator: str) -> Section:
    """The table of captions that name the event."""
    scenes = Orchestra(EVENTS)
    runs: dict[str, tuple[str, bool, dict[str, Any]]] = {
        "the caption, as it is": ("classify", False, {"table": str}),
        "the caption, by the tables": ("classify", False, {}),
        "the caption, translated by the rules": ("translated", False, {}),
        "the source's label, by the tables": ("classify", True, {}),
    }
    if translator:
        runs[f"the caption, translated by {translator}"] = ("translated", False, {"translator": translator})
    rows = []
    for name, (strategy, labels, settings) in runs.items():
        rows.append(Row((Cell(name), *map(Cell, measured_events(strategy, scenes, labels, settings)))))
    caption = (
        f"{len(scenes)} scenes. Right: just the source is looked for. Seconds until the query, and tokens, a scene."
    )
    head = ("What is heard", "J", "right", "seconds", "tokens")
    return Section("Captions that name the event", [Table(head, rows, caption=caption)])


def general(translator: str) -> Section:
    """The table of general words."""
    scenes = Orchestra(groups=list(GROUPS))
    general = {"audio_tagger": General(build_parts(["audio_tagger"], "nano", "cpu")["audio_tagger"])}
    asked = {"translator": translator} if translator else {}
    runs: dict[str, tuple[str, dict[str, Any]]] = {
        "general, as they are": ("classify", {**general, "table": str}),
        "general, by the tables": ("classify", general),
        f"general, translated by {translator or 'the rules'}": ("translated", {**general, **asked}),
        "its own, by the tables": ("classify", {}),
        f"its own, translated by {translator or 'the rules'}": ("translated", asked),
    }
    rows = []
    for name, (strategy, settings) in runs.items():
        scores = measured(zsavs.build_pipeline(strategy, "nano", "cpu", **settings), scenes)
        rows.append(Row((Cell(name), *(Cell(percent(scores[group])) for group in GROUPS))))
    table = Table(("Labels", *GROUPS), rows, caption="J in percent; off_screen: share of the frame wrongly predicted.")
    return Section("The orchestra in general words", [table])


SECTIONS = {"general": general, "events": events}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--translator", default="", help="NAME[:CHECKPOINT]; the rules if left out")
    parser.add_argument("--section", choices=SECTIONS, help="one of them; both if left out")
    parser.add_argument("--out", type=Path, help="write the page")
    arguments = parser.parse_args()
    chosen = [arguments.section] if arguments.section else list(SECTIONS)
    summary = "By `python benchmarks/translation.py`, preset nano."
    page = Page("Translation", summary, [SECTIONS[name](arguments.translator) for name in chosen])
    text = render(page, "markdown")
    sys.stdout.write(text)
    if arguments.out:
        write_atomically(arguments.out, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()

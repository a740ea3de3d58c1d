"""A toy world in which colours hum: hand-written parts with no weights, for teaching and for tests.

Each colour has a pitch (red hums at 300 Hz, ...). The parts below hear pitches, see colours and read colour words by
a few lines of arithmetic, and behind the verbs they stand exactly where CLAP, CLIP, a captioner, a detector and
SAM 2 stand. So a whole pipeline runs in milliseconds with nothing to download, and its answers mean something: a
strategy that ignores the sound is found out. On anything but toy scenes the parts are out of their world.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.models.detection import MOST, Found, as_proposals, keep_best, warn_of_left_out
from zsavs.models.inputs import check_counts
from zsavs.protocols import Judged, Pull, Sought, Translation
from zsavs.storage.weights import WeightCard
from zsavs.testing.toy_world import (
    COLOURS,
    DIM,
    NAMES,
    NEAR,
    PITCHES_HZ,
    colour_of,
    discs,
    distance,
    hear,
    picture_bank,
    rooted,
    scene,
    see,
    seen,
    shares_of_power,
    sound_bank,
    tone,
)
from zsavs.types import AudioClip, AVSample, Proposals, Query

__all__ = [
    "COLOURS",
    "PITCHES_HZ",
    "ToyAudioCaptioner",
    "ToyAudioText",
    "ToyCaptioner",
    "ToyGrounder",
    "ToyImageText",
    "ToyJoint",
    "ToyOmni",
    "ToyPeaks",
    "ToySegmenter",
    "ToySegments",
    "ToyTagger",
    "scene",
    "tone",
]

log = logging.getLogger(__name__)

_CARD = WeightCard(
    source="zsavs.testing.toy (hand-written, no weights)",
    licence="Apache-2.0",
    size_mb=0,
    trained_on="nothing",
    revision="built in",
    verified="this package",
)


class _ToyPart:
    """Every toy part loads from nothing and says what it is."""

    card = _CARD
    space = "toy"

    @classmethod
    def load(cls, checkpoint: str = "", **_: Any) -> _ToyPart:
        """Make the part; device and dtype do not concern it."""
        return cls()


def _named(text: str) -> NDArray[np.bool_]:
    """(6,) which colours a text names."""
    words = text.lower().replace(".", " ").split()
    return np.array([name in words for name in NAMES])


class _ToyText(_ToyPart):
    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """(K, 8) unit rows: the colours that the text names."""
        rows = np.zeros((len(phrases), DIM), np.float32)
        for row, phrase in zip(rows, phrases, strict=True):
            row[: len(NAMES)] = _named(phrase)
            row[-1] = not row.any()
        unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """(K, 6): the mean over a phrase's words, each of which enters as the colour that it names, or as zeros."""
        rows = np.zeros((len(words), len(NAMES)), np.float32)
        for row, phrase in zip(rows, words, strict=True):
            row[:] = _named(phrase) / max(len(phrase.split()), 1)
        return rows

    def encode_pseudo_words(self, prompt: str, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], Pull]:
        """(N, 8) unit rows: the colours that the prompt names and the vector holds, and the way back to the vector."""
        held = np.zeros((len(vectors), DIM))
        held[:, : len(NAMES)] = vectors + _named(prompt)
        held[:, -1] = ~held.any(axis=1)
        length = np.linalg.norm(held, axis=1, keepdims=True)
        rows = held / length

        def pull(gradient: NDArray[np.floating]) -> NDArray[np.float32]:
            across = gradient - (gradient * rows).sum(axis=1, keepdims=True) * rows
            return np.asarray((across / length)[:, : len(NAMES)], np.float32)

        return rows.astype(np.float32), pull


class ToyAudioText(_ToyText):
    """Sound and text in the toy space: where CLAP stands."""

    def __init__(self) -> None:
        super().__init__()
        self.sound_bank = sound_bank()

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        """(N, 8) unit rows: the square root of each pitch's share of the power; the rest is "no colour"."""
        return np.stack([hear(clip) for clip in clips]) if clips else np.zeros((0, DIM), np.float32)

    def encode_audio_tokens(self, clips: Sequence[AudioClip]) -> list[NDArray[np.float32]]:
        """(8, 1, 8) for each clip: what each pitch has of the power, the pitches apart; their mean is the whole."""
        return [(DIM * np.diag(np.square(hear(clip))))[:, None] for clip in clips]

    def project_audio_tokens(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 8) shares of the power to unit rows."""
        return rooted(tokens)


class ToyImageText(_ToyText):
    """Images and text in the toy space: where CLIP stands."""

    def __init__(self) -> None:
        super().__init__()
        self.picture_bank = picture_bank()

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """(N, 8) unit rows: the square root of each colour's share of the image; the rest is "no colour"."""
        return np.stack([see(image) for image in images]) if images else np.zeros((0, DIM), np.float32)

    def encode_image_tokens(self, images: Sequence[NDArray[np.uint8]], scale: float = 1.0) -> list[NDArray[np.float32]]:
        """(h, w, 8) for each image: each colour's share of each cell; at scale 1 they are 6 by 6, or fewer pixels."""
        grids = []
        for image in images:
            rows, columns = (np.array_split(np.arange(n), min(max(1, round(6 * scale)), n)) for n in image.shape[:2])
            colours = colour_of(image)
            grids.append(
                np.stack([[np.square(seen(colours[np.ix_(row, column)])) for column in columns] for row in rows])
            )
        return grids

    def project_image_tokens(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 8) shares of the image to unit rows."""
        return rooted(tokens)


class ToyJoint(ToyAudioText, ToyImageText):
    """Sound, images and text in the one toy space: where ImageBind stands."""


class ToyCaptioner(_ToyPart):
    """Says which colours cover at least half a percent of the image: where BLIP stands."""

    def caption(self, items: Sequence[NDArray[np.uint8]]) -> list[str]:
        """One sentence for each image."""
        sentences = []
        for image in items:
            share = np.bincount(colour_of(image).ravel() + 1, minlength=len(NAMES) + 1)[1:] / (image.size / 3)
            named = [f"a {NAMES[i]} thing" for i in np.argsort(-share, kind="stable") if share[i] > 0.005]
            sentences.append(f"a picture of {' and '.join(named) or 'nothing in particular'}")
        return sentences


class ToyTagger(_ToyPart):
    """Says which pitches are heard, and how surely: where AST stands."""

    def tag(self, clips: Sequence[AudioClip]) -> list[list[tuple[str, float]]]:
        """A label for each colour ("Red thing, humming") and "Silence", which is what no colour explains.

        Several can be sure at once: a pitch with a quarter of the power has a probability of 0.78.
        """
        answers = []
        for clip in clips:
            sure = 1 - np.exp(-6.0 * shares_of_power(clip))
            tags = [(f"{name.capitalize()} thing, humming", float(p)) for name, p in zip(NAMES, sure, strict=True)]
            answers.append(sorted([*tags, ("Silence", float(1 - sure.max()))], key=lambda tag: -tag[1]))
        return answers


class ToyAudioCaptioner(_ToyPart):
    """Says which pitches have at least a tenth of the sound's power: where an audio captioner stands."""

    def caption(self, items: Sequence[AudioClip]) -> list[str]:
        """One sentence for each clip."""
        sentences = []
        for clip in items:
            share = shares_of_power(clip)
            named = [f"a {NAMES[i]} thing" for i in np.argsort(-share, kind="stable") if share[i] > 0.1]
            sentences.append(f"{' and '.join(named)} humming" if named else "loud noise in the background")
        return sentences


class ToyOmni(_ToyPart):
    """Names the colours that are seen and heard, and says yes to an image of one that is: where Qwen-Omni stands."""

    def name_sources(self, samples: Sequence[AVSample]) -> list[Translation]:
        """For each sample the colours of its image whose pitches are in its audio."""
        answers = []
        for sample in samples:
            both = see(sample.image)[: len(NAMES)] * (shares_of_power(sample.audio) > 0.1)
            sources = [Sought(f"{NAMES[i]} thing", "humming", "it hums") for i in np.flatnonzero(both > 0.05)]
            answers.append(Translation(tuple(sources), {"by": "toy"}))
        return answers

    def judge(self, images: Sequence[NDArray[np.uint8]], clips: Sequence[AudioClip], phrases: Sequence[str]) -> Judged:
        """Log odds of 4 where the colour that covers most of an image hums in its clip, and of -4 where not."""
        odds = [
            4.0 if shares_of_power(clip)[see(image)[: len(NAMES)].argmax()] > 0.1 else -4.0
            for image, clip in zip(images, clips, strict=True)
        ]
        return Judged(np.array(odds, np.float32), 0)


class ToyGrounder(_ToyPart):
    """A box around each disc of the colours that a phrase names: where the detector stands.

    Args:
        max_boxes: the most boxes for one phrase; a warning says how many more there were.
    """

    def __init__(self, *, max_boxes: int = MOST) -> None:
        check_counts(self, max_boxes=max_boxes)
        self.max_boxes = max_boxes

    @classmethod
    def load(cls, checkpoint: str = "", *, max_boxes: int = MOST, **_: Any) -> ToyGrounder:
        """Make the grounder; device and dtype do not concern it."""
        return cls(max_boxes=max_boxes)

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """The boxes for each row of each query, from left to right; no pixels between two discs part them."""
        by_row = [
            [self._found(sample, phrase) for phrase in query.phrases]
            for sample, query in zip(samples, queries, strict=True)
        ]
        warn_of_left_out("toy", "max_boxes", self.max_boxes, (found.left_out for rows in by_row for found in rows))
        return [as_proposals(rows) for rows in by_row]

    def _found(self, sample: AVSample, phrase: str) -> Found:
        wanted = [i for i, name in enumerate(NAMES) if name in phrase.lower().split()]
        boxes = np.array(discs(np.isin(colour_of(sample.image), wanted)), np.float32).reshape(-1, 4)
        scores = np.full(len(boxes), 0.9, np.float32)
        return keep_best(boxes, scores, sample.size_hw, nms_iou=1.0, max_boxes=self.max_boxes)


class ToySegments(_ToyPart):
    """One box around each colour and one of plain ground, whatever is asked for: where class-agnostic proposals stand.

    Every region is offered to every row of the query, as it has no name yet.
    """

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """(C + 1) K boxes, region by region, for C visible colours and K rows."""
        found = []
        for sample, query in zip(samples, queries, strict=True):
            colours = colour_of(sample.image)
            height, width = sample.size_hw
            places = [np.nonzero(colours == index) for index in range(len(NAMES))]
            boxes = [[right.min(), down.min(), right.max() + 1, down.max() + 1] for down, right in places if len(down)]
            boxes.append([0, 0, max(1, width // 8), max(1, height // 8)])
            found.append(
                Proposals(
                    np.repeat(np.array(boxes, np.float32), len(query), axis=0),
                    np.full(len(boxes) * len(query), 0.9, np.float32),
                    np.tile(np.arange(len(query)), len(boxes)),
                )
            )
        return found


class ToyPeaks(_ToyPart):
    """One box around the colour at the highest cell of each row's map: where peaks asked of SAM 2 stand."""

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """At most one box for each row of each query; none for a row without a map, or one that points at ground."""
        found = []
        for sample, query in zip(samples, queries, strict=True):
            colours = colour_of(sample.image)
            boxes, sources = [], []
            for row in range(len(query)):
                if query.maps is None:
                    continue
                heights = query.maps[row]
                cells = [
                    np.array_split(np.arange(n), cells) for n, cells in zip(colours.shape, heights.shape, strict=True)
                ]
                down, right = np.unravel_index(int(heights.argmax()), heights.shape)
                there = colours[np.ix_(cells[0][down], cells[1][right])]
                named = there[there >= 0]
                if named.size:
                    lines, columns = np.nonzero(colours == np.bincount(named).argmax())
                    boxes.append([columns.min(), lines.min(), columns.max() + 1, lines.max() + 1])
                    sources.append(row)
            found.append(
                Proposals(
                    np.array(boxes, np.float32).reshape(-1, 4),
                    np.full(len(boxes), 0.9, np.float32),
                    np.array(sources, np.int64),
                )
            )
        return found


class ToySegmenter(_ToyPart):
    """The pixels of a box's most frequent colour: where SAM 2 stands."""

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        """(R, H, W) logits: inside from 8 for the pure colour down to 2, outside -8."""
        answers = []
        for sample, found in zip(samples, proposals, strict=True):
            colours = colour_of(sample.image)
            logits = np.full((len(found), *sample.size_hw), -8.0, np.float32)
            for row, (x0, y0, x1, y1) in zip(logits, found.boxes_xyxy.round().astype(int), strict=True):
                inside = colours[y0:y1, x0:x1]
                named = inside[inside >= 0]
                if named.size:
                    colour = int(np.bincount(named).argmax())
                    purity = 8 - 6 * distance(sample.image[y0:y1, x0:x1], colour) / NEAR
                    row[y0:y1, x0:x1] = np.where(inside == colour, purity, row[y0:y1, x0:x1])
            answers.append(logits)
        return answers

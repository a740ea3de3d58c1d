"""A joint space of unit vectors in which every truth is known, for the strategies that live in one.

Sounds, images and texts of a thing share a direction. Each modality has a place of its own (the gap between
modalities), each thing a quirk in each modality, each item noise; and everything real has something in common that
the bank's meaningless items lack, which is what makes a bare standardised cosine accept everything. A clip's first
samples and an image's first pixels spell its embedding's number, so that the encoder is a table.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.bank import Bank
from zsavs.protocols import Pull, Strategy, Verifier
from zsavs.types import AudioClip, AVSample, Proposals, Query

Rows = NDArray[np.float64]

NAMES = tuple(f"thing{number}" for number in range(40))
SILENT = tuple(f"furniture{number}" for number in range(30))
_ALL = (*NAMES, *SILENT)
_NUMBERS = {name: number for number, name in enumerate(_ALL)}
_DIM, _SHARED, _GAP = 192, 40, 1.2


@functools.cache
def _named(phrase: str) -> int:
    """Number of the thing that a text names first."""
    return next(_NUMBERS[word] for word in (word.strip(".") for word in phrase.split()) if word in _NUMBERS)


def unit(rows: Rows) -> Rows:
    length: Rows = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / length


class World:
    """A joint encoder and the items that it knows.

    Args:
        noise: of each item, as a share of what makes it the thing it is.
        quirk: of each thing in each modality, likewise.
        shift: what everything real shares beyond the bank's items, likewise.
    """

    space = "world"

    def __init__(self, seed: int = 0, noise: float = 1.0, quirk: float = 0.6, shift: float = 0.5) -> None:
        self.rng = np.random.default_rng(seed)
        basis = np.linalg.qr(self.rng.standard_normal((_DIM, _SHARED)))[0].T
        self.noise = noise
        self.things = unit(self.rng.standard_normal((len(_ALL), _SHARED))) @ basis
        self.gap = {m: _GAP * unit(self.rng.standard_normal(_DIM)) for m in ("text", "sound", "picture")}
        self.quirks = {m: quirk * unit(self.rng.standard_normal((len(_ALL), _DIM))) for m in self.gap}
        common = unit(self.rng.standard_normal(_SHARED)) @ basis
        self.shift = {"sound": shift * common, "picture": shift * common}
        self.texts = unit(self.gap["text"] + self.things + self.quirks["text"])
        self.rows: list[Rows] = []
        self.sound_bank = Bank(self._bank("sound", basis), "made up")
        self.picture_bank = Bank(self._bank("picture", basis), "made up")

    def _bank(self, modality: str, basis: Rows) -> NDArray[np.float32]:
        around = 0.3 * self.rng.standard_normal((40, _SHARED)) @ basis
        noise = self.noise * unit(self.rng.standard_normal((40, _DIM)))
        return unit(self.gap[modality] + 0.35 * around + noise).astype(np.float32)

    # ---------------------------------------------------------------------- items
    def _item(self, modality: str, names: Sequence[str]) -> int:
        """Number of a new item: a mixture of things, or of none."""
        which = [_ALL.index(name) for name in names]
        parts = [self.things[i] + self.quirks[modality][i] for i in which]
        meant = sum(parts, np.zeros(_DIM)) / np.sqrt(max(len(parts), 1)) + bool(parts) * self.shift[modality]
        noise = self.noise * unit(self.rng.standard_normal(_DIM))
        self.rows.append(unit(self.gap[modality] + meant + noise))
        return len(self.rows) - 1

    def sound(self, *names: str) -> AudioClip:
        """A new recording of things together; of nothing in particular without a name."""
        wave = np.zeros((1, 16_000), np.float32)
        wave[0, 0] = self._item("sound", names) / 4096
        return AudioClip(wave, 16_000)

    def patch(self, *names: str) -> NDArray[np.uint8]:
        """A new 20 x 20 image of things."""
        number = self._item("picture", names)
        return np.full((20, 20, 3), (number // 256, number % 256, 7), np.uint8)

    def sample(self, names: Sequence[str], sounding: Sequence[str]) -> tuple[AVSample, NDArray[np.float32]]:
        """Things beside each other, the sound of some, and the (R, 4) box of each."""
        image = np.concatenate([self.patch(name) for name in names], axis=1)
        boxes = np.array([[20 * i, 0, 20 * i + 20, 20] for i in range(len(names))], np.float32)
        return AVSample(image, self.sound(*sounding)), boxes

    # -------------------------------------------------------------------- encoder
    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        """The row that the first sample names."""
        return self._look_up([round(float(clip.waveform[0, 0]) * 4096) for clip in clips])

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The row that the middle pixel names."""
        middles = [image[image.shape[0] // 2, image.shape[1] // 2].astype(int) for image in images]
        return self._look_up([int(256 * red + green) for red, green, _ in middles])

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """The row of the thing that the text names."""
        return self.texts[[_named(phrase) for phrase in phrases]].astype(np.float32)

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """What a thing's word enters with: its direction and its quirk."""
        which = [_ALL.index(word) for word in words]
        return (self.things + self.quirks["text"])[which].astype(np.float32)

    def encode_pseudo_words(self, prompt: str, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], Pull]:
        """A text tower that can say anything: the vector in the place of texts. No prompt matters."""
        said = self.gap["text"] + vectors
        length = np.linalg.norm(said, axis=1, keepdims=True)
        rows = said / length
        return rows.astype(np.float32), lambda g: ((g - (g * rows).sum(1, keepdims=True) * rows) / length).astype(
            np.float32
        )

    def _look_up(self, numbers: list[int]) -> NDArray[np.float32]:
        return np.array([self.rows[number] for number in numbers], np.float32).reshape(-1, _DIM)


class Boxes:
    """A class-agnostic grounder that offers given boxes to every row."""

    def __init__(self, boxes_xyxy: NDArray[np.float32]) -> None:
        self.boxes = boxes_xyxy

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """R K proposals, region by region."""
        regions = len(self.boxes)
        return [
            Proposals(
                np.repeat(self.boxes, len(query), axis=0),
                np.full(regions * len(query), 0.9, np.float32),
                np.tile(np.arange(len(query)), regions),
            )
            for query in queries
        ]


def shares_taken(world: World, hear: Strategy, look: Verifier, scenes: int) -> dict[str, float]:
    """How often regions are taken in scenes of two things that can sound and one that cannot.

    Returns:
        Shares of "right", the sounding one, and "wrong", the others beside it; of all regions where the source is
        "off" the screen, and where "nothing" is heard.
    """
    found: dict[str, list[bool]] = {"right": [], "wrong": [], "off": [], "nothing": []}
    for _ in range(scenes):
        a, b, c = (NAMES[i] for i in world.rng.permutation(len(NAMES))[:3])
        silent = str(world.rng.choice(SILENT))
        for case, sounding in (("on", (a,)), ("off", (c,)), ("nothing", ())):
            sample, boxes = world.sample((a, b, silent), sounding)
            queries = hear.query([sample])
            (judged,) = look.verify([sample], queries, Boxes(boxes).ground([sample], queries))
            taken = [bool(judged.selected[judged.boxes_xyxy[:, 0] == 20 * i].any()) for i in range(3)]
            if case == "on":
                found["right"].append(taken[0])
                found["wrong"] += taken[1:]
            else:
                found[case] += taken
    return {case: float(np.mean(taken)) for case, taken in found.items()}

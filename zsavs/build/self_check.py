"""Whether checkpoints that are on this machine do what models do: ``zsavs doctor --deep``.

A broken checkpoint often loads, and then answers the same whatever it is asked. So each is asked two different things,
and its answers must differ. What must hold for any sane model is asked, and no more: the images are a disc on a plain
ground and two photographs that ship with zsavs, the clips a tone, noises and the like, made here. How good a model is,
benchmarks say.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from zsavs.build.availability import components_with_weights
from zsavs.errors import WeightsError, ZsavsError, first_line
from zsavs.language.vocabulary import load_vocabulary
from zsavs.media.image_file import load_image
from zsavs.presets import Part, find_preset
from zsavs.registry import find_component
from zsavs.storage.weights import SHIPPED, WeightCard, is_address, is_local
from zsavs.types import AudioClip, AVSample, Detections, Proposals, Query

__all__ = ["Finding", "check_checkpoints", "check_component"]

_RATE_HZ, _SECONDS = 48_000, 2.0
#: Height and width of the disc's image, its centre and radius, in pixels.
_SIDE, _CENTRE, _RADIUS = 240, 120, 60
#: At most so many labels of a preset's vocabulary.
_LABELS = 24
#: Two unit rows at this cosine, or above, are the same.
_SAME = 0.99999


@dataclass(frozen=True)
class Finding:
    """What was found about one checkpoint.

    Args:
        source: its name; of a single file, the file's.
        sound: whether all was as it must be.
        said: what was done and found, or what is wrong and what to do.
        seconds: what it took.
    """

    source: str
    sound: bool
    said: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.source}: {self.said} ({self.seconds:.1f} s)"


def check_checkpoints(presets: Sequence[str]) -> Iterator[Finding]:
    """Load each checkpoint of some presets that is on this machine, check it, and let go of it before the next.

    Args:
        presets: names; a checkpoint of several is checked once.

    Yields:
        A finding for each checkpoint, as soon as it is known.

    Raises:
        UnknownName: no such preset.
    """
    asked: dict[str, tuple[WeightCard, str, list[tuple[str, Part]]]] = {}
    for preset in presets:
        for role, part, card in components_with_weights(preset):
            kind = role.partition(".")[0]
            parts = asked.setdefault(card.source, (card, preset, []))[2]
            if (kind, part.name) not in [(known, other.name) for known, other in parts]:
                parts.append((kind, part))
    for card, preset, parts in asked.values():
        if is_local(card.source, card.revision, card.files):
            yield _finding(card, preset, parts)
            gc.collect()


def _finding(card: WeightCard, preset: str, parts: Sequence[tuple[str, Part]]) -> Finding:
    texts = load_vocabulary(find_preset(preset).vocabulary)[:_LABELS]
    source = unquote(card.source).rpartition("/")[2] if is_address(card.source) else card.source
    start = time.perf_counter()

    def finding(said: str, *, sound: bool = False) -> Finding:
        return Finding(source, sound, said, time.perf_counter() - start)

    said = []
    for kind, part in parts:
        try:
            component = _loaded(kind, part)
        except ZsavsError as error:  # says what to do
            return finding(first_line(error))
        try:
            said.append(check_component(kind, component, texts))
        except ZsavsError as error:
            return finding(f"{first_line(error)} {_remedy(card, preset)}")
        except Exception as error:  # whatever a library makes of broken weights
            return finding(f"{type(error).__name__}: {first_line(error)}. {_remedy(card, preset)}")
    return finding("; ".join(dict.fromkeys(said)), sound=True)


def _remedy(card: WeightCard, preset: str) -> str:
    """What to do about a checkpoint that is not sound."""
    if card.source.startswith(SHIPPED):
        return "Install zsavs again."
    name = preset if is_address(card.source) else card.source
    return f"Run: zsavs download {name}  (it compares checksums, and says which file is broken, if any)"


def _loaded(kind: str, part: Part) -> Any:
    """A component of its own, which nothing else in this process shares; that which it goes around as well."""
    cls = find_component(kind, part.name)
    settings = dict(part.settings)
    if part.around:
        settings[kind] = _loaded(kind, part.around)
    return cls.load(checkpoint=part.checkpoint, **settings)


# ------------------------------------------------------------------------------------ checks
def check_component(role: str, part: Any, texts: Sequence[str]) -> str:
    """Ask a component different things, and see whether its answers differ.

    Args:
        role: what it is, as in :data:`zsavs.registry.ROLES`.
        part: the component; the threshold of a grounder is set to 0, to see all of its boxes.
        texts: labels to embed, or for a grounder to ask for; at least two, all different.

    Returns:
        What was done and found, in a few words.

    Raises:
        WeightsError: the answers are the same, or cannot be those of a sane model; says how.
        ZsavsError: as the component.
    """
    check: Callable[[Any, Sequence[str]], str] = {
        "captioner": _check_captioner,
        "audio_captioner": _check_audio_captioner,
        "audio_tagger": _check_tagger,
        "grounder": _check_grounder,
        "segmenter": _check_segmenter,
        "tracker": _check_tracker,
        "omni": _check_omni,
    }.get(role, _check_encoder)
    return check(part, texts)


def _check_encoder(part: Any, texts: Sequence[str]) -> str:
    """Texts, and audio clips or images or both: each different from the others, and how near they are to each other."""
    rows = {"texts": _unit(part.encode_text(list(texts)), "texts")}
    distinct = len(np.unique(np.round(rows["texts"], 4), axis=0))
    said = [f"{distinct} of {len(texts)} texts differ"]
    if distinct <= len(texts) // 2:
        raise WeightsError(
            f"of {len(texts)} different texts it tells {distinct} apart; its tokenizer or its weights are broken."
        )
    if hasattr(part, "encode_audio"):
        rows["audio"] = _unit(part.encode_audio(list(_sounds().values())), "audio")
        _require_different(rows["audio"], "a tone and a noise")
        said.append("a tone and a noise differ")
    if hasattr(part, "encode_image"):
        rows["images"] = _unit(part.encode_image(list(_images().values())), "images")
        _require_different(rows["images"], "a disc and a photograph")
        said.append("two images differ")
    names = list(rows)
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            cosines = rows[one] @ rows[other].T
            said.append(
                f"cosines of {one} and {other} {cosines.min():.2f} to {cosines.max():.2f}, median "
                f"{np.median(cosines):.2f}"
            )
    return ", ".join(said)


def _unit(rows: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """The rows, if they are of unit length."""
    if not np.isfinite(rows).all() or not np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3):
        raise WeightsError(f"its embeddings of {what} are no rows of unit length; its weights are broken.")
    return rows


def _require_different(rows: NDArray[np.float32], what: str) -> None:
    """Refuse equal first two rows."""
    if rows[0] @ rows[1] >= _SAME:
        raise WeightsError(f"{what} have the same embedding; its weights are broken.")


def _check_captioner(part: Any, _texts: Sequence[str]) -> str:
    return _captions(part, list(_images().values()), "image")


def _check_audio_captioner(part: Any, _texts: Sequence[str]) -> str:
    return _captions(part, list(_sounds().values())[:2], "clip")


def _captions(part: Any, items: list[Any], what: str) -> str:
    captions = part.caption(items)
    worded = [caption for caption in captions if any(letter.isalpha() for letter in caption)]
    if not worded:
        raise WeightsError(f"it has no words for any of {len(items)} {what}s; its weights or tokenizer are broken.")
    return f"{len(worded)} of {len(items)} {what}s described, such as {worded[-1][:60]!r}"


def _check_tagger(part: Any, _texts: Sequence[str]) -> str:
    tone, noise = (dict(tags) for tags in part.tag(list(_sounds().values())[:2]))
    values = np.array([*tone.values(), *noise.values()])
    if not np.isfinite(values).all():
        raise WeightsError("its probabilities are no numbers; its weights are broken.")
    if max(abs(tone[label] - noise[label]) for label in tone) < 1e-4:
        raise WeightsError("a tone and a noise have the same labels; its weights are broken.")
    best = [max(tags, key=tags.__getitem__) for tags in (tone, noise)]
    return f"a tone is {best[0]!r}, a noise {best[1]!r}"


def _check_grounder(part: Any, texts: Sequence[str]) -> str:
    for name in ("threshold", "box_threshold"):
        if hasattr(part, name):
            setattr(part, name, 0.0)
    images = [AVSample(image, _sounds()["noise"]) for image in _images().values()][:2]
    answers = [
        [_answer(found) for found in part.ground(images, [Query((text,), np.ones(1, np.float32))] * len(images))]
        for text in texts[:2]
    ]
    one, other = answers
    if all(np.array_equal(a, b) for a, b in zip(one, other, strict=True)):
        raise WeightsError(
            f"it finds the same for {texts[0]!r} and for {texts[1]!r}; its tokenizer or its weights are broken."
        )
    if all(np.array_equal(found[0], found[1]) for found in answers):
        raise WeightsError("it finds the same in a disc and in a photograph; its weights are broken.")
    count = sum(len(found) for of_text in answers for found in of_text)
    return f"{count} boxes in two images, which depend on the phrase and on the image"


def _answer(found: Proposals) -> NDArray[np.float32]:
    """Boxes and scores as one table, in the order that they came."""
    return np.column_stack([found.boxes_xyxy, found.scores]).round(4)


def _check_segmenter(part: Any, _texts: Sequence[str]) -> str:
    image = _images()["disc"]
    box = np.array([[_CENTRE - _RADIUS, _CENTRE - _RADIUS, _CENTRE + _RADIUS, _CENTRE + _RADIUS]], np.float32)
    (logits,) = part.segment(
        [AVSample(image, _sounds()["noise"])], [Proposals(box, np.ones(1, np.float32), np.zeros(1, np.int64))]
    )
    if logits.shape != (1, _SIDE, _SIDE) or not np.isfinite(logits).all():
        raise WeightsError(f"a box gives a mask of {logits.shape}, not of the image's size, or with gaps.")
    mask = logits[0] > 0
    if not mask.any() or mask.all():
        raise WeightsError(f"the mask of a disc is {'the whole image' if mask.any() else 'empty'}.")
    disc = _disc()
    overlap = (mask & disc).sum() / (mask | disc).sum()
    return f"a box around a disc gives a mask, which overlaps with it by {overlap:.2f}"


def _check_tracker(part: Any, _texts: Sequence[str]) -> str:
    disc = _disc()
    frames = [np.roll(_images()["disc"], shift, axis=1) for shift in (0, 6, 12)]
    answer = part.track(frames, {0: Detections(disc[None], ("disc",), np.ones(1, np.float32))})
    if not len(answer[1]) or not answer[1].masks[0].any():
        raise WeightsError("a disc that moves on is lost in the next frame.")
    mask, there = answer[1].masks[0], np.roll(disc, 6, axis=1)
    overlap = (mask & there).sum() / (mask | there).sum()
    return f"a disc that moves is followed by a mask, which overlaps with it by {overlap:.2f}"


def _check_omni(part: Any, texts: Sequence[str]) -> str:
    sounds = list(_sounds().values())[:2]
    tone, noise = part.judge([_images()["cat"]] * 2, sounds, [texts[0]] * 2).log_odds
    if not np.isfinite([tone, noise]).all():
        raise WeightsError("its log odds are no numbers; its weights are broken.")
    if abs(tone - noise) < 1e-6:
        raise WeightsError("it judges a tone and a noise alike; its weights are broken.")
    return f"whether a cat is {texts[0]!r} that sounds has the log odds {tone:.2f} for a tone, {noise:.2f} for a noise"


# -------------------------------------------------------------------------------- what is asked
def _disc() -> NDArray[np.bool_]:
    down, right = np.mgrid[:_SIDE, :_SIDE]
    return np.asarray((down - _CENTRE) ** 2 + (right - _CENTRE) ** 2 < _RADIUS**2)


@cache
def _images() -> dict[str, NDArray[np.uint8]]:
    """A red disc on grey ground; two photographs that ship with zsavs; stripes; noise."""
    disc = np.where(_disc()[..., None], (220, 40, 40), (150, 150, 150)).astype(np.uint8)
    folder = resources.files("zsavs") / "data" / "photographs"
    stripes = np.broadcast_to(np.where(np.arange(_SIDE) // 20 % 2, 230, 30)[:, None, None], (_SIDE, _SIDE, 3))
    return {
        "disc": disc,
        "cat": load_image(str(folder / "cat.jpg")),
        "astronaut": load_image(str(folder / "astronaut.jpg")),
        "stripes": stripes.astype(np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8),
    }


@cache
def _sounds() -> dict[str, AudioClip]:
    """A tone; noise; a sweep; clicks; a buzz; two seconds each, at 48 kHz."""
    time_s = np.arange(round(_SECONDS * _RATE_HZ)) / _RATE_HZ
    waves = {
        "tone": 0.5 * np.sin(2 * np.pi * 440 * time_s),
        "noise": 0.2 * np.random.default_rng(0).standard_normal(len(time_s)),
        "sweep": 0.5 * np.sin(2 * np.pi * (200 + 900 * time_s) * time_s),
        "clicks": 0.9 * (time_s % 0.25 < 0.002),
        "buzz": 0.3 * np.sign(np.sin(2 * np.pi * 110 * time_s)),
    }
    return {name: AudioClip(wave[None].astype(np.float32), _RATE_HZ) for name, wave in waves.items()}

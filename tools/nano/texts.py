"""How the things are named in training: phrasings drawn at random, those of the library among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from zsavs.language.noun_phrases import noun_phrases
from zsavs.language.prompts import templates

__all__ = ["caption_quality", "listed", "random_texts"]

_BARE = ("{}", "a {}", "the {}", "one {}", "{}.")
_PHOTO = (*_BARE, "a photo of {}", "this is a {}", "a {} in the picture", "there is a {}")
_SOUND = (*_BARE, "a sound of {}", "{} playing", "i can hear a {}", "the noise of a {}")


def random_texts(kind: str, labels: Sequence[str], rng: np.random.Generator) -> list[str]:
    """One text for each label, each in a phrasing of its own.

    Args:
        kind: "photo" or "sound".
        labels: K names.
    """
    choices = (*templates(kind), *(_PHOTO if kind == "photo" else _SOUND))
    return [choices[int(rng.integers(len(choices)))].replace("{}", label) for label in labels]


def listed(labels: Sequence[str]) -> str:
    """Names as a sentence lists them: "a dog, a car and a bell"; equal ones once."""
    each = [f"{'an' if label[0] in 'aeiou' else 'a'} {label}" for label in dict.fromkeys(labels)]
    return " and ".join([", ".join(each[:-1]), each[-1]] if len(each) > 1 else each)


def caption_quality(captions: Iterable[str], labels: Iterable[Sequence[str]]) -> dict[str, float]:
    """Precision and recall of the names in captions of items whose names are known."""
    right = said = there = 0
    for caption, names in zip(captions, labels, strict=True):
        named, truth = set(noun_phrases(caption)), set(names)
        said, there, right = said + len(named), there + len(truth), right + len(named & truth)
    return {"precision": round(right / max(1, said), 4), "recall": round(right / there, 4)}

"""Names of one thing are one row, names of different things stay apart, in words and in any space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from zsavs.language.meanings import Meanings
from zsavs.language.vocabulary import load_vocabulary, vocabulary_names
from zsavs.language.word_forms import key_of

ONE_THING = (
    ("maracas", "maraca", "the maracas", "A Maraca"),
    ("glass", "glasses"),
    ("wine glass", "Wine-Glasses"),
    ("bus", "buses", "a bus"),
    ("scissors", "the scissors"),
    ("mouse", "mice"),
    ("baby", "babies"),
    ("cookie", "cookies"),
    ("potato", "potatoes"),
    ("shoe", "shoes"),
    ("church", "churches"),
    ("axe", "axes"),
    ("lens", "lenses"),
    ("taxi", "taxis"),
    ("wolf", "wolves"),
    ("glove", "gloves"),
    ("fireman", "firemen"),
    ("hair dryer", "hair_dryers"),
)
MANY_THINGS = (
    ("acoustic guitar", "electric guitar", "guitar"),
    ("dog", "wolf", "hot dog"),
    ("church bell", "bell"),
    ("bus", "bush"),
    ("glass", "grass"),
    ("bass", "base"),
    ("news", "new"),
    ("red car", "blue car", "car"),
    ("the", "a"),
)


@pytest.mark.parametrize("names", ONE_THING)
def test_one_thing_in_other_words_is_one_row(names: tuple[str, ...]) -> None:
    assert load_vocabulary([*names, "piano"]) == Meanings().distinct([*names, "piano"]) == (names[0], "piano")
    assert Meanings().same(names, names).all()


@pytest.mark.parametrize("names", MANY_THINGS)
def test_many_things_stay_many(names: tuple[str, ...]) -> None:
    assert load_vocabulary(names) == Meanings().distinct(names) == names


@pytest.mark.parametrize("name", vocabulary_names())
def test_no_shipped_vocabulary_names_a_thing_twice(name: str) -> None:
    labels = load_vocabulary(name)
    assert len(set(map(key_of, labels))) == len(labels)


def test_a_phrase_of_a_caption_is_what_it_is_without_its_looks() -> None:
    phrases = ["large brown dog", "dogs", "white dog", "dog", "acoustic guitar", "guitar"]
    assert Meanings().distinct(phrases, looks=True) == ("large brown dog", "white dog", "acoustic guitar", "guitar")
    assert Meanings().same(["brown dog"], ["dog", "white dog", "hot dog", "wolf"]).tolist() == [[True, *[False] * 3]]
    assert Meanings().same([], ["dog"]).shape == (0, 1)


# ------------------------------------------------------------------------------- in a space
DIM = 512


class Space:
    """Texts of random directions with a part in common; some names lie as near each other as they are told to."""

    def __init__(self, near: dict[str, tuple[str, float]], share: float = 1.0) -> None:
        self.near, self.share = near, share
        self.asked: list[str] = []

    def own(self, name: str) -> NDArray[np.float64]:
        own = np.random.default_rng(list(name.encode())).standard_normal(DIM) / np.sqrt(DIM)
        if name not in self.near:
            return np.asarray(own)
        other, cosine = self.near[name]
        return np.asarray(cosine * self.own(other) + np.sqrt(1 - cosine**2) * own)

    def __call__(self, names: Sequence[str]) -> NDArray[np.float64]:
        self.asked += names
        rows = np.array([self.share * self.own(name) for name in names]) + np.eye(DIM)[0]
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.mark.parametrize("share", [0.1, 0.5, 3.0])
def test_synonyms_are_one_row_in_spaces_of_low_and_high_cosines(share: float) -> None:
    space = Space(
        {"couch": ("sofa", 0.96), "electric guitar": ("acoustic guitar", 0.85), "settee": ("sofa", 0.8)}, share
    )
    meanings = Meanings(space)
    labels = ("sofa", "couch", "settee", "acoustic guitar", "electric guitar", "zebra")
    assert meanings.distinct(labels) == ("sofa", "settee", "acoustic guitar", "electric guitar", "zebra")
    assert meanings.same(["couch"], labels)[0].tolist() == [True, True, *[False] * 4]


def test_the_most_similar_of_all_different_labels_set_the_threshold() -> None:
    """Where a space can hardly tell a bell from a church bell, names as near each other mean nothing."""
    space = Space({"church bell": ("bell", 0.98), "couch": ("sofa", 0.96)})
    assert Meanings(space).distinct(["sofa", "couch", "bell", "church bell"]) == (
        "sofa",
        "couch",
        "bell",
        "church bell",
    )


def test_a_space_of_few_classes_merges_nothing() -> None:
    """To a classifier all that it has no class for is alike."""
    meanings = Meanings(lambda names: np.array([[1.0, 0.0] if "dog" in name else [0.0, 1.0] for name in names]))
    labels = ("zither", "erhu", "dog", "dog bowl")
    assert meanings.distinct(labels) == labels
    assert not meanings.same(["zither"], ["erhu"]).any()


def test_shipped_labels_are_not_embedded_to_be_told_apart() -> None:
    space = Space({})
    assert Meanings(space).distinct(load_vocabulary("everyday")) == load_vocabulary("everyday")
    assert not space.asked


def test_many_labels() -> None:
    labels = tuple(f"thing number {number}" for number in range(2000))
    space = Space({"thing number 1999": ("thing number 3", 0.97)})
    assert Meanings(space).distinct(labels) == labels[:-1]

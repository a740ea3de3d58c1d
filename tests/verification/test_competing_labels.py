"""No phrase competes with its own synonyms for a region."""

from __future__ import annotations

import numpy as np
import pytest
from joint_world import NAMES, SILENT, Boxes, World

from zsavs.language.meanings import Meanings
from zsavs.testing import toy
from zsavs.types import Query
from zsavs.verification.clip_rescoring import ClipVerifier
from zsavs.verification.competing_labels import competing
from zsavs.verification.joint_rescoring import JointVerifier


def test_synonyms_of_a_phrase_are_no_rivals_of_it() -> None:
    labels, places = competing(("dog", "wolf", "tree", "Pianos"), ("brown dog", "piano"), Meanings())
    assert labels == ("wolf", "tree", "brown dog", "piano")
    assert places.tolist() == [2, 3]


def test_of_phrases_that_mean_the_same_the_first_stands_for_all() -> None:
    labels, places = competing(("tree",), ("brown dog", "dog", "cat", "the dogs", "white dog"), Meanings())
    assert labels == ("tree", "brown dog", "cat", "white dog")
    assert places.tolist() == [1, 1, 2, 1, 3]


def test_no_phrases() -> None:
    labels, places = competing(("dog", "cat"), (), Meanings())
    assert (labels, places.tolist()) == (("dog", "cat"), [])


@pytest.mark.parametrize("phrase", ["red", "The red"])
def test_the_evidence_of_clip_is_the_same_with_synonyms_in_the_vocabulary(phrase: str) -> None:
    sample, _ = toy.scene(("red", "blue"), ("red",))
    query = Query((phrase,), np.ones(1, np.float32))
    found = toy.ToyGrounder().ground([sample], [query])
    plain, crowded = (
        ClipVerifier(toy.ToyImageText(), vocabulary).verify([sample], [query], found)[0]  # type: ignore[arg-type]
        for vocabulary in (["blue", "green"], ["red", "blue", "the red", "green", "a Red"])
    )
    assert len(found[0]) == 1
    assert crowded.evidence == pytest.approx(plain.evidence, abs=1e-6)


def test_the_evidence_in_a_joint_space_is_the_same_with_synonyms_in_the_vocabulary() -> None:
    world = World()
    sample, boxes = world.sample((NAMES[0], NAMES[1], SILENT[0]), (NAMES[0],))
    query = Query((NAMES[0],), np.ones(1, np.float32), world.encode_audio([sample.audio]), world.space)
    proposals = Boxes(boxes).ground([sample], [query])
    plain, crowded = (
        JointVerifier(world, vocabulary, silent=SILENT).verify([sample], [query], proposals)[0]
        for vocabulary in (NAMES, [f"the {NAMES[0]}", f"brown {NAMES[0]}", *NAMES])
    )
    assert crowded.evidence == pytest.approx(plain.evidence, abs=1e-3)
    assert crowded.selected.tolist() == [True, False, False]

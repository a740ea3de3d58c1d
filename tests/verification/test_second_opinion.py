"""Two opinions on a region: each alone at the ends, and in between the pool of both."""

from __future__ import annotations

import numpy as np
import pytest

import zsavs
from zsavs.errors import InputError
from zsavs.testing import check_verifier, toy
from zsavs.types import Query
from zsavs.verification.clip_rescoring import ClipVerifier
from zsavs.verification.joint_rescoring import JointVerifier
from zsavs.verification.second_opinion import SecondOpinion

COLOURS = tuple(toy.COLOURS)


def both(share: float) -> SecondOpinion:
    return SecondOpinion(toy.ToyJoint(), toy.ToyImageText(), COLOURS, silent=(), share=share)


def evidence(verifier: object) -> np.ndarray:
    """Of two coloured regions for two rows, of which one is heard."""
    sample, _ = toy.scene(("red", "blue"), ("red",))
    rows = np.repeat(toy.ToyJoint().encode_audio([sample.audio]), 2, axis=0)
    query = Query(("red", "blue"), np.ones(2, np.float32), rows, "toy")
    found = toy.ToySegments().ground([sample], [query])
    return verifier.verify([sample], [query], found)[0].evidence  # type: ignore[attr-defined, no-any-return]


def test_the_ends_are_the_opinions_and_the_middle_is_their_mean() -> None:
    joint = evidence(JointVerifier(toy.ToyJoint(), COLOURS, silent=()))
    clip = evidence(ClipVerifier(toy.ToyImageText(), COLOURS, silent=()))
    assert np.abs(joint - clip).max() > 0.1, "two equal opinions would show nothing"
    np.testing.assert_allclose(evidence(both(1.0)), joint, rtol=1e-6)
    np.testing.assert_allclose(evidence(both(0.0)), clip, rtol=1e-6)
    np.testing.assert_allclose(evidence(both(0.25)), 0.25 * joint + 0.75 * clip, rtol=1e-5)


def test_its_contract_and_its_limits() -> None:
    check_verifier(both(0.5))
    with pytest.raises(InputError, match=r"share is that of the joint evidence and lies in \[0, 1\], got 1.5"):
        both(1.5)


def test_it_is_built_by_name_and_set_by_name() -> None:
    pipe = zsavs.build_pipeline("text_bridged", "toy", verifier="second_opinion", **{"verifier.share": 0.7})
    assert pipe.verifier.share == 0.7
    sample, target = toy.scene(("red", "blue", "green"), ("red", "green"))
    assert np.array_equal(pipe(sample).mask, target)

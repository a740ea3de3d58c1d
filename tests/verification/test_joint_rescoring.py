"""Regions and audio in one space: absolute evidence, one source to a region, and no bias from the modality gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from joint_world import NAMES, SILENT, Boxes, World, unit
from numpy.typing import NDArray

from zsavs.errors import ContractError, InputError, UnknownName
from zsavs.testing import check_verifier, toy
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.joint_rescoring import JointVerifier

COLOURS = tuple(toy.COLOURS)
BOXES = np.array([[0, 0, 20, 20], [20, 0, 40, 20], [40, 0, 60, 20]], np.float32)


def verifier(world: World) -> JointVerifier:
    return JointVerifier(world, NAMES, silent=SILENT)


def heard(world: World, sample: AVSample, *names: str, weight: float = 0.9) -> Query:
    """The query of a strategy that finds the right labels: a row for each, all with the embedding of the whole clip."""
    rows = np.repeat(world.encode_audio([sample.audio]), len(names), axis=0)
    return Query(names, np.full(len(names), weight, np.float32), rows, world.space)


def judge(world: World, sample: AVSample, query: Query, boxes: NDArray[np.float32] = BOXES) -> Proposals:
    return verifier(world).verify([sample], [query], Boxes(boxes).ground([sample], [query]))[0]


def scenes(world: World, count: int) -> list[tuple[str, str, str, str]]:
    """Draws of three different sounding things and a silent one."""
    draws = []
    for _ in range(count):
        a, b, c = (NAMES[i] for i in world.rng.permutation(len(NAMES))[:3])
        draws.append((a, b, c, str(world.rng.choice(SILENT))))
    return draws


# ------------------------------------------------------------------------------- absolute
@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_the_sounding_thing_is_selected_and_its_neighbours_are_not(shift: float) -> None:
    """Whatever real sounds and images have in common that the bank lacks."""
    world = World(noise=0.8, shift=shift)
    right, wrong = [], []
    for a, b, _, silent in scenes(world, 60):
        sample, boxes = world.sample((b, a, silent), (a,))
        selected = judge(world, sample, heard(world, sample, a), boxes).selected
        right.append(selected[1])
        wrong += [selected[0], selected[2]]
    assert np.mean(right) > 0.9
    assert np.mean(wrong) < 0.03


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_an_off_screen_source_selects_nothing(shift: float) -> None:
    """However few the regions: a softmax over three of them would always take one."""
    world = World(noise=0.8, shift=shift)
    taken = []
    for a, b, c, silent in scenes(world, 60):
        sample, boxes = world.sample((a, b, silent), (c,))
        taken.append(judge(world, sample, heard(world, sample, c), boxes).selected.mean())
    assert np.mean(taken) < 0.03


def test_a_region_is_judged_by_itself() -> None:
    """Its evidence does not depend on which other regions there are."""
    world = World()
    a, b, _, silent = scenes(world, 1)[0]
    sample, boxes = world.sample((a, b, silent), (a,))
    query = heard(world, sample, a)
    together = judge(world, sample, query, boxes).evidence
    alone = [float(judge(world, sample, query, boxes[[i]]).evidence[0]) for i in range(3)]
    assert together == pytest.approx(alone, abs=1e-6)


def test_the_modality_gap_is_no_evidence() -> None:
    """Moving all images and their bank by the same vector leaves the evidence as it was."""
    answers = []
    for gap in (0.5, 4.0):
        world = World(seed=3)
        sample, boxes = world.sample((NAMES[1], NAMES[2], SILENT[0]), (NAMES[1],))
        query = heard(world, sample, NAMES[1])
        move = gap * unit(np.ones(192))
        world.rows = [row + move for row in world.rows]
        world.picture_bank = type(world.picture_bank)(world.picture_bank.embeddings + move.astype(np.float32), "moved")
        answers.append(judge(world, sample, query, boxes).evidence)
    assert answers[0] == pytest.approx(answers[1], abs=0.02)


# --------------------------------------------------------------------------------- naming
def test_of_two_sources_each_region_gets_its_own_label() -> None:
    world = World(noise=0.5, quirk=0.3, shift=0.0)
    hits = []
    for a, b, _, silent in scenes(world, 40):
        sample, boxes = world.sample((b, a, silent), (a, b))
        judged = judge(world, sample, heard(world, sample, a, b), boxes)
        hits.append(judged.selected.reshape(3, 2).tolist() == [[False, True], [True, False], [False, False]])
    assert np.mean(hits) > 0.85


def test_a_region_is_one_source_even_where_both_labels_fit() -> None:
    """A region of both things at once is selected under one name."""
    world = World(noise=0.4, quirk=0.3, shift=0.0)
    sample, boxes = world.sample((NAMES[0],), (NAMES[0], NAMES[1]))
    sample = AVSample(world.patch(NAMES[0], NAMES[1]), sample.audio)
    judged = judge(world, sample, heard(world, sample, *NAMES[:2]), boxes)
    assert judged.selected.sum() == 1


def test_the_second_best_label_loses_evidence_and_the_best_loses_none() -> None:
    world = World(noise=0.5, shift=0.0)
    sample, boxes = world.sample((NAMES[0], NAMES[1], SILENT[0]), (NAMES[0],))
    alone = judge(world, sample, heard(world, sample, NAMES[0]), boxes).evidence
    both = judge(world, sample, heard(world, sample, NAMES[0], NAMES[1]), boxes).evidence.reshape(3, 2)
    assert both[0, 0] == pytest.approx(alone[0], abs=1e-5)
    assert both[0, 1] < both[0, 0] - 1


def test_a_label_loses_its_distance_to_the_best_in_the_pool_by_inverse_entropy() -> None:
    """Computed by hand: log odds against the best name, from label scores weighted by inverse entropy."""
    world = World(noise=0.8, shift=0.0)
    look = verifier(world)
    names, labels = NAMES[:2], look.alternatives
    sample, boxes = world.sample((names[0], names[1], SILENT[0]), names)
    both = judge(world, sample, heard(world, sample, *names), boxes).evidence.reshape(3, 2)
    alone = np.stack([judge(world, sample, heard(world, sample, name), boxes).evidence for name in names], axis=1)
    said = look.audio_scorer.standardise(world.encode_audio([sample.audio]), labels)[0].astype(float)
    views = world.encode_image([sample.image[:, 20 * i : 20 * i + 20] for i in range(3)])
    shares = []
    for region, shown in enumerate(look.image_scorer.standardise(views, labels).astype(float)):
        doubt = []
        for scores in (said, shown):
            p = np.exp(scores / 0.35 - (scores / 0.35).max())
            p /= p.sum()
            doubt.append(-(p * np.log(p)).sum())
        shares.append(doubt[1] / (doubt[0] + doubt[1]))
        pooled = (shares[-1] * said + (1 - shares[-1]) * shown)[[labels.index(name) for name in names]] / 0.35
        assert alone[region] - both[region] == pytest.approx(pooled.max() - pooled, abs=1e-3)
    assert np.abs(np.array(shares) - 0.5).min() > 0.1, "the example tells these shares from equal ones"


def test_the_audio_counts_beside_its_labels() -> None:
    """Two sounds of one label with a mark that no text has: the region of the same mark fits its own sound better."""
    world = World(noise=0.5, shift=0.0)
    marks = np.linalg.qr(np.concatenate([world.texts, world.rng.standard_normal((2, 192))]).T)[0].T[-2:]
    sounds = [unit(world.gap["sound"] + world.things[0] + 0.8 * mark).astype(np.float32) for mark in marks]
    image = world.patch(NAMES[0])
    world.rows[-1] = unit(world.gap["picture"] + world.things[0] + 0.8 * marks[0])
    sample = AVSample(image, world.sound())
    own, other = (
        judge(world, sample, Query(NAMES[:1], np.ones(1, np.float32), sound[None], "world"), BOXES[:1]).evidence[0]
        for sound in sounds
    )
    assert own > other + 0.3


def test_the_phrase_in_other_letters_is_the_same_label() -> None:
    world = toy.ToyJoint()
    look = JointVerifier(world, COLOURS, silent=())
    sample = toy.scene(("red", "blue"), ("red",))[0]
    rows = world.encode_audio([sample.audio])
    found = toy.ToySegments().ground([sample], [Query(("red",), np.ones(1, np.float32))])
    answers = [
        look.verify([sample], [Query((word,), np.ones(1, np.float32), rows, "toy")], found)[0].evidence
        for word in ("red", "RED")
    ]
    assert np.array_equal(*answers)


def test_a_phrase_beyond_the_vocabulary_can_win() -> None:
    world = World(noise=0.8)
    look = JointVerifier(world, NAMES[5:], silent=SILENT)
    sample, boxes = world.sample((NAMES[0], NAMES[6], SILENT[0]), (NAMES[0],))
    query = heard(world, sample, NAMES[0])
    judged = look.verify([sample], [query], Boxes(boxes).ground([sample], [query]))[0]
    assert judged.selected.tolist() == [True, False, False]


def test_without_embeddings_the_phrase_is_judged() -> None:
    world = World(noise=0.8)
    right, wrong = [], []
    for a, b, _, silent in scenes(world, 40):
        sample, boxes = world.sample((a, b, silent), ())
        selected = judge(world, sample, Query((a,), np.ones(1, np.float32)), boxes).selected
        right.append(selected[0])
        wrong += selected[1:].tolist()
    assert np.mean(right) > 0.9
    assert np.mean(wrong) < 0.03


# -------------------------------------------------------------------------------- options
@pytest.mark.parametrize("what", ["view", "alignment", "decision", "assignment"])
def test_what_there_is_not_is_refused_with_what_there_is(what: str) -> None:
    with pytest.raises(UnknownName, match=rf"{what} of the joint verifier.*'best'"):
        JointVerifier(toy.ToyJoint(), COLOURS, silent=(), **{what: "best"})  # type: ignore[arg-type]


def test_a_blur_is_above_nothing() -> None:
    with pytest.raises(InputError, match="blur is a standard deviation in pixels, above 0, got 0"):
        JointVerifier(toy.ToyJoint(), COLOURS, silent=(), blur=0)


def test_audio_alone_and_text_alone_average_to_both() -> None:
    """The bridge is the mean of the two similarities, so its fit is the mean of theirs."""
    world = World(noise=0.5, shift=0.0)
    sample, boxes = world.sample((NAMES[0], NAMES[1], SILENT[0]), (NAMES[0],))
    query = heard(world, sample, NAMES[0])
    found = Boxes(boxes).ground([sample], [query])
    fits = [
        JointVerifier(world, NAMES, silent=SILENT, alignment=one).verify([sample], [query], found)[0].evidence
        for one in ("audio", "text", "bridged")
    ]
    np.testing.assert_allclose((fits[0] + fits[1]) / 2, fits[2], atol=1e-4)
    assert np.abs(fits[0] - fits[1]).max() > 0.1


def test_without_a_decision_no_row_loses_evidence_to_another() -> None:
    world = World(noise=0.5, shift=0.0)
    look = JointVerifier(world, NAMES, silent=SILENT, decision="none")
    sample, boxes = world.sample((NAMES[0], NAMES[1], SILENT[0]), (NAMES[0],))
    answers = []
    for names in (NAMES[:1], NAMES[:2]):
        query = heard(world, sample, *names)
        found = Boxes(boxes).ground([sample], [query])
        answers.append(look.verify([sample], [query], found)[0].evidence.reshape(3, -1)[:, 0])
    np.testing.assert_allclose(*answers, atol=1e-5)


def test_one_to_one_gives_a_row_one_region_and_shares_give_it_both() -> None:
    """Two instances of what sounds."""
    world = World(noise=0.4, quirk=0.3, shift=0.0)
    sample, boxes = world.sample((NAMES[0], NAMES[0], SILENT[0]), (NAMES[0],))
    query = heard(world, sample, NAMES[0])
    found = Boxes(boxes).ground([sample], [query])
    selected = {
        name: JointVerifier(world, NAMES, silent=SILENT, assignment=name).verify([sample], [query], found)[0].selected
        for name in ("greedy", "hungarian", "transport")
    }
    assert selected["greedy"].tolist() == [True, True, False]
    assert selected["transport"].tolist() == [True, True, False]
    assert selected["hungarian"].sum() == 1


@pytest.mark.parametrize("view", ["crop", "highlight", "both"])
def test_a_region_is_shown_as_asked(view: str) -> None:
    eyes = Recorder()
    look = JointVerifier(eyes, COLOURS, silent=(), view=view, margin=0.25, square=True)  # type: ignore[arg-type]
    _ = look.image_scorer.bank
    eyes.shown = []
    image = np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8)
    sample, query = AVSample(image, toy.tone("red")), Query(("red",), np.ones(1, np.float32))
    box = np.array([[40, 40, 80, 60]], np.float32)
    look.verify([sample], [query], Boxes(box).ground([sample], [query]))
    shapes = [shown.shape[:2] for shown in eyes.shown]
    assert shapes == {"crop": [(60, 60)], "highlight": [(100, 120)], "both": [(60, 60), (100, 120)]}[view]
    if view != "highlight":
        assert np.array_equal(eyes.shown[0], image[20:80, 30:90]), "as wide as high, and nothing blurred"


# --------------------------------------------------------------------------------- habits
def test_its_contract() -> None:
    check_verifier(JointVerifier(toy.ToyJoint(), COLOURS, silent=()))


class Recorder(toy.ToyJoint):
    """Keeps the images that it was given."""

    def __init__(self) -> None:
        self.shown: list[NDArray[np.uint8]] = []

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.shown += images
        return super().encode_image(images)


def test_a_region_of_several_rows_is_encoded_once_sharp_inside_and_blurred_around() -> None:
    eyes = Recorder()
    look = JointVerifier(eyes, COLOURS, silent=(), margin=0.25)
    _ = look.image_scorer.bank
    eyes.shown = []
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (100, 120, 3), dtype=np.uint8)
    sample = AVSample(image, toy.tone("red"))
    query = Query(("red", "blue", "green"), np.ones(3, np.float32))
    boxes = np.array([[40, 20, 80, 60], [0, 0, 20, 20]], np.float32)
    look.verify([sample], [query], Boxes(boxes).ground([sample], [query]))
    assert len(eyes.shown) == 2
    (view,) = (shown for shown in eyes.shown if shown.shape == (60, 60, 3))
    assert np.array_equal(view[10:50, 10:50], image[20:60, 40:80])
    assert view[:10].std() < image[10:20].std() / 3


def test_embeddings_of_another_space_are_refused() -> None:
    look = JointVerifier(toy.ToyJoint(), COLOURS, silent=())
    sample = toy.scene(("red",), ("red",))[0]
    query = Query(("red",), np.ones(1, np.float32), np.ones((1, 4), np.float32) / 2, "imagebind:x")
    with pytest.raises(
        ContractError, match=r"space 'imagebind:x'.*verifier's of 'toy'; give both the same joint encoder"
    ):
        look.verify([sample], [query], Boxes(BOXES).ground([sample], [query]))


def test_no_rows_no_regions_no_samples() -> None:
    look = JointVerifier(toy.ToyJoint(), COLOURS, silent=())
    sample = toy.scene(("red",), ("red",))[0]
    assert look.verify([], [], []) == []
    assert len(look.verify([sample], [Query.nothing()], [Proposals.nothing()])[0]) == 0
    query = Query(("red",), np.ones(1, np.float32))
    assert len(look.verify([sample], [query], [Proposals.nothing()])[0]) == 0


def test_one_label_alone_still_tells_its_region_from_others() -> None:
    look = JointVerifier(toy.ToyJoint(), ("red",), silent=())
    sample = toy.scene(("red", "blue"), ("red",))[0]
    query = Query(("red",), np.ones(1, np.float32), toy.ToyJoint().encode_audio([sample.audio]), "toy")
    judged = look.verify([sample], [query], toy.ToySegments().ground([sample], [query]))[0]
    assert judged.selected.tolist() == [True, False, False]


# ------------------------------------------------------------------------------- meanings
def test_a_row_with_a_meaning_is_compared_by_that_and_not_by_its_phrase() -> None:
    world = World(noise=0.5, shift=0.0)
    a, b = NAMES[:2]
    sample, boxes = world.sample((a, b, SILENT[0]), (a,))
    rows = world.encode_text([a, b])
    for name, meaning, region in ((a, rows[0], 0), (a, rows[1], 1), (b, rows[0], 0)):
        query = Query((name,), np.array([0.9], np.float32), space=world.space, meanings=meaning[None])
        assert judge(world, sample, query, boxes).selected.tolist() == [region == 0, region == 1, False]


def test_audio_and_meaning_both_count() -> None:
    world = World(noise=0.5, shift=0.0)
    a, b = NAMES[:2]
    sample, boxes = world.sample((a, b, SILENT[0]), (a,))
    heard_a = heard(world, sample, a)
    agrees, differs = (
        judge(world, sample, replace(heard_a, meanings=world.encode_text([name])), boxes).evidence for name in (a, b)
    )
    assert agrees[0] > differs[0] + 1
    assert differs[1] > agrees[1] + 1


def test_meanings_of_another_space_are_refused() -> None:
    world = World()
    sample, boxes = world.sample((NAMES[0],), (NAMES[0],))
    query = Query((NAMES[0],), np.array([0.9], np.float32), space="clip", meanings=np.eye(1, 192))
    with pytest.raises(ContractError, match="'clip' and the joint verifier's of 'world'"):
        judge(world, sample, query, boxes)

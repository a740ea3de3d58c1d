"""Textual inversion: a vector read as a word, the climb to what a sound means, and what keeps it honest."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from joint_world import NAMES, SILENT, Boxes, World, shares_taken, unit
from numpy.typing import NDArray
from small_banks import with_banks

import zsavs
from zsavs import testing
from zsavs.algebra.inversion import Inverted, centred_similarity, invert
from zsavs.errors import ContractError, InputError
from zsavs.protocols import PseudoWordEncoder, Pull
from zsavs.result import AVSResult
from zsavs.strategies.textual_inversion import TextualInversion
from zsavs.testing import toy
from zsavs.testing.tiny.joint import tiny_imagebind, tiny_pe_av
from zsavs.types import AVSample, Query
from zsavs.verification.joint_rescoring import JointVerifier

COLOURS = tuple(toy.COLOURS)
#: What strategies hear with here; the other things of the world have no label.
LABELS = NAMES[:28]
SETTINGS: dict[str, Any] = {"steps": 100, "step_size": 0.1, "bound": 0.5, "patience": 10}
#: Random weights answer at random: everything is heard.
EVERYTHING: dict[str, Any] = {"min_z": -100.0, "max_gap": 1e6, "top_k": 2, "steps": 12}


made_of_weights = pytest.mark.parametrize("make", [tiny_imagebind, tiny_pe_av])


# ------------------------------------------------------------- words that are given as vectors
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (toy.ToyJoint, ("red", "blue", "green")),
        (World, NAMES[:3]),
        (tiny_imagebind, ("dog", "cat", "violin")),
        (tiny_pe_av, ("dog", "cat", "violin")),
    ],
)
def test_a_token_embedding_is_encoded_as_its_word(make: Any, words: tuple[str, ...]) -> None:
    encoder = make()
    assert isinstance(encoder, PseudoWordEncoder)
    testing.check_pseudo_words(encoder, words)


class WrongWay(toy.ToyJoint):
    def encode_pseudo_words(self, prompt: str, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], Pull]:
        rows, pull = super().encode_pseudo_words(prompt, vectors)
        return rows, lambda above: -pull(above)


class ReadsNothing(toy.ToyJoint):
    def encode_pseudo_words(self, prompt: str, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], Pull]:
        return super().encode_pseudo_words(prompt, np.zeros_like(vectors))


@pytest.mark.parametrize(("broken", "says"), [(WrongWay(), "is the gradient"), (ReadsNothing(), "row of its spelling")])
def test_the_check_finds_out_what_is_wrong(broken: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        testing.check_pseudo_words(broken, ("red", "blue"))


@made_of_weights
def test_a_word_of_several_tokens_is_their_mean(make: Any) -> None:
    encoder = make()
    violin, dog, both = encoder.embed_words(["violin", "dog", "violin dog"])
    assert both == pytest.approx((violin + dog) / 2, abs=1e-6)


@pytest.fixture(scope="module", params=[tiny_imagebind, tiny_pe_av])
def unchanged(request: pytest.FixtureRequest) -> Any:
    """An encoder that no test changes."""
    return request.param()


@pytest.mark.parametrize("prompt", ["a sound", "{} and {}", "two {}s", "re{}", "a sound " * 600 + "of {}"])
def test_a_prompt_without_a_place_for_one_word_is_refused(unchanged: Any, prompt: str) -> None:
    with pytest.raises(InputError, match=r"use a shorter, plainer prompt|must hold one \{\}"):
        unchanged.encode_pseudo_words(prompt, unchanged.embed_words(["dog"]))


def test_gradients_flow_whatever_the_caller_switched_off() -> None:
    encoder = tiny_imagebind()
    vectors = encoder.embed_words(["dog"])
    with torch.inference_mode():
        rows, pull = encoder.encode_pseudo_words("a sound of {}", vectors)
        assert np.abs(pull(np.ones_like(rows))).max() > 0
        assert torch.is_inference_mode_enabled()


# ---------------------------------------------------------------------------------- the climb
def climb(world: World, numbers: list[int], targets: NDArray[np.float64], **settings: Any) -> list[Inverted]:
    start = world.embed_words([NAMES[number] for number in numbers])
    return invert(world, "a sound of {}", start, targets, world.gap["text"], **(SETTINGS | settings))


def directions(count: int, seed: int = 0) -> NDArray[np.float64]:
    return unit(np.random.default_rng(seed).standard_normal((count, 192)))


def test_it_climbs_and_stays_within_the_bound() -> None:
    world, targets = World(), directions(4)
    gains = []
    for bound in (0.0, 0.1, 0.5, 2.0):
        words = climb(world, [0, 1, 2, 3], targets, bound=bound)
        start = world.embed_words(NAMES[:4])
        away = np.linalg.norm(np.stack([word.vector for word in words]) - start, axis=1)
        assert (away <= bound * np.linalg.norm(start, axis=1) * (1 + 1e-5)).all()
        reached = centred_similarity(
            world.encode_pseudo_words("", np.stack([word.vector for word in words]))[0], world.gap["text"], targets
        )
        assert reached == pytest.approx([word.similarity for word in words], abs=1e-5), "it says what it reached"
        gains.append(np.mean([word.similarity - word.start for word in words]))
    assert gains[0] == pytest.approx(0, abs=1e-6)
    assert gains[1] > 0.02
    assert (np.diff(gains) > 0.05).all(), "a wider bound reaches more"
    assert gains[3] > 0.8, "and a wide enough one anything at all: why there is a bound"


def test_it_reaches_the_best_point_of_the_ball() -> None:
    """In this world the best of a ball is known: the vector turned as far to the target as the radius allows."""
    world, targets = World(), directions(3)
    world.gap = {name: 0 * gap for name, gap in world.gap.items()}
    for number, (bound, start) in enumerate(zip((0.2, 0.4, 0.6), world.embed_words(NAMES[:3]), strict=True)):
        (word,) = climb(world, [number], targets[[number]], bound=bound)
        angle = np.arccos(unit(start.astype(float)) @ targets[number]) - np.arcsin(bound)
        assert word.similarity == pytest.approx(np.cos(angle), abs=0.01)


def test_it_stops_early_and_keeps_the_best() -> None:
    world = World()
    there = world.embed_words(NAMES[:1]).astype(float)
    patient, hasty = (climb(world, [0], directions(1), patience=patience)[0] for patience in (1000, 3))
    assert patient.steps == SETTINGS["steps"]
    assert hasty.steps < patient.steps
    assert hasty.similarity > patient.similarity - 0.03
    (arrived,) = climb(world, [0], unit(world.encode_pseudo_words("", there)[0] - world.gap["text"]))
    assert arrived.steps == SETTINGS["patience"]
    assert arrived.similarity == pytest.approx(1, abs=1e-4)
    assert climb(world, [0], directions(1), steps=0)[0].steps == 0


def test_a_word_that_has_stopped_is_not_computed() -> None:
    asked: list[int] = []

    class Counting(World):
        def encode_pseudo_words(self, prompt: str, vectors: Any) -> Any:
            asked.append(len(vectors))
            return super().encode_pseudo_words(prompt, vectors)

    world = Counting()
    there = unit(world.encode_pseudo_words("", world.embed_words(NAMES[:1]))[0] - world.gap["text"])
    asked.clear()
    words = climb(world, [0, 1], np.concatenate([there, directions(1)]))
    assert words[0].steps < words[1].steps
    assert set(asked) == {2, 1}
    assert sum(asked) == sum(word.steps + 1 for word in words)


def test_words_of_a_batch_do_not_mix() -> None:
    world, targets = World(), directions(5)
    together = climb(world, [0, 1, 2, 3, 4], targets)
    for number, word in enumerate(together):
        (alone,) = climb(world, [number], targets[[number]])
        assert alone.steps == word.steps
        assert alone.vector == pytest.approx(word.vector, abs=1e-6)


# ------------------------------------------------------------------------------- the strategy
def report(query: Query) -> dict[str, Any]:
    found: dict[str, Any] = query.notes["test_time_optimisation"]
    return found


def test_steps_seconds_and_nearest_words_are_in_the_result() -> None:
    pipe = zsavs.build_pipeline("textual_inversion", preset="toy", device="cpu")
    result = pipe(toy.scene(("red", "blue"), ("red", "blue"))[0])
    spent = result.meta["notes"]["test_time_optimisation"]
    assert {word["label"] for word in spent["words"]} == {"red", "blue"}
    assert spent["steps"] == sum(word["steps"] for word in spent["words"]) > 0
    assert result.timings["test_time_optimisation"] > 0
    for word in spent["words"]:
        assert next(iter(word["nearest"])) == word["label"]
        assert len(word["nearest"]) == 3
        assert list(word["nearest"].values()) == sorted(word["nearest"].values(), reverse=True)
        assert word["similarity"]["word"] >= word["similarity"]["start"]
    assert AVSResult.load(result.to_json()).meta == json.loads(json.dumps(dict(result.meta)))
    silent = pipe(toy.scene(("red", "blue"), ())[0])
    assert silent.meta["notes"]["test_time_optimisation"] == {"steps": 0, "words": []}
    assert silent.timings["test_time_optimisation"] == 0
    others = zsavs.build_pipeline("joint_embedding", preset="toy", device="cpu")
    other = others(toy.scene(("red",), ("red",))[0])
    assert "notes" not in other.meta
    assert "test_time_optimisation" not in other.timings


@made_of_weights
def test_no_weight_changes_and_none_gets_a_gradient(make: Any) -> None:
    encoder = with_banks(make(), "sound_bank")
    before = {name: value.clone() for name, value in encoder.model.state_dict().items()}
    (query,) = TextualInversion(encoder, COLOURS, **EVERYTHING).query(testing.example_samples()[:1])
    assert report(query)["steps"] > 0
    for name, value in encoder.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    for parameter in encoder.model.parameters():
        assert not parameter.requires_grad
        assert parameter.grad is None


@made_of_weights
def test_chance_and_company_change_nothing(make: Any) -> None:
    """Whatever the state of the global generators, and however many words share a batch."""
    samples = testing.example_samples()[1:4]
    answers = []
    for seed, batch_size in ((0, 16), (1, 16), (2, 1), (3, 4)):
        with torch.random.fork_rng():
            torch.random.manual_seed(seed)
            strategy = TextualInversion(with_banks(make(), "sound_bank"), COLOURS, batch_size=batch_size, **EVERYTHING)
            answers.append(np.concatenate([query.meanings for query in strategy.query(samples) if len(query)]))
    assert np.array_equal(answers[0], answers[1])
    for answer in answers[2:]:
        assert answer == pytest.approx(answers[0], abs=1e-4)


def test_silence_costs_nothing() -> None:
    """Evidence comes before the optimisation: where nothing is heard, no word is made up."""

    class Unasked(toy.ToyJoint):
        def encode_pseudo_words(self, prompt: str, vectors: Any) -> Any:
            pytest.fail("a word was made up for silence")

    sample = toy.scene(("red", "blue"), ())[0]
    assert len(TextualInversion(Unasked(), COLOURS).query([sample])[0]) == 0


class Fickle(World):
    """In the prompt that words are optimised in a vector says anything at all, in others nothing but its noise."""

    def encode_pseudo_words(self, prompt: str, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], Pull]:
        heard = vectors if "sound" in prompt else np.roll(vectors, 7, axis=1)
        return super().encode_pseudo_words(prompt, heard)


@pytest.mark.parametrize(("kind", "kept"), [(World, "word"), (Fickle, "label")])
def test_the_label_takes_the_place_of_a_word_without_meaning(kind: type[World], kept: str) -> None:
    """The control: a word that means the sound only in the prompt that it was optimised in is no word."""
    world = kind(noise=0.6, shift=0.0)
    sample, _ = world.sample((NAMES[3], NAMES[4]), (NAMES[3],))
    (query,) = TextualInversion(world, LABELS).query([sample])
    (word,) = report(query)["words"]
    assert query.phrases == (NAMES[3],)
    assert word["similarity"]["word"] > word["similarity"]["label"] + 0.02, "it reached more where it was optimised"
    assert word["kept"] == kept
    assert (word["control"]["word"] > word["control"]["label"]) == (kept == "word")
    assert query.meanings is not None
    assert np.allclose(query.meanings[0], world.encode_text([NAMES[3]])[0], atol=1e-6) == (kept == "label")


def test_an_encoder_that_takes_no_token_embeddings_says_what_is_missing() -> None:
    class NoWords:
        space = "toy"
        encode_audio, encode_image = toy.ToyJoint.encode_audio, toy.ToyJoint.encode_image
        encode_text, embed_words = toy.ToyJoint.encode_text, toy.ToyJoint.embed_words

    with pytest.raises(ContractError, match=r"NoWords takes none: it has no encode_pseudo_words \(zsavs\.protocols"):
        TextualInversion(NoWords(), COLOURS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings", [{"steps": -1}, {"patience": 0}, {"batch_size": 0}, {"step_size": 0.0}, {"bound": float("nan")}]
)
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="textual_inversion: steps and bound"):
        TextualInversion(toy.ToyJoint(), COLOURS, **settings)


# ------------------------------------------------------------------------- what it is good for
def stranger_scenes(world: World, count: int) -> list[tuple[AVSample, NDArray[np.float32]]]:
    """A thing that is partly a label's and partly what no label says; beside it the label's own thing, and silent."""
    scenes = []
    boxes = np.array([[0, 0, 20, 20], [20, 0, 40, 20], [40, 0, 60, 20]], np.float32)
    for _ in range(count):
        label, stranger = NAMES[world.rng.integers(28)], NAMES[28 + world.rng.integers(12)]
        views = [world.patch(label, stranger), world.patch(label), world.patch(str(world.rng.choice(SILENT)))]
        scenes.append((AVSample(np.concatenate(views, axis=1), world.sound(label, stranger)), boxes))
    return scenes


def surest(world: World, sample: AVSample, query: Query, boxes: NDArray[np.float32]) -> int:
    (judged,) = JointVerifier(world, LABELS, silent=SILENT).verify(
        [sample], [query], Boxes(boxes).ground([sample], [query])
    )
    return int(judged.boxes_xyxy[judged.scores.argmax(), 0]) // 20


def test_a_sound_between_labels_is_matched_better_by_its_word_and_found() -> None:
    """The best label leads to the label's own silent thing; its sound beside it helps half of the time."""
    world = World(noise=0.5, quirk=0.3, shift=0.0)
    strategy = TextualInversion(world, LABELS, bound=0.5)
    hits: dict[str, list[bool]] = {"word": [], "label": [], "sound and label": []}
    for sample, boxes in stranger_scenes(world, 50):
        (query,) = strategy.query([sample])
        if len(query) != 1:
            continue
        (word,) = report(query)["words"]
        assert word["similarity"]["word"] > word["similarity"]["label"] + 0.05
        cases = {
            "word": query,
            "label": replace(query, embeddings=None, meanings=None, space=None),
            "sound and label": replace(query, meanings=None),
        }
        for case, asked in cases.items():
            hits[case].append(surest(world, sample, asked, boxes) == 0)
    shares = {case: np.mean(found) for case, found in hits.items()}
    assert len(hits["word"]) > 30
    assert shares["word"] > 0.8, shares
    assert shares["label"] < 0.2, shares
    assert shares["word"] > shares["sound and label"] + 0.2, shares


@pytest.mark.parametrize(("shift", "wrong", "off"), [(0.0, 0.02, 0.02), (0.5, 0.03, 0.03), (1.0, 0.1, 0.1)])
def test_in_a_noisy_space_it_finds_what_sounds_and_abstains_off_screen(shift: float, wrong: float, off: float) -> None:
    """The last case shares as much between all real items as makes a thing what it is: words pick some of it up."""
    world = World(noise=0.8, shift=shift)
    shares = shares_taken(world, TextualInversion(world, NAMES), JointVerifier(world, NAMES, silent=SILENT), scenes=40)
    assert shares["right"] > 0.85, shares
    assert shares["wrong"] < wrong, shares
    assert shares["off"] < off, shares
    assert shares["nothing"] == 0, shares

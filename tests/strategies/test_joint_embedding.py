"""Joint embedding, whole: regions are compared with the audio, and nothing is found where none fits it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from joint_world import NAMES, SILENT, World, shares_taken
from small_banks import with_banks

import zsavs
from zsavs import testing
from zsavs.metrics.functional import jaccard
from zsavs.pipeline import Pipeline
from zsavs.strategies.joint_embedding import JointEmbedding
from zsavs.testing import toy
from zsavs.testing.tiny.joint import tiny_imagebind
from zsavs.types import AudioClip
from zsavs.verification.joint_rescoring import JointVerifier

JOINT = ("joint_embedding", "text_bridged", "textual_inversion")
each = pytest.mark.parametrize("name", JOINT)


def pipeline(name: str) -> Pipeline:
    return zsavs.build_pipeline(name, preset="toy", device="cpu")


def noise(dbfs: float) -> AudioClip:
    wave = 10 ** (dbfs / 20) * np.random.default_rng(0).standard_normal((1, 32_000))
    return AudioClip(np.clip(wave, -1, 1).astype(np.float32), 16_000)


# ---------------------------------------------------- the strategies of a joint space, in the toy world
@each
@pytest.mark.parametrize("sounding", ["red", "blue", "green"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_right_one_of_three(name: str, sounding: str, seed: int) -> None:
    sample, target = toy.scene(("red", "blue", "green"), (sounding,), seed=seed)
    result = pipeline(name)(sample)
    assert result.phrases == (sounding,)
    assert jaccard(result.mask, target) > 0.97


@each
@pytest.mark.parametrize("sounding", [("red", "green"), ("blue", "green"), ("red", "blue"), ("red", "blue", "green")])
def test_sources_at_once_are_masks_with_labels_of_their_own(name: str, sounding: tuple[str, ...]) -> None:
    sample, target = toy.scene(("red", "blue", "green"), sounding, seed=7)
    result = pipeline(name)(sample)
    assert sorted(result.phrases) == sorted(sounding)
    assert jaccard(result.mask, target) > 0.97
    for phrase, mask in zip(result.phrases, result.masks, strict=True):
        alone = toy.scene(("red", "blue", "green"), (phrase,), seed=7)[1]
        assert jaccard(mask, alone) > 0.97, phrase


@each
@pytest.mark.parametrize("sound", [(), ("purple",), ("orange", "yellow")])
def test_silence_and_off_screen_sounds_find_nothing(name: str, sound: tuple[str, ...]) -> None:
    for visible in (("red", "blue", "green"), ("red",), ()):
        assert len(pipeline(name)(toy.scene(visible, sound, seed=1)[0])) == 0


@each
@pytest.mark.parametrize("dbfs", [-60, -40, -20, -6])
def test_noise_finds_nothing(name: str, dbfs: float) -> None:
    sample = replace(toy.scene(("red", "blue"), ())[0], audio=noise(dbfs))
    assert len(pipeline(name)(sample)) == 0


@each
def test_the_visible_one_of_two_sources(name: str) -> None:
    sample, target = toy.scene(("red", "blue"), ("red", "purple"), seed=3)
    result = pipeline(name)(sample)
    assert result.phrases == ("red",)
    assert jaccard(result.mask, target) > 0.97


@each
def test_rows_carry_embeddings_of_the_joint_space(name: str) -> None:
    sample = toy.scene(("red", "blue"), ("red", "blue"))[0]
    (query,) = pipeline(name).strategy.query([sample])
    assert query.space == "toy"
    assert query.embeddings is not None
    assert query.embeddings.shape == (2, 8)
    assert np.linalg.norm(query.embeddings, axis=1) == pytest.approx([1, 1], abs=1e-5)


@each
def test_any_joint_encoder_will_do(name: str) -> None:
    """The same strategy on ImageBind's classes at toy size keeps the contract, down to the last stage."""
    few_steps: dict[str, Any] = {"steps": 12} if name == "textual_inversion" else {}
    pipe = zsavs.build_pipeline(
        name,
        preset="toy",
        device="cpu",
        joint=with_banks(tiny_imagebind(), "sound_bank", "picture_bank"),
        min_z=-3.0,
        max_gap=1e6,
        top_k=2,
        **few_steps,
    )
    testing.check_strategy(pipe.strategy, silence_is_empty=False)
    assert pipe.verifier.image_scorer.encoder is pipe.strategy.audio_scorer.encoder, "one encoder for both"
    assert pipe.meta["models"]["joint"]["licence"] == pipe.strategy.audio_scorer.encoder.card.licence
    for result in pipe.batch(testing.example_samples()):
        assert np.array_equal(result.mask, result.score_map > 0.5)


# --------------------------------------------------------------------------------- its own
def test_every_row_is_the_whole_sound() -> None:
    sample = toy.scene(("red", "blue"), ("red", "blue"))[0]
    (query,) = pipeline("joint_embedding").strategy.query([sample])
    whole = toy.ToyJoint().encode_audio([sample.audio])
    assert query.embeddings is not None
    assert np.array_equal(query.embeddings, np.repeat(whole, 2, axis=0))


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_in_a_noisy_space_it_finds_what_sounds_and_abstains_off_screen(shift: float) -> None:
    """From the sound alone to the choice of regions, with what real items have in common as a trap."""
    world = World(noise=0.8, shift=shift)
    shares = shares_taken(world, JointEmbedding(world, NAMES), JointVerifier(world, NAMES, silent=SILENT), scenes=60)
    assert shares["right"] > 0.9, shares
    assert shares["wrong"] < 0.03, shares
    assert shares["off"] < 0.06, shares
    assert shares["nothing"] == 0, shares

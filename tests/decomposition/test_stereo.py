"""Stereo: where the sound comes from is estimated well or not at all, and regions elsewhere need better evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from toy_strategies import AUDIO_TEXT, COLOURS

import zsavs
from zsavs import testing
from zsavs.datasets.orchestra import Orchestra
from zsavs.decomposition.stereo import Direction, StereoPrior, direction_of, prior_of
from zsavs.strategies.audio_to_text import AudioToText
from zsavs.testing import toy
from zsavs.testing.toy import ToySegmenter
from zsavs.types import AudioClip, AVSample, Proposals, Query
from zsavs.verification.clip_rescoring import ClipVerifier

RATE = 16_000


def panned(clip: AudioClip, position: float, noise: float = 0.0, seed: int = 0) -> AudioClip:
    """A clip as VPO pans it, with noise of its own in each channel."""
    mono = clip.mono()
    channels = np.stack([(1 - position) * mono, position * mono])
    channels += noise * np.random.default_rng(seed).standard_normal(channels.shape)
    return AudioClip(channels.astype(np.float32), clip.sample_rate_hz)


def rough(seed: int = 0, level: float = 0.1) -> AudioClip:
    """A sound like applause: noise, but one and the same in both channels."""
    return AudioClip((level * np.random.default_rng(seed).standard_normal((1, 2 * RATE))).astype(np.float32), RATE)


# ------------------------------------------------------------------------------- direction
@given(st.floats(0, 1).filter(lambda x: abs(x - 0.5) > 0.03))
def test_the_direction_of_one_panned_source_is_exact(position: float) -> None:
    for clip in (toy.tone("red"), rough()):
        direction = direction_of(panned(clip, position))
        assert direction is not None
        assert direction.pan == pytest.approx(position, abs=1e-4)
        assert direction.spread == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("position", [0.0, 0.2, 0.4, 0.9])
@pytest.mark.parametrize("decibel", [30, 20, 10])
def test_a_noise_floor_pulls_no_source_to_the_middle(position: float, decibel: float) -> None:
    """The nearer the floor, the wider the prior; the place stays."""
    clip = rough()
    floor = 0.1 * np.hypot(position, 1 - position) * 10 ** (-decibel / 20)
    direction = direction_of(panned(clip, position, floor, seed=1))
    assert direction is not None
    assert direction.pan == pytest.approx(position, abs=0.02)
    assert direction.spread < 0.25


def test_dual_mono_mono_silence_and_noise_have_no_direction() -> None:
    mono = rough()
    dual = AudioClip(np.repeat(mono.waveform, 2, axis=0), RATE)
    coded = AudioClip(dual.waveform + 1e-4 * rough(1).waveform * [[1], [0]], RATE)
    surround = AudioClip(np.concatenate([panned(mono, 0.1).waveform, mono.waveform]), RATE)
    noise = AudioClip(np.concatenate([rough(1).waveform, rough(2).waveform]), RATE)
    silence = AudioClip(np.zeros((2, RATE), np.float32), RATE)
    hiss = AudioClip(np.concatenate([rough(1, 1e-6).waveform, rough(2, 0.0).waveform]), RATE)
    offset = AudioClip(np.array([[0.3], [0.1]], np.float32).repeat(RATE, axis=1), RATE)
    for clip in (mono, dual, coded, surround, noise, silence, hiss, offset):
        assert direction_of(clip) is None, clip


def test_several_sources_in_several_places_make_a_wide_prior() -> None:
    left, right = panned(rough(1), 0.2), panned(rough(2), 0.8)
    both = direction_of(AudioClip(left.waveform + right.waveform, RATE))
    assert both is not None
    assert both.pan == pytest.approx(0.5, abs=0.02)
    assert both.spread > 0.2
    assert prior_of(both).min() > 0.4


def test_the_prior_is_highest_where_the_sound_comes_from() -> None:
    prior = prior_of(Direction(0.25, 0.0))
    assert prior.shape == (1, 64)
    assert abs((int(prior.argmax()) + 0.5) / 64 - 0.25) <= 1 / 64
    assert prior[0, round(64 * 0.65)] == pytest.approx(np.exp(-2), rel=0.15)  # two standard deviations to the right
    assert prior.max() == pytest.approx(1, abs=0.01)


# -------------------------------------------------------------------------------- strategy
def test_a_strategy_with_a_prior_keeps_its_contract() -> None:
    testing.check_strategy(StereoPrior(AudioToText(AUDIO_TEXT, COLOURS)))
    stereo = [replace(s, audio=panned(s.audio, 0.2)) for s in testing.example_samples()]
    testing.check_strategy(StereoPrior(AudioToText(AUDIO_TEXT, COLOURS)), stereo)


def test_the_query_is_the_strategys_and_its_own_prior_counts() -> None:
    class LooksDown:
        def query(self, samples: Sequence[AVSample]) -> list[Query]:
            prior = np.array([[0.0] * 128, [1.0] * 128], np.float32)
            return [Query(("red",), np.array([0.8], np.float32), prior=prior) for _ in samples]

    sample, _ = toy.scene(("red", "blue"), ("red",))
    (query,) = StereoPrior(LooksDown()).query([replace(sample, audio=panned(sample.audio, 0.9))])
    assert (query.phrases, query.weights.tolist()) == (("red",), [np.float32(0.8)])
    assert query.prior is not None
    assert query.prior.shape == (2, 128)
    assert query.prior[0].max() == 0
    assert abs(int(query.prior[1].argmax()) / 128 - 0.9) < 0.02


def test_nothing_to_look_for_stays_nothing() -> None:
    sample, _ = toy.scene(("red",), ())
    (query,) = StereoPrior(AudioToText(AUDIO_TEXT, COLOURS)).query([replace(sample, audio=panned(rough(), 0.1))])
    assert len(query) == 0


# ------------------------------------------------------------------------------- in pixels
class Discs:
    """A detector that finds every red disc by itself."""

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        boxes = np.array([[10, 20, 60, 100], [100, 20, 150, 100]], np.float32)
        one = Proposals(boxes, np.full(2, 0.9, np.float32), np.zeros(2, np.int64))
        return [one if len(query) else Proposals.nothing() for query in queries]


def two_discs(audio: AudioClip) -> AVSample:
    return replace(toy.scene(("red", "red"), ("red",), seed=4)[0], audio=audio)


def sides(result: zsavs.AVSResult) -> list[str]:
    return sorted("left" if box[0] < 80 else "right" for box in result.boxes_xyxy)


def test_the_sound_says_which_of_two_identical_things() -> None:
    pipe, plain = (
        zsavs.build_pipeline(
            "audio_to_text",
            preset="toy",
            grounder=Discs(),
            verifier=ClipVerifier(toy.ToyImageText(), COLOURS, silent=()),
            segmenter=ToySegmenter(),
            stereo=stereo,
        )
        for stereo in (True, False)
    )
    hum = toy.tone("red")
    assert sides(pipe(two_discs(panned(hum, 0.1)))) == ["left"]
    assert sides(pipe(two_discs(panned(hum, 0.9)))) == ["right"]
    assert sides(pipe(two_discs(panned(hum, 0.1, noise=0.01)))) == ["left"]
    assert sides(plain(two_discs(panned(hum, 0.1)))) == ["left", "right"]
    # What is not chosen is not forgotten: it is in the score map, below 0.5.
    guided = pipe(two_discs(panned(hum, 0.1)))
    right: NDArray[np.float32] = guided.score_map[:, 80:]
    assert 0 < right.max() < 0.5
    assert guided.meta["stereo"] is True


def test_mono_and_dual_mono_are_exactly_unchanged() -> None:
    pipe, plain = (zsavs.build_pipeline("audio_to_text", preset="toy", stereo=stereo) for stereo in (True, False))
    mono = toy.tone("red", "blue")
    for clip in (mono, AudioClip(np.repeat(mono.waveform, 2, axis=0), RATE)):
        sample = replace(toy.scene(("red", "green", "blue"), ())[0], audio=clip)
        one, other = pipe(sample), plain(sample)
        assert len(one) == 2
        assert one.score_map.tobytes() == other.score_map.tobytes()
        assert one.scores.tobytes() == other.scores.tobytes()


def test_every_component_has_a_direction_of_its_own() -> None:
    """Red swells on the right of blue, which is not where they are: only blue's disc agrees with its sound."""
    time = np.arange(3 * RATE) / RATE
    red, blue = (
        0.3 * (0.5 - 0.5 * np.cos(2 * np.pi * rate * time)) * np.sin(2 * np.pi * toy.PITCHES_HZ[name] * time)
        for name, rate in (("red", 0.7), ("blue", 1.3))
    )
    clip = AudioClip(np.stack([0.05 * red + 0.05 * blue, 0.95 * red + 0.95 * blue]).astype(np.float32), RATE)
    apart = AudioClip(np.stack([0.95 * red + 0.05 * blue, 0.05 * red + 0.95 * blue]).astype(np.float32), RATE)
    scene = toy.scene(("red", "blue"), ())[0]
    pipe = zsavs.build_pipeline("audio_to_text", preset="toy", stereo=True, decomposition="nmf")
    together = zsavs.build_pipeline("audio_to_text", preset="toy", stereo=True)
    assert sorted(pipe(replace(scene, audio=apart)).phrases) == ["blue", "red"]
    assert pipe(replace(scene, audio=clip)).phrases == ("blue",)
    assert together(replace(scene, audio=clip)).phrases == ("blue",)
    (query,) = pipe.strategy.query([replace(scene, audio=apart)])
    places = dict(zip(query.phrases, query.prior[:, 0].argmax(axis=1) / 64, strict=True))  # type: ignore[index]
    assert places["red"] < 0.2
    assert places["blue"] > 0.8


@pytest.mark.parametrize("most", [3, pytest.param(16, marks=pytest.mark.full)])
def test_trained_models_pick_the_side_that_the_sound_comes_from(most: int) -> None:
    """Shipped scenes in which both of two like things are found; their sound is panned to one, then to the other."""
    scenes = Orchestra()
    plain, pipe = (
        zsavs.build_pipeline("audio_to_text", preset="nano", device="cpu", stereo=stereo) for stereo in (False, True)
    )
    apart = []
    for item in [name for name in scenes if scenes.scenes[name].group == "two_instances"]:
        index = scenes.index_map(item)
        things = enumerate(scenes.scenes[item].things, 1)
        masks = [index == place for place, thing in things if thing.sounding]
        middles = [float(np.nonzero(mask)[1].mean()) / index.shape[1] for mask in masks]
        if abs(middles[0] - middles[1]) >= 0.25:
            apart.append((item, masks, middles))
    surest = []
    for item, masks, middles in apart[:most]:
        sample = scenes.load(item).sample
        both = plain(sample).mask
        if not all((both & mask).sum() > 0.5 * mask.sum() for mask in masks):
            continue
        for mask, other, place in zip(masks, masks[::-1], middles, strict=True):
            result = pipe(replace(sample, audio=panned(sample.audio, place)))
            surest.append((result.masks[0] & mask).sum() > (result.masks[0] & other).sum())
    assert len(surest) >= 4
    assert np.mean(surest) >= 0.6  # without the prior, exactly half

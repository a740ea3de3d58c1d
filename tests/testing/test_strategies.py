"""The check of strategies passes for what keeps its contract, and names what breaks it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import zsavs
from zsavs import testing
from zsavs.errors import AudioError, ContractError
from zsavs.strategies.audio_to_text import AudioToText
from zsavs.strategies.fused import Fused
from zsavs.testing import toy
from zsavs.types import AudioClip, AVSample, Query

COLOURS = tuple(toy.COLOURS)


@pytest.mark.parametrize("name", zsavs.list_components("strategy"))
def test_every_registered_strategy(name: str) -> None:
    testing.check_strategy(zsavs.build_pipeline(name, preset="toy", device="cpu").strategy)


def test_both_ways_to_fuse() -> None:
    testing.check_strategy(Fused(toy.ToyAudioText(), toy.ToyImageText(), COLOURS, variant="embedding"))


def best(clip: AudioClip) -> tuple[list[str], list[float]]:
    """What the toy ears hear, with how much of it: honest, but for what the tests below do to it."""
    (row,) = toy.ToyAudioText().encode_audio([clip])
    names = [name for name, share in zip(COLOURS, row, strict=False) if share > 0.4]
    return names, [float(min(row[COLOURS.index(name)], 1.0)) for name in names]


def query(names: Sequence[str], weights: Sequence[float], **rest: Any) -> Query:
    return Query(tuple(names), np.array(weights, np.float32), **rest)


class Honest:
    """The control: passes."""

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        return [self.one(sample) for sample in samples]

    def one(self, sample: AVSample) -> Query:
        return query(*best(sample.audio))


class IgnoresTheSound(Honest):
    def one(self, sample: AVSample) -> Query:
        return query(["red"], [float(sample.image.mean() / 255)])


class AlwaysTheFirstNoun(Honest):
    """The published bug of cross-modal verification; empty for silence, so that this is not what gives it away."""

    def one(self, sample: AVSample) -> Query:
        if not sample.audio.waveform.any():
            return Query.nothing()
        caption = toy.ToyCaptioner().caption([sample.image])[0]
        return query([caption.split()[4]], [1.0])


class ReadsTheTarget(Honest):
    def one(self, sample: AVSample) -> Query:
        target = getattr(sample, "target", None)
        return query(*best(sample.audio)) if target is None else query(["target"], [1.0])


class NeedsTheTarget(Honest):
    def one(self, sample: AVSample) -> Query:
        return query(["thing"], [float(sample.target.mean())])  # type: ignore[attr-defined]


class LooksTheAnswerUp(Honest):
    """Knows the answers of the example samples by name, and else listens."""

    answers = {sample.name: best(sample.audio)[0] for sample in testing.example_samples()[3:]}  # noqa: RUF012

    def one(self, sample: AVSample) -> Query:
        names, weights = best(sample.audio)
        return query(names, [1.0 if sample.name in self.answers else weight * 0.9 for weight in weights])


class AnswersByNameOnly(Honest):
    def one(self, sample: AVSample) -> Query:
        return query([{"toy scene 0": "red", "toy scene 1": "green", "toy scene 2": "blue"}[sample.name]], [1.0])


class NormalisesOverTheBatch(Honest):
    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        queries = super().query(samples)
        top = max((float(q.weights.max()) for q in queries if len(q)), default=1.0)
        return [replace(q, weights=q.weights / np.float32(top * len(samples) ** 0.1)) for q in queries]


class DependsOnTheOrder(Honest):
    """Leaves something of a wide image in the buffer of a smaller one that follows it."""

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        queries = super().query(samples)
        for place in range(1, len(samples)):
            if samples[place - 1].size_hw[1] > samples[place].size_hw[1]:
                queries[place] = replace(queries[place], weights=queries[place].weights * np.float32(0.5))
        return queries


class IsRandom(Honest):
    def one(self, sample: AVSample) -> Query:
        names, weights = best(sample.audio)
        noise = np.random.default_rng().uniform(0.9, 1.0, len(weights))
        return query(names, np.array(weights) * noise)


class IsRandomNowAndThen(Honest):
    """Right on the first call, then slightly off: a cache that is filled with something else."""

    calls = itertools.count()

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        shift = np.float32(1e-3 * (next(self.calls) % 2))
        return [replace(q, weights=np.clip(q.weights - shift, 0, 1)) for q in super().query(samples)]


class TakesStereoForTwoSounds(Honest):
    """Lays the channels end to end, as a reference implementation does, so stereo sounds twice as long."""

    def one(self, sample: AVSample) -> Query:
        wave = sample.audio.waveform.reshape(1, -1)
        names, weights = best(AudioClip(wave, sample.audio.sample_rate_hz))
        return query(names, [weight / (1 + wave.size / 1e6) for weight in weights])


class AnswersForSilence(Honest):
    def one(self, sample: AVSample) -> Query:
        names, weights = best(sample.audio)
        return query(names or ["red"], weights or [0.1])


class GivesOneTooFew(Honest):
    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        return super().query(samples)[1:]


class GivesTuples(Honest):
    def query(self, samples: Sequence[AVSample]) -> Any:
        return [(q.phrases, q.weights) for q in super().query(samples)]


class Breaks(Honest):
    def one(self, sample: AVSample) -> Query:
        raise IndexError("list index out of range")


class BreaksOnStereo(Honest):
    def one(self, sample: AVSample) -> Query:
        (wave,) = sample.audio.waveform
        assert wave is not None
        return super().one(sample)


class RefusesProperly(Honest):
    def one(self, sample: AVSample) -> Query:
        raise AudioError("too short for me")


class DependsOnTheBatchInItsEmbeddings(Honest):
    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        shift = np.float32(len(samples) * 0.01)
        return [
            replace(q, embeddings=np.full((len(q), 2), 0.5 + shift, np.float32), space="toy")
            for q in super().query(samples)
        ]


class DependsOnTheBatchInItsPrior(Honest):
    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        return [replace(q, prior=np.full((2, 2), 0.5 / len(samples), np.float32)) for q in super().query(samples)]


class DependsOnTheBatchInItsTimes(Honest):
    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        return [replace(q, times=[[(0.0, 0.1 * len(samples))]] * len(q)) for q in super().query(samples)]  # type: ignore[arg-type]


class HearsWhatIsOver(Honest):
    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        return [replace(q, times=[[(0.0, 99.0)]] * len(q)) for q in super().query(samples)]  # type: ignore[arg-type]


def test_the_honest_strategy_passes() -> None:
    testing.check_strategy(Honest())


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (IgnoresTheSound(), "one image with different audio always gives the same answer; is the audio used"),
        (AlwaysTheFirstNoun(), "one image with different audio always gives the same answer; is the audio used"),
        (ReadsTheTarget(), "a component asked a sample for 'target': it may use the image and the audio only"),
        (NeedsTheTarget(), "query: raised AttributeError: 'AVSample' object has no attribute 'target'"),
        (LooksTheAnswerUp(), "must not depend on a sample's name"),
        (AnswersByNameOnly(), "one image with different audio always gives the same answer"),
        (NormalisesOverTheBatch(), "a batch equals its samples one by one"),
        (DependsOnTheOrder(), "the order of a batch does not matter"),
        (IsRandom(), "the same samples twice give the same answer"),
        (IsRandomNowAndThen(), "the same samples twice give the same answer"),
        (TakesStereoForTwoSounds(), "mono equals dual mono"),
        (AnswersForSilence(), "digital silence finds nothing, got Query"),
        (GivesOneTooFew(), "query: one for each of 5 samples, got 4"),
        (GivesTuples(), "query: returns a list of Query"),
        (Breaks(), "query: raised IndexError: list index out of range"),
        (BreaksOnStereo(), "query: raised ValueError: too many values to unpack"),
        (DependsOnTheBatchInItsEmbeddings(), "a batch equals its samples one by one"),
        (DependsOnTheBatchInItsPrior(), "a batch equals its samples one by one"),
        (DependsOnTheBatchInItsTimes(), "a batch equals its samples one by one"),
        (HearsWhatIsOver(), "nothing sounds after its clip"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_broken_strategy_is_found_out(broken: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        testing.check_strategy(broken)


def test_our_own_errors_are_not_broken_contracts() -> None:
    with pytest.raises(AudioError, match="too short for me"):
        testing.check_strategy(RefusesProperly())


def test_the_silence_check_can_be_left_out_and_nothing_else() -> None:
    testing.check_strategy(AnswersForSilence(), silence_is_empty=False)
    with pytest.raises(ContractError):
        testing.check_strategy(IgnoresTheSound(), silence_is_empty=False)


def test_a_strategy_that_needs_more_than_the_tolerance() -> None:
    with pytest.raises(ContractError):
        testing.check_strategy(NormalisesOverTheBatch(), tolerance=1e-4)
    testing.check_strategy(NormalisesOverTheBatch(), tolerance=0.6)


def test_samples_of_ones_own() -> None:
    samples = [toy.scene(("green",), (sound,), size_hw=(30, 30))[0] for sound in ("green", "orange")]
    testing.check_strategy(AudioToText(toy.ToyAudioText(), COLOURS), samples)

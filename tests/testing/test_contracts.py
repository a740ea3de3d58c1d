"""The public checks pass for what keeps its contract, and name what is wrong with everything else."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import zsavs
from zsavs import testing
from zsavs.errors import AudioError, ContractError
from zsavs.grounding.full_frame import FullFrame
from zsavs.strategies.audio_to_text import AudioToText
from zsavs.strategies.fused import Fused
from zsavs.testing import toy
from zsavs.types import AudioClip, AVSample, Proposals, Query
from zsavs.verification.clip import ClipVerifier
from zsavs.verification.selection import TrustGrounder

COLOURS = tuple(toy.COLOURS)


# ------------------------------------------------------------------ what keeps its contract
@pytest.mark.parametrize("name", zsavs.list_components("strategy"))
def test_every_registered_strategy(name: str) -> None:
    testing.check_strategy(zsavs.build_pipeline(name, preset="toy", device="cpu").strategy)


def test_both_ways_to_fuse() -> None:
    testing.check_strategy(Fused(toy.ToyAudioText(), toy.ToyImageText(), COLOURS, variant="embedding"))


@pytest.mark.parametrize("encoder", [toy.ToyAudioText(), toy.ToyImageText()])
def test_toy_encoders(encoder: Any) -> None:
    testing.check_encoder(encoder)


@pytest.mark.parametrize("grounder", [toy.ToyGrounder(), FullFrame()])
def test_grounders(grounder: Any) -> None:
    testing.check_grounder(grounder)


@pytest.mark.parametrize("verifier", [TrustGrounder(), ClipVerifier(toy.ToyImageText(), COLOURS, silent=())])
def test_verifiers(verifier: Any) -> None:
    testing.check_verifier(verifier)


def test_toy_segmenter_and_captioner() -> None:
    testing.check_segmenter(toy.ToySegmenter())
    testing.check_captioner(toy.ToyCaptioner())


def test_toy_tagger_and_audio_captioner() -> None:
    testing.check_audio_tagger(toy.ToyTagger())
    testing.check_captioner(toy.ToyAudioCaptioner(), [sample.audio for sample in testing.example_samples()])


def test_example_samples_are_what_the_checks_need() -> None:
    samples = testing.example_samples()
    assert len({sample.size_hw for sample in samples}) > 1, "two sizes, as a batch may have"
    assert np.array_equal(samples[0].image, samples[1].image)
    assert not np.array_equal(samples[0].audio.waveform, samples[1].audio.waveform)
    proposals = testing.example_proposals(samples)
    assert {0, 2} <= {len(found) for found in proposals}
    for sample, found in zip(samples, proposals, strict=True):
        assert (found.boxes_xyxy >= 0).all()
        assert (found.boxes_xyxy <= np.array(sample.size_hw[::-1] * 2)).all()


# -------------------------------------------------------------------------------- strategies
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


# ---------------------------------------------------------------------------------- encoders
class Ears(toy.ToyAudioText):
    """The control, to be broken below."""

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        return super().encode_audio(clips)


class NotNormalised(Ears):
    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        return super().encode_audio(clips) * np.float32(1.01)


class RandomCrop(Ears):
    """Cuts a random piece out of the recording, as the published CLAP code does."""

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        pieces = []
        for clip in clips:
            start = np.random.default_rng().integers(0, clip.waveform.shape[1] // 2)
            pieces.append(AudioClip(clip.waveform[:, start:], clip.sample_rate_hz))
        return super().encode_audio(pieces)


class DependsOnNeighbours(Ears):
    """Pads to the longest of the batch and forgets the mask, so to speak."""

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        rows = super().encode_audio(clips)
        rows = rows + np.float32(0.01) * rows.mean(axis=0, keepdims=True) if len(rows) else rows
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


class TextDependsOnNeighbours(Ears):
    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        return np.roll(super().encode_text(phrases), len(phrases) - 1, axis=1)


class ForgetsTheOrder(Ears):
    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        return super().encode_audio(sorted(clips, key=lambda clip: float(clip.waveform.std())))


class DoublePrecision(Ears):
    def encode_audio(self, clips: Sequence[AudioClip]) -> Any:
        return super().encode_audio(clips).astype(np.float64)


class NotFinite(Ears):
    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        return super().encode_audio(clips) * np.float32(np.nan)


class AllTheSame(Ears):
    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        return np.tile(np.eye(1, 8, dtype=np.float32), (len(clips), 1))


class ReadsTwoChannelsAsTwo(Ears):
    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        flat = [AudioClip(clip.waveform.reshape(1, -1), clip.sample_rate_hz) for clip in clips]
        return super().encode_audio(flat)


class BreaksOnNothing(Ears):
    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        return super().encode_audio(clips) if clips else np.zeros((0, 0), np.float32)


class RaisesOnNothing(Ears):
    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        return np.stack([super(RaisesOnNothing, self).encode_audio([clip])[0] for clip in clips])


class OtherWidths(Ears):
    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        return np.pad(super().encode_text(phrases), [(0, 0), (0, 1)])


class OneTooMany(Ears):
    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        return np.concatenate([super().encode_audio(clips)] * 2)


class NoSpace(Ears):
    space = ""


class TextOnly:
    space = "toy"
    encode_text = toy.ToyAudioText.encode_text


def test_the_honest_encoder_passes() -> None:
    testing.check_encoder(Ears())


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (NotNormalised(), "encode_audio: rows have unit length"),
        (RandomCrop(), "encode_audio: the same call twice gives the same bits"),
        (DependsOnNeighbours(), "encode_audio: a batch equals its items one by one"),
        (TextDependsOnNeighbours(), "encode_text: a batch equals its items one by one"),
        (ForgetsTheOrder(), "encode_audio: a batch equals its items one by one|the order of a batch"),
        (DoublePrecision(), "encode_audio: answers are float32 arrays"),
        (NotFinite(), "encode_audio: NaN or infinity"),
        (AllTheSame(), "encode_audio: different items have different embeddings"),
        (ReadsTwoChannelsAsTwo(), "mono and dual mono give the same bits"),
        (BreaksOnNothing(), r"encode_audio: no items give \(0, D\), got \(0, 0\)"),
        (RaisesOnNothing(), "encode_audio: raised ValueError: need at least one array to stack"),
        (OtherWidths(), "the embeddings of all modalities have the same width"),
        (OneTooMany(), "encode_audio: one row for each of 5 items"),
        (NoSpace(), "names its embedding space"),
        (TextOnly(), "an encoder has encode_audio, encode_image or both"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_broken_encoder_is_found_out(broken: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        testing.check_encoder(broken)


class CropsAtRandom(toy.ToyImageText):
    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        starts = np.random.default_rng().integers(0, 20, len(images))
        return super().encode_image([image[:, start:] for image, start in zip(images, starts, strict=True)])


def test_a_broken_image_encoder_is_found_out() -> None:
    with pytest.raises(ContractError, match="encode_image: the same call twice gives the same bits"):
        testing.check_encoder(CropsAtRandom())


# --------------------------------------------------------------------------------- grounders
class Grounder(toy.ToyGrounder):
    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        found = super().ground(samples, queries)
        return [self.one(p, s, q) for p, s, q in zip(found, samples, queries, strict=True)]

    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        return found


class OutsideTheImage(Grounder):
    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        return replace(found, boxes_xyxy=found.boxes_xyxy + np.float32(40))


class LeftOfTheImage(Grounder):
    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        return replace(found, boxes_xyxy=found.boxes_xyxy - np.array([100, 0, 0, 0], np.float32))


class WrongRow(Grounder):
    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        return replace(found, sources=found.sources + 1)


class FindsForNothing(Grounder):
    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        return found if len(asked) else Proposals(np.array([[0, 0, 1, 1]]), np.ones(1), np.zeros(1, int))


class LeaksAcrossItems(Grounder):
    """Scores are softened by whoever is in the batch, as through shared padding."""

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        found = super().ground(samples, queries)
        return [replace(p, scores=p.scores / np.float32(1 + 0.01 * len(samples))) for p in found]


class GivesTheNeighboursBoxes(Grounder):
    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        found = super().ground(samples, queries)
        return [found[3], *found[1:]] if len(found) > 3 else found


class GroundsAtRandom(Grounder):
    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        jitter = np.random.default_rng().uniform(0, 5e-4, len(found)).astype(np.float32)
        return replace(found, scores=found.scores - jitter)


class GroundsOneTooFew(Grounder):
    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        return super().ground(samples, queries)[1:]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (OutsideTheImage(), "boxes lie within the image"),
        (LeftOfTheImage(), "boxes lie within the image"),
        (WrongRow(), "every box answers a row of the query"),
        (FindsForNothing(), "an empty query finds nothing"),
        (LeaksAcrossItems(), "a batch equals its samples one by one"),
        (GivesTheNeighboursBoxes(), "a batch equals its samples one by one"),
        (GroundsAtRandom(), "the same call twice gives the same bits"),
        (GroundsOneTooFew(), "ground: one answer for each of 5 samples, got 4"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_broken_grounder_is_found_out(broken: Any, says: str) -> None:
    testing.check_grounder(Grounder())
    with pytest.raises(ContractError, match=says):
        testing.check_grounder(broken)


# --------------------------------------------------------------------------------- verifiers
class InventsRegions(TrustGrounder):
    def verify(self, samples: Any, queries: Any, proposals: Any) -> Any:
        return [
            replace(found, boxes_xyxy=found.boxes_xyxy + np.float32(0.5))
            for found in super().verify(samples, queries, proposals)
        ]


class JudgesByTheBatch(TrustGrounder):
    def verify(self, samples: Any, queries: Any, proposals: Any) -> Any:
        judged = super().verify(samples, queries, proposals)
        return [replace(found, scores=found.scores / np.float32(len(samples))) for found in judged]


class VerifiesOneTooFew(TrustGrounder):
    def verify(self, samples: Any, queries: Any, proposals: Any) -> Any:
        return super().verify(samples, queries, proposals)[1:]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (InventsRegions(), "verify: no new regions"),
        (JudgesByTheBatch(), "verify: a batch equals its samples one by one"),
        (VerifiesOneTooFew(), "verify: one answer for each of 5 samples, got 4"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_broken_verifier_is_found_out(broken: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        testing.check_verifier(broken)


class Reorders(TrustGrounder):
    """A verifier may drop and reorder."""

    def verify(self, samples: Any, queries: Any, proposals: Any) -> Any:
        return [found.rows(range(len(found) - 1, 0, -1)) for found in super().verify(samples, queries, proposals)]


def test_a_verifier_may_drop_and_reorder() -> None:
    testing.check_verifier(Reorders())


# -------------------------------------------------------------------------------- segmenters
@dataclass
class Segmenter:
    """A soft blob in the middle of each box; ``breaks`` names what to do wrong."""

    breaks: str = ""

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        answers = [self.one(s, p, len(samples)) for s, p in zip(samples, proposals, strict=True)]
        return answers[1:] if self.breaks == "count" else answers

    def one(self, sample: AVSample, found: Proposals, count: int) -> NDArray[np.float32]:
        height, width = sample.size_hw
        down, right = np.mgrid[:height, :width]
        maps = np.zeros((len(found), height, width), np.float32)
        for row, (x0, y0, x1, y1) in zip(maps, found.boxes_xyxy, strict=True):
            if self.breaks == "box":
                x0, y0, x1, y1 = 0, 0, width, height
            across, along = (right - (x0 + x1) / 2) / (x1 - x0), (down - (y0 + y1) / 2) / (y1 - y0)
            row[:] = 4 - 16 * (across**2 + along**2)
        if self.breaks == "nan":
            maps[..., 0, 0] = np.nan
        elif self.breaks == "batch":
            maps += 0.05 * count
        elif self.breaks == "random":
            maps += np.random.default_rng().normal(0, 1e-4, maps.shape).astype(np.float32)
        elif self.breaks == "size":
            maps = maps[:, ::2, ::2]
        elif self.breaks == "dtype":
            return maps > 0  # type: ignore[return-value]
        elif self.breaks == "one map":
            maps = maps[:1]
        return maps


def test_the_honest_segmenter_passes() -> None:
    testing.check_segmenter(Segmenter())


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        ("box", "different boxes give different masks"),
        ("nan", "NaN or infinity in mask logits"),
        ("batch", "a batch equals its samples one by one"),
        ("random", "the same call twice gives the same bits"),
        ("size", r"segment: float32 \(2, 60, 80\), got \(2, 30, 40\)"),
        ("dtype", r"segment: float32 \(2, 60, 80\)"),
        ("one map", r"segment: float32 \(2, 60, 80\), got \(1, 60, 80\)"),
        ("count", "segment: one answer for each of 5 samples, got 4"),
    ],
)
def test_a_broken_segmenter_is_found_out(breaks: str, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        testing.check_segmenter(Segmenter(breaks))


# -------------------------------------------------------------------------------- captioners
@dataclass
class Captioner:
    breaks: str = ""
    calls: int = 0

    def caption(self, items: Sequence[NDArray[np.uint8]]) -> Any:
        self.calls += 1
        sentences = [f"an image of brightness {int(image.mean())}" for image in items]
        if self.breaks == "batch" and len(items) > 1:
            sentences[-1] += " among others"  # generation that goes on until the longest of the batch is done
        elif self.breaks == "random":
            sentences = [f"{sentence} {self.calls}" for sentence in sentences]
        elif self.breaks == "count":
            return sentences[:1]
        elif self.breaks == "type":
            return [[sentence] for sentence in sentences]
        elif self.breaks == "nothing" and not items:
            return None
        return sentences


def test_the_honest_captioner_passes() -> None:
    testing.check_captioner(Captioner())


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        ("batch", "a batch equals its images one by one"),
        ("random", "a batch equals its images one by one"),
        ("count", "caption: one for each of 5 images, got 1"),
        ("type", "caption: returns strings"),
        ("nothing", "no images give no captions"),
    ],
)
def test_a_broken_captioner_is_found_out(breaks: str, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        testing.check_captioner(Captioner(breaks))

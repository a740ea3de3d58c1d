"""The checks of encoders, captioners and audio taggers pass for what keeps its contract, and name what breaks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from zsavs import testing
from zsavs.errors import ContractError
from zsavs.testing import toy
from zsavs.types import AudioClip


@pytest.mark.parametrize("encoder", [toy.ToyAudioText(), toy.ToyImageText()])
def test_toy_encoders(encoder: Any) -> None:
    testing.check_encoder(encoder)


def test_toy_tagger_and_audio_captioner() -> None:
    testing.check_audio_tagger(toy.ToyTagger())
    testing.check_captioner(toy.ToyAudioCaptioner(), [sample.audio for sample in testing.example_samples()])


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

"""Audio captions become what a detector is asked for; near-silence is not asked about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import zsavs
from zsavs import testing
from zsavs.errors import ContractError, InputError
from zsavs.language.sound_sources import visible_things
from zsavs.strategies.caption import Caption
from zsavs.testing import toy
from zsavs.types import AudioClip, AVSample, Query


class Says:
    """A captioner that says what it is told to, and notes what it is asked about."""

    def __init__(self, *captions: str) -> None:
        self.captions = list(captions)
        self.asked: list[AudioClip] = []

    def caption(self, items: Sequence[AudioClip]) -> list[str]:
        self.asked += items
        return self.captions[: len(items)]


def sample(clip: AudioClip | None = None) -> AVSample:
    return AVSample(np.zeros((4, 4, 3), np.uint8), toy.tone("red") if clip is None else clip)


def ask(caption: str, **settings: Any) -> Query:
    (query,) = Caption(Says(caption), **settings).query([sample()])
    return query


def at_db(level_db: float, seconds: float = 2.0) -> AudioClip:
    """A square wave, whose RMS level is its amplitude's."""
    wave = np.where(np.arange(int(seconds * 16_000)) // 20 % 2, 1.0, -1.0) * 10 ** (level_db / 20)
    return AudioClip(wave[None].astype(np.float32), 16_000)


# ---------------------------------------------------------------------------- captions and things
@pytest.mark.parametrize(
    ("caption", "things"),
    [
        ("A dog barks in the distance while people talk in the background", ["dog", "people"]),
        ("A dog barks while people talk and music plays in the background.", ["dog", "people"]),
        ("A man speaks and a crowd applauds", ["man", "crowd"]),
        ("Birds chirp and wind blows", ["birds"]),
        ("Rain is pouring down and thunder is rumbling in the background.", ["rain"]),
        ("A toilet flushes", ["toilet"]),
        ("Church bells ring loudly", ["church bells"]),
        ("A helicopter flies overhead", ["helicopter"]),
        ("A sewing machine operates", ["sewing machine"]),
        ("An engine idles then revs", ["engine"]),
        ("The sound of a dog barking", ["dog"]),
        ("Footsteps, then someone laughing", ["person"]),
        ("A race car accelerates", ["race car"]),
        ("Music is playing", []),
        ("White noise and hissing", []),
        ("Loud static noise", []),
        ("Silence", []),
        ("A high pitched sound", []),
        ("", []),
    ],
)
def test_a_caption_names_visible_things(caption: str, things: list[str]) -> None:
    assert visible_things(caption) == things
    query = ask(caption)
    assert list(query.phrases) == things
    assert query.weights.tolist() == [1.0] * len(things)


def test_the_first_named_stay() -> None:
    assert ask("a cat, a dog, a bird and a horse").phrases == ("cat", "dog", "bird")
    assert ask("a cat, a dog, a bird and a horse", top_k=1).phrases == ("cat",)
    assert len(ask("a cat", top_k=0)) == 0


def test_a_noun_cutter_of_ones_own() -> None:
    assert ask("cat;dog;cat", nouns=lambda caption: caption.split(";")).phrases == ("cat", "dog")


# -------------------------------------------------------------------------------- near-silence
def test_near_silence_is_not_asked_about() -> None:
    captioner = Says("a cat", "a dog")
    quiet, loud, louder = sample(at_db(-61)), sample(at_db(-59)), sample(at_db(-20))
    queries = Caption(captioner).query([quiet, loud, quiet, louder])
    assert [query.phrases for query in queries] == [(), ("cat",), (), ("dog",)]
    assert captioner.asked == [loud.audio, louder.audio]
    assert Caption(Says("a cat"), min_level_db=-70).query([quiet])[0].phrases == ("cat",)


def test_the_level_is_that_of_the_loudest_second_without_the_offset() -> None:
    bark = np.concatenate([np.zeros((1, 50 * 16_000)), at_db(-50, 1.0).waveform, np.zeros((1, 9 * 16_000))], axis=1)
    assert len(Caption(Says("a dog")).query([sample(AudioClip(bark.astype(np.float32), 16_000))])[0]) == 1
    offset = AudioClip(np.full((1, 16_000), 0.5, np.float32), 16_000)
    short = AudioClip(at_db(-30).waveform[:, :800], 16_000)
    assert len(Caption(Says("a dog")).query([sample(offset)])[0]) == 0
    assert len(Caption(Says("a dog")).query([sample(short)])[0]) == 1


def test_one_sound_with_two_images() -> None:
    clip = toy.tone("red")
    queries = Caption(toy.ToyAudioCaptioner()).query([sample(clip), sample(clip)])
    assert [query.phrases for query in queries] == [("red thing",), ("red thing",)]


@pytest.mark.parametrize("settings", [{"top_k": -1}, {"min_level_db": 1.0}, {"min_level_db": float("nan")}])
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="caption: top_k"):
        Caption(toy.ToyAudioCaptioner(), **settings)


# ----------------------------------------------------------------------------- the whole pipeline
def test_the_toy_world() -> None:
    pipe = zsavs.build_pipeline("caption", preset="toy")
    view, target = toy.scene(("red", "blue", "green"), ("red", "green"))
    result = pipe(view)
    assert sorted(result.phrases) == ["green thing", "red thing"]
    assert (result.mask & target).sum() > 0.95 * (result.mask | target).sum()
    assert len(pipe(toy.scene(("red", "blue"), ("purple",))[0])) == 0
    assert len(pipe(toy.scene(("red", "blue"), ())[0])) == 0
    hiss = AudioClip(0.3 * np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32), 16_000)
    assert len(pipe(AVSample(view.image, hiss)).queries) == 0
    testing.check_strategy(pipe.strategy)


# ------------------------------------------------------------------------------------ the checks
class ByChannel(toy.ToyAudioCaptioner):
    """Tells stereo from mono."""

    def caption(self, items: Sequence[AudioClip]) -> list[str]:
        return [f"{text} {len(c.waveform)}" for text, c in zip(super().caption(items), items, strict=True)]


def test_a_captioner_of_clips_is_checked_with_clips() -> None:
    clips = [view.audio for view in testing.example_samples()]
    testing.check_captioner(toy.ToyAudioCaptioner(), clips)
    with pytest.raises(ContractError, match="mono and dual mono"):
        testing.check_captioner(ByChannel(), clips)
    with pytest.raises(ContractError, match="one for each of 5 clips, got 2"):
        testing.check_captioner(Says("a", "b"), clips)

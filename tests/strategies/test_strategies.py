"""Every strategy in the toy world: the sound decides, and a sound that says nothing finds nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from paired_world import make_world
from toy_strategies import AUDIO_TEXT, COLOURS, IMAGE_TEXT, STRATEGIES

import zsavs
from zsavs.algebra.common_space import gate, ridge
from zsavs.calibration.bank import Bank
from zsavs.calibration.scorers import AudioScorer, ImageScorer
from zsavs.errors import InputError, UnknownName, VocabularyError
from zsavs.strategies.audio_to_text import AudioToText
from zsavs.strategies.cross_modal import CrossModal
from zsavs.strategies.fused import Fused
from zsavs.testing import toy
from zsavs.types import AudioClip, AVSample, Query

LOOKS = [name for name in STRATEGIES if name in ("cross_modal", "fused label", "fused embedding", "cofactorization")]
ONLY_HEARS = ["audio_to_text", "classify", "caption", "joint_embedding", "text_bridged", "textual_inversion"]
CALIBRATED = [name for name, strategy in STRATEGIES.items() if hasattr(strategy, "min_z")]
SIZE = (60, 90)

every = pytest.mark.parametrize("name", STRATEGIES)
every_that_looks = pytest.mark.parametrize("name", LOOKS)


def heard(query: Query) -> tuple[str, ...]:
    """Colours of a query, in its order ("red thing" counts as red)."""
    return tuple(phrase.split()[0] for phrase in query.phrases)


def mixture(**levels: float) -> AudioClip:
    """Several hums, each at a level of its own."""
    wave = sum(toy.tone(colour, seconds=1.0, level=level).waveform for colour, level in levels.items())
    return AudioClip(np.asarray(wave), 16_000)


def noise(dbfs: float, seed: int = 0) -> AudioClip:
    rng = np.random.default_rng(seed)
    wave = 10 ** (dbfs / 20) * rng.standard_normal((1, 32_000))
    return AudioClip(np.clip(wave, -1, 1), 16_000)


def image(*visible: str, seed: int = 0) -> AVSample:
    return toy.scene(visible, (), size_hw=SIZE, seed=seed)[0]


def test_every_registered_strategy_is_tested_here() -> None:
    assert {name.split()[0] for name in STRATEGIES} >= set(zsavs.list_components("strategy"))


# -------------------------------------------------------------------------- the sound decides
@every
def test_the_sound_decides(name: str) -> None:
    """One image of three colours: whichever hums is looked for, and it alone."""
    view = image("red", "blue", "green")
    samples = [replace(view, audio=toy.tone(colour)) for colour in ("red", "blue", "green")]
    assert [heard(query) for query in STRATEGIES[name].query(samples)] == [("red",), ("blue",), ("green",)]


@every
def test_two_sources_are_two_rows_with_names_of_their_own(name: str) -> None:
    (query,) = STRATEGIES[name].query([replace(image("red", "blue", "green"), audio=toy.tone("red", "green"))])
    assert sorted(heard(query)) == ["green", "red"]
    assert (np.diff(query.weights) <= 0).all()
    assert query.weights.min() > 0.5


@every
def test_never_more_than_top_k(name: str) -> None:
    strategy = STRATEGIES[name]
    everything = replace(image(*COLOURS[:4]), audio=toy.tone(*COLOURS[:4]))
    before = strategy.top_k
    try:
        for top_k in (0, 1, 2):
            strategy.top_k, strategy.max_gap = top_k, 100.0
            assert len(strategy.query([everything])[0]) == top_k
    finally:
        strategy.top_k, strategy.max_gap = before, 2.0


@pytest.mark.parametrize("limit", [{"top_k": -1}, {"top_k": 1.5}, {"min_z": math.nan}, {"max_gap": "far"}])
@pytest.mark.parametrize("name", sorted({name.split()[0] for name in CALIBRATED}))
def test_limits_that_mean_nothing_are_refused(name: str, limit: dict[str, Any]) -> None:
    """With -1 the last source would be left out, with NaN all of them, without an error."""
    with pytest.raises(InputError, match=f"{name}: {next(iter(limit))} is a"):
        zsavs.build_pipeline(name, preset="toy", device="cpu", **limit)


@every
def test_no_samples(name: str) -> None:
    assert STRATEGIES[name].query([]) == []


# ------------------------------------------------------------ a sound that says nothing
@every
@pytest.mark.parametrize("dbfs", [-60, -50, -40, -30, -20, -12, -6])
def test_white_noise_finds_nothing(name: str, dbfs: float) -> None:
    view = image("red", "blue", "green")
    for seed in range(3):
        assert len(STRATEGIES[name].query([replace(view, audio=noise(dbfs, seed))])[0]) == 0


@every
@pytest.mark.parametrize(
    "clip",
    [
        AudioClip(np.zeros((1, 16_000), np.float32), 16_000),
        AudioClip(np.zeros((2, 1), np.float32), 8_000),
        AudioClip(np.full((1, 16_000), 0.5, np.float32), 16_000),  # an offset is no sound
        AudioClip(np.full((1, 1), 1e-3, np.float32), 44_100),
        toy.tone("red", level=3e-5),  # below -90 dBFS: what a 16-bit file cannot hold
        toy.tone("red", "blue", level=3e-4),  # below -70 dBFS
        toy.tone("blue", level=1e-40),
    ],
    ids=["silence", "one sample", "offset", "click", "inaudible", "far away", "denormal"],
)
def test_silence_and_near_silence_find_nothing(name: str, clip: AudioClip) -> None:
    assert len(STRATEGIES[name].query([replace(image("red", "blue", "green"), audio=clip)])[0]) == 0


@pytest.mark.parametrize("name", CALIBRATED)
def test_it_is_the_threshold_that_rejects(name: str) -> None:
    """Rejection is calibrated evidence and no special case: with no threshold there would be an answer."""
    strategy = STRATEGIES[name]
    before = strategy.min_z
    try:
        strategy.min_z = -100.0
        (query,) = strategy.query([replace(image("red", "blue", "green"), audio=noise(-20))])
        if not name.startswith(("fused", "cofact")):  # which also ask for what is seen to agree
            assert len(query) > 0
    finally:
        strategy.min_z = before


@every_that_looks
def test_an_off_screen_source_finds_nothing(name: str) -> None:
    view = image("red", "blue")
    for colour in ("yellow", "green", "purple", "orange"):
        assert len(STRATEGIES[name].query([replace(view, audio=toy.tone(colour))])[0]) == 0


@every_that_looks
def test_an_empty_image_finds_nothing(name: str) -> None:
    assert len(STRATEGIES[name].query([replace(image(), audio=toy.tone("red"))])[0]) == 0


@pytest.mark.parametrize("name", ONLY_HEARS)
def test_strategies_without_the_image_ask_for_what_is_off_screen(name: str) -> None:
    """The image plays no part until the detector is asked for the label."""
    (query,) = STRATEGIES[name].query([replace(image("red"), audio=toy.tone("green"))])
    assert heard(query) == ("green",)


# ------------------------------------------------------------- fused: better than either alone
def hard_cases() -> list[tuple[str, AVSample]]:
    """The image shows the target and a silent distractor, the sound is the target and an off-screen source.

    Which of the two is larger or louder alternates, so that one modality alone is right half the time.
    """
    cases = []
    for number, (target, distractor, off_screen) in enumerate(permutations(COLOURS, 3)):
        loud, quiet = (0.3, 0.18) if number % 2 else (0.18, 0.3)
        # The disc on the left is the larger one for some seeds; both orders occur.
        order = (target, distractor) if number % 3 else (distractor, target)
        view = image(*order, seed=number % 7)
        cases.append((target, replace(view, audio=mixture(**{target: loud, off_screen: quiet}))))
    return cases


@pytest.mark.parametrize("variant", ["label", "embedding"])
def test_fused_finds_what_is_both_heard_and_seen(variant: Any) -> None:
    cases = hard_cases()
    targets = [COLOURS.index(target) for target, _ in cases]
    heard_best = AudioScorer(AUDIO_TEXT)([sample.audio for _, sample in cases], COLOURS).argmax(axis=1)
    seen_best = ImageScorer(IMAGE_TEXT)([sample.image for _, sample in cases], COLOURS).argmax(axis=1)
    hearing, seeing = float((heard_best == targets).mean()), float((seen_best == targets).mean())
    fused = Fused(AUDIO_TEXT, IMAGE_TEXT, COLOURS, variant=variant, min_z=0.0, top_k=1)
    right = [
        heard(query) == (target,) for (target, _), query in zip(cases, fused.query([s for _, s in cases]), strict=True)
    ]
    assert 0.3 < hearing < 0.7, "a hard case is one that hearing alone does not settle"
    assert 0.3 < seeing < 0.7
    assert np.mean(right) > max(hearing, seeing) + 0.25
    assert np.mean(right) > 0.9


class Lookup:
    """Both sides of a world of given embeddings: a clip and an image carry their number, a label its own."""

    space = "lookup"

    def __init__(self, text: Any, items: Any, usual: Any) -> None:
        self.text, self.items = text.astype(np.float32), items.astype(np.float32)
        self.sound_bank = self.picture_bank = Bank(usual, "the world's own")

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray(self.text[[int(re.sub(r"\D", "", phrase)) for phrase in phrases]])

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        return np.asarray(self.items[[clip.sample_rate_hz - 1 for clip in clips]])

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.asarray(self.items[[256 * int(image[0, 0, 0]) + int(image[0, 0, 1]) for image in images]])


def numbered(number: int) -> AVSample:
    image = np.array([[[number // 256, number % 256, 0]]], np.uint8)
    return AVSample(image, AudioClip(np.zeros((1, 1), np.float32), number + 1))


@pytest.mark.parametrize("variant", ["label", "embedding"])
def test_fused_in_spaces_with_a_gap_between_modalities(variant: Any) -> None:
    """Seventy labels, 1024 and 512 dimensions, means far from 0: what real spaces are like and the toy one is not."""
    world = make_world(1, scenes=200, noise=1.0)
    audio_text, image_text = (
        Lookup(world.x, world.sounds, world.sound_bank),
        Lookup(world.y, world.images, world.picture_bank),
    )
    labels = [f"thing {number}" for number in range(70)]
    everything: dict[str, Any] = {"min_z": -100.0, "min_seen": -100.0, "top_k": 1}
    strategy = Fused(audio_text, image_text, labels, variant=variant, **everything)
    queries = strategy.query([numbered(number) for number in range(200)])
    right = [query.phrases == (labels[target],) for query, target in zip(queries, world.targets, strict=True)]
    alone = (
        AudioScorer(audio_text, labels).standardise(world.sounds.astype(np.float32), labels).argmax(axis=1)
        == world.targets
    )
    assert np.mean(alone) < 0.65
    assert np.mean(right) > 0.9


def test_alpha_weighs_audio_against_image() -> None:
    """With alpha 1 the ranking is the sound's, with 0 the image's."""
    view = replace(image("red", "blue", seed=1), audio=mixture(red=0.2, blue=0.3))
    settings: dict[str, Any] = {"min_z": -100.0, "max_gap": 100.0, "top_k": 6}
    ranks = {}
    for alpha in (0.0, 1.0):
        (query,) = Fused(AUDIO_TEXT, IMAGE_TEXT, COLOURS, alpha=alpha, **settings).query([view])
        ranks[alpha] = [phrase for phrase in heard(query) if phrase in ("red", "blue")]
    z_heard = AudioScorer(AUDIO_TEXT)([view.audio], ["red", "blue"])[0]
    z_seen = ImageScorer(IMAGE_TEXT)([view.image], ["red", "blue"])[0]
    assert ranks[0.0] != ranks[1.0], "an example in which they disagree"
    assert ranks[1.0] == sorted(("red", "blue"), key=lambda c: -z_heard[("red", "blue").index(c)])
    assert ranks[0.0] == sorted(("red", "blue"), key=lambda c: -z_seen[("red", "blue").index(c)])


def test_the_label_score_is_the_log_linear_pool() -> None:
    sample = replace(image("red", "blue"), audio=toy.tone("red"))
    heard_z = AudioScorer(AUDIO_TEXT, COLOURS)([sample.audio], ["red"])
    seen_z = ImageScorer(IMAGE_TEXT, COLOURS)([sample.image], ["red"])
    for settings, alpha, least in (
        ({}, 0.5, 0.5 * 2.0),
        ({"alpha": 0.3}, 0.3, 0.3 * 2.0),
        ({"alpha": 0.3, "min_z": 1.0, "min_seen": 0.2}, 0.3, 0.3 * 1.0 + 0.7 * 0.2),
    ):
        (query,) = Fused(AUDIO_TEXT, IMAGE_TEXT, COLOURS, **settings).query([sample])  # type: ignore[arg-type]
        z = float(alpha * heard_z[0, 0] + (1 - alpha) * seen_z[0, 0])
        assert query.phrases == ("red",)
        assert query.weights == pytest.approx(1 / (1 + np.exp(least - z)), abs=1e-5)


@pytest.mark.parametrize("variant", ["label", "embedding"])
def test_min_seen_is_how_much_a_label_must_be_seen(variant: Any) -> None:
    sample = replace(image("red", "blue"), audio=toy.tone("red"))
    (seen,) = ImageScorer(IMAGE_TEXT, COLOURS)([sample.image], ["red"])[0]
    for min_seen, found in ((0.0, ("red",)), (seen - 0.01, ("red",)), (seen + 0.01, ())):
        (query,) = Fused(AUDIO_TEXT, IMAGE_TEXT, COLOURS, variant=variant, min_seen=float(min_seen)).query([sample])
        if variant == "label" or not min_seen or not found:  # the gated product has a threshold of its own
            assert heard(query) == found, min_seen


def test_an_unknown_variant_suggests() -> None:
    with pytest.raises(UnknownName, match="did you mean 'label'"):
        Fused(AUDIO_TEXT, IMAGE_TEXT, COLOURS, variant="lable")  # type: ignore[arg-type]


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_a_share_beyond_the_whole_is_refused(alpha: float) -> None:
    with pytest.raises(InputError, match="alpha"):
        Fused(AUDIO_TEXT, IMAGE_TEXT, COLOURS, alpha=alpha)


def test_a_single_label_cannot_be_ranked() -> None:
    with pytest.raises(VocabularyError, match="needs two at least; use variant='label'"):
        Fused(AUDIO_TEXT, IMAGE_TEXT, ["red"], variant="embedding")
    sample = replace(image("red"), audio=toy.tone("red"))
    assert heard(Fused(AUDIO_TEXT, IMAGE_TEXT, ["red"]).query([sample])[0]) == ("red",)


def test_the_common_space_is_solved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    from zsavs.strategies import fused as module

    real = module.ridge
    monkeypatch.setattr(module, "ridge", lambda x, y: calls.append(len(x)) or real(x, y))
    strategy = Fused(AUDIO_TEXT, IMAGE_TEXT, COLOURS, variant="embedding")
    for _ in range(3):
        strategy.query([image("red")])
    assert calls == [6]


def test_the_embedding_score_is_the_gated_product_against_all_pairs_of_the_banks() -> None:
    sample = replace(image("red", "blue"), audio=toy.tone("red"))
    strategy = Fused(AUDIO_TEXT, IMAGE_TEXT, COLOURS, variant="embedding")
    sounds, images = strategy.audio_scorer.bank.embeddings, strategy.image_scorer.bank.embeddings
    mapping = ridge(strategy.audio_scorer.text(COLOURS), strategy.image_scorer.text(COLOURS))
    labels = mapping.centred_targets(strategy.image_scorer.text(COLOURS)).astype(float)

    def scores(some_sounds: Any, some_images: Any) -> NDArray[np.float64]:
        mapped = mapping(some_sounds - sounds.mean(axis=0))
        return np.array([gate(mapped, view) @ labels.T for view in some_images - images.mean(axis=0)])

    usual = scores(sounds, images)
    z = scores(AUDIO_TEXT.encode_audio([sample.audio]), IMAGE_TEXT.encode_image([sample.image]))[0, 0] - usual.mean(
        axis=(0, 1)
    )
    (query,) = strategy.query([sample])
    assert query.phrases == ("red",)
    assert query.weights == pytest.approx(1 / (1 + np.exp(-z[0] / usual.std())), abs=1e-5)


# -------------------------------------------------------------------- cross-modal verification
class Captions:
    """A captioner that says what it is told to."""

    def __init__(self, *captions: str) -> None:
        self.captions = list(captions)

    def caption(self, items: Sequence[Any]) -> list[str]:
        assert len(items) == len(self.captions)
        return self.captions


class NotingEncoder(toy.ToyAudioText):
    """Notes the texts that it is asked to embed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        self.texts += phrases
        return super().encode_text(phrases)


@pytest.mark.parametrize("sound", ["red", "blue", "green"])
def test_every_noun_is_scored_and_not_the_caption(sound: str) -> None:
    """The published code embeds the whole caption and so always answers with its first noun."""
    encoder = NotingEncoder()
    strategy = CrossModal(Captions("a red ball and a blue car next to a green bird"), encoder)
    (query,) = strategy.query([replace(image("red"), audio=toy.tone(sound))])
    assert query.phrases == ({"red": "red ball", "blue": "blue car", "green": "green bird"}[sound],)
    asked = {text for text in encoder.texts for noun in ("ball", "car", "bird") if noun in text}
    assert all(sum(noun in text for noun in ("ball", "car", "bird")) == 1 for text in asked)
    assert len(asked) >= 3


def test_each_sound_is_scored_against_its_own_caption() -> None:
    captions = Captions("a red thing", "a blue thing and a red thing", "", "a purple thing")
    sounds = ("red", "blue", "red", "red")
    samples = [replace(image(), audio=toy.tone(sound)) for sound in sounds]
    queries = CrossModal(captions, AUDIO_TEXT).query(samples)
    assert [heard(query) for query in queries] == [("red",), ("blue",), (), ()]


def test_a_noun_cutter_of_ones_own() -> None:
    strategy = CrossModal(Captions("red, blue"), AUDIO_TEXT, nouns=lambda caption: caption.split(", "))
    (query,) = strategy.query([replace(image(), audio=toy.tone("blue"))])
    assert query.phrases == ("blue",)


# ---------------------------------------------------------------------------------- vocabulary
@pytest.mark.parametrize("make", [lambda v: AudioToText(AUDIO_TEXT, v), lambda v: Fused(AUDIO_TEXT, IMAGE_TEXT, v)])
def test_a_vocabulary_by_name_by_list_or_not_at_all(make: Any) -> None:
    assert "dog" in make("everyday").vocabulary
    assert make(["red", " red ", "blue"]).vocabulary == ("red", "blue")
    with pytest.raises(VocabularyError):
        make([])
    with pytest.raises(UnknownName):
        make("everday")


def test_a_label_in_words_of_its_own_is_answered_in_those_words() -> None:
    strategy = AudioToText(AUDIO_TEXT, ["my RED siren", "Blue whale"])
    sample = replace(image("red"), audio=toy.tone("blue"))
    assert strategy.query([sample])[0].phrases == ("Blue whale",)

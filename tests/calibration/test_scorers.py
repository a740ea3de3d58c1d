"""Similarities mean something only against a bank: the arithmetic, the synthetic items, and what is kept on disk."""

from __future__ import annotations

import copy
import hashlib
import io
import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zsavs.calibration import bank
from zsavs.calibration.bank import Bank, synthetic_audio, synthetic_images
from zsavs.calibration.scorers import AudioScorer, ImageScorer, Usual, standardise
from zsavs.language.prompts import embed_phrases, templates
from zsavs.language.vocabulary import load_vocabulary
from zsavs.storage.text_embedding_cache import cache_folder
from zsavs.testing import toy
from zsavs.types import AudioClip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("ZSAVS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def unit(rows: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class Encoder:
    """Random projections of a few statistics of an item; ``seed`` stands for the weights."""

    space = "fake"

    def __init__(self, seed: int = 0, width: int = 16) -> None:
        self.weights = np.random.default_rng(seed).standard_normal((6, width))
        self.encoded = 0

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        numbers = [np.resize([1.0, *map(float, phrase.encode())], 6) - 90 for phrase in phrases]
        return unit(np.array(numbers).reshape(-1, 6) @ self.weights)

    def _encode(self, items: Sequence[Any]) -> NDArray[np.float32]:
        self.encoded += len(items)
        numbers = [[1.0, x.mean(), x.std(), np.abs(x).max(), np.abs(np.diff(x)).mean(), x[::7].std()] for x in items]
        return unit(np.array(numbers).reshape(-1, 6) @ self.weights)

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        return self._encode([clip.mono() for clip in clips])

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return self._encode([image.ravel() / 255 for image in images])


# --------------------------------------------------------------------------- standardise
def usual_of(bank_rows: Any, labels: Any, rivals: Any = None, nothing: Any = None, *, blank: bool = False) -> Usual:
    none = np.zeros((0, np.shape(bank_rows)[1]))
    rows = [none if given is None else np.asarray(given, float) for given in (rivals, nothing)]
    return Usual(np.asarray(bank_rows, float), np.asarray(labels, float), *rows, blank)


def test_standardise_by_hand() -> None:
    rows = np.array([[0.8, 0.6], [0.6, 0.8], [1.0, 0.0], [0.0, 1.0]])
    text = np.array([[1.0, 0.0], [0.6, 0.8]])
    items = np.array([[1.0, 0.0], [0.0, -1.0]])
    # Similarities of the bank with the first phrase: 0.8, 0.6, 1, 0; with the second one: 0.96, 1, 0.6, 0.8.
    offsets = np.array([0.7, 0.88])  # the medians
    deviations = np.sqrt([(0.04 + 0 + 0.16 + 0.36) / 4, (0.0144 + 0.0256 + 0.0576 + 0.0016) / 4])
    wanted = (items @ text.T - offsets) / deviations.mean()  # one deviation: the median of two
    z = standardise(items, text, usual_of(rows, text))
    assert z.dtype == np.float32
    assert z == pytest.approx(wanted, abs=1e-6)


def test_rivals_by_hand() -> None:
    rows = np.zeros((4, 8))
    rivals = np.eye(8)[:5]
    item = np.array([[0.9, 0.3, 0.2, 0.1, 0.0, 0.7, 0.0, 0.0]])
    # Offsets are 0. The rivals' similarities are 0.9, 0.3, 0.2, 0.1, 0: their median is 0.2, their quartiles 0.1, 0.3.
    z = standardise(item, np.eye(8)[[0, 5]], usual_of(rows, rivals, rivals))
    assert z[0] == pytest.approx((np.array([0.9, 0.7]) - 0.2) / (0.2 / 1.349), rel=1e-5)


def test_texts_for_nothing_by_hand() -> None:
    rows = np.zeros((4, 8))
    rivals, nothing = np.eye(8)[:5], np.eye(8)[[6]]
    item = np.array([[0.9, 0.3, 0.2, 0.1, 0.0, 0.7, 0.8, 0.0]])
    z = standardise(item, np.eye(8)[[0, 5]], usual_of(rows, rivals, rivals, nothing))
    scores = (np.array([0.9, 0.7, 0.8]) - 0.2) / (0.2 / 1.349)
    assert z[0] == pytest.approx(scores[:2] - (scores[2] - 2.5), rel=1e-5), "what it scores above 2.5 is taken from all"


def test_a_blank_item_that_is_resembled_by_hand() -> None:
    rows = np.array([[0.5, 0, 0, 0], [-0.5, 0, 0, 0], [0, 0.5, 0, 0], [0, -0.5, 0, 0]])  # their mean is 0
    labels = np.eye(4)
    usual = usual_of(rows, labels, labels, blank=True)
    alone = usual._replace(rivals=np.zeros((0, 4)))  # no rivals: no penalty, as the labels of blank items are not known
    item = np.array([[0.8, 0.0, 0.0, 0.6]])
    # Offsets, lower quartiles: -0.125, -0.125, 0, 0. Deviation: the median of 0.354, 0.354, 0, 0; so 0.177.
    assert standardise(item, labels, alone)[0] == pytest.approx(np.array([0.925, 0.125, 0, 0.6]) / 0.17678, rel=1e-3)
    # Against rivals: the median of these is 0.3625, their quartiles 0.09375 and 0.68125 give a deviation of 0.4355.
    z = (np.array([0.925, 0.125, 0, 0.6]) - 0.3625) / 0.4355
    # The first blank item has 0.625, 0.125, 0, 0: less the median of 0.0625, over (0.25 - 0) / 1.349, the best label
    # scores 3.035. The item resembles it with cosine 0.8.
    assert standardise(item, labels, usual)[0] == pytest.approx(z - 0.8**4 * 3.035, rel=1e-2)


def test_a_bank_item_scores_as_usual(rng: np.random.Generator) -> None:
    rows, text = unit(rng.standard_normal((201, 8))), unit(rng.standard_normal((5, 8)))
    z = standardise(rows, text, usual_of(rows, text))
    assert np.median(z, axis=0) == pytest.approx(np.zeros(5), abs=1e-6)
    assert z.std(axis=0) == pytest.approx(np.ones(5), abs=0.2)


def test_an_offset_of_the_space_does_not_matter(rng: np.random.Generator) -> None:
    """The modality gap: one vector added to all sounds raises every cosine, and no score."""
    rows, items, text, rivals, nothing = (rng.standard_normal((count, 8)) for count in (50, 4, 6, 30, 2))
    gap = 30 * rng.standard_normal(8)
    for blank in (False, True):
        here = standardise(items, text, usual_of(rows, rivals, rivals, nothing, blank=blank))
        there = standardise(items + gap, text, usual_of(rows + gap, rivals, rivals, nothing, blank=blank))
        assert there == pytest.approx(here, abs=1e-4)


def test_a_space_of_smaller_cosines_gives_the_same_scores(rng: np.random.Generator) -> None:
    rows, items, text, rivals, nothing = (rng.standard_normal((count, 8)) for count in (50, 4, 6, 30, 2))
    here = standardise(items, text, usual_of(rows, rivals, rivals, nothing, blank=True))
    low = standardise(items, text / 10, usual_of(rows, rivals / 10, rivals / 10, nothing / 10, blank=True))
    assert low.argsort().tolist() == here.argsort().tolist()
    rivals_only = [
        standardise(items, text / scale, usual_of(rows, rivals / scale, rivals / scale)) for scale in (1.0, 1.5)
    ]
    assert rivals_only[0] == pytest.approx(rivals_only[1], abs=1e-4)


def test_a_label_that_half_of_the_bank_resemble_is_as_audible_as_others(rng: np.random.Generator) -> None:
    """Half of the synthetic bank is noise, and rain sounds like noise: with a mean and a deviation of its own it had
    1.0 where a dog had 4."""
    labels = np.eye(64)[:40]
    rows = 0.04 * rng.standard_normal((42, 64))
    rows[:21, 0] += 0.3  # noises are like rain, the first label
    rain, dog = (0.04 * rng.standard_normal(64) + 0.4 * labels[place] for place in (0, 1))
    z = standardise(np.stack([rain, dog]), labels, usual_of(rows, labels, labels, blank=True))
    assert z[0, 0] > 3
    assert z[1, 1] > 3
    assert z[0].argmax() == 0, "no stray label outranks it"


def test_the_penalty_is_the_same_for_all_labels(rng: np.random.Generator) -> None:
    """So the best label stays the best, whatever stands for nothing."""
    rows, items, text = (unit(rng.standard_normal((count, 16))) for count in (42, 30, 40))
    nothing = items[:10]
    with_all = standardise(items, text, usual_of(rows, text, text, nothing, blank=True))
    without = standardise(items, text, usual_of(rows, text, text, blank=True))
    assert (with_all <= without + 1e-6).all()
    assert np.ptp(without - with_all, axis=1) == pytest.approx(np.zeros(30), abs=1e-4)
    assert (without - with_all).max() > 0.1


def test_a_phrase_that_the_bank_does_not_move_gets_no_huge_score() -> None:
    rows = np.array([[1.0, 0.0, 0.5], [1.0, 0.0, -0.5]])  # nothing moves along the second axis
    text = np.array([[0.0, 1.0, 0.0]])
    (z,) = standardise(np.array([[1.0, 0.1, 0.0]]), text, usual_of(rows, text))
    assert z[0] == pytest.approx(0.1 / (np.sqrt(0.25 / 3) / 2), rel=1e-5)


def test_a_bank_of_one_kind_only_is_no_division_by_zero() -> None:
    same = np.ones((4, 3)) / np.sqrt(3)
    for blank in (False, True):
        assert np.isfinite(standardise(np.eye(3), np.eye(3), usual_of(same, np.eye(3), np.eye(3), blank=blank))).all()


@given(st.integers(0, 10_000))
def test_other_phrases_never_change_a_phrases_score(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items, rows, text, rivals, nothing = (unit(rng.standard_normal((count, 6))) for count in (3, 20, 8, 12, 2))
    usual = usual_of(rows, rivals, rivals, nothing, blank=bool(seed % 2))
    some = rng.permutation(8)[: rng.integers(1, 8)]
    assert standardise(items, text, usual)[:, some] == pytest.approx(standardise(items, text[some], usual), abs=1e-5)
    one = rng.integers(0, 3)
    assert standardise(items[[one]], text, usual) == pytest.approx(standardise(items, text, usual)[[one]], abs=1e-5)


def test_a_scorer_is_the_same_arithmetic_from_items_and_phrases() -> None:
    encoder = Encoder()
    hear, look = AudioScorer(encoder), ImageScorer(encoder)
    clips = [AudioClip(clip.waveform[:, :48_000], clip.sample_rate_hz) for clip in synthetic_audio()[3:6]]
    views = synthetic_images()[3:6]
    phrases = ["dog", "piano"]

    def texts(kind: str, *vocabularies: str) -> NDArray[np.float32]:
        labels = [label for name in vocabularies for label in load_vocabulary(name)]
        return embed_phrases(encoder, labels, templates(kind))

    heard, seen = texts("sound", "everyday"), texts("photo", "everyday", "silent")
    of_sound = Usual(encoder.encode_audio(synthetic_audio()), heard, heard, texts("sound", "nothing"), blank=True)
    of_sight = usual_of(encoder.encode_image(synthetic_images()), seen, seen, blank=True)
    assert hear(clips, phrases) == pytest.approx(
        standardise(encoder.encode_audio(clips), embed_phrases(encoder, phrases, templates("sound")), of_sound)
    )
    assert look(views, phrases) == pytest.approx(
        standardise(encoder.encode_image(views), embed_phrases(encoder, phrases, templates("photo")), of_sight)
    )
    assert hear(clips, phrases) == pytest.approx(
        np.concatenate([hear.pooled(hear.listen([c]), phrases) for c in clips])
    )
    assert hear(clips, ["dog"]) == pytest.approx(hear(clips, phrases)[:, :1], abs=1e-5)


def test_an_encoder_with_a_bank_of_its_own_has_neither_rivals_nor_texts_for_nothing() -> None:
    """Words that it never saw may lie anywhere in its space."""
    encoder = Encoder()
    encoder.sound_bank = np.eye(16, dtype=np.float32)  # type: ignore[attr-defined]
    usual = AudioScorer(encoder, ["piano", "bell"]).usual
    assert (len(usual.labels), len(usual.rivals), len(usual.nothing), usual.blank) == (2, 0, 0, False)


def test_a_users_bank_keeps_the_rivals_and_the_texts_for_nothing() -> None:
    encoder = Encoder()
    twin = copy.copy(encoder)
    twin.sound_bank = Bank(np.eye(16), "recordings of my street")  # type: ignore[attr-defined]
    twin.calibrated_from = encoder  # type: ignore[attr-defined]
    usual = AudioScorer(twin).usual
    assert len(usual.rivals) == len(load_vocabulary("everyday"))
    assert len(usual.nothing) == len(load_vocabulary("nothing"))
    assert not usual.blank, "what resembles a recording of the user's is not nothing"


def test_the_temperature_is_the_encoders_own_or_one_deviation() -> None:
    encoder = Encoder()
    scorer = ImageScorer(encoder)
    assert scorer.temperature == scorer.usual.deviation()
    encoder.temperature = 0.01  # type: ignore[attr-defined]
    assert ImageScorer(encoder).temperature == 0.01


def test_no_phrases_and_no_items() -> None:
    hear = AudioScorer(Encoder())
    assert hear(synthetic_audio()[:2], []).shape == (2, 0)
    assert hear([], ["dog"]).shape == (0, 1)


# ------------------------------------------------------------------------------- prompts
def test_every_template_has_one_hole() -> None:
    for kind in ("sound", "photo"):
        assert len(templates(kind)) >= 3
        assert all(prompt.count("{}") == 1 for prompt in templates(kind))


def test_a_phrase_is_the_mean_of_its_prompts_renormalised() -> None:
    encoder = Encoder()
    prompts = ("a sound of {}.", "{}")
    rows = embed_phrases(encoder, ["dog", "c{}t"], prompts)
    texts = encoder.encode_text(["a sound of dog.", "dog", "a sound of c{}t.", "c{}t"])
    assert rows == pytest.approx(unit(texts.reshape(2, 2, -1).mean(axis=1)), abs=1e-6)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(2), abs=1e-6)
    assert embed_phrases(encoder, [], prompts).shape == (0, 16)


# ------------------------------------------------------------------------ synthetic items
def test_synthetic_audio_are_sounds() -> None:
    sounds = synthetic_audio()
    assert len(sounds) >= 30
    assert not sounds[0].waveform.any(), "digital silence is what is usual, too"
    for clip in sounds:
        assert clip.sample_rate_hz == 48_000
        assert clip.waveform.shape == (1, 240_000)
        assert np.abs(clip.waveform).max() <= 1
    assert len({clip.waveform.tobytes() for clip in sounds}) == len(sounds)


def test_synthetic_images_are_images() -> None:
    images = synthetic_images()
    assert len(images) >= 30
    assert all(image.shape == (224, 224, 3) and image.dtype == np.uint8 for image in images)
    assert len({image.tobytes() for image in images}) == len(images)
    assert {0, 255} <= set(np.unique(np.concatenate([image.ravel() for image in images])))


def test_synthetic_items_are_the_same_in_every_process() -> None:
    code = (
        "import hashlib, numpy; from zsavs.calibration.bank import synthetic_images as p, synthetic_audio as s;"
        "numpy.random.seed(5); print(hashlib.sha256(b''.join([x.tobytes() for x in p()] +"
        " [x.waveform.tobytes() for x in s()])).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    state = np.random.get_state()[1].tolist()  # type: ignore[index]
    synthetic_images.cache_clear()
    synthetic_audio.cache_clear()
    here = hashlib.sha256(
        b"".join([x.tobytes() for x in synthetic_images()] + [x.waveform.tobytes() for x in synthetic_audio()])
    ).hexdigest()
    assert there.strip() == here
    assert np.random.get_state()[1].tolist() == state, "the global generator is nobody's"  # type: ignore[index]


def test_changed_items_need_a_new_version() -> None:
    """Users have cached embeddings of the old ones. If this fails, raise ``bank._VERSION`` and write new numbers."""
    waves = [clip.waveform.astype(float) for clip in synthetic_audio()]
    sounds = sum(n * (np.sqrt((w**2).mean()) + np.abs(np.diff(w)).mean()) for n, w in enumerate(waves, 1))
    views = [view.astype(float) for view in synthetic_images()]
    images = sum(n * (v.mean() + v[:112].mean() + v[:, :112, 0].mean() + v.std()) for n, v in enumerate(views, 1))
    assert bank._VERSION == 1
    assert (len(waves), len(views)) == (42, 40)
    assert sounds == pytest.approx(108.327493, rel=1e-6)
    assert images == pytest.approx(346395.4534, rel=1e-6)


def test_items_cannot_be_changed_by_a_model() -> None:
    with pytest.raises(ValueError, match="read-only"):
        synthetic_images()[0][0] = 1
    with pytest.raises(ValueError, match="read-only"):
        synthetic_audio()[0].waveform[0] = 1


# --------------------------------------------------------------------- statistics on disk
def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npy"))


def test_statistics_are_computed_once_for_each_model_ever(cache: Path) -> None:
    first = Encoder()
    known = bank.of_audio(first)
    assert first.encoded == len(synthetic_audio()) + 1, "the last item twice: it is the fingerprint"
    assert bank.of_audio(first) is known
    assert first.encoded == len(synthetic_audio()) + 1

    again = Encoder()  # the same weights, another object or another day
    assert np.array_equal(bank.of_audio(again).embeddings, known.embeddings)
    assert again.encoded == 1
    assert len(files(cache)) == 1


def test_other_weights_never_meet_these_statistics(cache: Path) -> None:
    one, other = Encoder(seed=0), Encoder(seed=1)
    assert not np.allclose(bank.of_audio(one).embeddings, bank.of_audio(other).embeddings)
    assert other.encoded == len(synthetic_audio()) + 1
    assert len(files(cache)) == 2


def test_another_space_and_another_kind_are_kept_apart(cache: Path) -> None:
    one, other = Encoder(), Encoder()
    other.space = "another"
    for encoder in (one, other):
        bank.of_audio(encoder)
        bank.of_images(encoder)
    assert len(files(cache)) == 4
    assert sorted(path.name.split("-")[0] for path in files(cache)) == ["picture_bank"] * 2 + ["sound_bank"] * 2


def test_the_bank_says_what_it_was_made_from() -> None:
    assert bank.of_audio(Encoder()).source == f"{len(synthetic_audio())} synthetic items, version 1, seed 0"


def test_statistics_are_never_pickled(cache: Path) -> None:
    encoder = Encoder()
    bank.of_audio(encoder)
    (path,) = files(cache)
    assert np.load(path, allow_pickle=False).dtype == np.float32
    evil = np.empty(2, object)
    evil[:] = [print, "would run"]
    np.save(path, evil, allow_pickle=True)
    fresh = Encoder()
    bank.of_audio(fresh)
    assert fresh.encoded == len(synthetic_audio()) + 1, "not loaded, but computed again"


def kept(width: int = 16) -> NDArray[np.float32]:
    return Encoder(width=width).encode_audio(synthetic_audio())


def npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 looks like an archive",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\x10\x00" + b"('((((" + b" " * 100,
        lambda: npy(kept())[:-100],
        lambda: npy(kept())[:60],
        lambda: npy(kept()[1:]),
        lambda: npy(kept(width=8)),
        lambda: npy(np.full_like(kept(), np.nan)),
        lambda: npy(np.zeros_like(kept())),
        lambda: npy(np.roll(kept(), 3, axis=1)),
        lambda: npy(kept().astype("S4")),
    ],
    ids=["empty", "zip", "magic", "header", "cut", "cut early", "fewer", "narrower", "nan", "zeros", "other", "text"],
)
def test_a_damaged_file_is_computed_again_and_replaced(
    cache: Path, content: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bank.of_audio(Encoder())
    (path,) = files(cache)
    good = path.read_bytes()
    path.write_bytes(content() if callable(content) else content)
    encoder = Encoder()
    with caplog.at_level(logging.WARNING, "zsavs"):
        computed = bank.of_audio(encoder)
    assert np.array_equal(computed.embeddings, kept())
    assert path.read_bytes() == good
    assert str(path) in caplog.text


def test_a_file_that_is_a_folder_only_warns(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    bank.of_audio(Encoder())
    (path,) = files(cache)
    path.unlink()
    path.mkdir()
    with caplog.at_level(logging.WARNING, "zsavs"):
        assert np.array_equal(bank.of_audio(Encoder()).embeddings, kept())
    assert "is not cached" in caplog.text


def test_a_cache_that_cannot_be_written_only_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZSAVS_CACHE", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING, "zsavs"):
        assert np.array_equal(bank.of_audio(Encoder()).embeddings, kept())
    assert "the calibration bank is not cached" in caplog.text


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"ZSAVS_CACHE": "/a"}, "/a"),
        ({"ZSAVS_CACHE": "~/a", "HOME": "/h"}, "/h/a"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/zsavs"),
        ({"HOME": "/h"}, "/h/.cache/zsavs"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/zsavs"),
    ],
)
def test_where_statistics_are_kept(variables: dict[str, str], wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZSAVS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(wanted)


def test_a_user_without_a_home_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("ZSAVS_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", nobody)
    assert cache_folder().is_absolute()


def test_a_bank_that_comes_with_the_encoder_is_used(cache: Path) -> None:
    encoder = Encoder()
    own = Bank(np.eye(16, dtype=np.float32), "recordings of my street")
    encoder.sound_bank = own  # type: ignore[attr-defined]
    assert AudioScorer(encoder).bank is own
    assert encoder.encoded == 0
    assert ImageScorer(encoder).bank is not own
    assert len(files(cache)) == 1


def test_an_encoder_need_not_be_hashable_and_equal_ones_are_not_the_same() -> None:
    @dataclass
    class Plain(Encoder):  # == compares fields, and there is no hash
        seed: int = 0

        def __post_init__(self) -> None:
            super().__init__(self.seed)

        def __eq__(self, _: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    one, other = bank.of_audio(Plain(0)), bank.of_audio(Plain(1))
    assert not np.allclose(one.embeddings, other.embeddings)


def test_a_bank_is_frozen_float32() -> None:
    frozen = Bank(np.eye(3), "mine")
    assert frozen.embeddings.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        frozen.embeddings[0] = 0


# ------------------------------------------------------------------- it means something
def test_only_what_is_heard_scores_high_in_the_toy_world() -> None:
    z = AudioScorer(toy.ToyAudioText(), tuple(toy.COLOURS))([toy.tone("red"), toy.tone()], ["red", "blue", "green"])
    assert z[0].argmax() == 0
    assert z[0, 0] > 2.5
    assert z[0, 1:].max() < 1
    assert z[1].max() < 1, "silence is like nothing"

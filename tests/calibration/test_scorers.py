"""Similarities mean something only against a bank: the arithmetic, the synthetic items, and what is kept on disk."""

from __future__ import annotations

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
from zsavs.calibration.scorers import AudioScorer, ImageScorer, standardise
from zsavs.language.prompts import embed_phrases, templates
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
def test_standardise_by_hand() -> None:
    usual = np.array([[0.8, 0.6], [0.6, 0.8], [1.0, 0.0], [0.0, 1.0]])
    text = np.array([[1.0, 0.0], [0.6, 0.8]])
    items = np.array([[1.0, 0.0], [0.0, -1.0]])
    # Similarities of the bank with the first phrase: 0.8, 0.6, 1, 0; with the second one: 0.96, 1, 0.6, 0.8.
    means = np.array([0.6, 0.84])
    variances = np.array([(0.04 + 0 + 0.16 + 0.36) / 4, (0.0144 + 0.0256 + 0.0576 + 0.0016) / 4])
    spread = (0.14 + 0.14) / 2  # both coordinates of the bank are 0.8, 0.6, 1, 0 in some order
    wanted = (items @ text.T - means) / np.sqrt(variances + spread)
    z = standardise(items, usual, text)
    assert z.dtype == np.float32
    assert z == pytest.approx(wanted, abs=1e-6)
    assert z[0, 0] == pytest.approx(0.4 / np.sqrt(0.28), abs=1e-6)


def test_a_bank_item_scores_as_usual(rng: np.random.Generator) -> None:
    usual, text = unit(rng.standard_normal((200, 8))), unit(rng.standard_normal((5, 8)))
    z = standardise(usual, usual, text)
    assert z.mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-6)
    assert (z.std(axis=0) < 1).all(), "the spread keeps scores modest"


def test_an_offset_of_the_space_does_not_matter(rng: np.random.Generator) -> None:
    """The modality gap: one vector added to all sounds raises every cosine, and no score."""
    usual, items, text = (rng.standard_normal((count, 8)) for count in (50, 4, 6))
    gap = 30 * rng.standard_normal(8)
    assert standardise(items + gap, usual + gap, text) == pytest.approx(standardise(items, usual, text), abs=1e-4)


def test_a_phrase_that_the_bank_does_not_move_gets_no_huge_score() -> None:
    usual = np.array([[1.0, 0.0, 0.5], [1.0, 0.0, -0.5]])  # nothing moves along the second axis
    (z,) = standardise(np.array([[1.0, 0.1, 0.0]]), usual, np.array([[0.0, 1.0, 0.0]]))
    assert z[0] == pytest.approx(0.1 / np.sqrt(0.25 / 3), rel=1e-5)


def test_a_bank_of_one_kind_only_is_no_division_by_zero() -> None:
    same = np.ones((4, 3)) / np.sqrt(3)
    assert np.isfinite(standardise(np.eye(3), same, np.eye(3))).all()


@given(st.integers(0, 10_000))
def test_other_phrases_never_change_a_phrases_score(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items, usual, text = (unit(rng.standard_normal((count, 6))) for count in (3, 20, 8))
    some = rng.permutation(8)[: rng.integers(1, 8)]
    assert standardise(items, usual, text)[:, some] == pytest.approx(standardise(items, usual, text[some]), abs=1e-5)


def test_a_scorer_is_the_same_arithmetic_from_items_and_phrases() -> None:
    encoder = Encoder()
    hear, look = AudioScorer(encoder), ImageScorer(encoder)
    clips, views = synthetic_audio()[3:6], synthetic_images()[3:6]
    phrases = ["dog", "piano"]
    assert np.array_equal(
        hear(clips, phrases),
        standardise(
            encoder.encode_audio(clips),
            encoder.encode_audio(synthetic_audio()),
            embed_phrases(encoder, phrases, templates("sound")),
        ),
    )
    assert np.array_equal(
        look(views, phrases),
        standardise(
            encoder.encode_image(views),
            encoder.encode_image(synthetic_images()),
            embed_phrases(encoder, phrases, templates("photo")),
        ),
    )
    assert np.array_equal(hear(clips, phrases), hear.standardise(hear.embed(clips), phrases))
    assert hear(clips, ["dog"]) == pytest.approx(hear(clips, phrases)[:, :1], abs=1e-5)


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
    z = AudioScorer(toy.ToyAudioText())([toy.tone("red"), toy.tone()], ["red", "blue", "green"])
    assert z[0].argmax() == 0
    assert z[0, 0] > 2.5
    assert z[0, 1:].max() < 1
    assert z[1].max() < 1, "silence is like nothing"

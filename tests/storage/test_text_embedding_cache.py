"""Embeddings of texts that outlive the process."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from zsavs.models.clap import ClapEncoder
from zsavs.models.text_memo import TEXT_BATCH, TextMemo
from zsavs.storage.text_embedding_cache import TextEmbeddingCache
from zsavs.testing.tiny.encoders import tiny_card, tiny_clap

WORDS = [f"thing {number}" for number in range(TEXT_BATCH + 10)]


class Model:
    """Answers each text by a direction of its own, and counts what it is asked."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.asked: list[str] = []

    def __call__(self, phrases: list[str]) -> NDArray[np.float32]:
        self.asked += phrases
        rows = [np.random.default_rng([self.seed, *phrase.encode()]).standard_normal(8) for phrase in phrases]
        return np.asarray([row / np.linalg.norm(row) for row in rows], np.float32)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZSAVS_CACHE", str(tmp_path))
    return tmp_path


def test_texts_as_long_as_one_another_share_a_batch() -> None:
    """A batch is padded to its longest text; the answers come in the order of the question all the same."""
    batches: list[list[str]] = []
    model = Model()

    def compute(phrases: list[str]) -> NDArray[np.float32]:
        batches.append(phrases)
        return model(phrases)

    words = ["a" * (1 + number * 37 % 101) + f" {number}" for number in range(3 * TEXT_BATCH)]
    rows = TextMemo(compute)(words)
    np.testing.assert_array_equal(rows, model(words))
    lengths = [len(text) for batch in batches for text in batch]
    assert lengths == sorted(lengths)
    assert len(batches) == 3


def files(cache: Path) -> list[Path]:
    return sorted(cache.iterdir())


def test_the_next_process_computes_only_what_is_new(cache: Path) -> None:
    first, second = Model(), Model()
    rows = TextMemo(first, space="s")(WORDS)
    again = TextMemo(second, space="s")([*WORDS[::-1], "something new"])
    np.testing.assert_array_equal(again[:-1], rows[::-1])
    np.testing.assert_array_equal(again[-1:], Model()(["something new"]))
    assert set(first.asked) >= set(WORDS)
    assert [text for text in second.asked if text in WORDS] == []
    assert second.asked[-1] == "something new"
    third = Model()
    TextMemo(third, space="s")([*WORDS, "something new"])
    assert len(third.asked) == 1, "the model's own answer, by which it is known"


def test_another_model_has_a_file_of_its_own(cache: Path) -> None:
    TextMemo(Model(seed=0), space="s")(WORDS)
    for model, space in ((Model(seed=1), "s"), (Model(seed=0), "t")):
        rows = TextMemo(model, space=space)(WORDS)
        assert set(model.asked) >= set(WORDS), "the rows of another model are not taken for its own"
        np.testing.assert_array_equal(rows, Model(model.seed)(WORDS))
    assert len(files(cache)) == 3


def test_few_texts_and_memories_without_a_name_touch_no_disk(cache: Path) -> None:
    TextMemo(Model(), space="s")(WORDS[:TEXT_BATCH])
    TextMemo(Model())(WORDS)
    assert files(cache) == []


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "nan", "keys"])
def test_a_damaged_file_is_computed_again(cache: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    right = TextMemo(Model(), space="s")(WORDS)
    (path,) = files(cache)
    if damage in ("cut", "empty"):
        path.write_bytes(path.read_bytes()[: 200 if damage == "cut" else 0])
    else:
        with np.load(path) as kept:
            keys, rows = kept["keys"], kept["rows"].copy()
        rows[3] = np.nan if damage == "nan" else rows[3] * 2
        with path.open("wb") as file:
            np.savez(file, **({"rows": rows} if damage == "keys" else {"keys": keys, "rows": rows}))
    model = Model()
    with caplog.at_level(logging.WARNING, "zsavs"):
        np.testing.assert_array_equal(TextMemo(model, space="s")(WORDS), right)
    assert str(path) in caplog.text
    assert set(model.asked) >= set(WORDS)
    caplog.clear()
    np.testing.assert_array_equal(TextMemo(Model(), space="s")(WORDS), right)
    assert caplog.text == "", "it has been replaced"


def test_a_cache_that_cannot_be_written_only_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZSAVS_CACHE", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING, "zsavs"):
        np.testing.assert_array_equal(TextMemo(Model(), space="s")(WORDS), Model()(WORDS))
    assert "are not kept" in caplog.text


def test_no_more_than_the_latest_texts_are_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zsavs.storage.text_embedding_cache._MAX_TEXTS", 3)
    kept = TextEmbeddingCache("s", Model()(["probe"]))
    for text in "abcde":
        kept.add({text: Model()([text])[0]})
    assert set(kept.read()) == {kept.key(text) for text in "cde"}


def test_an_encoders_texts_come_back_bit_for_bit(cache: Path) -> None:
    made = tiny_clap()

    def fresh(**settings: int) -> ClapEncoder:
        return ClapEncoder(made.model, made.feature_extractor, made.tokenizer, card=tiny_card("toy", 0), **settings)

    rows = fresh().encode_text(WORDS)
    assert len(files(cache)) == 1
    again = fresh()
    again._texts._computed = lambda phrases: pytest.fail("computed again") if phrases else {}  # type: ignore[method-assign]
    np.testing.assert_array_equal(again.encode_text(WORDS), rows)
    fresh(max_text_tokens=4).encode_text(WORDS)
    assert len(files(cache)) == 2, "an encoder that cuts texts elsewhere has rows of its own"

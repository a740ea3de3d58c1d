"""A list of labels from a file, a name or Python, or one clear sentence why not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from zsavs.errors import UnknownName, VocabularyError
from zsavs.language.vocabulary import clean, load_vocabulary, vocabulary_names


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(content: bytes | str, name: str = "labels.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# ------------------------------------------------------------------------------- shipped
def test_the_shipped_lists() -> None:
    assert vocabulary_names() == [
        "avsbench",
        "coco_sounding",
        "everyday",
        "nothing",
        "orchestra",
        "orchestra_silent",
        "silent",
        "vpo",
    ]
    sizes = {name: len(load_vocabulary(name)) for name in vocabulary_names()}
    assert sizes["avsbench"] == 70, "the classes of AVSBench-semantic without the background"
    assert sizes["vpo"] == 21
    assert sizes["everyday"] > 100


def test_nothing_is_both_sounding_and_silent() -> None:
    assert not set(load_vocabulary("everyday")) & set(load_vocabulary("silent"))


@pytest.mark.parametrize("name", vocabulary_names())
def test_shipped_lists_are_what_loading_makes_of_them(name: str) -> None:
    """No comment, blank or repetition has slipped into the labels, and none was dropped as one."""
    labels = load_vocabulary(name)
    assert labels == clean(labels, name)
    assert all(label == label.strip() and not label.startswith("#") and label for label in labels)
    assert all(label.lower() == label or label[0].isupper() or " " in label for label in labels)


# -------------------------------------------------------------------------- from Python
def test_labels_in_order_folded_and_once() -> None:
    assert load_vocabulary(["dog", "  barking \t dog ", "Dog", "", "  ", "DOG", "cat"]) == ("dog", "barking dog", "cat")


def test_the_first_spelling_stays() -> None:
    assert load_vocabulary(["Straße", "STRASSE"]) == ("Straße",)


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert load_vocabulary(["café", "cafe\N{COMBINING ACUTE ACCENT}"]) == ("café",)


@pytest.mark.parametrize("make", [tuple, iter, dict.fromkeys])
def test_any_iterable_of_strings(make: Any) -> None:
    assert load_vocabulary(make(["dog", "cat"])) == ("dog", "cat")


@pytest.mark.parametrize("wrong", [[1, 2], ["dog", None], [b"dog"], b"dog", None, 7, [["dog"]]])
def test_what_is_no_list_of_strings_is_refused(wrong: Any) -> None:
    with pytest.raises(VocabularyError, match="list of strings"):
        load_vocabulary(wrong)


@pytest.mark.parametrize("empty", [[], [""], [" ", "\n"]])
def test_no_labels(empty: list[str]) -> None:
    with pytest.raises(VocabularyError, match="no labels in it"):
        load_vocabulary(empty)


def test_a_sentence_is_no_label() -> None:
    with pytest.raises(VocabularyError, match=r"a label of 300 characters \('x{30}'\.\.\.\); one label a line"):
        load_vocabulary(["dog", "x" * 300])


def test_the_longest_label() -> None:
    assert load_vocabulary(["x" * 200]) == ("x" * 200,)
    with pytest.raises(VocabularyError):
        load_vocabulary(["x" * 201])


def test_repetitions_are_counted_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "zsavs"):
        load_vocabulary(["dog", "cat"])
        assert not caplog.records
        load_vocabulary(["dog", "Dog", "cat", "DOG"])
    assert "left out 2 repeated labels" in caplog.text


def test_five_thousand_labels_and_far_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [f"thing {number}" for number in range(5000)]
    monkeypatch.setattr("zsavs.language.vocabulary._MAX_LABELS", 5000)
    assert load_vocabulary(labels) == tuple(labels)
    monkeypatch.setattr("zsavs.language.vocabulary._MAX_LABELS", 4999)
    with pytest.raises(VocabularyError, match="5000 labels; at most 4999"):
        load_vocabulary(labels)


# ---------------------------------------------------------------------------- from files
def test_a_file_with_comments_blanks_and_odd_line_ends(write: Any) -> None:
    path = write("# animals\n\ndog\r\n  # indented\n\tcat \n\nDOG\nc# guitar")
    assert load_vocabulary(path) == load_vocabulary(str(path)) == ("dog", "cat", "c# guitar")


@pytest.mark.parametrize("content", ["собака\n犬\nchó\nكلب\nकुत्ता\n🐕"])
def test_other_scripts(write: Any, content: str) -> None:
    assert load_vocabulary(write(content)) == tuple(content.split("\n"))


def test_a_byte_order_mark_is_no_part_of_the_first_label(write: Any) -> None:
    assert load_vocabulary(write(b"\xef\xbb\xbfdog\ncat")) == ("dog", "cat")


@pytest.mark.parametrize("content", [b"caf\xe9\n", "dog\n".encode("utf-16"), b"\x89PNG\r\n\x1a\n"])
def test_bytes_that_are_no_utf8(write: Any, content: bytes) -> None:
    path = write(content)
    with pytest.raises(VocabularyError, match=r"labels\.txt: not UTF-8 text; save the list as UTF-8"):
        load_vocabulary(path)


@pytest.mark.parametrize("content", ["", "\n\n", "# only\n# comments\n", b"\xef\xbb\xbf"])
def test_a_file_without_labels(write: Any, content: Any) -> None:
    with pytest.raises(VocabularyError, match=r"labels\.txt: no labels in it"):
        load_vocabulary(write(content))


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"cannot be read \(Is a directory\)"):
        load_vocabulary(tmp_path)


@pytest.mark.parametrize("path", ["missing.txt", "./missing", "/no/such/file", "~/zsavs-no-such-file", "a\0b.txt"])
def test_a_file_that_is_not_there(path: str) -> None:
    with pytest.raises(VocabularyError, match=r"no such file|cannot be read"):
        load_vocabulary(path)


def test_a_home_that_is_not_there() -> None:
    with pytest.raises(VocabularyError, match="~nobody-of-that-name"):
        load_vocabulary("~nobody-of-that-name/labels.txt")


def test_labels_in_place_of_a_file_name() -> None:
    """A list on the command line, longer than a file name may be."""
    assert load_vocabulary("dog, cat, " * 60) == ("dog", "cat")


def test_an_unknown_name_suggests() -> None:
    with pytest.raises(UnknownName, match=r"no vocabulary named 'evryday'; did you mean 'everyday'\?.*avsbench.*path"):
        load_vocabulary("evryday")


def test_a_file_without_a_suffix_in_the_working_folder(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("dog", name="mylabels")
    monkeypatch.chdir(path.parent)
    assert load_vocabulary("mylabels") == ("dog",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read(write: Any) -> None:
    path = write("dog")
    path.chmod(0)
    with pytest.raises(VocabularyError, match="Permission denied"):
        load_vocabulary(path)

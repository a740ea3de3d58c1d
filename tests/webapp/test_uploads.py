"""Whose files lie on the disk, and when they are deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from zsavs.webapp.uploads import Uploads


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    (tmp_path / "root").mkdir()
    return Uploads(tmp_path / "root")


def put(uploads: Uploads, name: str) -> Path:
    path = uploads.root / name
    path.write_text(name)
    return path


def test_what_a_visitor_has_is_deleted_when_they_leave(uploads: Uploads) -> None:
    image, audio = put(uploads, "image.png"), put(uploads, "audio.wav")
    uploads.claim("one", image, str(audio), None)
    assert uploads.release("two") == 0
    assert uploads.release("one") == 2
    assert not image.exists()
    assert not audio.exists()
    assert uploads.release("one") == 0


def test_a_file_that_two_visitors_have_stays_for_the_other(uploads: Uploads) -> None:
    image = put(uploads, "image.png")
    uploads.claim("one", image)
    uploads.claim("two", image)
    assert uploads.release("one") == 0
    assert image.exists()
    assert uploads.release("two") == 1
    assert not image.exists()


def test_nothing_outside_of_the_folder_is_deleted(uploads: Uploads, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_text("mine")
    link = uploads.root / "link.png"
    link.symlink_to(outside)
    uploads.claim("one", outside, uploads.root / ".." / "outside.png", link, uploads.root)
    assert uploads.release("one") == 0
    assert outside.exists()
    assert uploads.root.is_dir()


def test_what_is_made_is_in_a_folder_that_goes_with_the_visitor(uploads: Uploads) -> None:
    first = uploads.folder("one")
    (first / "answer.json").write_text("{}")
    other = uploads.folder("two")
    second = uploads.folder("one")
    assert not first.exists(), "the one before is deleted"
    (second / "answer.json").write_text("{}")
    assert uploads.release("one") == 1
    assert not second.exists()
    assert other.exists()

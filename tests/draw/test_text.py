"""One line of text: cut, spelled and set on its baseline."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zsavs.draw import text as text_module
from zsavs.draw.colours import INK, PAPER
from zsavs.draw.text import set_line


def test_a_line_is_cut_to_the_longest_start_that_fits() -> None:
    whole = set_line("the quick brown fox", 20)
    assert set_line("the quick brown fox", 20, whole.width) == whole
    cut = set_line("the quick brown fox", 20, whole.width - 1)
    assert cut.text.endswith("…")
    assert "the quick brown f".startswith(cut.text[:-1])
    for room in range(0, whole.width, 7):
        assert set_line("the quick brown fox", 20, room).width <= room
    assert set_line("the quick brown fox", 20, 3).text == ""


def test_without_system_typefaces_the_rest_is_spelled_or_questioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "_names", lambda: ("",))
    set_line.cache_clear()
    try:
        assert set_line("café ½", 20).text == "cafe 1"
        assert set_line("犬犬 dog 🐶", 20).text == "? dog ?"
        assert set_line("dog-0.87_Hz", 20).text == "dog-0.87_Hz"
    finally:
        set_line.cache_clear()


def test_a_line_draws_at_its_baseline_within_its_width() -> None:
    page = Image.new("RGB", (200, 80), PAPER)
    line = set_line("HHH", 30)
    line.draw(page, 50, 60, INK)
    rows, columns = np.nonzero((np.asarray(page) < 128).all(axis=-1))
    assert (rows.min(), rows.max()) == (60 - 20, 60 - 1)
    assert 50 <= columns.min() <= 55
    assert 50 + line.width - 6 <= columns.max() < 50 + line.width

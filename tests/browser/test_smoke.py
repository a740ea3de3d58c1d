"""The page of ``zsavs app`` in Chromium, the short of it: files in, answer out, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from visiting import ask, give, labels


@pytest.mark.network
def test_an_image_and_its_sound_are_answered(visit: Callable[..., Any], pair: tuple[Path, Path]) -> None:
    page = visit()
    give(page, *pair)
    ask(page)
    assert sorted(label.split()[0] for label in labels(page)) == ["green", "red"]
    assert "green" in (page.locator("#picture img").get_attribute("alt") or "")

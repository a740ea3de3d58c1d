"""A cache folder of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which replies are kept."""
    monkeypatch.setenv("ZSAVS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZSAVS_TRANSLATOR_KEY", raising=False)
    return tmp_path / "cache" / "translations"

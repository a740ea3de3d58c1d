"""What the tests of building share."""

from __future__ import annotations

import pytest
from counting_encoder import Counting

from zsavs import registry


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setitem(registry._BUILT_IN["audio_text"], "counting", f"{Counting.__module__}:Counting")
    Counting.loaded, Counting.clips, Counting.settings = 0, 0, []
    return Counting

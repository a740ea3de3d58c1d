"""Small banks for encoders at toy size: to encode the synthetic items takes longer than most tests."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["with_banks"]


def with_banks(encoder: Any, *kinds: str) -> Any:
    """The encoder, with a bank of its own of each kind, "sound_bank" or "picture_bank": 16 random unit rows."""
    rng = np.random.default_rng(0)
    for kind in kinds:
        rows = rng.standard_normal((16, encoder.encode_text(["dog"]).shape[1]))
        setattr(encoder, kind, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))
    return encoder

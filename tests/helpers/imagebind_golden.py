"""What the official ImageBind answers on weights and inputs that ``golden/fill.py`` makes out of names.

No weights and none of its code are here. Only a part of the spectrograms, pixels and stages is stored.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden import fill

from zsavs.models.imagebind import ImageBind

TESTS = Path(__file__).parents[1]
SAMPLES = Path(os.environ.get("ZSAVS_SAMPLES", TESTS.parents[1] / "shared" / "samples"))
GOLDEN = json.loads((TESTS / "golden" / "imagebind_tiny.json").read_text(encoding="utf-8"))
SALT = GOLDEN["salt"]
ALLOWED = GOLDEN["tolerance"]
WAVES = GOLDEN["audio"]["waves"]
IMAGES = GOLDEN["vision"]["pictures"]
TEXTS = GOLDEN["text"]["items"]
#: Raw embeddings are rounded to seven decimals in the file.
ROUNDING = 1e-6

by_name = pytest.mark.parametrize("entry", WAVES, ids=[entry["name"] for entry in WAVES])
each_pair = pytest.mark.parametrize("pair", ["dog", "car", "bird"])


def filled(config: Any, dtype: torch.dtype = torch.float32, salt: str = SALT) -> ImageBind:
    """Towers with the weights that belong to their names."""
    model = ImageBind(config)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    model.load_state_dict({name: torch.from_numpy(value) for name, value in fill.fill(shapes, salt).items()})
    return model.to(dtype).requires_grad_(False)


def unit(rows: Any) -> np.ndarray:
    """Rows of unit length."""
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def tensor(entry: dict[str, Any]) -> torch.Tensor:
    return torch.from_numpy(fill.tensor_input(entry["name"], entry["shape"], SALT))


def wave(entry: dict[str, Any]) -> np.ndarray:
    """(C, L) float32 of a golden recording, as a reader of 16-bit files returns it."""
    settings = {name: entry[name] for name in ("channels", "dc", "smooth") if name in entry}
    return fill.wave_input(entry["name"], entry["samples"], salt=SALT, **settings).T.astype(np.float32) / 32768


def image(entry: dict[str, Any]) -> np.ndarray:
    return fill.image_input(entry["name"], entry["height"], entry["width"], entry["cell"], SALT)


def real(pair: str, kind: str) -> tuple[Path, dict[str, Any]]:
    """A file of a real pair and what is known of it."""
    entry = GOLDEN["real_pairs"][pair][kind]
    path = SAMPLES / entry["file"]
    if not path.is_file():
        pytest.skip(f"NOT RUN: needs the image and sound pairs of ImageBind, {path}; set ZSAVS_SAMPLES to their folder")
    return path, entry

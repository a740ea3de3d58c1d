"""Phrases to masks by segment-geospatial's LangSAM, as its documentation calls it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from native_weights import only_best
from samgeo.text_sam import LangSAM
from stopwatch import measure


def load(weights: Path) -> Any:
    model = LangSAM(model_type="sam2-hiera-tiny")
    only_best(model.groundingdino)
    return model


def answer(models: Any, images: Sequence[str], phrases: Sequence[str]) -> list[Any]:
    masks = []
    for path in images:
        models.predict(path, ". ".join(phrases) + ".", box_threshold=0.24, text_threshold=0.24)
        masks.append(models.masks > 0)
    return masks


if __name__ == "__main__":
    measure(sys.modules[__name__])

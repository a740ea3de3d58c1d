"""Saved results that claim more than they hold: refused before anything is allocated."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import deflated
from limits import bounded

from zsavs import AVSResult
from zsavs.storage import rle


def saved(**changes: Any) -> str:
    """The text of a saved result of 4 x 5 pixels and one object, with parts of it replaced."""
    mask = np.zeros((1, 4, 5), np.bool_)
    mask[0, 1:3, 1:4] = True
    box, score = np.array([[1, 1, 4, 3]], np.float32), np.array([0.9], np.float32)
    return json.dumps(json.loads(AVSResult(mask, box, ("dog",), score, mask[0].astype(np.float32)).to_json()) | changes)


def test_a_small_result_claims_no_large_memory(tmp_path: Path) -> None:
    thing = json.loads(saved())["objects"][0]
    side = 30_000
    huge = thing | {"mask": {"size": [side, side], "counts": [side * side]}}
    bomb = {"dtype": "float32", "zlib": base64.b64encode(deflated(256)).decode()}
    for text in (
        saved(objects=[huge] * 10_000, size_hw=[side, side]),
        saved(objects=[huge] * 10_000),
        saved(score_map=bomb),
        saved(score_map=bomb, size_hw=[2**40, 2**40]),
        saved(size_hw=[-4, -5]),
        saved(size_hw=[4.0, 5.0]),
        saved(size_hw=[True, 20]),
    ):
        path = tmp_path / "text"
        path.write_text(text)
        done = bounded(
            "text = pathlib.Path(sys.argv[1]).read_text()\n"
            "try:\n    AVSResult.load(text)\n"
            "except ResultFileError as error:\n    print('refused', str(error)[:200])\n",
            path,
            imports="import pathlib, sys; from zsavs import AVSResult; from zsavs.errors import ResultFileError\n",
            mebibytes=128,
        )
        assert done.stdout.startswith("refused the JSON text: not a zsavs result"), (text[:80], done.stderr[-300:])


def test_run_lengths_that_wrap_around_are_refused() -> None:
    """Four counts of 2^62 are 0 in 64 bits."""
    with pytest.raises(ValueError, match="run lengths"):
        rle.decode({"size": [4, 5], "counts": [2**62, 2**62, 2**62, 2**62, 20]})

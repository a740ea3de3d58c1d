"""Run lengths of masks, as COCO has them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from small_results import naive_decode

from zsavs.storage import rle


@given(mask=hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_run_lengths_are_coco_s(mask: NDArray[np.bool_]) -> None:
    code = rle.encode(mask)
    assert np.array_equal(naive_decode(code), mask)
    assert np.array_equal(rle.decode(code), mask)
    assert rle.decode(code).dtype == np.bool_
    assert all(count > 0 for count in code["counts"][1:]), "no run is empty but the first"
    json.dumps(code)


def test_run_lengths_of_a_known_mask() -> None:
    mask = np.array([[1, 0, 0], [1, 1, 0]], np.bool_)
    assert rle.encode(mask) == {"size": [2, 3], "counts": [0, 2, 1, 1, 2]}


@pytest.mark.parametrize("counts", [[5], [7], [], [0, 5], [8, -2]])
def test_run_lengths_that_do_not_fill_the_mask_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match=r"run lengths add up to \d, a 2x3 mask has 6 pixels"):
        rle.decode({"size": [2, 3], "counts": counts})


def test_run_lengths_of_another_memory_layout() -> None:
    mask = np.zeros((6, 4), np.bool_)
    mask[1:3, 2:] = True
    assert rle.encode(np.asfortranarray(mask)) == rle.encode(mask) == rle.encode(mask.repeat(2, axis=1)[:, ::2])

"""What an object holds: its settings, wherever they are kept, and not what it remembers."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
import pytest

import zsavs
from zsavs.build import described, pipeline_key
from zsavs.models.sam2 import Sam2Segmenter
from zsavs.storage.memo import Memo
from zsavs.testing.tiny.segmenters import tiny_sam2


class Inner:
    def __init__(self, gain: float) -> None:
        self.gain = gain


class Outer:
    """Keeps its settings in all ways that there are, and remembers things."""

    def __init__(self, level: float = 1.0, weights: Any = (1.0, 2.0), table: Any = None, gain: float = 3.0) -> None:
        self._level, self.name = level, "x" * 500
        self._weights = list(weights)
        self._fixed = tuple(weights)
        self.table = {"a": 1, "b": 2} if table is None else table
        self._array = np.asarray(weights, np.float32)
        self._inner, self.inners = Inner(gain), [Inner(gain)]
        self.function = json.dumps
        self._seen: list[int] = []
        self._by_key: dict[str, int] = {}
        self._last: Any = None
        self._warned = False
        self._memo: Memo[int] = Memo()

    @functools.cached_property
    def computed(self) -> int:
        return 7

    def use(self) -> None:
        self._seen.append(1)
        self._by_key["a"] = 1
        self._last, self._warned = Inner(1.0), True
        self._memo([self.inners[0]], lambda new: [1 for _ in new])
        assert self.computed == 7


def test_what_is_remembered_is_no_setting() -> None:
    outer = Outer()
    before = described(outer)
    json.dumps(before)
    outer.use()
    after = described(outer)
    after.pop("_last")  # an object of one's own that came later cannot be told from a setting
    assert after == before == described(Outer())


@pytest.mark.parametrize(
    "changes",
    [
        {"level": 2.0},
        {"weights": (1.0, 3.0)},
        {"table": {"a": 1, "b": 3}},
        {"gain": 4.0},
    ],
)
def test_every_setting_is_seen(changes: dict[str, Any]) -> None:
    assert described(Outer(**changes)) != described(Outer())


def test_tables_in_another_order_are_the_same() -> None:
    assert described(Outer(table={"b": 2, "a": 1})) == described(Outer())


def test_the_key_of_a_pipeline_is_the_same_whenever_it_is_asked_for() -> None:
    from zsavs.testing import example_samples

    pipe = zsavs.build_pipeline("cofactorization", preset="toy", decomposition="nmf", stereo=True)
    before = pipeline_key([pipe], "toy", None)
    pipe.batch(example_samples())
    assert pipeline_key([pipe], "toy", None) == before
    assert pipeline_key([zsavs.build_pipeline("fused", preset="toy")], "toy", None)["code"] != before["code"]
    for part in ("decomposition.nmf", "decomposition.stereo", "strategies.cofactorization", "testing.toy"):
        assert f"zsavs.{part}" in before["code"], part
    assert "zsavs/data/prompts.json" in before["code"]
    assert "zsavs.strategies.fused" not in before["code"]


def test_the_square_of_a_segmenter_is_seen() -> None:
    made, other = tiny_sam2(), tiny_sam2()
    smaller = Sam2Segmenter(other.model, other.image_processor, card=other.card, image_size=64)
    assert described(smaller) != described(made)


def test_weights_around_other_weights_are_all_in_the_key() -> None:
    key = pipeline_key([zsavs.build_pipeline("joint_embedding", preset="nano", device="cpu")], "nano", None)
    assert {"zsavs:nano/joint", "zsavs:nano/owlv2", "zsavs:nano/sam2"} <= set(key["weights"])
    assert {"zsavs.models.owlv2", "zsavs.models.sam2", "zsavs.models.imagebind.encoder"} <= set(key["code"])

"""Answers are remembered for as long as their object lives, by identity, and never more than a few."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from zsavs.storage.memo import Memo, shared_memo


class Counting:
    """A computation that notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[Any]] = []

    def __call__(self, items: list[Any]) -> list[float]:
        self.asked.append([float(item[0]) for item in items])
        return [float(item.sum()) for item in items]


def arrays(*values: float) -> list[np.ndarray[Any, Any]]:
    return [np.array([value, 1.0]) for value in values]


def test_every_object_is_computed_once() -> None:
    memo, compute = Memo[float](), Counting()
    a, b, c = arrays(1, 2, 3)
    assert memo([a, b], compute) == [2, 3]
    assert memo([b, c, a], compute) == [3, 4, 2], "answers come in the order of the items"
    assert memo([c], compute) == [4]
    assert compute.asked == [[1, 2], [3]]


def test_a_repeated_object_in_one_batch_is_computed_once() -> None:
    memo, compute = Memo[float](), Counting()
    a, b = arrays(1, 2)
    assert memo([a, b, a], compute) == [2, 3, 2]
    assert compute.asked == [[1, 2]]


def test_equal_objects_are_different_objects() -> None:
    memo, compute = Memo[float](), Counting()
    one, same = arrays(1, 1)
    memo([one], compute)
    memo([same], compute)
    assert compute.asked == [[1], [1]]


def test_nothing_is_asked_for_nothing() -> None:
    compute = Counting()
    assert Memo[float]()([], compute) == []
    assert compute.asked == []


def test_an_answer_dies_with_its_object() -> None:
    memo, compute = Memo[float](), Counting()
    (a,) = arrays(1)
    memo([a], compute)
    assert len(memo) == 1
    del a
    gc.collect()
    assert len(memo) == 0


def test_a_new_object_in_the_place_of_a_dead_one_is_not_mistaken_for_it() -> None:
    """CPython hands out the same address again at once, and the address is the key."""
    memo = Memo[float]()
    for value in range(50):
        (a,) = arrays(value)
        assert memo([a], Counting()) == [value + 1]
        del a


def test_the_oldest_answer_goes_first_and_use_keeps_it_young() -> None:
    memo, compute = Memo[float](max_items=2), Counting()
    a, b, c = arrays(1, 2, 3)
    memo([a], compute)
    memo([b], compute)
    memo([a], compute)  # now b is the oldest
    memo([c], compute)
    assert len(memo) == 2
    memo([a, c], compute)
    assert compute.asked == [[1], [2], [3]]
    memo([b], compute)
    assert compute.asked[-1] == [2]


def test_a_batch_larger_than_the_memory_is_answered_whole() -> None:
    memo = Memo[float](max_items=2)
    items = arrays(*range(10))
    assert memo(items, Counting()) == [value + 1 for value in range(10)]
    assert len(memo) == 2


def test_a_failure_is_not_remembered() -> None:
    memo, compute = Memo[float](), Counting()
    (a,) = arrays(1)

    def fail(_: list[Any]) -> list[float]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        memo([a], fail)
    assert memo([a], compute) == [2]


def test_a_copy_starts_empty() -> None:
    memo = Memo[float](max_items=2)
    items = arrays(1, 2, 3)
    memo(items, Counting())
    for twin in (copy.deepcopy(memo), pickle.loads(pickle.dumps(memo))):
        assert len(twin) == 0
        twin(items, Counting())
        assert len(twin) == 2


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    """Threads take turns as often as the interpreter lets them."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("impatient_threads")
def test_threads_may_share_what_is_remembered() -> None:
    memo, items, failures = Memo[int](max_items=8), arrays(*range(60)), []

    def ask(seed: int) -> None:
        draw = random.Random(seed)
        try:
            for _ in range(2000):
                asked = draw.choices(items, k=5)
                assert memo(asked, lambda new: [id(item) for item in new]) == [id(item) for item in asked]
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# ------------------------------------------------------------------------- of a shared model
class Model:
    """Something that others make their stages around."""


def test_stages_around_one_model_share_what_they_know() -> None:
    model, compute, items = Model(), Counting(), arrays(1, 2)
    first, again = (shared_memo(model, "stage", 0.5)(items, compute) for _ in range(2))
    assert first == again == [2, 3]
    assert compute.asked == [[1, 2]]
    for other in (shared_memo(model, "stage", 0.6), shared_memo(model), shared_memo(Model(), "stage", 0.5)):
        assert len(other) == 0


def test_what_a_model_knows_goes_with_it() -> None:
    model = Model()
    memo, gone = weakref.ref(shared_memo(model, "stage")), weakref.ref(model)
    gc.collect()
    assert memo() is not None, "nobody but the model holds it"
    del model
    gc.collect()
    assert gone() is None
    assert memo() is None


def test_a_model_that_cannot_be_held_weakly_shares_nothing() -> None:
    assert shared_memo(7, "stage") is not shared_memo(7, "stage")

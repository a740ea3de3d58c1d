"""Making the next value while this one is worked on."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

import zsavs
from zsavs.errors import InputError
from zsavs.storage.prefetch import prefetch
from zsavs.testing import toy
from zsavs.types import AVSample


def test_values_come_in_order_and_only_one_is_made_ahead() -> None:
    made: list[int] = []

    def count() -> Iterator[int]:
        for number in itertools.count():
            made.append(number)
            yield number

    values = prefetch(count())
    assert made == [], "nothing is made before the first is asked for"
    for number in range(5):
        assert next(values) == number
        for _ in range(200):  # the worker's turn
            if len(made) == number + 2:
                break
            time.sleep(0.01)
        assert made == list(range(number + 2))
    values.close()  # type: ignore[attr-defined]
    assert len(made) == 6
    assert not any(thread.name.startswith("zsavs-prefetch") for thread in threading.enumerate())


def test_the_next_is_made_while_the_caller_works() -> None:
    working, made_meanwhile = threading.Event(), []

    def values() -> Iterator[int]:
        yield 0
        made_meanwhile.append(working.wait(10))  # would time out if it were made after the caller's work
        yield 1

    for value in prefetch(values()):
        if value == 0:
            working.set()
    assert made_meanwhile == [True]


def test_an_error_comes_up_where_its_value_would_have() -> None:
    def breaking() -> Iterator[int]:
        yield 1
        yield 2
        raise InputError("the third is broken")

    values = prefetch(breaking())
    assert [next(values), next(values)] == [1, 2]
    with pytest.raises(InputError, match="the third is broken"):
        next(values)


def test_nothing_and_none_are_values_like_any() -> None:
    assert list(prefetch([])) == []
    assert list(prefetch([None, None])) == [None, None]


def test_a_pipeline_that_loads_ahead_answers_the_same() -> None:
    threads = set()

    def scenes() -> Iterator[AVSample]:
        for seed in range(5):
            threads.add(threading.current_thread())
            yield toy.scene(("red", "blue"), ("red",), size_hw=(20, 30), seed=seed)[0]

    pipe = zsavs.build_pipeline("fused", preset="toy")
    plain = list(pipe.map(scenes(), batch_size=2))
    assert threads == {threading.current_thread()}
    early = list(pipe.map(scenes(), batch_size=2, load_ahead=True))
    assert len(threads) == 2
    assert len(plain) == len(early) == 5
    for one, other in zip(plain, early, strict=True):
        assert one.mask.any()
        np.testing.assert_array_equal(one.score_map, other.score_map)

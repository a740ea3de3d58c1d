"""Many values: a broken one costs itself alone, and is named."""

from __future__ import annotations

import logging

import pytest

from zsavs.errors import InputError
from zsavs.storage.isolation import answered, handler, read_in_batches


def read(value: int) -> int:
    if value < 0:
        raise InputError(f"{value}: below 0")
    return value


def test_what_cannot_be_read_is_left_out_and_batches_stay_full() -> None:
    failed: list[tuple[int, str]] = []
    batches = list(read_in_batches([1, -2, 3, 4, -5, 6], 2, read, lambda at, error: failed.append((at, str(error)))))
    assert batches == [[(0, 1), (2, 3)], [(3, 4), (5, 6)]]
    assert failed == [(1, "-2: below 0"), (4, "-5: below 0")]
    with pytest.raises(InputError, match="-2"):
        list(read_in_batches([1, -2], 2, read, None))


def test_a_batch_that_fails_is_asked_about_one_by_one() -> None:
    asked: list[list[int]] = []
    failed: list[int] = []

    def answer(values: list[int]) -> list[int]:
        asked.append(values)
        if 0 in values:
            raise ZeroDivisionError("nothing")
        return [10 // value for value in values]

    batch = [(3, 5), (4, 0), (6, 2)]
    assert answered(batch, answer, lambda at, _: failed.append(at)) == {3: 2, 6: 5}
    assert failed == [4]
    assert asked == [[5, 0, 2], [5], [0], [2]]
    with pytest.raises(ZeroDivisionError):
        answered(batch, answer, None)


def test_skip_says_which_in_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    skip = handler("skip")
    assert skip is not None
    with caplog.at_level(logging.WARNING):
        skip(7, ZeroDivisionError("nothing"))
    assert "item 7 is left out: ZeroDivisionError: nothing" in caplog.text
    assert handler("raise") is None
    with pytest.raises(InputError, match='"skip" or a function'):
        handler("ignore")

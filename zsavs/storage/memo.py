"""Remember what was computed for an object for as long as that object lives, and no longer.

Several strategies look at the same image and hear the same sound. Every encoder remembers its last answers by
the identity of the object it was given, so the second strategy pays nothing; when the object goes, so does the
answer, and never more than ``max_items`` answers are held.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

__all__ = ["Memo", "shared_memo"]

T = TypeVar("T")


class Memo(Generic[T]):
    """Answers by object identity, least recently used first out.

    Threads may share one: two that ask for the same object at once both compute its answer.

    Args:
        max_items: the most answers held at once, at least 1.
    """

    def __init__(self, max_items: int = 256) -> None:
        self._max_items = max_items
        self._answers: OrderedDict[int, tuple[weakref.ref[Any], T]] = OrderedDict()
        # Reentrant, as an object may go, and be forgotten, while its own thread holds the lock.
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[type[Memo[T]], tuple[int]]:
        """A copy starts empty: identities mean nothing in another process."""
        return type(self), (self._max_items,)

    def __len__(self) -> int:
        return len(self._answers)

    def __call__(self, items: Sequence[Any], compute: Callable[[list[Any]], Sequence[T]]) -> list[T]:
        """Answer for every item, calling ``compute`` once with those not yet known, each object once.

        Args:
            items: objects that can be weakly referenced (arrays, clips, samples).
            compute: takes n items, returns n answers.

        Returns:
            One answer for each item, in order.
        """
        # The batch's own dictionary: a batch larger than max_items still gets all of its answers.
        batch: dict[int, T] = {}
        missing: dict[int, Any] = {}
        with self._lock:
            for item in items:
                held = self._answers.get(id(item))
                if held is not None and held[0]() is item:
                    self._answers.move_to_end(id(item))
                    batch[id(item)] = held[1]
                else:
                    missing[id(item)] = item
        answers = compute(list(missing.values())) if missing else []
        with self._lock:
            for (key, item), answer in zip(missing.items(), answers, strict=True):
                batch[key] = answer
                self._answers[key] = (weakref.ref(item, functools.partial(self._forget, key)), answer)
                self._answers.move_to_end(key)
                while len(self._answers) > self._max_items:
                    self._answers.popitem(last=False)
        return [batch[id(item)] for item in items]

    def _forget(self, key: int, gone: weakref.ref[Any]) -> None:
        """Drop the answer for an object that has gone, unless its number is another object's by now."""
        with self._lock:
            held = self._answers.get(key)
            if held is not None and held[0] is gone:
                del self._answers[key]


_memos_of: Memo[dict[Hashable, Memo[Any]]] = Memo()


def shared_memo(owner: Any, *settings: Hashable, max_items: int = 256) -> Memo[Any]:
    """The memo that all users of ``owner`` with the same settings share, for as long as the owner lives.

    A stage that is made anew for each pipeline around a model that pipelines share would otherwise ask that model
    again for what another pipeline knows.

    Args:
        owner: the model whose answers are remembered; one that cannot be weakly referenced shares nothing.
        settings: all that the answers depend on beside the model and the item.
        max_items: the most answers held at once, at least 1; counts where the memo is made.
    """
    try:
        weakref.ref(owner)
    except TypeError:
        return Memo(max_items)
    return _memos_of([owner], lambda _: [{}])[0].setdefault(settings, Memo(max_items))

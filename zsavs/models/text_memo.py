"""Text embeddings that are computed once for each phrase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from zsavs.models.batching import in_batches
from zsavs.storage.text_embedding_cache import TextEmbeddingCache

__all__ = ["TEXT_BATCH", "TextMemo"]

#: Texts are short: this many at once fit anywhere.
TEXT_BATCH = 64

#: The cache recognises a model by its answer to this.
_FINGERPRINT = "a dog and an accordion, heard from the next room"


class TextMemo:
    """Text embeddings by phrase: each is computed once, and at most ``max_items`` are in the memo, oldest out first.

    Where many are asked for at once, as a vocabulary in its templates is, they go to the cache on disk too
    (:class:`zsavs.storage.text_embedding_cache.TextEmbeddingCache`), and the next process need not compute them again.

    Args:
        compute: takes K phrases, returns their (K, D) embeddings, unit rows where they are cached on disk.
        max_items: at 512 dimensions the default is 200 MB.
        space: name of the space that the cache on disk is for; "" for no cache.
    """

    def __init__(
        self, compute: Callable[[list[str]], NDArray[np.float32]], max_items: int = 100_000, space: str = ""
    ) -> None:
        self._compute = compute
        self._max_items = max_items
        self._space = space
        self._rows: dict[str, NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __call__(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K checked phrases: (K, D), a new array. No phrases give (0, D)."""
        if not phrases:
            return self([""])[:0]
        missing = [phrase for phrase in dict.fromkeys(phrases) if phrase not in self._rows]
        new = self._cached(missing) if self._space and len(missing) > TEXT_BATCH else self._computed(missing)
        result = np.stack([new[phrase] if phrase in new else self._rows[phrase] for phrase in phrases])
        self._rows |= new
        for phrase in list(islice(self._rows, max(0, len(self._rows) - self._max_items))):
            del self._rows[phrase]
        return result

    def _computed(self, phrases: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Each text's embedding; texts about as long share a batch, which is padded to its longest."""
        ordered = sorted(phrases, key=len)
        rows = dict(zip(ordered, in_batches(self._compute, ordered, TEXT_BATCH), strict=True))
        return {phrase: rows[phrase] for phrase in phrases}

    def _cached(self, phrases: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The rows that are cached on disk, and the others, computed and added to the cache."""
        cache = TextEmbeddingCache(self._space, self._compute([_FINGERPRINT]))
        cached = cache.read()
        rows = {phrase: cached[key] for phrase in phrases if (key := cache.key(phrase)) in cached}
        new = self._computed([phrase for phrase in phrases if phrase not in rows])
        if new:
            cache.add(new)
        return rows | new

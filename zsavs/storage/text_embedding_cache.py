"""What models answered, kept in the user's cache folder from one process to the next."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import OutputError
from zsavs.storage.array_file import read_arrays
from zsavs.storage.files import write_atomically

__all__ = ["TextEmbeddingCache", "cache_folder"]

log = logging.getLogger(__name__)

#: Change it whenever the same model would have to be asked again: what older versions kept is then not used.
_VERSION = 1

#: The most texts of one model that a file holds: 40 MB at 512 dimensions.
_MAX_TEXTS = 20_000


def cache_folder() -> Path:
    """``$ZSAVS_CACHE``, else ``zsavs`` in the user's cache folder (``$XDG_CACHE_HOME`` or ``~/.cache``)."""
    named = os.environ.get("ZSAVS_CACHE")
    try:
        if named:
            return Path(named).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "zsavs"
    except RuntimeError:  # a user without a home, as in many containers
        return Path(tempfile.gettempdir()) / "zsavs"


class TextEmbeddingCache:
    """Embeddings of texts by one model, in one file of the cache folder.

    A text is known by its hash, template and all, and a model by its name and by its own answer to one text: other
    weights, another dtype or another device have another file.

    Args:
        space: the name of the model's space.
        answer: (1, D) float32, what the model answers to a text that is always the same.
    """

    def __init__(self, space: str, answer: NDArray[np.float32]) -> None:
        key = hashlib.sha256(f"texts {_VERSION} {space} ".encode() + answer.tobytes()).hexdigest()[:32]
        self.path = cache_folder() / f"texts-{key}.npz"
        self._width = answer.shape[1]

    def read(self) -> dict[bytes, NDArray[np.float32]]:
        """All that is kept, by :meth:`key`; nothing where there is no file, or none that can be read."""
        try:
            kept = read_arrays(self.path)
            keys, rows = kept["keys"], kept["rows"]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError) as error:
            log.warning("%s: cannot be read (%s); computing the texts again", self.path, error)
            return {}
        shapes = rows.ndim == 2 and keys.shape == (len(rows), 16) and rows.shape[1] == self._width
        sound = shapes and keys.dtype == np.uint8 and rows.dtype == np.float32
        if not sound or not (np.abs(np.linalg.norm(rows, axis=1) - 1) < 1e-3).all():
            log.warning("%s: not the expected embeddings; computing the texts again", self.path)
            return {}
        return {key.tobytes(): row for key, row in zip(keys, rows, strict=True)}

    def add(self, new: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep the rows (D,) of some texts beside what is kept already; where that fails, a warning says so."""
        merged = {**self.read(), **{self.key(text): row for text, row in new.items()}}
        latest = list(merged.items())[-_MAX_TEXTS:]
        buffer = io.BytesIO()
        keys = np.frombuffer(b"".join(key for key, _ in latest), np.uint8).reshape(-1, 16)
        np.savez(buffer, keys=keys, rows=np.stack([row for _, row in latest]))
        try:
            write_atomically(self.path, lambda file: file.write(buffer.getvalue()))
        except OutputError as error:
            log.warning("embeddings of texts are not kept: %s", error)

    @staticmethod
    def key(text: str) -> bytes:
        """What a text is kept under: 16 bytes."""
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

"""Replies of language models on disk, by model, question and answer's length: a run repeats without the model."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zsavs.errors import OutputError
from zsavs.storage.files import read_text, write_atomically
from zsavs.storage.text_embedding_cache import cache_folder
from zsavs.translation.prompts import Message

__all__ = ["ReplyCache"]

log = logging.getLogger(__name__)


class ReplyCache:
    """Replies in ``translations`` of the user's cache folder, one small JSON file each.

    Args:
        model: what answers, with all that its answer depends on; it never holds a key.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        self.model = dict(model)

    def read(self, chat: Sequence[Message]) -> dict[str, Any] | None:
        """The kept reply to a chat; None where there is none that can be read."""
        path = self._path(chat)
        try:
            kept = json.loads(read_text(path))
        except (OSError, ValueError):
            return None
        whole = isinstance(kept, dict) and isinstance(kept.get("text"), str) and isinstance(kept.get("tokens"), int)
        return kept if whole else None

    def write(self, chat: Sequence[Message], reply: Mapping[str, Any]) -> None:
        """Keep a reply; where that fails, a warning says so."""
        line = json.dumps(dict(reply), ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
        try:
            write_atomically(self._path(chat), lambda file: file.write(line))
        except OutputError as error:
            log.warning("a translation is not kept: %s", error)

    def _path(self, chat: Sequence[Message]) -> Path:
        asked = json.dumps([self.model, [list(message) for message in chat]], sort_keys=True)
        return cache_folder() / "translations" / f"{hashlib.sha256(asked.encode()).hexdigest()[:40]}.json"

"""The files that a batch was computed from, noted beside its numbers and compared when the run is resumed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zsavs.datasets.base import Dataset
from zsavs.errors import InputError
from zsavs.storage.run_key import State, differences, file_states

__all__ = ["InputFiles"]

log = logging.getLogger(__name__)


class InputFiles:
    """The states of the files of a data set's items.

    Args:
        dataset: one that does not say which files it reads (:meth:`zsavs.datasets.base.Reader.files`) has none here,
            and a warning says that changes of them go unnoticed.
        shuffled: whether items are also run with the audio of others.
    """

    def __init__(self, dataset: Dataset, shuffled: bool) -> None:
        self._dataset, self._shuffled = dataset, shuffled
        self._root = Path(dataset.root) if hasattr(dataset, "root") else None

    def annotations(self) -> dict[str, State]:
        """The states of the files that the data set was opened from."""
        if not hasattr(self._dataset, "files"):
            log.warning(
                "the data set %r does not say which files it reads, with a method files(item): a run that is resumed "
                "will not notice that they have changed",
                self._dataset.name,
            )
        return file_states(getattr(self._dataset, "annotations", ()), self._root)

    def states(self, items: Iterable[str]) -> dict[str, State]:
        """The states of all files of some items, by their path below the data set's folder."""
        return file_states((path for item in items for path in self._files(item)), self._root)

    def changed(self, batches: Mapping[int, Mapping[str, Any]]) -> dict[int, list[str]]:
        """By its number each finished batch whose files are not what they were, with the differences."""
        known: dict[str, dict[str, State]] = {}
        found = {}
        for number, batch in batches.items():
            now: dict[str, State] = {}
            for item in (*(row["item"] for row in batch["items"]), *batch.get("beside", ())):
                if item not in known:
                    known[item] = self.states([item])
                now |= known[item]
            if texts := differences(batch.get("files", {}), now):
                found[number] = texts
        return found

    def _files(self, item: str) -> Iterable[Path]:
        """The files of an item, those that are read for other audio among them; none of an item that is no more."""
        try:
            own = getattr(self._dataset, "files", lambda item: ())(item)
            other = getattr(self._dataset, "other_audio_files", None) if self._shuffled else None
            return (*own, *(other(item) if other else ()))
        except InputError:
            return ()

"""The class that adapters of single-file networks inherit: found by the address on their card, run without torch."""

from __future__ import annotations

import functools
import logging
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from zsavs.models.adapter import Adapter
from zsavs.models.file_runtimes import Network
from zsavs.storage.weights import WeightCard, locate

__all__ = ["FileAdapter"]

log = logging.getLogger(__name__)


class FileAdapter(Adapter):
    """A frozen network in one file, on the CPU.

    A subclass names its ``cards``, its ``default`` and the ``runtime`` that reads its file, and takes the network and
    its settings in its constructor.

    Args:
        network: from a batch of inputs to an output (:mod:`zsavs.models.file_runtimes`).
        card: what the weights are.
    """

    #: Reads the file.
    runtime: ClassVar[staticmethod[[Path], Network]]

    def __init__(self, network: Network, card: WeightCard) -> None:
        self.network, self.card = network, card

    @classmethod
    def load(
        cls,
        checkpoint: str | Path = "",
        *,
        revision: str = "main",
        device: str = "auto",
        dtype: str = "auto",
        **settings: Any,
    ) -> Self:
        """Load a file that is on this machine.

        Args:
            checkpoint: a key of the class's ``cards``, or the path of a file of that kind; left out, the class's
                ``default``.
            revision: of no use here, as an address or a path names one file.
            device, dtype: of no use here: the file says how it computes, and it does so on the CPU, which is said
                where another device is named.
            settings: those of the class.

        Raises:
            UnknownName: a setting that the class does not have.
            InputError: a setting out of range.
            MissingWeights: the file is not on this machine.
            MissingExtra: the library that runs it is not installed.
            WeightsError: it cannot be read as a network.
        """
        cls.check_settings(settings)
        if device not in ("auto", "cpu"):
            _say_cpu(device)
        card, path = _find(cls.cards, str(checkpoint) or cls.default)
        make: Callable[..., Self] = cls  # a subclass, whose constructor takes these
        return make(_opened(cls.runtime, path), card=card, **settings)


def _find(cards: Mapping[str, WeightCard], checkpoint: str) -> tuple[WeightCard, Path]:
    """The card of a checkpoint and its file on this machine."""
    if checkpoint in cards:
        return cards[checkpoint], locate(cards[checkpoint].source)
    path = locate(checkpoint)
    return WeightCard(str(path), "unknown", 0, "unknown", "local file", verified="not a file zsavs knows"), path


@functools.cache
def _say_cpu(device: str) -> None:
    """Once for each device."""
    log.warning("networks of single files run on the CPU; device %r changes nothing for them", device)


#: Networks alive in this process, by what reads them and their file as it is on the disk.
_alive: weakref.WeakValueDictionary[tuple[Any, ...], Network] = weakref.WeakValueDictionary()


def _opened(runtime: Callable[[Path], Network], path: Path) -> Network:
    """The network of a file: the one that is alive in this process, whatever is made from it, or a new one."""
    state = path.stat()
    key = (runtime, path.resolve(), state.st_mtime_ns, state.st_size)
    network = _alive.get(key)
    if network is None:
        network = _alive[key] = runtime(path)
    return network

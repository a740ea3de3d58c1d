"""What a recording is taken apart into."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from zsavs.storage.memo import Memo, shared_memo
from zsavs.types import AudioClip, Times

__all__ = ["Component", "Decomposer", "remembered"]


class Component(NamedTuple):
    """A part of a recording: what it sounds like by itself, and when in the recording it sounds."""

    clip: AudioClip
    times: Times


@runtime_checkable
class Decomposer(Protocol):
    """Takes recordings apart.

    A decomposer whose components are embeddings and no sounds has an attribute ``ears``: the encoder that a strategy
    has to hear them with (:class:`zsavs.decomposition.sparse.Ears`).
    """

    def decompose(self, clips: Sequence[AudioClip]) -> list[list[Component]]:
        """The components of each clip; none where it cannot be taken apart, as silence and plain noise cannot."""
        ...


def remembered(owner: Any, *settings: Hashable) -> Memo[list[Component]]:
    """The components of the last recordings, shared by all decomposers of one kind with the same settings.

    So strategies that hear the same recording in one pass share its components, and the embeddings of those.

    Args:
        owner: the encoder that the components depend on, or the decomposer's class.
        settings: what else they depend on.
    """
    return shared_memo(owner, *settings, max_items=16)  # components are as large as recordings

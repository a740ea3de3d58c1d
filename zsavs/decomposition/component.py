"""Components of an audio clip, and what makes them: the noun and the verb of decomposition."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from zsavs.storage.memo import Memo, shared_memo
from zsavs.types import AudioClip, Times

__all__ = ["Component", "Decomposer", "component_memo"]


class Component(NamedTuple):
    """One source's part of an audio clip: an audio clip of it alone, and when it sounds in the whole clip."""

    clip: AudioClip
    times: Times


@runtime_checkable
class Decomposer(Protocol):
    """A method that decomposes audio clips.

    A decomposer whose components have embeddings and no waveforms of their own has an attribute ``component_encoder``:
    the encoder that a strategy has to be given, which knows them
    (:class:`zsavs.decomposition.embedded_clip.EmbeddedClipEncoder`).
    """

    def decompose(self, clips: Sequence[AudioClip]) -> list[list[Component]]:
        """The components of each clip; none where it has a single one, and of silence and plain noise."""
        ...


def component_memo(owner: Any, *settings: Hashable) -> Memo[list[Component]]:
    """The memo of the last clips' components, shared by all decomposers of one kind with the same settings.

    So strategies that are asked about the same clip in one pass share its components, and the embeddings of those.

    Args:
        owner: the encoder that the components depend on, or the decomposer's class.
        settings: what else they depend on.
    """
    return shared_memo(owner, *settings, max_items=16)  # the components of a clip are as large as the clip

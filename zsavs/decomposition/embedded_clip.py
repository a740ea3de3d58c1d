"""Components that are known by their embedding alone, and the encoder that answers with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError
from zsavs.protocols import AudioTextEncoder
from zsavs.types import AudioClip

__all__ = ["EmbeddedClip", "EmbeddedClipEncoder"]


@dataclass(frozen=True, eq=False)
class EmbeddedClip(AudioClip):
    """A source of which no waveform of its own is known, only its embedding.

    Args:
        waveform, sample_rate_hz, source: the clip that the source is a part of.
        embedding: (D,) unit length, the source's own; :class:`EmbeddedClipEncoder` answers with it.
        space: the embedding's space.
    """

    embedding: NDArray[np.float32] | None = None
    space: str = ""


class EmbeddedClipEncoder:
    """An encoder of audio and text that gives an :class:`EmbeddedClip` its own embedding, and encodes all other clips.

    Args:
        audio_text: the encoder; all its other abilities show through, but for its tokens, of which an embedding has
            none: with those of the clip that it is a part of, every component would be scored as the whole clip.
    """

    def __init__(self, audio_text: AudioTextEncoder) -> None:
        self._encoder = audio_text
        self.space = audio_text.space

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_encoder", "encode_audio_tokens"):  # while it is copied, there is none
            raise AttributeError(name)
        return getattr(self._encoder, name)

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """(K, D) unit rows, by the encoder."""
        return self._encoder.encode_text(phrases)

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        """(N, D) unit rows, by the encoder where a clip does not bring its own.

        Raises:
            ContractError: a clip brings one of another space.
        """
        given = {place: clip for place, clip in enumerate(clips) if isinstance(clip, EmbeddedClip)}
        for clip in given.values():
            if clip.space != self.space:
                raise ContractError(f"an embedding of the space {clip.space!r} is of no use in {self.space!r}.")
        if not given:
            return self._encoder.encode_audio(clips)
        encoded = iter(self._encoder.encode_audio([clip for place, clip in enumerate(clips) if place not in given]))
        rows = [given[place].embedding if place in given else next(encoded) for place in range(len(clips))]
        return np.stack(rows).astype(np.float32)  # type: ignore[arg-type]  # an EmbeddedClip has one

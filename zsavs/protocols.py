"""The verbs: what each part of a pipeline can do. Duck typing; every verb takes a batch.

A single call is a batch of one through the same code, and a batch gives the same answer as its items one by one
(:mod:`zsavs.testing` checks it). Embeddings are float32 arrays on the CPU with rows of unit length; two embeddings
may be compared only if they carry the same ``space``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from zsavs.types import AudioClip, AVSample, Proposals, Query

__all__ = [
    "AudioCaptioner",
    "AudioTagger",
    "AudioTextEncoder",
    "AudioTokenEncoder",
    "Captioner",
    "Grounder",
    "ImageTextEncoder",
    "ImageTokenEncoder",
    "JointEncoder",
    "PseudoWordEncoder",
    "Pull",
    "Segmenter",
    "Strategy",
    "TextEncoder",
    "Verifier",
]


class TextEncoder(Protocol):
    """Text side of a shared embedding space."""

    space: str

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K texts: (K, D), unit rows. No texts give (0, D)."""
        ...


@runtime_checkable
class AudioTextEncoder(TextEncoder, Protocol):
    """Sound and text in one space (CLAP)."""

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        """Embed N clips of any rate, length and channel count: (N, D), unit rows."""
        ...


@runtime_checkable
class ImageTextEncoder(TextEncoder, Protocol):
    """Images and text in one space (CLIP, SigLIP)."""

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed N images, each (H, W, 3) uint8 RGB of its own size: (N, D), unit rows."""
        ...


@runtime_checkable
class AudioTokenEncoder(AudioTextEncoder, Protocol):
    """Sound and text in one space, and what the sound's embedding is an average of."""

    def encode_audio_tokens(self, clips: Sequence[AudioClip]) -> list[NDArray[np.float32]]:
        """For each clip a grid of features before the head: (F, T, C) by frequency and time, of any scale and sign."""
        ...

    def project_audio_tokens(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring means of tokens through the head: (N, C) gives (N, D), unit rows in the embedding space."""
        ...


@runtime_checkable
class ImageTokenEncoder(ImageTextEncoder, Protocol):
    """Images and text in one space, and what the image's embedding is made of."""

    def encode_image_tokens(self, images: Sequence[NDArray[np.uint8]], scale: float = 1.0) -> list[NDArray[np.float32]]:
        """For each image, whole, a grid of features before the head: (h, w, C), of any scale and sign.

        Args:
            images: each (H, W, 3) uint8 RGB.
            scale: of the side that the model was trained at, where it can look at another one.
        """
        ...

    def project_image_tokens(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring means of tokens through the head: (N, C) gives (N, D), unit rows in the embedding space."""
        ...


@runtime_checkable
class JointEncoder(AudioTextEncoder, ImageTextEncoder, Protocol):
    """Sound, images and text in one space (ImageBind, PE-AV)."""


#: The way back through a text tower: the gradient of anything with respect to N rows (N, D) gives its gradient with
#: respect to the N pseudo-words (N, W) that they were embedded from. May be asked once.
Pull: TypeAlias = Callable[[NDArray[np.floating]], NDArray[np.float32]]


@runtime_checkable
class PseudoWordEncoder(TextEncoder, Protocol):
    """A text side that also reads words which have no spelling: one token is given as the vector that it enters with.

    That is what textual inversion (Gal et al., ICLR 2023) needs: a word's vector to start from, a prompt around a
    vector, and the way back from what is read to the vector. The weights take no part in it; they stay as they are.
    Vectors are W wide, which is the width of the tower's input layer and none of the joint space's business.
    """

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The mean of the vectors that each of K words' tokens enter with: (K, W). No words give (0, W)."""
        ...

    def encode_pseudo_words(self, prompt: str, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], Pull]:
        """Embed a prompt around each of N vectors: (N, D), unit rows, and the way back.

        ``prompt`` holds one ``{}``, where the vector (N, W) stands as a single token. The vector of a word that is one
        token gives the row that :meth:`encode_text` has for the prompt with that word.
        """
        ...


@runtime_checkable
class AudioTagger(Protocol):
    """Names sounds from a fixed list of labels."""

    def tag(self, clips: Sequence[AudioClip]) -> list[list[tuple[str, float]]]:
        """For each clip its labels with probabilities in [0, 1], most probable first."""
        ...


@runtime_checkable
class Captioner(Protocol):
    """Describes images in words."""

    def caption(self, items: Sequence[NDArray[np.uint8]]) -> list[str]:
        """One sentence for each image."""
        ...


@runtime_checkable
class AudioCaptioner(Protocol):
    """Describes sounds in words."""

    def caption(self, items: Sequence[AudioClip]) -> list[str]:
        """One caption for each clip of any rate, length and channel count."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """Hears and looks, and says what to look for. Never sees boxes, masks or targets.

    A strategy whose queries need a grounder, verifier or segmenter of another kind than the preset's says so in a class
    attribute ``stages``, role to registered name (``{"grounder": "segments", "verifier": "joint"}``);
    :func:`zsavs.build_pipeline` then builds those, unless its caller names others.
    """

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """One query for each sample; a query without rows where nothing worth looking for sounds."""
        ...


@runtime_checkable
class Grounder(Protocol):
    """Says where in the image each phrase of the query could be."""

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Candidate boxes for each sample; none where the query is empty."""
        ...


@runtime_checkable
class Verifier(Protocol):
    """Decides whether a region is what is heard: fills ``evidence``, ``scores`` and ``selected``."""

    def verify(
        self, samples: Sequence[AVSample], queries: Sequence[Query], proposals: Sequence[Proposals]
    ) -> list[Proposals]:
        """The same regions, judged. A verifier may drop or reorder regions, never invent them."""
        ...


@runtime_checkable
class Segmenter(Protocol):
    """Turns boxes into masks."""

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        """For each sample the mask logits of its R regions: (R, H, W) float32, above 0 is inside."""
        ...

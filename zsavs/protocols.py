"""The protocols: what the four stages of a pipeline do, and what the models do that they are built from.

A pipeline is ``strategy.query``, ``grounder.ground``, ``verifier.verify``, ``segmenter.segment``, in this order. Any
object with the right method will do, of whatever class. Every method takes a batch: a single call is a batch of one
through the same code, and a batch gives the same answer as its items one by one (:mod:`zsavs.testing` checks it).
Embeddings are float32 arrays on the CPU with rows of unit length; two embeddings may be compared only if they carry
the same ``space``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from zsavs.types import AudioClip, AVSample, Detections, Proposals, Query

__all__ = [
    "AudioCaptioner",
    "AudioFrameEncoder",
    "AudioTagger",
    "AudioTextEncoder",
    "AudioTokenEncoder",
    "Captioner",
    "Grounder",
    "ImageTextEncoder",
    "ImageTokenEncoder",
    "JointEncoder",
    "Judged",
    "OmniModel",
    "PseudoWordEncoder",
    "Pull",
    "Scene",
    "Segmenter",
    "Sought",
    "Strategy",
    "TextEncoder",
    "TimedAudioTagger",
    "Tracker",
    "Translation",
    "Translator",
    "Verifier",
]


# ------------------------------------------------------------------------------- stages
@runtime_checkable
class Strategy(Protocol):
    """Says which sources sound, as phrases to look for. Never sees boxes, masks or targets.

    A strategy that needs more of a model than its role promises names the methods in a class attribute ``needs``, role
    to methods (``{"audio_text": ("encode_audio_tokens",)}``), so that presets without them leave it out.

    A strategy whose queries need a grounder, verifier or segmenter of another kind than the preset's says so in a class
    attribute ``stages``, role to registered name (``{"grounder": "segments", "verifier": "joint"}``);
    :func:`zsavs.build_pipeline` then builds those, unless its caller names others.
    """

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """One query for each sample; a query without rows where the strategy abstains."""
        ...


@runtime_checkable
class Grounder(Protocol):
    """Proposes regions of the image for each phrase of the query."""

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Region proposals for each sample; none where the query has no rows."""
        ...


@runtime_checkable
class Verifier(Protocol):
    """Decides which regions are the sources that are heard: fills ``evidence``, ``scores`` and ``selected``."""

    def verify(
        self, samples: Sequence[AVSample], queries: Sequence[Query], proposals: Sequence[Proposals]
    ) -> list[Proposals]:
        """The same regions, verified. A verifier may drop or reorder regions, never add any."""
        ...


@runtime_checkable
class Segmenter(Protocol):
    """Segments the regions: a mask for each box."""

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        """For each sample the mask logits of its R regions: (R, H, W) float32, above 0 is inside."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """Follows objects through the frames of a stretch of a video.

    Attributes:
        looks: in which frames the pipeline looks for objects before it asks: "every", or "pivots" for few of them,
            where the evidence is strongest, between which the tracker segments by itself.
    """

    looks: str

    def track(self, images: Sequence[NDArray[np.uint8]], found: Mapping[int, Detections]) -> list[Detections]:
        """The objects of each frame, with ids: an object has the same one in all frames of the stretch.

        Args:
            images: the frames of the stretch in order, each (H, W, 3) uint8 RGB, all of one size.
            found: by the place of a frame in ``images``, what was found when it was looked at, which may be nothing.

        Returns:
            One for each frame. An object has the phrase under which it was found. Ids are whole numbers from 0; which
            object has which is the tracker's choice, and the same whenever the same is asked.
        """
        ...


# ------------------------------------------------------------------------------- models
class TextEncoder(Protocol):
    """Embeds text, in a space shared with audio or images.

    One that was trained with a softmax over cosines says in an attribute ``temperature`` by what they were divided.
    """

    space: str

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """The embeddings of K texts: (K, D), unit rows. No texts give (0, D)."""
        ...


@runtime_checkable
class AudioTextEncoder(TextEncoder, Protocol):
    """Embeds audio and text in one space (CLAP)."""

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        """The embeddings of N clips of any rate, length and channel count: (N, D), unit rows."""
        ...


@runtime_checkable
class AudioFrameEncoder(AudioTextEncoder, Protocol):
    """An encoder of audio and text that also says when: it embeds each of the short frames of a clip.

    Attributes:
        frame_s: length of a frame, and from one to the next, in seconds.
    """

    frame_s: float

    def encode_audio_frames(self, clips: Sequence[AudioClip]) -> list[NDArray[np.float32]]:
        """For each clip the embeddings of its frames: (F, D), unit rows in order of time, F at least 1.

        Frame ``i`` begins at ``i * frame_s``; the last one may reach beyond the clip.
        """
        ...


@runtime_checkable
class ImageTextEncoder(TextEncoder, Protocol):
    """Embeds images and text in one space (CLIP, SigLIP)."""

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The embeddings of N images, each (H, W, 3) uint8 RGB of its own size: (N, D), unit rows."""
        ...


@runtime_checkable
class AudioTokenEncoder(AudioTextEncoder, Protocol):
    """An encoder of audio and text that also gives the tokens of a clip, before they are pooled."""

    def encode_audio_tokens(self, clips: Sequence[AudioClip]) -> list[NDArray[np.float32]]:
        """For each clip its tokens before the projection head: (F, T, C) by frequency and time, of any scale."""
        ...

    def project_audio_tokens(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """The embeddings of means of tokens, by the projection head: (N, C) gives (N, D), unit rows."""
        ...


@runtime_checkable
class ImageTokenEncoder(ImageTextEncoder, Protocol):
    """An encoder of images and text that also gives the patch tokens of an image, before they are pooled."""

    def encode_image_tokens(self, images: Sequence[NDArray[np.uint8]], scale: float = 1.0) -> list[NDArray[np.float32]]:
        """For each image, uncropped, its tokens before the projection head: (h, w, C), of any scale and sign.

        Args:
            images: each (H, W, 3) uint8 RGB.
            scale: of the side that the model was trained at, where it can take another one.
        """
        ...

    def project_image_tokens(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """The embeddings of means of tokens, by the projection head: (N, C) gives (N, D), unit rows."""
        ...


@runtime_checkable
class JointEncoder(AudioTextEncoder, ImageTextEncoder, Protocol):
    """Embeds audio, images and text in one space (ImageBind, PE-AV)."""


#: Back-propagation through a text encoder: from the gradient with respect to N embeddings (N, D) to the gradient with
#: respect to the N pseudo-words (N, W) that they were encoded from. May be called once.
Pull: TypeAlias = Callable[[NDArray[np.floating]], NDArray[np.float32]]


@runtime_checkable
class PseudoWordEncoder(TextEncoder, Protocol):
    """A text encoder that also takes pseudo-words: a token given by its token embedding, without a spelling.

    That is what textual inversion (Gal et al., ICLR 2023) needs: a word's token embedding to start from, a prompt
    around a pseudo-word, and the gradient with respect to the pseudo-word. The weights stay frozen. Token embeddings
    are W wide, which is the width of the encoder's input layer, not D of the joint space.
    """

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The mean token embedding of each of K words: (K, W). No words give (0, W)."""
        ...

    def encode_pseudo_words(self, prompt: str, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], Pull]:
        """The embeddings of a prompt around each of N pseudo-words: (N, D), unit rows, and their back-propagation.

        ``prompt`` holds one ``{}``, where a pseudo-word of ``vectors`` (N, W) stands as a single token. The token
        embedding of a word that is one token gives the row that :meth:`encode_text` has for the prompt with that word.
        """
        ...


@runtime_checkable
class AudioTagger(Protocol):
    """Tags audio with labels of a fixed vocabulary."""

    def tag(self, clips: Sequence[AudioClip]) -> list[list[tuple[str, float]]]:
        """For each clip its labels with probabilities in [0, 1], most probable first."""
        ...


@runtime_checkable
class TimedAudioTagger(AudioTagger, Protocol):
    """An audio tagger that also says when: the probabilities of its labels in windows along the clip."""

    labels: Sequence[str]
    window_s: float
    hop_s: float

    def tag_windows(self, clips: Sequence[AudioClip]) -> list[NDArray[np.float32]]:
        """For each clip the probabilities of all labels in each of its windows: (W, labels) in [0, 1].

        Window ``i`` begins at ``i * hop_s`` and is ``window_s`` long; the last may reach beyond the clip.
        """
        ...


@runtime_checkable
class Captioner(Protocol):
    """Captions images."""

    def caption(self, items: Sequence[NDArray[np.uint8]]) -> list[str]:
        """One caption for each image."""
        ...


@runtime_checkable
class AudioCaptioner(Protocol):
    """Captions audio."""

    def caption(self, items: Sequence[AudioClip]) -> list[str]:
        """One caption for each clip of any rate, length and channel count."""
        ...


class Scene(NamedTuple):
    """What a translator is told: tags or captions of the audio with weights in [0, 1], and a caption of the image."""

    heard: tuple[tuple[str, float], ...]
    seen: str = ""


class Sought(NamedTuple):
    """One source to look for: its phrase, which of ``Scene.heard`` it makes, and why, in a sentence."""

    phrase: str
    heard: str
    reason: str


class Translation(NamedTuple):
    """What to look for, one entry for each source, or none; and how that came about, in plain JSON values."""

    sources: tuple[Sought, ...]
    notes: Mapping[str, Any]


@runtime_checkable
class Translator(Protocol):
    """Translates what is heard into what to look for: "siren" into "ambulance", where one is seen.

    Attributes:
        wordings: in how many ways it can be asked, at least 1.
    """

    wordings: int

    def translate(self, scenes: Sequence[Scene], wording: int = 0) -> list[Translation]:
        """One translation for each scene, asked in the way of number ``wording`` (from 0)."""
        ...


class Judged(NamedTuple):
    """Log odds of yes to each of N questions, (N,) float32, and the tokens that they took (0 where there are none)."""

    log_odds: NDArray[np.float32]
    tokens: int


@runtime_checkable
class OmniModel(Protocol):
    """Hears and sees at once, and can be asked about both."""

    def name_sources(self, samples: Sequence[AVSample]) -> list[Translation]:
        """For each sample the things in its image that could make its sound, as phrases; clips are a few seconds long.

        ``Sought.heard`` is what is heard of the thing, in the model's words.
        """
        ...

    def judge(self, images: Sequence[NDArray[np.uint8]], clips: Sequence[AudioClip], phrases: Sequence[str]) -> Judged:
        """Does what an image shows, which is called by a phrase, make the sound of a clip? N of each.

        The log odds are the model's own; how far they lean to yes whatever is heard is for the caller to find out.
        """
        ...

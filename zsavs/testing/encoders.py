"""The checks of encoders, captioners and audio taggers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError
from zsavs.protocols import AudioCaptioner, AudioTagger, Captioner
from zsavs.testing.requirements import close, require, verb
from zsavs.testing.samples import example_samples, fresh, mono_and_dual
from zsavs.types import AudioClip

__all__ = ["check_audio_tagger", "check_captioner", "check_encoder"]


def check_encoder(
    encoder: Any,
    *,
    clips: Sequence[AudioClip] | None = None,
    images: Sequence[NDArray[np.uint8]] | None = None,
    tolerance: float = 1e-5,
) -> None:
    """Check an :class:`AudioTextEncoder`, an :class:`ImageTextEncoder` or both.

    Unit float32 rows in one space, one for each item in order, none for none; the same bits twice; a batch equals its
    items one by one within ``tolerance``; mono equals dual mono exactly; different items and texts differ; a phrase's
    embedding does not depend on its neighbours. Of an :class:`AudioFrameEncoder` the same of each frame.

    Raises:
        ContractError: what the encoder does otherwise.
    """
    if not isinstance(getattr(encoder, "space", None), str) or not encoder.space:
        raise ContractError("an encoder names its embedding space in a non-empty string `space`.")
    phrases = ["red", "blue thing", "a dog barking", "piano"]
    sides: list[tuple[str, list[Any]]] = [("encode_text", phrases)]
    samples = example_samples()
    if hasattr(encoder, "encode_audio"):
        sides.append(("encode_audio", list(clips) if clips is not None else [sample.audio for sample in samples]))
    if hasattr(encoder, "encode_image"):
        sides.append(("encode_image", list(images) if images is not None else [sample.image for sample in samples]))
    if len(sides) == 1:
        raise ContractError("an encoder has encode_audio, encode_image or both beside encode_text.")
    widths = set()
    for name, items in sides:
        encode = verb(encoder, name)
        rows = encode(items)
        require(isinstance(rows, np.ndarray) and rows.dtype == np.float32, f"{name}: answers are float32 arrays.")
        require(rows.ndim == 2 and len(rows) == len(items), f"{name}: one row for each of {len(items)} items.")
        require(bool(np.isfinite(rows).all()), f"{name}: NaN or infinity in an embedding.")
        require(bool(np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)), f"{name}: rows have unit length.")
        require(np.array_equal(rows, encode(items)), f"{name}: the same call twice gives the same bits.")
        require(bool((np.ptp(rows, axis=0) > tolerance).any()), f"{name}: different items have different embeddings.")
        alone = np.concatenate([encode([fresh(item)]) for item in items])
        close(rows, alone, tolerance, f"{name}: a batch equals its items one by one")
        back = encode([fresh(item) for item in reversed(items)])[::-1]
        close(rows, back, tolerance, f"{name}: the order of a batch does not matter")
        none = encode([])
        require(none.shape == (0, rows.shape[1]), f"{name}: no items give (0, D), got {none.shape}.")
        widths.add(rows.shape[1])
    require(len(widths) == 1, f"the embeddings of all modalities have the same width, got {sorted(widths)}.")
    if hasattr(encoder, "encode_audio"):
        clip = sides[1][1][0]
        same = np.array_equal(*(verb(encoder, "encode_audio")([one]) for one in mono_and_dual(clip)))
        require(same, "encode_audio: mono and dual mono give the same bits.")
    if hasattr(encoder, "encode_audio_frames"):
        _check_frames(encoder, sides[1][1], widths.pop(), tolerance)


def _check_frames(encoder: Any, clips: Sequence[AudioClip], width: int, tolerance: float) -> None:
    encode, frame_s = verb(encoder, "encode_audio_frames"), getattr(encoder, "frame_s", 0)
    require(frame_s > 0, "an encoder of frames says how long they are in `frame_s`, in seconds.")
    together, again = encode(clips), encode(clips)
    require(len(together) == len(clips), f"encode_audio_frames: one array for each of {len(clips)} clips.")
    for clip, rows, same in zip(clips, together, again, strict=True):
        require(rows.dtype == np.float32 and rows.shape[1:] == (width,), f"encode_audio_frames: (F, {width}) float32.")
        most = clip.duration_s / frame_s + 1
        require(most - 2 < len(rows) <= most, f"encode_audio_frames: a frame for every {frame_s} s, got {len(rows)}.")
        require(bool(np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)), "encode_audio_frames: unit rows.")
        require(np.array_equal(rows, same), "encode_audio_frames: the same call twice gives the same bits.")
        alone = encode([fresh(clip)])[0]
        close(rows, alone, tolerance, "encode_audio_frames: a batch equals its clips one by one")
    mono, dual = (encode([one])[0] for one in mono_and_dual(clips[0]))
    require(np.array_equal(mono, dual), "encode_audio_frames: mono and dual mono give the same bits.")
    require(encode([]) == [], "encode_audio_frames: no clips give no arrays.")


def check_captioner(captioner: Captioner | AudioCaptioner, items: Sequence[Any] | None = None) -> None:
    """Check a captioner of images, or of audio clips if ``items`` are clips: a string for each, the same in any batch.

    Raises:
        ContractError: what the captioner does otherwise.
    """
    given: list[Any] = list(items) if items is not None else [sample.image for sample in example_samples()]
    what = "clips" if given and isinstance(given[0], AudioClip) else "images"
    caption = verb(captioner, "caption")
    captions = caption(given)
    require(len(captions) == len(given), f"caption: one for each of {len(given)} {what}, got {len(captions)}.")
    require(all(isinstance(caption, str) for caption in captions), "caption: returns strings.")
    alone = [caption([fresh(item)])[0] for item in given]
    require(alone == list(captions), f"caption: a batch equals its {what} one by one.")
    require(caption([]) == [], f"caption: no {what} give no captions.")
    if what == "clips":
        mono, dual = (caption([clip]) for clip in mono_and_dual(given[0]))
        require(mono == dual, "caption: mono and dual mono give the same caption.")


def check_audio_tagger(tagger: AudioTagger, clips: Sequence[AudioClip] | None = None, tolerance: float = 1e-4) -> None:
    """Check an audio tagger: each label once, the most probable first; clips differ; the batch does not matter.

    Probabilities lie in [0, 1]; the same clips give the same bits; mono equals dual mono; no clips give no tags.

    Raises:
        ContractError: what the tagger does otherwise.
    """
    heard = list(clips) if clips is not None else [sample.audio for sample in example_samples()]
    tag = verb(tagger, "tag")
    answers = tag(heard)
    require(len(answers) == len(heard), f"tag: one list for each of {len(heard)} clips, got {len(answers)}.")
    for tags, clip in zip(answers, heard, strict=True):
        together, alone = dict(tags), dict(tag([fresh(clip)])[0])
        require(len(together) == len(tags), "tag: each label once.")
        require(all(0 <= p <= 1 for p in together.values()), "tag: probabilities lie in [0, 1].")
        require(all(a >= b for (_, a), (_, b) in pairwise(tags)), "tag: the most probable label comes first.")
        require(together.keys() == alone.keys(), "tag: the labels do not depend on the batch.")
        p, q = (np.array([side[label] for label in together], np.float64) for side in (together, alone))
        close(p, q, tolerance, "tag: a batch equals its clips one by one")
    require(answers == tag(heard), "tag: the same clips twice give the same bits.")
    require(any(tags != answers[0] for tags in answers[1:]), "tag: different clips have different probabilities.")
    mono, dual = (tag([clip]) for clip in mono_and_dual(heard[0]))
    require(mono == dual and tag([]) == [], "tag: mono and dual mono give the same bits, and no clips no tags.")

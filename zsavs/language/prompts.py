"""Prompt templates as data, and the ensemble over them."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from zsavs.protocols import TextEncoder

__all__ = ["embed_phrases", "templates"]


@functools.cache
def templates(kind: str) -> tuple[str, ...]:
    """The shipped templates of a kind, "sound" or "photo"; each holds one ``{}`` (zsavs/data/prompts.json)."""
    text = (resources.files("zsavs") / "data" / "prompts.json").read_text(encoding="utf-8")
    return tuple(json.loads(text)[kind])


def embed_phrases(encoder: TextEncoder, phrases: Sequence[str], prompts: Sequence[str]) -> NDArray[np.float32]:
    """Embed each phrase as the mean over its prompts, renormalised (the CLIP authors' prompt ensemble).

    Args:
        encoder: embeds texts into unit rows.
        phrases: K phrases.
        prompts: templates, each with one ``{}``.

    Returns:
        (K, D) float32 with unit rows; (0, D) for no phrases.
    """
    texts = [prompt.replace("{}", phrase) for phrase in phrases for prompt in prompts]
    rows = encoder.encode_text(texts)
    mean = rows.reshape(len(phrases), len(prompts), -1).mean(axis=1) if phrases else rows
    norm = np.linalg.norm(mean, axis=-1, keepdims=True)
    unit: NDArray[np.float32] = (mean / np.maximum(norm, 1e-12)).astype(np.float32)
    return unit

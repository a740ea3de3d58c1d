"""The check of text towers that read words given as vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zsavs.protocols import PseudoWordEncoder
from zsavs.testing.requirements import close, require, verb

__all__ = ["check_pseudo_words"]


def check_pseudo_words(encoder: PseudoWordEncoder, words: Sequence[str], *, tolerance: float = 1e-5) -> None:
    """Check a :class:`~zsavs.protocols.PseudoWordEncoder`: a vector is read as the word that it came from.

    Unit rows for each vector in order; a word's own vector gives the row of its spelling; a batch equals its vectors
    one by one and the same call gives the same bits, on the way there and back; the way back is the gradient, as small
    steps in a fixed direction measure it.

    Args:
        encoder: what to check.
        words: two at least, each a single token of this encoder.
        tolerance: on rows, and on gradients as a share of the largest; the difference quotient may be off by 2 %.

    Raises:
        ContractError: what the encoder does otherwise.
    """
    prompt = "a sound of {}"
    embed, encode = verb(encoder, "embed_words"), verb(encoder, "encode_pseudo_words")
    vectors = embed(words)
    require(vectors.ndim == 2 and len(vectors) == len(words), "embed_words: one row for each word.")
    require(embed([]).shape == (0, vectors.shape[1]), "embed_words: no words give (0, W).")
    rows, pull = encode(prompt, vectors)
    spelt = encoder.encode_text([prompt.replace("{}", word) for word in words])
    close(rows, spelt, tolerance, "encode_pseudo_words: a word's own vector gives the row of its spelling")
    above = np.random.default_rng(0).standard_normal(rows.shape).astype(np.float32)
    back = pull(above)
    require(back.shape == vectors.shape, f"pull: as many gradients as vectors, {vectors.shape}, got {back.shape}.")
    again, pull_again = encode(prompt, vectors)
    same = np.array_equal(rows, again) and np.array_equal(back, pull_again(above))
    require(same, "encode_pseudo_words: the same call twice gives the same bits, there and back.")
    size = float(np.abs(back).max())
    for at in range(len(words)):
        row, pull_one = encode(prompt, vectors[at : at + 1])
        close(rows[at : at + 1], row, tolerance, "encode_pseudo_words: a batch equals its vectors one by one")
        one = pull_one(above[at : at + 1])
        close(back[at : at + 1], one, tolerance * max(1, size), "pull: a batch equals its vectors one by one")
    # Along the gradient itself, where the difference quotient is least disturbed by rounding.
    lengths = np.linalg.norm(back, axis=1, keepdims=True)
    step = 0.01 * np.linalg.norm(vectors, axis=1, keepdims=True)
    ends = [encode(prompt, (vectors + way * step * back / lengths).astype(np.float32))[0] for way in (1, -1)]
    quotient = ((ends[0] - ends[1]) * above).sum(axis=1) / (2 * step[:, 0])
    close(quotient / lengths[:, 0], np.ones(len(words)), 0.02, "pull: the way back is the gradient of the way there")

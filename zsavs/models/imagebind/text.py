"""ImageBind's tokenizer: texts to the ids of OpenAI CLIP's byte pairs, by open_clip."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from zsavs.errors import BrokenInstallation, InputError
from zsavs.models.imagebind.config import CONTEXT_LENGTH
from zsavs.models.inputs import check_phrases

if TYPE_CHECKING:
    import torch

__all__ = ["tokenize"]

#: Start and end of a text; the end has the largest id of all, where the tower reads its answer.
_START, _END = 49406, 49407


def tokenize(texts: Sequence[str]) -> torch.Tensor:
    """The ids of K texts: start, tokens, end, zeros. A long text is cut to its first 75 tokens, and its end.

    Args:
        texts: any strings; mojibake and HTML entities are repaired, white space is collapsed, case is dropped.

    Returns:
        (K, 77) int64.

    Raises:
        InputError: not a list of strings, or a text that holds the tokenizer's own marks.
        BrokenInstallation: open_clip cannot be imported.
    """
    phrases = check_phrases(texts)
    ids: torch.Tensor = _tokenizer()(phrases)
    for phrase, marks in zip(phrases, ((ids == _START) | (ids == _END)).sum(dim=1).tolist(), strict=True):
        if marks != 2:
            # A mark inside would end the text there, in silence.
            raise InputError(f"{phrase!r} holds <start_of_text> or <end_of_text>, which mean something else to CLIP.")
    return ids


@cache
def _tokenizer() -> Any:
    try:
        # Takes seconds to import, and only texts need it.
        from open_clip.tokenizer import SimpleTokenizer
    except ImportError as error:
        raise BrokenInstallation(
            f"open_clip cannot be imported ({error}); run: pip install 'open_clip_torch>=3.3,<4'"
        ) from error
    return SimpleTokenizer(context_length=CONTEXT_LENGTH)

"""Qwen3-Omni, asked what makes a sound and whether a thing does."""

from __future__ import annotations

from zsavs.models.qwen_omni import QWEN3_CARDS as CARDS
from zsavs.models.qwen_omni import Qwen3OmniModel
from zsavs.translation.omni import AskedOmni

__all__ = ["CARDS", "Qwen3Omni"]


class Qwen3Omni(AskedOmni):
    """Qwen3-Omni's thinker, asked (:class:`zsavs.protocols.OmniModel`)."""

    adapter = Qwen3OmniModel
    cards, default, files = CARDS, Qwen3OmniModel.default, Qwen3OmniModel.files

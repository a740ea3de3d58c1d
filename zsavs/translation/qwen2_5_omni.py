"""Qwen2.5-Omni, asked what makes a sound and whether a thing does."""

from __future__ import annotations

from zsavs.models.qwen_omni import QWEN2_5_CARDS as CARDS
from zsavs.models.qwen_omni import Qwen25OmniModel
from zsavs.translation.omni import AskedOmni

__all__ = ["CARDS", "Qwen25Omni"]


class Qwen25Omni(AskedOmni):
    """Qwen2.5-Omni's thinker, asked (:class:`zsavs.protocols.OmniModel`)."""

    adapter = Qwen25OmniModel
    cards, default, files = CARDS, Qwen25OmniModel.default, Qwen25OmniModel.files

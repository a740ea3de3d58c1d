"""Presets and strategies, by what they are for: the words that stand on the page."""

from __future__ import annotations

import inspect

from zsavs.presets import PRESETS
from zsavs.registry import find_component

__all__ = ["preset_purpose", "strategy_purpose"]

_PRESETS = {
    "pocket": "photographs, 80 things, quick",
    "base": "photographs, any thing",
    "large": "as base, for a GPU",
    "imagebind": "as base, and a joint space; non-commercial",
    "pe": "as base, Meta's encoders",
    "sam3": "as base, with SAM 3",
    "nano": "only the emoji of the examples",
    "toy": "discs of colour that hum, for tests",
}
_STRATEGIES = {
    "audio_to_text": "which of many labels does it sound like",
    "caption": "tell the sound in a sentence, look for what the sentence names",
    "classify": "tag the sound, look for what makes such sounds",
    "cofactorization": "several sources at once; needs no detector",
    "cross_modal": "listen only for what a caption of the image names",
    "fused": "sound and image vote on the label together",
    "joint_embedding": "regions that fit the sound, without naming them first",
    "omni": "a model that hears and sees judges each region",
    "pivot": "one region for each sound",
    "text_bridged": "several sources at once, each region for one of them",
    "textual_inversion": "a word is fitted to each sound; slow",
    "translated": "sounds that name no thing: a siren, look for an ambulance",
}


def preset_purpose(name: str) -> str:
    """What a preset is for, in a few words: those of ``zsavs list`` where there are none for the page."""
    return _PRESETS.get(name) or PRESETS[name].summary


def strategy_purpose(name: str) -> str:
    """What a strategy is for, in a few words; of one from another package, the first line of its docstring."""
    return _STRATEGIES.get(name) or (inspect.getdoc(find_component("strategy", name)) or "").partition("\n")[0]

"""From parts to a pipeline: strategy, decomposition, stereo prior and the stages after them."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zsavs.build.parts import Parts
from zsavs.build.settable import split_settings
from zsavs.decomposition import Decomposed, Decomposer
from zsavs.decomposition.stereo import StereoPrior
from zsavs.errors import InputError, UnknownName
from zsavs.pipeline import Pipeline
from zsavs.presets import find_preset
from zsavs.registry import ROLES, find_component

__all__ = ["build_pipeline"]

log = logging.getLogger(__name__)


def build_pipeline(
    strategy: str | Any,
    preset: str = "base",
    device: str = "auto",
    dtype: str = "auto",
    vocabulary: str | Path | Sequence[str] | None = None,
    bank: str | Path | None = None,
    decomposition: str | Decomposer | None = None,
    stereo: bool = False,
    **settings: Any,
) -> Pipeline:
    """Build a pipeline from names. Nothing is downloaded; weights that are not here raise an error that says how.

    Args:
        strategy: a name (``zsavs.list_components("strategy")``), or where a class of your own is, "module:Class"; or an
            object with ``query(samples)``. What the class has a default for, no preset sets.
        preset: names one checkpoint for each role (``zsavs.list_components("preset")``).
        device: "auto" (CUDA, then MPS, then the CPU), "cpu", "cuda", "cuda:1", "mps".
        dtype: "auto" (bfloat16 where the card computes in it and the model allows it), "float32", "bfloat16",
            "float16".
        vocabulary: labels to hear with: a shipped name, a text file with one label a line, or a list; the preset's
            own if left out.
        bank: a folder that ``zsavs calibrate`` made of your own files, to calibrate the encoders against; what ships
            with them, or synthetic items, if left out. ``meta["banks"]`` of every result says which.
        decomposition: decompose each audio clip and ask the strategy about every component: a name
            (``zsavs.list_components("decomposition")``), or an object with ``decompose(clips)``; None for not.
        stereo: let the direction of a stereo clip's source say where to look (:mod:`zsavs.decomposition.stereo`).
        settings: by the name of a role, another component for it: an object, or "name" or "name:checkpoint"
            (``segmenter="sam2:facebook/sam2.1-hiera-small"``); a part around another part of its own role takes the
            preset's, or the one named after the colon (``grounder="objects:owlv2"``); by "role.name", a setting of
            that part (``**{"grounder.threshold": 0.2}``); anything else is a setting of the strategy (``top_k=5``).

    A strategy that needs a grounder or verifier of another kind than the preset's says so in ``stages``, role to
    component name; what ``settings`` name comes before it.

    Raises:
        UnknownName: a name that nothing is registered under, or a setting that the strategy does not have.
        InputError: the strategy needs a part that the preset does not have; says which presets and components do. Or
            a part is set that the pipeline does not have. Or the strategy cannot hear what the decomposition makes, or
            the bank cannot be read, or is of other encoders.
        MissingWeights: a checkpoint is not on this machine.

    >>> import zsavs
    >>> build_pipeline("audio_to_text", preset="toy").strategy.top_k
    3
    """
    overrides, tuned, settings = split_settings(settings)
    wanted = find_component("strategy", strategy) if isinstance(strategy, str) else strategy
    parts = Parts(preset, overrides, getattr(wanted, "stages", {}), device, dtype, vocabulary, bank, tuned)
    _say_limits(preset)
    decomposer = _decomposer(parts, wanted, decomposition)
    if isinstance(strategy, str):
        settings = {**parts.preset_settings(wanted, strategy), **settings}
        encoder = _component_encoder(decomposer, wanted, f"strategy {strategy!r}")
        name, chosen = strategy, parts.fill(wanted, settings, f"strategy {strategy!r}", encoder)
    else:
        name, chosen = type(strategy).__name__, strategy
        if hasattr(decomposer, "component_encoder"):
            raise InputError(
                f"the decomposition {decomposition!r} needs a strategy's name, to build it with the encoder of its "
                "components."
            )
        if settings:
            raise UnknownName("setting of a strategy that is built already", next(iter(settings)), ROLES)
    asked = chosen
    if stereo:  # within the decomposition, as every source has a direction of its own
        chosen = StereoPrior(chosen)
    if decomposer is not None:
        chosen = Decomposed(chosen, decomposer)
    stages = {role: parts.get(role) for role in ("grounder", "verifier", "segmenter")}
    tracker = parts.get("tracker") if "tracker" in overrides or "tracker" in parts.plan.parts else None
    for role in tuned:
        if role not in parts.built:
            raise InputError(f"{role}.{next(iter(tuned[role]))}: {name!r} with preset {preset!r} has no {role} to set.")
        settings |= {f"{role}.{setting}": value for setting, value in tuned[role].items()}
    meta = {
        "strategy": name,
        "settings": {setting: _plain(value) for setting, value in settings.items()},
        "decomposition": decomposition if isinstance(decomposition, str | None) else type(decomposition).__name__,
        "stereo": stereo,
        "preset": preset,
        "device": str(device),
        "dtype": str(dtype),
        "seed": None,
        "models": parts.cards(),
        "banks": parts.banks(),
    }
    components = (asked, decomposer, *parts.built.values(), *parts.made)
    return Pipeline(
        chosen,
        **stages,
        meta=meta,
        tracker=tracker,
        trackers=functools.partial(parts.other, "tracker"),
        components=tuple(component for component in components if component is not None),
    )


def _decomposer(parts: Parts, strategy: Any, decomposition: str | Decomposer | None) -> Decomposer | None:
    """The decomposer of a name, listening with the strategy's own encoder where it has one."""
    if decomposition is None:
        return None
    if not isinstance(decomposition, str):
        if isinstance(decomposition, type) or not callable(getattr(decomposition, "decompose", None)):
            raise InputError(
                f"decomposition: expected a name or an object with decompose(clips), got {decomposition!r}."
            )
        return decomposition
    cls = find_component("decomposition", decomposition)
    taken, what = inspect.signature(cls).parameters, f"decomposition {decomposition!r}"
    joint = "audio_text" in taken and _audio_role(strategy) == "joint"
    decomposer: Decomposer = parts.fill(
        cls, parts.preset_settings(cls), what, {"audio_text": parts.get("joint", what)} if joint else {}
    )
    return decomposer


def _audio_role(strategy: Any) -> str | None:
    """The role of the encoder that a strategy gives the audio to; None if it has none, or is built already."""
    asked = inspect.signature(strategy).parameters if callable(strategy) else ()
    return next((role for role in ("joint", "audio_text") if role in asked), None)


def _component_encoder(decomposer: Decomposer | None, strategy: Any, what: str) -> dict[str, Any]:
    """By role, the encoder that a strategy needs for the decomposer's components, where these are embeddings.

    Raises:
        InputError: the strategy has no encoder of audio and text.
    """
    encoder = getattr(decomposer, "component_encoder", None)
    if encoder is None:
        return {}
    role = _audio_role(strategy)
    if role is None:
        raise InputError(
            f"{what} has no encoder of audio and text, and the components of this decomposition are embeddings of "
            f"one; choose decomposition 'windows' or 'nmf', whose components are audio clips."
        )
    return {role: encoder}


@functools.cache
def _say_limits(preset: str) -> None:
    """Tell once in this process what has to be known of a preset."""
    if limits := find_preset(preset).limits:
        log.warning("%s", limits)


def _plain(value: Any) -> str | int | float | bool | None:
    """A setting as JSON holds it: what is no plain value by its name, or its kind's."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    return str(getattr(value, "__qualname__", type(value).__qualname__))

"""From names to pipelines: presets, shared weights, and several strategies over the same samples."""

from __future__ import annotations

import functools
import inspect
import json
import logging
import weakref
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from zsavs.calibration.bank import source_of
from zsavs.calibration.user_bank import KINDS, BankFolder
from zsavs.decomposition import Decomposed, Decomposer
from zsavs.decomposition.stereo import StereoPrior
from zsavs.errors import InputError, MissingWeights, UnknownName
from zsavs.language.vocabulary import load_vocabulary
from zsavs.models.runtime import check_names
from zsavs.pipeline import Pipeline, check_batches
from zsavs.presets import PRESETS, Part, find_preset
from zsavs.registry import ROLES, find_component, list_components
from zsavs.result import AVSResult
from zsavs.types import AVSample

__all__ = ["build_parts", "build_pipeline", "compare", "missing_roles", "strategies_of"]

log = logging.getLogger(__name__)

#: Components alive in this process, so that two pipelines that name the same model share its weights.
_alive: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


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
        strategy: a name (``zsavs.list_components("strategy")``), or an object with ``query(samples)``.
        preset: names one checkpoint for each role (``zsavs.list_components("preset")``).
        device: "auto" (CUDA, then MPS, then the CPU), "cpu", "cuda", "cuda:1", "mps".
        dtype: "auto" (bfloat16 where the card computes in it and the model allows it), "float32", "bfloat16",
            "float16".
        vocabulary: labels to hear with: a shipped name, a text file with one label a line, or a list; the preset's
            own if left out.
        bank: a folder that ``zsavs calibrate`` made of your own files, to calibrate the encoders against; what ships
            with them, or synthetic items, if left out. ``meta["banks"]`` of every result says which.
        decomposition: take each recording apart into sources and ask the strategy about every one of them: a name
            (``zsavs.list_components("decomposition")``), or an object with ``take_apart(clips)``; None for not.
        stereo: let the direction of a stereo recording's sound say where to look (:mod:`zsavs.decomposition.stereo`).
        settings: by the name of a role, another component for it: an object, or "name" or "name:checkpoint"
            (``segmenter="sam2:facebook/sam2.1-hiera-small"``); a part around another part of its own role takes the
            preset's, or the one named after the colon (``grounder="objects:owlv2"``); anything else is a setting of
            the strategy (``top_k=5``).

    A strategy that needs a grounder or verifier of another kind than the preset's says so in ``stages``, role to
    component name; what ``settings`` name comes before it.

    Raises:
        UnknownName: a name that nothing is registered under, or a setting that the strategy does not have.
        InputError: the strategy needs a part that the preset does not have; says which presets and components do. Or
            it cannot hear what the decomposition makes, or the bank cannot be read, or is of other encoders.
        MissingWeights: a checkpoint is not on this machine.

    >>> import zsavs
    >>> build_pipeline("audio_to_text", preset="toy").strategy.top_k
    3
    """
    overrides = {role: settings.pop(role) for role in ROLES if role in settings}
    wanted = find_component("strategy", strategy) if isinstance(strategy, str) else strategy
    parts = _Parts(preset, overrides, getattr(wanted, "stages", {}), device, dtype, vocabulary, bank)
    _say_limits(preset)
    decomposer = _decomposer(parts, wanted, decomposition)
    if isinstance(strategy, str):
        taken = inspect.signature(wanted).parameters
        settings = {**{name: value for name, value in parts.plan.settings.items() if name in taken}, **settings}
        ears = _ears(decomposer, wanted, f"strategy {strategy!r}")
        name, chosen = strategy, parts.fill(wanted, settings, f"strategy {strategy!r}", ears)
    else:
        name, chosen = type(strategy).__name__, strategy
        if hasattr(decomposer, "ears"):
            raise InputError(f"the decomposition {decomposition!r} needs a strategy's name, to build it with its ears.")
        if settings:
            raise UnknownName("setting of a strategy that is built already", next(iter(settings)), ROLES)
    if stereo:  # within the decomposition, as every source has a direction of its own
        chosen = StereoPrior(chosen)
    if decomposer is not None:
        chosen = Decomposed(chosen, decomposer)
    stages = {role: parts.get(role) for role in ("grounder", "verifier", "segmenter")}
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
    return Pipeline(chosen, **stages, meta=meta)


def _decomposer(parts: _Parts, strategy: Any, decomposition: str | Decomposer | None) -> Decomposer | None:
    """The decomposer of a name, listening with the strategy's own encoder where it has one."""
    if decomposition is None:
        return None
    if not isinstance(decomposition, str):
        if isinstance(decomposition, type) or not callable(getattr(decomposition, "take_apart", None)):
            raise InputError(
                f"decomposition: expected a name or an object with take_apart(clips), got {decomposition!r}."
            )
        return decomposition
    cls = find_component("decomposition", decomposition)
    taken, what = inspect.signature(cls).parameters, f"decomposition {decomposition!r}"
    joint = "audio_text" in taken and _hearing(strategy) == "joint"
    settings = {name: value for name, value in parts.plan.settings.items() if name in taken}
    decomposer: Decomposer = parts.fill(cls, settings, what, {"audio_text": parts.get("joint", what)} if joint else {})
    return decomposer


def _hearing(strategy: Any) -> str | None:
    """The role of the encoder that a strategy hears with; None if it hears in another way, or is built already."""
    asked = inspect.signature(strategy).parameters if callable(strategy) else ()
    return next((role for role in ("joint", "audio_text") if role in asked), None)


def _ears(decomposer: Decomposer | None, strategy: Any, what: str) -> dict[str, Any]:
    """By role, the encoder that hears the decomposer's components, where they are not sounds.

    Raises:
        InputError: the strategy hears with no encoder.
    """
    ears = getattr(decomposer, "ears", None)
    if ears is None:
        return {}
    role = _hearing(strategy)
    if role is None:
        raise InputError(
            f"{what} hears with no encoder of sound and text, and the components of this decomposition are embeddings "
            f"in one; choose decomposition 'windows' or 'nmf', whose components are sounds."
        )
    return {role: ears}


def build_parts(roles: Sequence[str], preset: str, device: str = "auto", dtype: str = "auto") -> dict[str, Any]:
    """A preset's components for some roles, shared with the pipelines that name the same ones.

    Raises:
        As :func:`build_pipeline`.
    """
    parts = _Parts(preset, {}, {}, device, dtype, None)
    return {role: parts.get(role) for role in roles}


def missing_roles(strategy: str, preset: str) -> list[str]:
    """The roles that a strategy needs and a preset has no part for, so that somebody has to name one.

    Raises:
        UnknownName, BrokenInstallation: as :func:`build_pipeline`.
    """
    parameters = inspect.signature(find_component("strategy", strategy)).parameters
    return [role for role in ROLES if role in parameters and role not in find_preset(preset).parts]


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


def strategies_of(preset: str) -> list[str]:
    """Names of the strategies that a preset has all parts for, sorted.

    Raises:
        UnknownName: no such preset.
        BrokenInstallation: a strategy of another package cannot be imported.
    """
    return [name for name in list_components("strategy") if not missing_roles(name, preset)]


def compare(
    samples: Iterable[AVSample],
    strategies: Sequence[str],
    preset: str = "base",
    device: str = "auto",
    dtype: str = "auto",
    vocabulary: str | Path | Sequence[str] | None = None,
    batch_size: int = 8,
    bank: str | Path | None = None,
    decomposition: str | Decomposer | None = None,
    stereo: bool = False,
) -> dict[str, list[AVSResult]]:
    """Run several strategies over the same samples in one pass; every picture and sound is encoded once.

    Args:
        samples: any iterable.
        strategies: names.
        preset, device, dtype, vocabulary, bank, decomposition, stereo: as for :func:`build_pipeline`.
        batch_size: samples that go through the models together.

    Returns:
        For each strategy its results, in the order of the samples.

    Raises:
        As :func:`build_pipeline`.
        ContractError: a batch size that is no whole number from 1.
        InputError: one bare name or sample in place of several.
    """
    if isinstance(strategies, str):
        raise InputError(f"compare takes a list of strategies, got the one name {strategies!r}; use [{strategies!r}].")
    check_batches(samples, batch_size)
    models = (preset, device, dtype, vocabulary, bank, decomposition, stereo)
    pipes = {name: build_pipeline(name, *models) for name in strategies}
    results: dict[str, list[AVSResult]] = {name: [] for name in pipes}
    iterator = iter(samples)
    # Batch by batch, all strategies over one batch: the models remember the batch's features, not the data set's.
    while batch := list(islice(iterator, batch_size)):
        for name, pipe in pipes.items():
            results[name] += pipe.batch(batch)
    return results


class _Parts:
    """Builds the components that are asked for, each once."""

    def __init__(
        self,
        preset: str,
        overrides: dict[str, Any],
        stages: Mapping[str, str],
        device: str,
        dtype: str,
        vocabulary: str | Path | Sequence[str] | None,
        bank: str | Path | None = None,
    ) -> None:
        self.preset, self.plan, self.overrides, self.stages = preset, find_preset(preset), overrides, stages
        check_names(device, dtype)
        self.device, self.dtype = device, dtype
        self.vocabulary = load_vocabulary(self.plan.vocabulary if vocabulary is None else vocabulary)
        self.bank = None if bank is None else BankFolder(bank)
        self.built: dict[str, Any] = {}

    def get(self, role: str, what: str = "a pipeline") -> Any:
        """The component for a role, shared with every other pipeline in this process that names the same one.

        Args:
            role: of the component.
            what: needs it, for messages.

        Raises:
            InputError: the preset has none, and none is given.
        """
        if role not in self.built:
            given = self.overrides.get(role)
            if given is not None and not isinstance(given, str):
                self.built[role] = given
            elif given:
                self.built[role] = self._make(role, Part.named(given))
            else:
                self.built[role] = self._stage(role, what)
            if self.bank is not None and role in KINDS:
                self.built[role] = self.bank.calibrated(self.built[role], KINDS[role], f"the {role} encoder")
        return self.built[role]

    def _stage(self, role: str, what: str) -> Any:
        """The preset's component for a role, or the one of another kind that the strategy asks for."""
        wanted = self.stages.get(role)
        if wanted is None:
            return self._of_the_preset(role, what)
        return self._present(role, self.plan.parts.get(f"{role}.{wanted}", Part(wanted)))

    def _of_the_preset(self, role: str, what: str) -> Any:
        if role not in self.plan.parts:
            raise InputError(
                f"the preset {self.preset!r} has no {role}, and {what} needs one; choose a preset that has "
                f"({', '.join(name for name in sorted(PRESETS) if role in PRESETS[name].parts) or 'none'}), or give "
                f'one: {role}="NAME" or "NAME:CHECKPOINT", NAME from {", ".join(list_components(role))}.'
            )
        return self._present(role, self.plan.parts[role])

    def _present(self, role: str, part: Part) -> Any:
        """Make a part of the preset; where its weights are missing, say how to fetch all of the preset's."""
        try:
            return self._make(role, part)
        except MissingWeights as error:
            everything = f"zsavs download {self.preset}"
            if everything in str(error):  # said already, for a part of this part
                raise
            raise MissingWeights(f"{error} All that the preset {self.preset!r} needs: {everything}") from error

    def _make(self, role: str, part: Part) -> Any:
        cls = find_component(role, part.name)
        if not hasattr(cls, "load"):  # made of other parts, not of a checkpoint
            return self.fill(cls, dict(part.settings), f"{role} {part.name!r}", self._inner(role, part, cls))
        settings: dict[str, Any] = {"device": self.device, "dtype": self.dtype, **part.settings}
        if part.checkpoint:
            settings["checkpoint"] = part.checkpoint
        key = json.dumps([cls.__module__, cls.__qualname__, settings], sort_keys=True, default=repr)
        component = _alive.get(key)
        if component is None:
            component = cls.load(**settings)
            _alive[key] = component
        return component

    def _inner(self, role: str, part: Part, cls: Any) -> dict[str, Any]:
        """For a part around another part of its own role, as a detector is asked for anything at all: that part.

        Raises:
            InputError: it is named and not asked for, or asked for and not named within a preset.
        """
        asked = role in inspect.signature(cls).parameters
        if part.checkpoint and not asked:
            raise InputError(f"{role} {part.name!r} loads nothing; leave out {':' + part.checkpoint!r} after its name.")
        if part.around or part.checkpoint:
            return {role: self._make(role, part.around or Part.named(part.checkpoint))}
        if asked and self.plan.parts[role].name == part.name:
            raise InputError(f"{role} {part.name!r} goes around another {role}; name one, {role}='{part.name}:NAME'.")
        return {role: self._of_the_preset(role, f"{role} {part.name!r}")} if asked else {}

    def fill(self, cls: Any, settings: dict[str, Any], what: str, inner: Mapping[str, Any] | None = None) -> Any:
        """Call a constructor: parameters named after a role get that component, ``vocabulary`` gets the labels.

        Args:
            inner: by role, components that are not the pipeline's own.

        Raises:
            UnknownName: a setting that the constructor does not take.
        """
        parameters = inspect.signature(cls).parameters
        supplied = {**(inner or {})}
        supplied |= {name: self.get(name, what) for name in parameters if name in ROLES and name not in supplied}
        if "vocabulary" in parameters:
            supplied["vocabulary"] = self.vocabulary
        if "silent" in parameters:
            supplied["silent"] = self.plan.silent
        free = [name for name in parameters if name not in supplied]
        for name in settings:
            if name not in free:
                raise UnknownName(f"setting of {what}", name, [*free, *ROLES])
        return cls(**supplied, **settings)

    def cards(self) -> dict[str, Any]:
        """What every component built is: its card, where it has one."""
        return {
            role: {"component": type(part).__name__, **part.card.as_dict()}
            if hasattr(part, "card")
            else type(part).__name__
            for role, part in sorted(self.built.items())
        }

    def banks(self) -> dict[str, dict[str, str]]:
        """What every encoder built is calibrated against, in words."""
        return {
            role: {kind: source_of(self.built[role], kind) for kind in kinds}
            for role, kinds in KINDS.items()
            if role in self.built
        }

"""From names to components: a preset's parts, or those named in their place, each made once."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zsavs.build.plans import inner_part, plan_for
from zsavs.build.settable import described_components, settings_of
from zsavs.build.shared_weights import loaded_once
from zsavs.calibration.bank import source_of
from zsavs.calibration.user_bank import KINDS, UserBank
from zsavs.errors import InputError, MissingWeights, UnknownName
from zsavs.language.vocabulary import load_vocabulary
from zsavs.models.runtime import check_names
from zsavs.presets import PRESETS, Part, find_preset
from zsavs.registry import ROLES, find_component
from zsavs.storage.weights import is_local

__all__ = ["Parts", "build_encoders", "build_parts"]

log = logging.getLogger(__name__)


def build_parts(
    roles: Sequence[str],
    preset: str,
    device: str = "auto",
    dtype: str = "auto",
    parts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A preset's components for some roles, shared with the pipelines that name the same ones.

    Args:
        roles: of the components.
        preset, device, dtype: as for :func:`zsavs.build_pipeline`.
        parts: by role, what stands in place of the preset's parts: "name", "name:checkpoint" or an object.

    Raises:
        As :func:`zsavs.build_pipeline`.
    """
    builder = Parts(preset, dict(parts or {}), {}, device, dtype, None)
    return {role: builder.get(role) for role in roles}


def build_encoders(
    preset: str, device: str = "auto", dtype: str = "auto", parts: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A preset's encoders by role, or those named in their place: the parts that are calibrated against a bank.

    Raises:
        InputError: a part is named for a role that no encoder has.
        As :func:`zsavs.build_pipeline`.
    """
    for role in parts or {}:
        if role not in KINDS:
            raise InputError(f"the {role} is calibrated against no bank; name a part for {', '.join(KINDS)}.")
    roles = [role for role in KINDS if role in find_preset(preset).parts or role in (parts or {})]
    return build_parts(roles, preset, device, dtype, parts)


class Parts:
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
        tuned: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        check_names(device, dtype)
        self.preset, self.plan, self.overrides, self.stages = preset, plan_for(preset, device), overrides, stages
        #: By role, settings of the part that come before the preset's.
        self.tuned = tuned or {}
        self.device, self.dtype = device, dtype
        self.vocabulary = load_vocabulary(self.plan.vocabulary if vocabulary is None else vocabulary)
        self._own_labels = vocabulary is None
        self.bank = None if bank is None else UserBank(bank)  # read now, before any model is loaded
        self.built: dict[str, Any] = {}
        #: Parts that a loaded part of the same role goes around, by that role and their name.
        self.inner: dict[str, Any] = {}
        #: Every component that was made, whatever it is a part of.
        self.made: list[Any] = []

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
                self.built[role] = self._make(role, self._tuned(role, Part.named(given)))
            else:
                self.built[role] = self._present(role, self._tuned(role, self._stage(role, what)))
            if self.bank is not None:
                self.built[role] = self.bank.calibrated(self.built[role], role)
        return self.built[role]

    def other(self, role: str, name: str) -> Any:
        """Another component for a role than the pipeline's own: "name" or "name:checkpoint".

        Raises:
            As :func:`zsavs.build_pipeline`.
        """
        return self._make(role, self._tuned(role, Part.named(name)))

    def _stage(self, role: str, what: str) -> Part:
        """The preset's part for a role, or the one of another kind that the strategy asks for."""
        wanted = self.stages.get(role)
        if wanted is None:
            return self._of_the_preset(role, what)
        return self.plan.parts.get(f"{role}.{wanted}", Part(wanted))

    def _of_the_preset(self, role: str, what: str) -> Part:
        if role not in self.plan.parts:
            raise InputError(
                f"the preset {self.preset!r} has no {role}, and {what} needs one; choose a preset that has "
                f"({', '.join(name for name in sorted(PRESETS) if role in PRESETS[name].parts) or 'none'}), or name "
                f"one, on the command line with --part {role}=NAME[:CHECKPOINT], in Python with "
                f'{role}="NAME[:CHECKPOINT]". There are: {described_components(role)}.'
            )
        return self.plan.parts[role]

    def _tuned(self, role: str, part: Part) -> Part:
        """A part with the settings that were asked for in place of its own, or of those of the part it goes around.

        Raises:
            UnknownName: a setting that neither has.
        """
        given = self.tuned.get(role, {})
        inner = inner_part(self.plan, role, part) if given else None
        if inner is None:
            return replace(part, settings={**part.settings, **given})
        own = dict(settings_of(find_component(role, part.name)))
        within = dict(settings_of(find_component(role, inner.name)))
        for name in given:
            if name not in own and name not in within:
                raise UnknownName(f"setting of {role} {part.name!r}", name, [*own, *within, *ROLES])
        handed_on = {name: value for name, value in given.items() if name not in own}
        if handed_on:
            part = replace(part, around=replace(inner, settings={**inner.settings, **handed_on}))
        return replace(part, settings={**part.settings, **{name: given[name] for name in given if name in own}})

    def _present(self, role: str, part: Part) -> Any:
        """Make a part of the preset; where its weights are missing, say how to fetch all of the preset's."""
        try:
            return self._make(role, part)
        except MissingWeights as error:
            everything = f"zsavs download {self.preset}"
            if everything in str(error):  # said already, for a part of this part
                raise
            hint = self._other_than_on_cpu(role, part)
            raise MissingWeights(f"{error} All that the preset {self.preset!r} needs: {everything}{hint}") from error

    def _other_than_on_cpu(self, role: str, part: Part) -> str:
        """Where a part is the preset's on a CPU alone, and the other one is on this machine, that one in words."""
        own, other = self.plan.on_cpu.get(role), find_preset(self.preset).parts.get(role)
        if own is None or other is None or part.name != own.name:
            return ""
        if not is_local(other.checkpoint, files=find_component(role, other.name).files_of(other.checkpoint)):
            return ""
        return (
            f". What it takes on a GPU is here and works on a CPU, too, slowly: --part {role}={other.name}, in Python "
            f'{role}="{other.name}"'
        )

    def _make(self, role: str, part: Part) -> Any:
        component = self._new(role, part)
        self.made.append(component)
        return component

    def _new(self, role: str, part: Part) -> Any:
        cls = find_component(role, part.name)
        if not hasattr(cls, "load"):  # made of other parts, not of a checkpoint
            return self.fill(cls, dict(part.settings), f"{role} {part.name!r}", self._inner(role, part, cls))
        settings: dict[str, Any] = {"device": self.device, "dtype": self.dtype, **part.settings}
        if checkpoint := part.checkpoint or self._shared_checkpoint(cls):
            settings["checkpoint"] = checkpoint
        if part.around:
            settings[role] = self.inner[f"{role} {part.around.name}"] = self._make(role, part.around)
        return loaded_once(cls, settings)

    def _shared_checkpoint(self, cls: Any) -> str:
        """The checkpoint of the part that a class shares its files with (``checkpoint_of``), "" where there is none."""
        role, name = getattr(cls, "checkpoint_of", ("", ""))
        given = self.overrides.get(role)
        part = Part.named(given) if given and isinstance(given, str) else self.plan.parts.get(role)
        while part is not None and part.name != name:
            part = part.around or (Part.named(part.checkpoint) if part.checkpoint else None)
        return part.checkpoint if part else ""

    def _inner(self, role: str, part: Part, cls: Any) -> dict[str, Any]:
        """For a part around another part of its own role, as a detector is asked for anything at all: that part.

        Raises:
            InputError: it is named and not asked for, or asked for and not named within a preset.
        """
        asked = inspect.signature(cls).parameters.get(role)
        if part.checkpoint and asked is None:
            raise InputError(f"{role} {part.name!r} loads nothing; leave out {':' + part.checkpoint!r} after its name.")
        if part.around or part.checkpoint:
            return {role: self._make(role, part.around or Part.named(part.checkpoint))}
        if asked is None:
            return {}
        if asked.default is None:  # none is named, and it can do without
            return {role: None}
        if self.plan.parts[role].name == part.name:
            raise InputError(f"{role} {part.name!r} goes around another {role}; name one, {role}='{part.name}:NAME'.")
        return {role: self._present(role, self._of_the_preset(role, f"{role} {part.name!r}"))}

    def fill(self, cls: Any, settings: dict[str, Any], what: str, inner: Mapping[str, Any] | None = None) -> Any:
        """Call a constructor: parameters named after a role get that component, ``vocabulary`` gets the labels.

        One whose default is None is left out, unless the component is there for another part or is named. Labels that
        are the preset's leave the default of somebody else's class as it is.

        Args:
            inner: by role, components that are not the pipeline's own.

        Raises:
            UnknownName: a setting that the constructor does not take.
        """
        parameters = inspect.signature(cls).parameters
        supplied = {**(inner or {})}
        asked = [name for name in parameters if name in ROLES and name not in supplied]
        supplied |= {name: self.get(name, what) for name in asked if not self._spared(name, parameters[name])}
        labels = {"vocabulary": self.vocabulary, "silent": self.plan.silent}
        supplied |= {
            name: value
            for name, value in labels.items()
            if name in parameters and not (self._keeps(cls, name) and (name == "silent" or self._own_labels))
        }
        free = [name for name in parameters if name not in supplied]
        for name in settings:
            if name not in free:
                raise UnknownName(f"setting of {what}", name, [*free, *ROLES])
        return cls(**supplied, **settings)

    def preset_settings(self, cls: Any, strategy: str = "") -> dict[str, Any]:
        """Those of the preset's settings that a constructor takes, and that are its own to set.

        Args:
            cls: the class.
            strategy: its name, where it is a strategy, which the preset may have settings for.
        """
        taken = inspect.signature(cls).parameters
        own = self.plan.settings_of(strategy)
        return {name: value for name, value in own.items() if name in taken and not self._keeps(cls, name)}

    def _keeps(self, cls: Any, name: str) -> bool:
        """Whether a parameter has a default that somebody else has chosen, which no preset knows anything of."""
        maker = next((base for base in getattr(cls, "__mro__", ()) if "__init__" in vars(base)), cls)
        default = inspect.signature(cls).parameters[name].default
        if default is inspect.Parameter.empty or maker.__module__.partition(".")[0] == "zsavs":
            return False
        log.info(
            "%s keeps its own default %s=%.60r; the preset %r has another", cls.__name__, name, default, self.preset
        )
        return True

    def _spared(self, role: str, parameter: inspect.Parameter) -> bool:
        """Whether a part that a constructor can do without is not there anyway: neither built yet nor named."""
        return parameter.default is None and role not in self.built and role not in self.overrides

    def cards(self) -> dict[str, Any]:
        """What every component built is: its card, where it has one."""
        return {
            role: {"component": type(part).__name__, **part.card.as_dict()}
            if hasattr(part, "card")
            else type(part).__name__
            for role, part in sorted({**self.built, **self.inner}.items())
            if part is not None  # the tracker "none"
        }

    def banks(self) -> dict[str, dict[str, str]]:
        """What every encoder built is calibrated against, in words."""
        return {
            role: {kind: source_of(self.built[role], kind) for kind in kinds}
            for role, kinds in KINDS.items()
            if role in self.built
        }

"""From names to pipelines.

- :mod:`~zsavs.build.parts`: names to components, by preset and by what is named in place of its parts.
- :mod:`~zsavs.build.plans`: a preset as it is on a device.
- :mod:`~zsavs.build.settable`: what can be set of strategies and parts, and which of several has which setting.
- :mod:`~zsavs.build.shared_weights`: one copy of a model's weights for all pipelines of a process.
- :mod:`~zsavs.build.pipelines`: components to a pipeline.
- :mod:`~zsavs.build.pipeline_key`: what pipelines' answers depend on: code, data, weights, preset and labels.
- :mod:`~zsavs.build.comparison`: several strategies over the same samples.
- :mod:`~zsavs.build.one_call`: one call from files to a result.
- :mod:`~zsavs.build.profiling`: where the time of an answer goes.
- :mod:`~zsavs.build.availability`: which checkpoints a preset needs, which are here, which strategies it has parts for.
- :mod:`~zsavs.build.self_check`: whether the checkpoints that are here do what models do.
- :mod:`~zsavs.build.known_cards`: every weight card that there is, by any way to write its name.
"""

from zsavs.build.availability import first_preset_here, missing_roles, missing_weights, preset_cards, strategies_of
from zsavs.build.comparison import compare
from zsavs.build.one_call import segment
from zsavs.build.parts import build_encoders, build_parts
from zsavs.build.pipeline_key import NESTED, described, pipeline_key
from zsavs.build.pipelines import build_pipeline
from zsavs.build.profiling import Profile, profile
from zsavs.build.settable import described_components, settable, settings_for, used_roles

__all__ = [
    "NESTED",
    "Profile",
    "build_encoders",
    "build_parts",
    "build_pipeline",
    "compare",
    "described",
    "described_components",
    "first_preset_here",
    "missing_roles",
    "missing_weights",
    "pipeline_key",
    "preset_cards",
    "profile",
    "segment",
    "settable",
    "settings_for",
    "strategies_of",
    "used_roles",
]

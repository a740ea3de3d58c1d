"""The check of translators."""

from __future__ import annotations

import json
from collections.abc import Sequence

from zsavs.protocols import Scene, Translator
from zsavs.testing.requirements import require

__all__ = ["EXAMPLE_SCENES", "check_translator"]

#: Sounds with and without a visible source, and one scene in which nothing is heard.
EXAMPLE_SCENES = (
    Scene((("Siren", 0.9), ("Vehicle", 0.4)), "an ambulance on a street"),
    Scene((("Applause", 0.8),), "a large audience in a hall"),
    Scene((("Bark", 0.6), ("Echo", 0.3)), ""),
    Scene((), "a red car"),
)


def check_translator(translator: Translator, scenes: Sequence[Scene] = EXAMPLE_SCENES) -> None:
    """Check a translator: in every wording, the same answer twice and in any batch, and nothing out of silence.

    Args:
        translator: what to check.
        scenes: at least one.

    Raises:
        ContractError: what is wrong.
    """
    require(translator.wordings >= 1, "a translator has at least one wording")
    for wording in range(translator.wordings):
        together = translator.translate(scenes, wording)
        require(len(together) == len(scenes), f"expected {len(scenes)} translations, got {len(together)}")
        require(together == translator.translate(scenes, wording), "asked twice, it gives two answers")
        alone = [translator.translate([scene], wording)[0] for scene in scenes]
        require(alone == list(together), "a batch does not give what its scenes give one by one")
        for scene, translation in zip(scenes, together, strict=True):
            heard = {name for name, _ in scene.heard}
            require(not translation.sources or bool(heard), "it names sources where nothing is heard")
            for sought in translation.sources:
                require(bool(sought.phrase.strip()), "a phrase is empty")
                require(sought.heard in heard, f"{sought.heard!r} is none of what is heard")
            json.dumps(dict(translation.notes), allow_nan=False)

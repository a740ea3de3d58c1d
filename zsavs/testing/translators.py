"""The checks of translators, and of omni models."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from zsavs.protocols import OmniModel, Scene, Translator
from zsavs.testing.requirements import close, require
from zsavs.testing.samples import example_samples, fresh
from zsavs.types import AVSample

__all__ = ["EXAMPLE_SCENES", "check_omni", "check_translator"]

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


def check_omni(omni: OmniModel, samples: Sequence[AVSample] | None = None, *, tolerance: float = 1e-4) -> None:
    """Check an omni model: the same answers twice and in any batch, and a judgement that the sound decides.

    Args:
        omni: what to check.
        samples: at least two, with different audio.
        tolerance: on log odds.

    Raises:
        ContractError: what is wrong.
    """
    samples = list(samples) if samples is not None else example_samples()
    named = omni.name_sources(samples)
    require(len(named) == len(samples), f"name_sources: one answer for each of {len(samples)} samples.")
    alone = [omni.name_sources([fresh(sample)])[0] for sample in samples]
    require(named == omni.name_sources(samples), "name_sources: asked twice, it gives two answers")
    require(alone == list(named), "name_sources: a batch does not give what its samples give one by one")
    for translation in named:
        require(all(sought.phrase.strip() for sought in translation.sources), "name_sources: a phrase is empty")
        json.dumps(dict(translation.notes), allow_nan=False)

    images, clips = [sample.image for sample in samples], [sample.audio for sample in samples]
    phrases = ["red thing"] * len(samples)
    odds = omni.judge(images, clips, phrases).log_odds
    require(odds.shape == (len(samples),) and bool(np.isfinite(odds).all()), "judge: finite log odds, one for each")
    close(odds, omni.judge(images, clips, phrases).log_odds, 0.0, "judge: the same answer twice")
    one_by_one = [
        omni.judge([fresh(image)], [fresh(clip)], phrases[:1]).log_odds[0]
        for image, clip in zip(images, clips, strict=True)
    ]
    close(odds, np.array(one_by_one, np.float32), tolerance, "judge: a batch equals its items one by one")
    heard = omni.judge(images[:1] * len(clips), clips, phrases).log_odds
    require(float(np.ptp(heard)) > tolerance, "judge: one image with different audio always gives the same answer")
    require(not len(omni.judge([], [], []).log_odds), "judge: nothing asked, nothing said")

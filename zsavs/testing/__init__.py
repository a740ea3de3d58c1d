"""Checks that anyone can run on a component, and toy-size parts to run them with.

A check raises :class:`~zsavs.errors.ContractError` with what is wrong, or returns nothing::

    from zsavs.testing import check_strategy
    check_strategy(MyStrategy(audio_text=zsavs.testing.toy.ToyAudioText()))

The default samples are scenes of the toy world (:mod:`zsavs.testing.toy`); a component with real weights is better
checked with samples of its own world. Toy-size models of the real classes with random weights are in
:mod:`zsavs.testing.tiny`.

- :mod:`~zsavs.testing.toy`: parts without weights for a toy world in which each colour has a pitch.
- :mod:`~zsavs.testing.toy_world`: that world: colours, pitches, scenes, ears and eyes.
- :mod:`~zsavs.testing.tiny`: toy-size models of the real classes.
- :mod:`~zsavs.testing.samples`: the samples and region proposals that the checks use where they are given none.
- :mod:`~zsavs.testing.encoders`: the checks of encoders, captioners and audio taggers.
- :mod:`~zsavs.testing.strategies`: the check of strategies.
- :mod:`~zsavs.testing.regions`: the checks of grounders, verifiers and segmenters.
- :mod:`~zsavs.testing.trackers`: the check of trackers.
- :mod:`~zsavs.testing.translators`: the checks of translators and omni models.
- :mod:`~zsavs.testing.requirements`: how a check says what is wrong.
- :mod:`~zsavs.testing.pseudo_words`: the check of text towers that read words given as vectors.
"""

from zsavs.testing import toy
from zsavs.testing.encoders import check_audio_tagger, check_captioner, check_encoder
from zsavs.testing.pseudo_words import check_pseudo_words
from zsavs.testing.regions import check_grounder, check_segmenter, check_verifier
from zsavs.testing.samples import example_proposals, example_samples
from zsavs.testing.strategies import check_strategy
from zsavs.testing.trackers import check_tracker, example_frames
from zsavs.testing.translators import check_omni, check_translator

__all__ = [
    "check_audio_tagger",
    "check_captioner",
    "check_encoder",
    "check_grounder",
    "check_omni",
    "check_pseudo_words",
    "check_segmenter",
    "check_strategy",
    "check_tracker",
    "check_translator",
    "check_verifier",
    "example_frames",
    "example_proposals",
    "example_samples",
    "toy",
]

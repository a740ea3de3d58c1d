"""One of each strategy, built from the parts of the toy world."""

from __future__ import annotations

from zsavs.strategies.audio_to_text import AudioToText
from zsavs.strategies.caption import Caption
from zsavs.strategies.classify import Classify
from zsavs.strategies.cofactorization import Cofactorization
from zsavs.strategies.cross_modal import CrossModal
from zsavs.strategies.fused import Fused
from zsavs.strategies.joint_embedding import JointEmbedding
from zsavs.strategies.omni import Omni
from zsavs.strategies.pivot import Pivot
from zsavs.strategies.text_bridged import TextBridged
from zsavs.strategies.textual_inversion import TextualInversion
from zsavs.strategies.translated import Translated
from zsavs.testing import toy
from zsavs.translation.rules import RuleTranslator

COLOURS = tuple(toy.COLOURS)
AUDIO_TEXT, IMAGE_TEXT, JOINT = toy.ToyAudioText(), toy.ToyImageText(), toy.ToyJoint()

STRATEGIES = {
    "audio_to_text": AudioToText(AUDIO_TEXT, COLOURS),
    "cross_modal": CrossModal(toy.ToyCaptioner(), AUDIO_TEXT),
    "fused label": Fused(AUDIO_TEXT, IMAGE_TEXT, COLOURS),
    "fused embedding": Fused(AUDIO_TEXT, IMAGE_TEXT, COLOURS, variant="embedding"),
    "classify": Classify(toy.ToyTagger()),
    "caption": Caption(toy.ToyAudioCaptioner()),
    "joint_embedding": JointEmbedding(JOINT, COLOURS),
    "text_bridged": TextBridged(JOINT, COLOURS),
    "textual_inversion": TextualInversion(JOINT, COLOURS),
    "omni": Omni(toy.ToyOmni()),
    "pivot": Pivot(toy.ToyTagger(), toy.ToyCaptioner(), RuleTranslator(), COLOURS),
    "translated": Translated(toy.ToyTagger(), toy.ToyCaptioner(), RuleTranslator()),
    "cofactorization": Cofactorization(AUDIO_TEXT, IMAGE_TEXT, COLOURS, silent=()),
}

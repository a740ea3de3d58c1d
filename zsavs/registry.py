"""Names and where they live. A built-in is a line in a table; a third party's is an entry point.

Entry points are read when a name is asked for and imported when it is built. A package adds

- a strategy under ``zsavs.strategies``:  ``my_idea = "my_package.my_idea:MyIdea"``
- a model under ``zsavs.models``:         ``grounder.my_detector = "my_package.detector:MyDetector"``, its role first
- a data set under ``zsavs.datasets``:    ``my_set = "my_package.my_set:MySet"``
- a decomposition under ``zsavs.decompositions``: ``my_way = "my_package.my_way:MyWay"``

A strategy that is not installed is named by where it is, ``my_idea:MyIdea``.

``examples/plugin_package`` is such a package. A built-in name wins over a plug-in of the same name; a plug-in that
cannot be imported is reported by name.
"""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from zsavs.errors import BrokenInstallation, InputError, UnknownName, first_line
from zsavs.language.vocabulary import vocabulary_names
from zsavs.presets import PRESETS

__all__ = ["ROLES", "find_component", "list_components"]

#: What a component can be. Strategies ask for their parts by these names; a pipeline is made of the last four.
ROLES = (
    "audio_text",
    "image_text",
    "joint",
    "captioner",
    "audio_tagger",
    "audio_captioner",
    "translator",
    "omni",
    "grounder",
    "verifier",
    "segmenter",
    "tracker",
)

_BUILT_IN: dict[str, dict[str, str]] = {
    "strategy": {
        "audio_to_text": "zsavs.strategies.audio_to_text:AudioToText",
        "caption": "zsavs.strategies.caption:Caption",
        "classify": "zsavs.strategies.classify:Classify",
        "cofactorization": "zsavs.strategies.cofactorization:Cofactorization",
        "cross_modal": "zsavs.strategies.cross_modal:CrossModal",
        "fused": "zsavs.strategies.fused:Fused",
        "joint_embedding": "zsavs.strategies.joint_embedding:JointEmbedding",
        "omni": "zsavs.strategies.omni:Omni",
        "pivot": "zsavs.strategies.pivot:Pivot",
        "text_bridged": "zsavs.strategies.text_bridged:TextBridged",
        "textual_inversion": "zsavs.strategies.textual_inversion:TextualInversion",
        "translated": "zsavs.strategies.translated:Translated",
    },
    "audio_text": {
        "clap": "zsavs.models.clap:ClapEncoder",
        "imagebind": "zsavs.models.imagebind:ImageBindEncoder",
        "pe_audio": "zsavs.models.pe_audio:PeAudioFrameEncoder",
        "pe_av": "zsavs.models.pe_av:PeAvEncoder",
        "toy": "zsavs.testing.toy:ToyAudioText",
        "yamnet": "zsavs.models.yamnet:YamnetEncoder",
    },
    "image_text": {
        "imagebind": "zsavs.models.imagebind:ImageBindEncoder",
        "open_clip": "zsavs.models.open_clip:OpenClipEncoder",
        "pe_av": "zsavs.models.pe_av:PeAvEncoder",
        "toy": "zsavs.testing.toy:ToyImageText",
        "yolox": "zsavs.models.yolox:YoloxEncoder",
    },
    "joint": {
        "imagebind": "zsavs.models.imagebind:ImageBindEncoder",
        "pe_av": "zsavs.models.pe_av:PeAvEncoder",
        "toy": "zsavs.testing.toy:ToyJoint",
    },
    "captioner": {
        "blip": "zsavs.models.blip:BlipCaptioner",
        "toy": "zsavs.testing.toy:ToyCaptioner",
        "yolox": "zsavs.models.yolox:YoloxCaptioner",
    },
    "audio_tagger": {
        "ast": "zsavs.models.ast:AstTagger",
        "toy": "zsavs.testing.toy:ToyTagger",
        "yamnet": "zsavs.models.yamnet:YamnetTagger",
    },
    "audio_captioner": {
        "qwen_audio": "zsavs.models.qwen_audio:QwenAudioCaptioner",
        "toy": "zsavs.testing.toy:ToyAudioCaptioner",
        "whisper": "zsavs.models.whisper_captioner:WhisperCaptioner",
    },
    "translator": {
        "chat": "zsavs.translation.chat:ChatTranslator",
        "openai": "zsavs.translation.endpoint:EndpointTranslator",
        "rules": "zsavs.translation.rules:RuleTranslator",
    },
    "omni": {
        "assembled": "zsavs.translation.assembled:AssembledOmni",
        "qwen2_5_omni": "zsavs.translation.qwen2_5_omni:Qwen25Omni",
        "qwen3_omni": "zsavs.translation.qwen3_omni:Qwen3Omni",
        "toy": "zsavs.testing.toy:ToyOmni",
    },
    "grounder": {
        "full_frame": "zsavs.grounding.full_frame:FullFrame",
        "grounding_dino": "zsavs.models.grounding_dino:GroundingDinoGrounder",
        "objects": "zsavs.grounding.object_proposals:DetectorProposals",
        "omdet": "zsavs.models.omdet:OmDetGrounder",
        "owlv2": "zsavs.models.owlv2:Owlv2Grounder",
        "peaks": "zsavs.grounding.peaks:PeakRegions",
        "refined": "zsavs.grounding.refined_boxes:RefinedBoxes",
        "sam3": "zsavs.models.sam3:Sam3Grounder",
        "segments": "zsavs.grounding.segment_proposals:SegmentProposals",
        "toy": "zsavs.testing.toy:ToyGrounder",
        "toy_peaks": "zsavs.testing.toy:ToyPeaks",
        "toy_segments": "zsavs.testing.toy:ToySegments",
        "yolox": "zsavs.models.yolox:YoloxGrounder",
    },
    "verifier": {
        "clip": "zsavs.verification.clip_rescoring:ClipVerifier",
        "joint": "zsavs.verification.joint_rescoring:JointVerifier",
        "omni_judge": "zsavs.verification.omni_judge:OmniJudge",
        "pivot_box": "zsavs.verification.pivot_box:PivotBox",
        "pointed": "zsavs.verification.point_prompts:PointedRegions",
        "second_opinion": "zsavs.verification.second_opinion:SecondOpinion",
        "trust_grounder": "zsavs.verification.selection:TrustGrounder",
    },
    "segmenter": {
        "closer": "zsavs.segmentation.enlarged_crops:CloserLook",
        "deeplab": "zsavs.models.deeplab:DeepLabSegmenter",
        "edgetam": "zsavs.models.edgetam:EdgeTamSegmenter",
        "from_grounder": "zsavs.segmentation.grounder_masks:FromGrounder",
        "sam2": "zsavs.models.sam2:Sam2Segmenter",
        "sam3": "zsavs.models.sam3:Sam3Segmenter",
        "toy": "zsavs.testing.toy:ToySegmenter",
        "u2net": "zsavs.models.u2net:U2NetSegmenter",
    },
    "tracker": {
        "associate": "zsavs.tracking.associate:Associate",
        "edgetam_video": "zsavs.models.edgetam_video:EdgeTamVideoSegmenter",
        "none": "zsavs.tracking.untracked:untracked",
        "sam2_video": "zsavs.models.sam2_video:Sam2VideoSegmenter",
        "sam3_video": "zsavs.models.sam3_video:Sam3VideoSegmenter",
    },
    "decomposition": {
        "nmf": "zsavs.decomposition.nmf:SpectrogramNMF",
        "sparse": "zsavs.decomposition.sparse:SparseText",
        "windows": "zsavs.decomposition.windows:SlidingWindows",
    },
    "dataset": {
        "aviseg": "zsavs.datasets.aviseg:AVISeg",
        "avss": "zsavs.datasets.avss:AVSS",
        "avss_ov": "zsavs.datasets.avss:AVSSOpenVocabulary",
        "avss_v1m": "zsavs.datasets.avss:AVSSV1M",
        "avss_v1s": "zsavs.datasets.avss:AVSSV1S",
        "avss_v2": "zsavs.datasets.avss:AVSSV2",
        "avss_v3_unseen": "zsavs.datasets.avss:AVSSUnseen",
        "coco_esc": "zsavs.datasets.coco_esc:CocoEsc",
        "folder": "zsavs.datasets.folder:Folder",
        "is3": "zsavs.datasets.is3:IS3",
        "ms3": "zsavs.datasets.avsbench:MS3",
        "orchestra": "zsavs.datasets.orchestra:Orchestra",
        "orchestra_motion": "zsavs.datasets.orchestra_motion:OrchestraMotion",
        "ref_avs_null": "zsavs.datasets.ref_avs:RefAVSNull",
        "robust_ms3": "zsavs.datasets.avsbench_robust:RobustMS3",
        "robust_s4": "zsavs.datasets.avsbench_robust:RobustS4",
        "s4": "zsavs.datasets.avsbench:S4",
        "ssl_is3": "zsavs.datasets.localisation:LocalisationIS3",
        "ssl_ms3": "zsavs.datasets.localisation:LocalisationMS3",
        "ssl_s4": "zsavs.datasets.localisation:LocalisationS4",
        "ssl_vpo_ms": "zsavs.datasets.localisation:LocalisationVPOMS",
        "ssl_vpo_ss": "zsavs.datasets.localisation:LocalisationVPOSS",
        "vpo_ms": "zsavs.datasets.vpo:VPOMS",
        "vpo_ms_stereo": "zsavs.datasets.vpo:VPOMSStereo",
        "vpo_msmi": "zsavs.datasets.vpo:VPOMSMI",
        "vpo_msmi_stereo": "zsavs.datasets.vpo:VPOMSMIStereo",
        "vpo_ss": "zsavs.datasets.vpo:VPOSS",
        "vpo_ss_stereo": "zsavs.datasets.vpo:VPOSSStereo",
    },
}

_GROUPS = {
    "strategy": "zsavs.strategies",
    "decomposition": "zsavs.decompositions",
    "dataset": "zsavs.datasets",
    **dict.fromkeys(ROLES, "zsavs.models"),
}


def list_components(kind: str) -> list[str]:
    """Names that can be asked for, sorted; built-in and installed by others.

    Args:
        kind: "strategy", "preset", "vocabulary", "decomposition", "dataset", or a role: "audio_text", "image_text",
            "joint", "captioner", "audio_tagger", "audio_captioner", "translator", "omni", "grounder", "verifier",
            "segmenter", "tracker".

    Raises:
        UnknownName: no such kind.
    """
    if kind == "preset":
        return sorted(PRESETS)
    if kind == "vocabulary":
        return vocabulary_names()
    if kind not in _GROUPS:
        raise UnknownName("kind of component", kind, ["preset", "vocabulary", *_GROUPS])
    return sorted({*_BUILT_IN.get(kind, {}), *_plug_ins(kind)})


def find_component(kind: str, name: str) -> Any:
    """Import the class behind a name; of a strategy also behind "module:Class".

    Raises:
        UnknownName: no such kind, or nothing of that name.
        InputError: a module that was named cannot be imported, or has no such strategy.
        BrokenInstallation: it is registered and cannot be imported.
    """
    if kind == "strategy" and ":" in name:
        return _strategy_at(name)
    home = _BUILT_IN.get(kind, {}).get(name)
    if home is None:
        # Only now, as it reads the metadata of every installed package.
        known = list_components(kind)
        if name not in known:
            raise UnknownName(kind, name, known)
        entry = _plug_ins(kind)[name]
        try:
            return entry.load()
        except Exception as error:
            package = entry.dist.name if entry.dist else "an unknown package"
            raise BrokenInstallation(
                f"the {kind} {name!r} of {package} cannot be imported from {entry.value} "
                f"({type(error).__name__}: {error}); update or remove that package."
            ) from error
    module, _, attribute = home.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _strategy_at(place: str) -> Any:
    """The class at "module:Class", which is somebody's own.

    Raises:
        InputError: the module cannot be imported, or what is there is no strategy; says which there are.
    """
    module, _, name = place.partition(":")
    try:
        home = importlib.import_module(module)
    except Exception as error:  # it is somebody else's code
        raise InputError(
            f"strategy {place!r}: the module {module!r} cannot be imported ({type(error).__name__}: "
            f"{first_line(error)}); give module:Class, from the folder that holds the module."
        ) from error
    found = getattr(home, name, None)
    if not callable(getattr(found, "query", None)):
        classes = [key for key, value in vars(home).items() if isinstance(value, type) and hasattr(value, "query")]
        raise InputError(
            f"strategy {place!r}: {module} has no class {name!r} with query(samples); it has: "
            f"{', '.join(classes) or 'none'}."
        )
    return found


def _plug_ins(kind: str) -> dict[str, EntryPoint]:
    """Entry points of a kind by their name; a model's name carries its role in front."""
    prefix = f"{kind}." if kind in ROLES else ""
    return {
        entry.name.removeprefix(prefix): entry
        for entry in entry_points(group=_GROUPS[kind])
        if entry.name.startswith(prefix)
    }

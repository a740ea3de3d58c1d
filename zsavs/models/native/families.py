"""Whose file it is, by the names of the weights in it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from zsavs.errors import WeightsError

__all__ = ["Family", "check_family", "family_of"]

#: A family's name, the pattern of a name of a weight that no other family has, and how to load its file.
Family = tuple[str, str, str]

_FAMILIES: tuple[Family, ...] = (
    ("SAM 2", r"image_encoder\.trunk\.blocks\.", "name it segmenter='sam2:PATH' or tracker='sam2_video:PATH'"),
    (
        "EdgeTAM",
        r"image_encoder\.trunk\.body\.",
        "zsavs loads it from its folder, run: zsavs download yonigozlan/EdgeTAM-hf",
    ),
    (
        "the first Segment Anything",
        r"image_encoder\.blocks\.",
        "zsavs has SAM 2, run: zsavs download facebook/sam2.1-hiera-tiny",
    ),
    ("Grounding DINO", r"transformer\.decoder\.layers\.0\.ca_text\.", "name it grounder='grounding_dino:PATH'"),
    (
        "MM Grounding DINO of mmdetection",
        r"language_model\.language_backbone\.",
        "zsavs loads the same of transformers, run: zsavs download "
        "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
    ),
    ("LAION-CLAP", r"audio_branch\.", "name it audio_text='clap:PATH'"),
    (
        "Microsoft's CLAP",
        r"audio_encoder\.base\.|caption_encoder\.base\.",
        "its text tower is GPT-2 or BERT and its audio is cut otherwise, for which zsavs has no class; use LAION's, "
        "run: zsavs download laion/clap-htsat-unfused",
    ),
    ("ImageBind", r"modality_preprocessors\.", "name it joint='imagebind:PATH'"),
    (
        "open_clip",
        r"visual\.(conv1|trunk|head|patch_embed|stem|layer1)\b|text\.transformer\.",
        "name it image_text='open_clip:PATH'",
    ),
    (
        "transformers",
        r"(model\.)?(vision_model|text_model|audio_model|vision_encoder|text_backbone|backbone)\.",
        "give the folder that it lies in, with its config.json",
    ),
)


def family_of(names: Iterable[str]) -> Family | None:
    """The family that a file with weights of these names is of; None for one that nobody here knows."""
    names = list(names)
    for family in _FAMILIES:
        pattern = re.compile(family[1])
        if any(pattern.match(name) for name in names):
            return family
    return None


def check_family(names: Iterable[str], family: str, path: object) -> None:
    """Refuse the file of another family.

    Args:
        names: of the weights in it.
        family: the one that is wanted, by its name here.
        path: of the file, for the message.

    Raises:
        WeightsError: it looks like another family's, or like none that is known.
    """
    names = list(names)
    found = family_of(names)
    if found is None:
        raise WeightsError(
            f"{path}: no {family}, and nothing that zsavs knows: its first weight is {names[0]!r}; give the file of a "
            f"{family}."
        )
    if found[0] != family:
        raise WeightsError(f"{path}: no {family} but a file of {found[0]}; {found[2].replace('PATH', str(path))}.")

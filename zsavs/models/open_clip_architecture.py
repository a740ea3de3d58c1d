"""What a file of an open_clip model's weights is of, where nothing beside it says so: by its name, or by its shapes.

Shapes do not tell all: neither which activation a model was trained with nor how its images were normalised. A file is
taken for a published model only where all that have its shapes agree about both.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.errors import WeightsError
from zsavs.models.native.families import check_family, family_of
from zsavs.models.weight_file import is_program, read_weights

if TYPE_CHECKING:
    import torch

__all__ = ["published_as"]

#: Names of files that many repositories have in common.
_COMMON = ("pytorch_model", "open_clip_pytorch_model", "open_clip_model", "model")

#: The tag of OpenAI's models.
_OPENAI = "openai"

#: Embedding; layers, width, patch and side of the image tower; width, layers, context and words of the text tower.
_Shapes = tuple[int, ...]


def published_as(path: Path, open_clip: Any) -> tuple[str, str]:
    """The architecture and the tag of a file; the tag is "" where none is published of the architecture.

    Args:
        path: of the file.
        open_clip: the library.

    Raises:
        WeightsError: it cannot be read, or it cannot be told; says what would tell.
    """
    for architecture, tag in open_clip.list_pretrained():
        published = open_clip.get_pretrained_cfg(architecture, tag)
        names = {str(published.get(key) or "").rpartition("/")[2] for key in ("url", "hf_hub")}
        if path.name not in names or path.stem in _COMMON:
            continue
        if tag != _OPENAI:
            return architecture, tag
        if is_program(path):  # and others call theirs ViT-B-32.pt too
            repository = published["hf_hub"].strip("/")
            raise WeightsError(
                f"{path}: OpenAI's own file is a program and no file of weights, and zsavs runs no code of a file; "
                f"run: zsavs download {repository}  and name image_text='open_clip:{architecture}/{tag}'"
            )
    weights = read_weights(path)
    shapes = _shapes_of(weights)
    if not shapes and family_of(weights):
        check_family(weights, "open_clip", path)
    alike = [
        name for name in open_clip.list_models() if shapes and _described(open_clip.get_model_config(name)) == shapes
    ]
    meanings: dict[str, tuple[str, str]] = {}
    for architecture in alike:
        for tag in open_clip.list_pretrained_tags_by_model(architecture) or [""]:
            meanings.setdefault(_meaning(open_clip, architecture, tag), (architecture, tag))
    if len(meanings) == 1:
        return next(iter(meanings.values()))
    examples = ["/".join(filter(None, names)) for names in meanings.values()]
    what = "an architecture that zsavs cannot tell by the shapes of its weights"
    if examples:
        what = f"one of {', '.join(examples)}, which have the same shapes and other activations or images"
    raise WeightsError(
        f"{path}: {what}; put the open_clip_config.json of its repository into {path.parent}, or name what it is in "
        f"front of it, as in image_text='open_clip:{next(iter(examples), 'ViT-B-32')}@{path}'."
    )


def _meaning(open_clip: Any, architecture: str, tag: str) -> str:
    """What the shapes leave open: two models of the same shapes and meaning are computed alike."""
    published = open_clip.get_pretrained_cfg(architecture, tag) if tag else {}
    config = dict(open_clip.get_model_config(architecture))
    activation = bool(config.pop("quick_gelu", False) or published.get("quick_gelu"))
    images = [published.get(key) for key in ("mean", "std", "interpolation", "resize_mode")]
    return json.dumps([config, activation, images], sort_keys=True)


def _described(config: Mapping[str, Any]) -> _Shapes:
    """The shapes of an architecture of two plain transformers; nothing for another."""
    image, text = config["vision_cfg"], config["text_cfg"]
    if image.get("timm_model_name") or not isinstance(image.get("layers"), int) or "hf_model_name" in text:
        return ()
    sizes = (image["layers"], image["width"], image["patch_size"], image.get("image_size", 224))
    words = (text["width"], text["layers"], text.get("context_length", 77), text.get("vocab_size", 49408))
    return (config["embed_dim"], *sizes, *words)


def _shapes_of(weights: Mapping[str, torch.Tensor]) -> _Shapes:
    """Likewise of a file; nothing where it is of other towers."""
    text = "text." if "text.token_embedding.weight" in weights else ""
    try:
        wide, _, _, patch = weights["visual.conv1.weight"].shape
        places = weights["visual.positional_embedding"].shape[0] - ("visual.class_embedding" in weights)
        words, text_wide = weights[f"{text}token_embedding.weight"].shape
        context = weights[f"{text}positional_embedding"].shape[0]
        embedding = weights["visual.proj"].shape[1]
    except (KeyError, ValueError):
        return ()
    layers = [
        len({name.split(".resblocks.")[1].split(".")[0] for name in weights if name.startswith(f"{owner}.resblocks.")})
        for owner in ("visual.transformer", f"{text}transformer")
    ]
    side = patch * math.isqrt(places)
    return (
        int(embedding),
        layers[0],
        int(wide),
        int(patch),
        int(side),
        int(text_wide),
        layers[1],
        int(context),
        int(words),
    )

"""Reading a (MM) Grounding DINO from a checkpoint's folder, whichever of the two families it is of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.errors import BrokenInstallation, WeightsError
from zsavs.models.checkpoints import load_model, read_config
from zsavs.models.runtime import import_transformers

if TYPE_CHECKING:
    import torch

__all__ = ["read_model"]

#: The model class by the ``model_type`` of a checkpoint's config.json.
_CLASSES = {
    "grounding-dino": "GroundingDinoForObjectDetection",
    "mm-grounding-dino": "MMGroundingDinoForObjectDetection",
}

#: MM Grounding DINO has heads of its own in each decoder layer. Configurations written before transformers 5 do not
#: say so, and are then read as if one head were shared, which silently throws the others away.
_SEPARATE_HEADS = {"decoder_bbox_embed_share": False, "decoder_cls_embed_share": False}


def read_model(folder: Path, dtype: torch.dtype) -> Any:
    """The model of the family that the checkpoint's configuration names, without gaps.

    Raises:
        MissingWeights: one of its files is not in the folder.
        WeightsError: it cannot be read as a Grounding DINO.
        BrokenInstallation: it is an MM Grounding DINO, and transformers is too old to read that right.
    """
    config = read_config(folder)
    family = config.get("model_type")
    if family not in _CLASSES:
        raise WeightsError(
            f"{folder}: config.json names the model {family!r}, not one of {', '.join(_CLASSES)}; "
            f"give the folder of a Grounding DINO."
        )
    unsaid: dict[str, Any] = {}
    if family == "mm-grounding-dino":
        _check_heads_can_be_separate()
        unsaid = {name: value for name, value in _SEPARATE_HEADS.items() if name not in config}
    model = load_model(_CLASSES[family], folder, dtype, **unsaid)
    # The decoder refines boxes with the same heads that predict them, whether the layers share one head or not.
    for inner, outer in zip(model.model.decoder.bbox_embed, model.bbox_embed, strict=True):
        if not all(a.equal(b) for a, b in zip(inner.parameters(), outer.parameters(), strict=True)):
            raise WeightsError(
                f"{folder}: config.json says that the decoder's layers share their heads, and the weights say "
                f"otherwise; set {' and '.join(_SEPARATE_HEADS)} to false in it."
            )
    return model


def _check_heads_can_be_separate() -> None:
    """Refuse a transformers that has no separate heads: it ties those of the file, without a word."""
    transformers = import_transformers()
    if not all(hasattr(transformers.MMGroundingDinoConfig, name) for name in _SEPARATE_HEADS):
        raise BrokenInstallation(
            f"transformers {transformers.__version__} reads MM Grounding DINO wrongly (it ties the heads of the "
            f"decoder's layers); run: pip install 'transformers>=5.24,<6', or use IDEA-Research/grounding-dino-tiny."
        )

"""Reading an OmDet-Turbo from a checkpoint's folder, without asking the hub what its image encoder is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.errors import WeightsError, first_line
from zsavs.models.checkpoints import load_model, read_config
from zsavs.models.runtime import import_transformers
from zsavs.storage.weights import fetch_again

if TYPE_CHECKING:
    import torch

__all__ = ["read_model"]

_TYPE = "omdet-turbo"

#: How configurations name the image encoder that were written before transformers 5.
_OLD_NAMES = ("backbone", "backbone_kwargs", "use_timm_backbone", "use_pretrained_backbone")


def read_model(folder: Path, dtype: torch.dtype) -> Any:
    """The model, without gaps.

    The published configuration gives the name and the settings of an image encoder of timm. transformers 5 takes such a
    name for a repository first, and asks the hub for it; here it is told that it is one of timm's.

    Raises:
        MissingWeights: one of its files is not in the folder.
        WeightsError: it cannot be read as an OmDet-Turbo.
        BrokenInstallation: timm is not installed.
    """
    config = read_config(folder)
    if config.get("model_type") != _TYPE:
        raise WeightsError(
            f"{folder}: config.json names the model {config.get('model_type')!r}, not {_TYPE}; give the folder of an "
            f"OmDet-Turbo."
        )
    old = {name: config.pop(name, None) for name in _OLD_NAMES}
    if not config.get("backbone_config") and old["backbone"]:
        config["backbone_config"] = {
            "model_type": "timm_backbone",
            "backbone": old["backbone"],
            **(old["backbone_kwargs"] or {}),
        }
    try:
        settings = import_transformers().OmDetTurboConfig.from_dict(config)
    except Exception as error:
        raise WeightsError(
            f"{folder}/config.json: is no configuration of an OmDet-Turbo ({first_line(error)}); to replace it, "
            f"{fetch_again(folder / 'config.json')}"
        ) from error
    return load_model("OmDetTurboForObjectDetection", folder, dtype, config=settings)

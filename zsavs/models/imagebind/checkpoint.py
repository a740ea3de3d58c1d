"""The published weights, ``imagebind_huge.pth``: what they are, where they are found, how they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from zsavs.errors import InputError, MissingWeights, WeightsError, first_line
from zsavs.models.imagebind.config import HUGE, ImageBindConfig
from zsavs.models.weight_file import read_content
from zsavs.storage.completeness import is_whole
from zsavs.storage.files import read_text
from zsavs.storage.weights import WeightCard, file_places, locate

if TYPE_CHECKING:
    from zsavs.models.imagebind.towers import ImageBind

__all__ = ["CARDS", "DEFAULT", "find", "read", "sizes_beside"]

DEFAULT = "imagebind_huge.pth"

_URL = f"https://dl.fbaipublicfiles.com/imagebind/{DEFAULT}"
_LICENCE = "CC-BY-NC-SA-4.0"

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(
        _URL,
        _LICENCE,
        4803,
        "web image-text pairs (OpenCLIP ViT-H/14), AudioSet; for the other modalities SUN RGB-D, LLVIP, Ego4D",
        verified="licence file of facebookresearch/ImageBind at commit 53680b0: non-commercial use only",
    ),
    # Our own code and our own weights: nothing of ImageBind's licence touches it.
    "zsavs:nano/joint": WeightCard(
        "zsavs:nano/joint",
        "Apache-2.0",
        9,
        "drawn images of the orchestra with names, and rendered sounds with names",
        files=("config.json", "model.safetensors"),
    ),
}

#: A folder may say in this file which sizes its model has, by the names of :class:`ImageBindConfig`.
_SIZES = "config.json"


def find(checkpoint: str | Path = DEFAULT, revision: str = "main") -> Path:
    """Find the file with the weights on this machine; nothing is ever downloaded.

    Args:
        checkpoint: a file; a folder or hub repository (``org/name``, in the hub cache) that holds
            ``imagebind_huge.pth``, or one other ``.pth`` or ``.safetensors``; the default is looked for in the working
            folder, in ``.checkpoints`` there, where the official code puts it, and in the hub cache's folder.
        revision: branch, tag or commit of a hub repository.

    Raises:
        MissingWeights: names the file, its licence, and where to put it.
    """
    if str(checkpoint) == DEFAULT:
        try:
            return locate(_URL)
        except MissingWeights as error:
            raise _missing(", ".join(map(str, file_places(_URL)))) from error
    if Path(checkpoint).expanduser().is_file():
        return Path(checkpoint).expanduser()
    try:
        folder = locate(checkpoint, revision)
    except MissingWeights as error:
        raise _missing(str(checkpoint)) from error
    files = sorted(filter(is_whole, [*folder.glob("*.pth"), *folder.glob("*.safetensors")]))
    if len(files) != 1 and folder / DEFAULT not in files:
        raise _missing(str(folder / DEFAULT))
    return files[0] if len(files) == 1 else folder / DEFAULT


def _missing(where: str) -> MissingWeights:
    card = CARDS[DEFAULT]
    return MissingWeights(
        f"ImageBind's weights {DEFAULT} are not on this machine, looked for {where}. They are {card.size_mb} MB, "
        f"licence {_LICENCE} (non-commercial use only). Fetch them with: zsavs download imagebind  (it asks you to "
        f"accept the licence first), or get {_URL} and put it at {file_places(_URL)[-1]}, or give the path of the "
        f"file as checkpoint."
    )


def sizes_beside(path: Path) -> ImageBindConfig:
    """The sizes that ``config.json`` beside a file of weights gives; those of ``imagebind_huge`` without one.

    Raises:
        WeightsError: the file cannot be read, or gives sizes that do not fit together.
    """
    sizes = path.with_name(_SIZES)
    if not sizes.is_file():
        return HUGE
    try:
        return ImageBindConfig(**json.loads(read_text(sizes)))
    except (OSError, ValueError, TypeError, RecursionError, InputError) as error:
        raise WeightsError(
            f"{sizes}: cannot be read as the sizes of an ImageBind model ({first_line(error)}); "
            f"put the model's own there, or remove it for the published size."
        ) from error


def read(path: Path, config: ImageBindConfig = HUGE) -> ImageBind:
    """Read a file of weights by the official names, in float32 or whatever it holds, without executing anything in it.

    The file is mapped into memory, not copied.

    Raises:
        WeightsError: it is broken, or holds other weights than those of ``config``; says which.
    """
    import torch

    from zsavs.models.imagebind.towers import ImageBind

    weights = read_content(path, f"get it again from {_URL}")
    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        raise WeightsError(f"{path}: holds no weights by name but a {type(weights).__name__}; {DEFAULT} does.")
    with torch.device("meta"):  # shapes without numbers: those come from the file
        model = ImageBind(config)
    try:
        model.load_state_dict(weights, assign=True)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error} It is another model's file, or an incomplete one.") from error
    return model

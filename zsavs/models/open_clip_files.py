"""The files of an open_clip model: finding them by the model's name, and building the model from them.

open_clip's own ``create_model`` downloads what it does not find, falls back to random weights with a warning, adds a
handler to the root logger and draws from the global random generator. Here the same classes are built from the same
descriptions, from files on this machine only.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsavs.errors import BrokenInstallation, MissingWeights, UnknownName, WeightsError, ZsavsError, first_line
from zsavs.models.checkpoints import check_tokenizer
from zsavs.models.open_clip_architecture import published_as
from zsavs.models.runtime import quiet
from zsavs.models.weight_file import numbers_of_numpy, read_weights
from zsavs.storage.completeness import is_whole, lacking
from zsavs.storage.files import read_text
from zsavs.storage.weights import fetch_again, locate

__all__ = ["ModelFiles", "build", "find", "fuse"]

_CONFIG = "open_clip_config.json"
_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")

#: Repositories of open_clip models often hold the same weights for transformers too, so its names come last.
_NAMES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
    "pytorch_model.bin",
)

#: The words of a tokenizer that open_clip takes from transformers, of whatever kind; its configuration alone has none.
_TOKENIZER = ("tokenizer.json | vocab.json + merges.txt | vocab.txt | *.model",)

#: Hub names from before repositories had owners, still in open_clip's descriptions.
_OWNERS = {
    "bert-base-uncased": "google-bert/bert-base-uncased",
    "roberta-base": "FacebookAI/roberta-base",
    "xlm-roberta-base": "FacebookAI/xlm-roberta-base",
    "xlm-roberta-large": "FacebookAI/xlm-roberta-large",
}


@dataclass(frozen=True)
class ModelFiles:
    """An open_clip model on this machine.

    Args:
        source: the hub repository, folder or file that the weights are from.
        where: the folder (or single file) its weights were found in.
        weights: the file with its weights.
        model_cfg: open_clip's description of the architecture.
        preprocess_cfg: what the checkpoint says about preprocessing (mean, std, interpolation, resize mode).
    """

    source: str
    where: Path
    weights: Path
    model_cfg: dict[str, Any]
    preprocess_cfg: dict[str, Any]


def find(
    checkpoint: str | Path, revision: str = "main", weights: Path | None = None, needs: Sequence[str] = ()
) -> ModelFiles:
    """Find an open_clip model; see :meth:`zsavs.models.open_clip.OpenClipEncoder.load` for the names.

    Args:
        checkpoint, revision, weights: as there.
        needs: what the checkpoint's folder must hold (``WeightCard.files``).

    Raises:
        UnknownName: open_clip has no such tag for the architecture.
        MissingWeights: a file is not on this machine.
        WeightsError: the description cannot be read.
    """
    named, at, file = str(checkpoint).partition("@")
    if at and named.partition("/")[0] in _open_clip().list_models():
        checkpoint, weights = named, Path(file).expanduser()
    if weights is not None and not weights.is_file():
        raise MissingWeights(f"{weights}: no such file; give the path of a weight file.")
    architecture, _, tag = str(checkpoint).partition("/")
    if not Path(checkpoint).expanduser().exists() and architecture in _open_clip().list_models():
        return _find_tag(architecture, tag, revision, weights, needs)
    folder = locate(checkpoint, revision, needs)
    if folder.is_file():  # the weights alone, as they were published or trained
        if not (folder.parent / _CONFIG).is_file():
            return _find_tag(*published_as(folder, _open_clip()), revision, folder, needs)
        folder, weights = folder.parent, folder
    model_cfg, preprocess_cfg = _read_config(folder)
    return ModelFiles(
        str(weights or checkpoint), weights or folder, weights or _weights_in(folder), model_cfg, preprocess_cfg
    )


def _find_tag(architecture: str, tag: str, revision: str, weights: Path | None, needs: Sequence[str]) -> ModelFiles:
    """Find an architecture that open_clip describes, with the weights of one of its tags or of a file."""
    open_clip = _open_clip()
    model_cfg = open_clip.get_model_config(architecture)
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    published = open_clip.get_pretrained_cfg(architecture, tag) if tag else {}
    if tag and not published:
        raise UnknownName(f"pretrained tag of {architecture}", tag, tags)
    if published.get("quick_gelu"):
        # These weights were trained with another activation; open_clip only warns, and the numbers come out wrong.
        model_cfg["quick_gelu"] = True
    if weights is not None:
        return ModelFiles(str(weights), weights, weights, model_cfg, published)
    if not tag:
        raise MissingWeights(
            f"{architecture} names an architecture without weights; give {architecture}/TAG with one of the tags "
            f"{', '.join(tags) or '(none are published)'}, or weights=FILE."
        )
    repository, _, file_name = published.get("hf_hub", "").rpartition("/")
    if not repository:
        raise MissingWeights(
            f"{architecture}/{tag} is not on the hub; fetch {published.get('url')} and give it as weights=FILE."
        )
    folder = locate(repository, revision, needs)
    return ModelFiles(repository, folder, _weights_in(folder, file_name), model_cfg, published)


def _read_config(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a repository's description: architecture and preprocessing."""
    path = folder / _CONFIG
    if not path.is_file():
        raise MissingWeights(
            f"{folder}: there is no {_CONFIG}; give a folder or hub repository that open_clip exported, or name the "
            f"architecture and the file: OpenClipEncoder.load('ViT-B-32', weights=FILE)."
        )
    try:
        config = json.loads(read_text(path))
        return dict(config["model_cfg"]), dict(config.get("preprocess_cfg") or {})
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{path}: cannot be read as a description of an open_clip model ({type(error).__name__}: {error}); "
            f"to replace it, {fetch_again(path)}"
        ) from error


def _weights_in(folder: Path, file_name: str = "") -> Path:
    """Choose the weight file of a folder: the one named (better as safetensors), else the likeliest."""
    names = [Path(file_name).with_suffix(".safetensors").name, file_name] if file_name else []
    others = sorted(path.name for path in folder.iterdir() if path.suffix in _SUFFIXES)
    others.sort(key=lambda name: _SUFFIXES.index(Path(name).suffix))
    for name in [*names, *_NAMES, *others]:
        if is_whole(folder / name):
            return folder / name
    likeliest = ", ".join(_NAMES[:3])
    raise MissingWeights(f"{folder}: there are no weights ({likeliest}). To replace it, {fetch_again(folder)}")


def build(files: ModelFiles) -> tuple[Any, Callable[[Any], Any], Callable[[list[str]], Any]]:
    """Build the model in float32 on the CPU, its inference transform and its tokenizer.

    Raises:
        MissingWeights: the tokenizer or the description of the text tower is not on this machine.
        WeightsError: a file cannot be read as this model, or the tokenizer is not its own.
    """
    open_clip = _open_clip()
    import torch
    from open_clip.model import set_model_preprocess_cfg
    from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict

    with _reading(files.where), torch.random.fork_rng(devices=[]), quiet():
        cfg = _local_towers(files.model_cfg)
        custom = cfg.pop("custom_text", False) or "hf_model_name" in cfg["text_cfg"]
        plain = open_clip.CustomTextCLIP if custom else open_clip.CLIP
        model = (open_clip.CoCa if custom and "multimodal_cfg" in cfg else plain)(**cfg)
        settings = merge_preprocess_dict(PreprocessCfg(), files.preprocess_cfg)
        settings["size"] = model.visual.image_size
        set_model_preprocess_cfg(model, settings)
        preprocess = image_transform_v2(PreprocessCfg(**settings), is_train=False)
    _load_weights(open_clip, model, files.weights)
    fuse(model.visual)
    tokenizer, folder = _tokenizer(files)
    if folder is not None:
        check_tokenizer(tokenizer.tokenizer, _words(model), str(folder))
    return model, preprocess, tokenizer


def fuse(visual: Any) -> None:
    """Join the branches that an image tower was trained with into single convolutions (FastViT, in MobileCLIP).

    It computes the same, to rounding, with fewer operations; other towers have no such branches.
    """
    from open_clip.timm_model import TimmModel
    from timm.utils.model import reparameterize_model

    if isinstance(visual, TimmModel):
        visual.trunk = reparameterize_model(visual.trunk, inplace=True)


def _load_weights(open_clip: Any, model: Any, path: Path) -> None:
    """Give a model the weights of a file.

    open_clip stretches tables of positions that are of another size, without a word; here that is another model's file.

    Raises:
        WeightsError: the file is broken, or not of this model, naming the first weight that does not fit.
    """
    weights, own = read_weights(path, fetch_again(path)), model.state_dict()
    for name, tensor in weights.items():
        if name in own and tensor.numel() != own[name].numel():
            raise WeightsError(
                f"{path}: {name} is {tuple(tensor.shape)}, where the model has {tuple(own[name].shape)}; the file "
                "belongs to another model."
            )
    with _reading(path), numbers_of_numpy():
        open_clip.load_checkpoint(model, str(path), strict=True, weights_only=True)


def _words(model: Any) -> int:
    """How many words the text tower has embeddings of."""
    return int(getattr(model, "text", model).vocab_size)  # open_clip's plain class has the tower's parts in itself


def _local_towers(model_cfg: dict[str, Any]) -> dict[str, Any]:
    """The description with every name that would be looked up on the hub replaced by a local folder."""
    cfg = copy.deepcopy(model_cfg)
    cfg["vision_cfg"]["timm_model_pretrained"] = False
    if ":" in (tower := cfg["vision_cfg"].get("timm_model_name") or ""):
        raise WeightsError(f"the image tower {tower} would be looked up on the hub, which zsavs does not do.")
    text = cfg["text_cfg"]
    if text.get("hf_model_name"):
        text["hf_model_name"] = str(locate(_OWNERS.get(text["hf_model_name"], text["hf_model_name"])))
        text["hf_model_pretrained"] = False
    return cfg


def _tokenizer(files: ModelFiles) -> tuple[Any, Path | None]:
    """The tokenizer that the description asks for; a copy beside the weights is as good as the original.

    Returns:
        And the folder that it is from; None for open_clip's own.
    """
    from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer, SimpleTokenizer

    text = files.model_cfg["text_cfg"]
    context_length = text.get("context_length", DEFAULT_CONTEXT_LENGTH)
    # A reduction drops words of long texts at random; without it long texts are cut.
    settings = {key: value for key, value in (text.get("tokenizer_kwargs") or {}).items() if key != "reduction_mask"}
    name = text.get("hf_tokenizer_name")
    if not name:
        with _reading(files.where):
            return SimpleTokenizer(context_length=context_length, **settings), None
    beside = files.weights.parent
    folder = locate(_OWNERS.get(name, name), files=_TOKENIZER) if lacking(beside, _TOKENIZER) else beside
    with _reading(folder), quiet():
        tokenizer = HFTokenizer(
            str(folder),
            context_length=context_length,
            tokenizer_mode=text.get("tokenizer_mode"),
            local_files_only=True,
            trust_remote_code=False,
            **settings,
        )
    return tokenizer, folder


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn whatever a file's contents provoke in open_clip, torch and safetensors into our errors."""
    try:
        yield
    except ZsavsError:
        raise
    except FileNotFoundError as error:
        raise MissingWeights(f"{path}: a file is missing ({error}). To replace it, {fetch_again(path)}") from error
    except Exception as error:
        unfit = re.search(r"(Missing|Unexpected) key\(s\) in state_dict: \"([^\"]+)\"", str(error))
        reason = f"{unfit[1].lower()} weight {unfit[2]}" if unfit else f"{type(error).__name__}: {first_line(error)}"
        raise WeightsError(
            f"{path}: cannot be loaded as an open_clip model ({reason}). "
            f"The file is broken or belongs to another model; to replace it, {fetch_again(path)}"
        ) from error


def _open_clip() -> Any:
    """Import open_clip, which takes seconds, only when a model is wanted.

    Raises:
        BrokenInstallation: it is not there, or cannot be imported.
    """
    try:
        import open_clip
    except ImportError as error:
        raise BrokenInstallation(
            f"open_clip cannot be imported ({error}); run: pip install 'open_clip_torch>=3.3,<4'"
        ) from error
    return open_clip

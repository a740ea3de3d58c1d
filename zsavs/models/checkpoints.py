"""A whole transformers model from a folder, without gaps; the card of a checkpoint, and the bank beside it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import MissingWeights, WeightsError, first_line
from zsavs.models.runtime import load_part
from zsavs.storage.array_file import read_array
from zsavs.storage.completeness import is_whole
from zsavs.storage.files import read_text
from zsavs.storage.weights import WeightCard, fetch_again

if TYPE_CHECKING:
    import torch

__all__ = [
    "BERT_TOKENIZER_FILES",
    "MODEL_FILES",
    "PREPROCESSOR_FILES",
    "TOKENIZER_FILES",
    "bank_beside",
    "card_for",
    "check_tokenizer",
    "load_model",
    "model_type",
    "needing",
    "read_config",
]

#: What transformers reads a model from, in the words of :mod:`zsavs.storage.completeness`.
MODEL_FILES = (
    "config.json",
    "model.safetensors | model.safetensors.index.json | pytorch_model.bin | pytorch_model.bin.index.json",
)
#: What it reads that which prepares images or audio from: by itself, or in one file with all of a processor.
PREPROCESSOR_FILES = ("preprocessor_config.json | processor_config.json",)
#: What it reads a tokenizer of byte pairs from. Without tokenizer_config.json it guesses the special tokens; with that
#: alone, it makes a vocabulary of three to five words and says nothing.
TOKENIZER_FILES = ("tokenizer.json | vocab.json + merges.txt", "tokenizer_config.json")
#: A tokenizer of word pieces, likewise.
BERT_TOKENIZER_FILES = ("tokenizer.json | vocab.txt", "tokenizer_config.json")


#: How many of a model's words its tokenizer may lack, and how many it may have beyond them, as shares of the words.
#: Published models have rows to spare, for a round number or for languages and times (Whisper 51865 rows with 50258
#: words and 1607 marks, ModernBERT 50368 with 50280, T5 32128 with 32100); some have marks that no text is made of
#: beyond the rows (mT5 in SigLIP 250000 with 250100).
_MAY_LACK, _MAY_EXCEED = 0.05, 0.01
#: The marks that stand in every text, or may.
_MARKS = ("bos", "eos", "cls", "sep", "pad", "unk")


def check_tokenizer(tokenizer: Any, rows: int, source: str) -> None:
    """Refuse a tokenizer that cannot be the text model's own.

    transformers makes a vocabulary of three to five words where the files with the words are missing; all texts are
    then the same to the model.

    Args:
        tokenizer: of transformers.
        rows: how many words the text model has embeddings of.
        source: the checkpoint, for the message.

    Raises:
        WeightsError: it knows far fewer words than the model, or more, or has a mark that the model has no row for.
    """
    words = len(tokenizer)
    marks = {name: getattr(tokenizer, f"{name}_token_id", None) for name in _MARKS}
    beyond = [f"{name} {number}" for name, number in marks.items() if number is not None and number >= rows]
    if (1 - _MAY_LACK) * rows <= words <= (1 + _MAY_EXCEED) * rows and not beyond:
        return
    what = f"its marks {', '.join(beyond)} lie beyond" if beyond else f"it knows {words} words, and not"
    place = Path(source)
    remedy = fetch_again(place) if place.exists() else f"run: zsavs download {source}"
    raise WeightsError(
        f"{source}: the tokenizer is not the model's: {what} the {rows} that the text model has embeddings of. Its "
        f"files (tokenizer.json, vocab.json, merges.txt, vocab.txt) are missing or another model's; {remedy}"
    )


def needing(cards: Mapping[str, WeightCard], files: tuple[str, ...]) -> dict[str, WeightCard]:
    """The cards of a family, each with what its loader needs (``WeightCard.files``); one that says so itself stays."""
    return {name: card if card.files else dataclasses.replace(card, files=files) for name, card in cards.items()}


def card_for(cards: Mapping[str, WeightCard], checkpoint: str | Path, folder: Path) -> WeightCard:
    """The card of a checkpoint found in ``folder``: the one of ``cards`` that names it, else one of unknown licence."""
    unknown = WeightCard(
        source=str(checkpoint),
        licence="unknown",
        size_mb=0,
        trained_on="unknown",
        verified="not a checkpoint zsavs knows; read its model card",
    )
    known = {card.source: card for card in cards.values()}
    return known.get(str(checkpoint), unknown).at(folder)


def load_model(
    class_name: str, folder: Path, dtype: torch.dtype, *, copies: Mapping[str, str] | None = None, **settings: Any
) -> Any:
    """Load a transformers model, refusing to fill gaps.

    ``from_pretrained`` gives random numbers to weights that the file lacks and only warns; here that is an error.

    Args:
        class_name: a public model class of transformers.
        folder: where the checkpoint is.
        dtype: of the weights, whatever the file holds.
        copies: weights that a file may lack, as they are copies of others: their names, and the others'.
        settings: passed on to the configuration.

    Raises:
        MissingWeights, WeightsError, BrokenInstallation: as :func:`zsavs.models.runtime.load_part`, and where
            config.json is missing, or weights in the file.
    """
    if not is_whole(folder / "config.json"):
        raise MissingWeights(
            f"{folder}: there is no config.json, without which {class_name} has the sizes of some other checkpoint; to "
            f"mend it, {fetch_again(folder)}"
        )
    model, report = load_part(class_name, folder, dtype=dtype, output_loading_info=True, **settings)
    own = model.state_dict()
    lacking, copies = set(report["missing_keys"]), dict(copies or {})
    if lacking <= set(copies):  # a file with other gaps is not to be trusted with these
        for name in lacking:
            own[name].copy_(own[copies[name]])
        lacking = set()
    # Tables of positions are whole numbers that the model computes; which of them a file holds changed over the years.
    missing = sorted(name for name in lacking if name not in own or own[name].is_floating_point())
    if missing:
        raise WeightsError(
            f"{folder}: {len(missing)} weights of {class_name} are missing in the file ({missing[0]}, ...); "
            f"it is incomplete or belongs to another model. To replace it, {fetch_again(folder)}"
        )
    return model


def model_type(folder: Path) -> str:
    """What config.json says of the model ("sam2_video"); "" where it says nothing."""
    try:
        named = json.loads(read_text(folder / "config.json"))
    except (OSError, ValueError):  # load_model says what is wrong with it
        return ""
    return str(named.get("model_type", "")) if isinstance(named, dict) else ""


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json of a checkpoint says.

    Raises:
        MissingWeights: it cannot be read.
        WeightsError: it is no JSON object.
    """
    path = folder / "config.json"
    try:
        config = json.loads(read_text(path))
    except OSError as error:
        raise MissingWeights(f"{path}: cannot be read. To replace it, {fetch_again(path)}") from error
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: is not JSON ({error}). To replace it, {fetch_again(path)}") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path}: holds no configuration. To replace it, {fetch_again(path)}")
    return config


def bank_beside(folder: Path, kind: str) -> NDArray[np.float32] | None:
    """The embeddings of unlabelled items that a checkpoint ships for its calibration, where it does.

    Args:
        folder: where the checkpoint is.
        kind: "sound_bank" or "picture_bank"; the file is called so, with ".npy" behind it.

    Returns:
        (B, D) float32, unit rows; None if there is no such file.

    Raises:
        WeightsError: it is not a table of numbers.
    """
    path = folder / f"{kind}.npy"
    if not path.exists():
        return None
    try:
        rows = read_array(path)
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path}: cannot be read ({first_line(error)}); to replace it, {fetch_again(folder)}"
        ) from error
    if rows.ndim != 2 or rows.dtype.kind != "f" or not rows.size or not np.isfinite(rows).all():
        raise WeightsError(
            f"{path}: expected finite rows (items, dimensions), got {rows.dtype} {rows.shape}; to replace it, "
            f"{fetch_again(folder)}"
        )
    rows = rows.astype(np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)

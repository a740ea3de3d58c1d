"""Grounding DINO by IDEA's package: a small one, and the candidates that it finds for a prompt."""

from __future__ import annotations

import tempfile
from importlib import resources
from pathlib import Path
from typing import Any
from unittest import mock

from tools.imitation.files import wordpiece_vocabulary
from tools.imitation.inputs import PROMPT, image
from tools.native.weights import fill

__all__ = ["PUBLISHED", "write"]

#: Of the published files, the module that describes their model within the package.
PUBLISHED = {
    "groundingdino_swint_ogc": "GroundingDINO_SwinT_OGC",
    "groundingdino_swinb_cogcoor": "GroundingDINO_SwinB_cfg",
}

#: The image encoder: of its stages blocks with and without shifted windows.
_SWIN = {"embed_dim": 16, "depths": [1, 2, 2, 1], "num_heads": [1, 2, 2, 4], "window_size": 4, "out_indices": (1, 2, 3)}
_BERT = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
#: Of 900 many are nearly as likely as the next, and change places with it for a difference in the last digit.
_CANDIDATES = 12
_SMALL = {"dim_feedforward": 48, "num_queries": _CANDIDATES, "enc_layers": 2, "dec_layers": 2}


def write(name: str) -> dict[str, Any]:
    """What the golden file holds; of published size, all but the words and the candidates, which are as few."""
    import torch
    from groundingdino.util.misc import nested_tensor_from_tensor_list

    with tempfile.TemporaryDirectory() as folder:
        tokenizer, entries = _tokenizer(Path(folder))
    model = _published(PUBLISHED[name], tokenizer, entries) if name in PUBLISHED else _small(tokenizer, entries)
    described = fill(model)
    size_hw = (384, 512) if name in PUBLISHED else (96, 128)
    pixels = torch.from_numpy(image(*size_hw)).permute(2, 0, 1) / 255.0
    mean, std = (torch.tensor(values)[:, None, None] for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        found = model(nested_tensor_from_tensor_list([(pixels - mean) / std]), captions=[PROMPT])
    words = len(tokenizer(PROMPT)["input_ids"])
    scores = found["pred_logits"][0].sigmoid()[:, :words]
    return {"weights": described, "size_hw": size_hw, "scores": scores, "boxes": found["pred_boxes"][0]}


def _tokenizer(folder: Path) -> tuple[Any, int]:
    """Words, and how many there are."""
    import transformers

    entries = wordpiece_vocabulary(folder, true_places=True)
    return transformers.BertTokenizerFast(str(folder / "vocab.txt")), entries


def _published(module: str, tokenizer: Any, entries: int) -> Any:
    import transformers

    return _build(module, tokenizer, transformers.BertConfig(vocab_size=entries), {"num_queries": _CANDIDATES})


def _small(tokenizer: Any, entries: int) -> Any:
    import transformers
    from groundingdino.models.GroundingDINO.backbone import backbone, swin_transformer

    swin = swin_transformer.SwinTransformer(pretrain_img_size=128, **_SWIN)
    with mock.patch.object(backbone, "build_swin_transformer", return_value=swin):
        bert = transformers.BertConfig(vocab_size=entries, max_position_embeddings=256, **_BERT)
        return _build(PUBLISHED["groundingdino_swint_ogc"], tokenizer, bert, _SMALL)


def _build(module: str, tokenizer: Any, bert: Any, changed: dict[str, Any]) -> Any:
    """A model as the package builds it, without what it fetches."""
    import transformers
    from groundingdino.models import build_model
    from groundingdino.util import get_tokenlizer
    from groundingdino.util.slconfig import SLConfig

    with resources.as_file(resources.files("groundingdino") / "config" / f"{module}.py") as path:
        settings = SLConfig.fromfile(str(path))
    for key, value in {**changed, "device": "cpu", "use_checkpoint": False, "use_transformer_ckpt": False}.items():
        setattr(settings, key, value)
    with (
        mock.patch.object(get_tokenlizer, "get_tokenlizer", return_value=tokenizer),
        mock.patch.object(get_tokenlizer, "get_pretrained_language_model", return_value=transformers.BertModel(bert)),
    ):
        return build_model(settings)

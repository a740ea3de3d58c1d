"""Random weights of the packages' own formats, where those packages look for the published files; run in their
environment.

Grounding DINO of IDEA's package is built of a text model that it asks the model hub for by name, and segment-geospatial
asks for both of its checkpoints so. All of it is put into the hub's folder on this machine, so that nothing is fetched.
"""

from __future__ import annotations

import shutil
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from stopwatch import BEST

#: The name by which segment-geospatial asks for a checkpoint; the architecture in it is the one of all scripts here.
_DINO = ("ShilongLiu/GroundingDINO", "groundingdino_swinb_cogcoor.pth", "GroundingDINO_SwinB.cfg.py")
_SAM2_1 = "configs/sam2.1/sam2.1_hiera_t.yaml"
_SAM2 = ("facebook/sam2-hiera-tiny", "sam2_hiera_tiny.pt", "sam2_hiera_t.yaml")


def checkpoint(weights: Path) -> Path:
    """Grounding DINO tiny as its package's file has it."""
    return weights / "groundingdino.pth"


def config() -> Path:
    """The package's description of Grounding DINO tiny."""
    return Path(str(resources.files("groundingdino"))) / "config" / "GroundingDINO_SwinT_OGC.py"


def only_best(model: Any) -> Any:
    """The model with candidates above every threshold, as many as ``BEST``: random weights find nothing or all."""
    import torch

    def raise_best(_: Any, __: Any, found: dict[str, Any]) -> dict[str, Any]:
        logits = found["pred_logits"]
        best = logits.amax(2).topk(BEST).indices[..., None]
        raised = torch.full_like(logits, -100.0).scatter(1, best.expand(-1, -1, logits.shape[2]), 10.0)
        return {**found, "pred_logits": torch.where(logits.isfinite(), raised, logits)}

    model.register_forward_hook(raise_best)
    return model


def write(weights: Path) -> None:
    """The files, from the tokenizer of the detector that is there."""
    import torch
    import transformers
    from groundingdino.models import build_model
    from groundingdino.util.slconfig import SLConfig
    from sam2.build_sam import build_sam2

    torch.manual_seed(0)
    words = transformers.PreTrainedTokenizerFast(tokenizer_file=str(weights / "grounding_dino" / "tokenizer.json"))
    bert = _snapshot(weights, "bert-base-uncased")
    transformers.BertModel(transformers.BertConfig(vocab_size=len(words))).save_pretrained(bert)
    in_order = sorted(words.get_vocab().items(), key=lambda entry: entry[1])
    (bert / "vocab.txt").write_text("".join(f"{word}\n" for word, _ in in_order), encoding="utf-8")
    settings = SLConfig.fromfile(str(config()))
    settings.device = "cpu"
    torch.save({"model": build_model(settings).state_dict()}, checkpoint(weights))
    dino = _snapshot(weights, _DINO[0])
    (dino / _DINO[1]).symlink_to(checkpoint(weights))
    shutil.copy(config(), dino / _DINO[2])
    published = _snapshot(weights, _SAM2[0]) / _SAM2[1]
    for config_file, path in ((_SAM2_1, weights / "sam2.pt"), (f"configs/sam2/{_SAM2[2]}", published)):
        torch.save({"model": build_sam2(config_file, device="cpu").state_dict()}, path)


def _snapshot(weights: Path, name: str) -> Path:
    """The folder of a repository in the hub's folder."""
    home = weights / "hub" / f"models--{name.replace('/', '--')}"
    shutil.rmtree(home, ignore_errors=True)
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("made", encoding="utf-8")
    folder = home / "snapshots" / "made"
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    write(Path(sys.argv[1]))

"""Train the nano CLIP: images and the labels of the things in them.

    python -m tools.nano.clip --work DIR --out FOLDER
    python -m tools.nano.clip --work DIR --out FOLDER --begin CLIP --owlv2 FOLDER

Half of a batch are crops around one thing, named by it; half are whole images, named by each of the things in them.
With a detector, half of the crops in turn are what it takes for things, as rough as it sees them and named by what they
are, whatever it takes them for: what looks at a detector's boxes should know them.
Every view is weighed against the names of all things, in random phrasings, with the pairwise sigmoid loss of SigLIP
(an image has several right texts, so a softmax over texts would be wrong). The image tower is a small ResNet of timm,
the text tower open_clip's transformer over a vocabulary of two thousand word pieces.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import logsigmoid
from torchvision.ops import box_iou

from tools.nano.pools import LABELS, SIDE, ImagePool, known, painted, say
from tools.nano.texts import random_texts
from tools.nano.training import add_half, add_without, finish, fit, recipe
from zsavs.models.owlv2 import Owlv2Grounder
from zsavs.presets import PRESETS
from zsavs.testing.tiny.tokenizers import clip_tokenizer
from zsavs.types import AudioClip, AVSample, Query

__all__ = ["CONFIG", "build"]

_CROPS, _WHOLES = 40, 24
_NOTHING = 0.1  # share of crops that show only ground, and are named by nothing
_MAX_TOKENS = 24
_SAME = 0.4  # a detector's box shows the thing that it shares so much of its union with, or none

CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 128,
        "vision_cfg": {
            "timm_model_name": "resnet10t",
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "image_size": 96,
        },
        "text_cfg": {
            "context_length": _MAX_TOKENS,
            "vocab_size": 0,  # the tokenizer's, filled in by build
            "hf_tokenizer_name": "beside-the-weights",
            "width": 96,
            "heads": 4,
            "layers": 2,
        },
        "init_logit_bias": -5.0,
    },
    "preprocess_cfg": {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "interpolation": "bilinear",
        "resize_mode": "squash",
    },
}


def build() -> tuple[Any, Any, dict[str, Any]]:
    """The architecture with random weights, its tokenizer, and its description as open_clip reads it."""
    from open_clip import CLIP

    tokenizer = clip_tokenizer(_MAX_TOKENS)
    config = copy.deepcopy(CONFIG)
    config["model_cfg"]["text_cfg"]["vocab_size"] = len(tokenizer)
    settings = copy.deepcopy(config["model_cfg"])
    return CLIP(**settings).to(memory_format=torch.channels_last), tokenizer, config


def crop_box(pool: ImagePool, row: int, rng: np.random.Generator) -> tuple[tuple[int, int, int, int], int]:
    """Where to crop an image, x0 y0 x1 y1, and the number of the thing in the middle; 0 for a random place."""
    if rng.random() < _NOTHING:
        size = rng.uniform(0.15, 0.4, 2) * SIDE
        low = rng.uniform(0, SIDE - size)
        box, main = np.concatenate([low, low + size]), 0
    else:
        boxes = pool.boxes(row).astype(np.float64)
        main = int(rng.integers(len(boxes))) + 1
        box = boxes[main - 1]
        sides = np.tile(box[2:] - box[:2], 2)
        loose = 0.05 if rng.random() < 0.5 else 0.15  # a detector's boxes are rough
        box = box + sides * (rng.normal(0, loose, 4) + np.array([-1, -1, 1, 1]) * rng.uniform(-0.02, 0.25))
    x0, y0, x1, y1 = np.clip(np.rint(box), 0, SIDE).astype(int).tolist()
    return (x0, y0, x1, y1), main


def detected(pool: ImagePool, owlv2: Path, kept: Path) -> list[NDArray[np.float32]]:
    """The boxes (N, 4) of all that a detector finds in each image to learn from; computed once and kept in a file.

    Args:
        owlv2: folder of the detector, which is asked for all names and draws boxes as in the preset.
        kept: the file.
    """
    if not kept.is_file():
        detector = Owlv2Grounder.load(owlv2, **PRESETS["nano"].parts["grounder"].settings)
        nothing = AudioClip(np.zeros((1, 1), np.float32), 16_000)
        everything = Query(LABELS, np.ones(len(LABELS), np.float32))
        boxes: list[NDArray[np.float32]] = []
        for row in pool.train:
            (found,) = detector.ground([AVSample(pool.images[row], nothing)], [everything])
            boxes.append(found.boxes_xyxy)
            say("detected", row, len(pool.train))
        fresh = kept.with_suffix(".new.npz")
        np.savez(fresh, boxes=np.concatenate(boxes), counts=[len(one) for one in boxes])
        fresh.replace(kept)
    with np.load(kept) as file:
        return np.split(file["boxes"], np.cumsum(file["counts"])[:-1])


def detected_box(
    pool: ImagePool, row: int, boxes: NDArray[np.float32], rng: np.random.Generator
) -> tuple[tuple[int, int, int, int], int]:
    """As :func:`crop_box`, around one of the boxes (N, 4) that a detector found in the image, N at least 1."""
    box = boxes[rng.integers(len(boxes))].astype(np.float64)
    shares = box_iou(torch.from_numpy(box[None]), torch.from_numpy(pool.boxes(row).astype(np.float64)))[0].numpy()
    main = int(shares.argmax()) + 1 if shares.max() >= _SAME else 0
    box = box + np.tile(box[2:] - box[:2], 2) * np.array([-1, -1, 1, 1]) * rng.uniform(0, 0.2)
    x0, y0, x1, y1 = (*np.clip(np.floor(box[:2]), 0, SIDE - 1), *np.clip(np.ceil(box[2:]), 1, SIDE))
    return (int(x0), int(y0), int(x1), int(y1)), main


class _Task:
    """Batches of crops and images with the names of what they show, and the loss of a model on them."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        pool: ImagePool,
        labels: Sequence[str],
        found: Sequence[NDArray[np.float32]] = (),
    ) -> None:
        self.model, self.tokenizer, self.pool, self.labels, self.found = model, tokenizer, pool, tuple(labels), found
        self.side = CONFIG["model_cfg"]["vision_cfg"]["image_size"]

    def crop(self, row: int, rng: np.random.Generator) -> tuple[Image.Image, NDArray[np.float32]]:
        """A crop of one thing, or of background; and for each label 1 (named by it), -1 (not) or 0 (could be said)."""
        index, labels = self.pool.index[row], self.pool.labels[row]
        truth = np.full(len(self.labels), -1, np.float32)
        if row < len(self.found) and len(self.found[row]) and rng.random() < 0.5:
            (x0, y0, x1, y1), main = detected_box(self.pool, row, self.found[row], rng)
        else:
            (x0, y0, x1, y1), main = crop_box(self.pool, row, rng)
        inside = np.bincount(index[y0:y1, x0:x1].ravel(), minlength=len(labels) + 1)
        for number, label in enumerate(labels, 1):
            if number != main and inside[number] > 0.02 * max(1, inside.sum()):
                truth[self.labels.index(label)] = 0
        if main:
            truth[self.labels.index(labels[main - 1])] = 1
        return Image.fromarray(self.pool.images[row][y0:y1, x0:x1]), truth

    def whole(self, row: int) -> tuple[Image.Image, NDArray[np.float32]]:
        """A whole image, and 1 for each label that is in it, else -1."""
        truth = np.full(len(self.labels), -1, np.float32)
        truth[[self.labels.index(label) for label in self.pool.labels[row]]] = 1
        return Image.fromarray(self.pool.images[row]), truth

    def batch(
        self, rows: Sequence[int], crops: int, wholes: int, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels (N, 3, S, S), normalised, and the truth (N, labels)."""
        views = [self.crop(int(row), rng) for row in rng.choice(rows, crops)]
        views += [self.whole(int(row)) for row in rng.choice(rows, wholes)]
        pixels = []
        for view, _ in views:
            small = view.resize((self.side, self.side), Image.Resampling.BILINEAR)
            if rng.random() < 0.5:
                small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            seen = np.asarray(small)
            pixels.append((painted(seen, rng) if rows is self.pool.train else seen).astype(np.float32))
        settings = CONFIG["preprocess_cfg"]
        array = (np.stack(pixels) / 255 - settings["mean"]) / settings["std"]
        truth = np.stack([truth for _, truth in views])
        return torch.from_numpy(array.astype(np.float32)).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(truth)

    def texts(self, rng: np.random.Generator) -> torch.Tensor:
        tokens = self.tokenizer(
            random_texts("photo", self.labels, rng),
            padding="max_length",
            truncation=True,
            max_length=_MAX_TOKENS,
            return_tensors="pt",
        )
        ids: torch.Tensor = tokens["input_ids"]
        return ids

    def __call__(self, rng: np.random.Generator) -> torch.Tensor:
        pixels, truth = self.batch(self.pool.train, _CROPS, _WHOLES, rng)
        embeddings = self.model.encode_image(pixels, normalize=True)
        names = self.model.encode_text(self.texts(rng), normalize=True)
        cosines = (embeddings.float()[:, None] * names.float()).sum(-1)  # no matrix product, so not in bfloat16
        logits = self.model.logit_scale.exp() * cosines + self.model.logit_bias
        return -(logsigmoid(truth * logits) * truth.abs()).sum(1).mean()


def quality(model: Any, task: _Task) -> dict[str, float]:
    """On held-out images: share of crops named right first, and area under the ROC curve of whole images."""
    rng = np.random.default_rng(1)
    with torch.inference_mode():
        names = model.encode_text(task.texts(rng), normalize=True)
        pixels, truth = task.batch(task.pool.held_out, 400, 200, rng)
        scores = (model.encode_image(pixels, normalize=True) @ names.T).numpy()
    crops, wholes = scores[:400], scores[400:]
    named = truth[:400].numpy().max(1) > 0
    right = (crops.argmax(1) == truth[:400].numpy().argmax(1))[named].mean()
    seen = truth[400:].numpy() > 0
    order = wholes.ravel().argsort().argsort()
    positives = int(seen.sum())
    above = order[seen.ravel()].sum() - positives * (positives - 1) / 2
    return {
        "crop_top1": round(float(right), 4),
        "whole_auc": round(float(above / positives / (seen.size - positives)), 4),
        "empty_crop_highest_cosine": round(float(crops[~named].max()), 4),
    }


def main(argv: list[str] | None = None) -> None:
    """Train, measure on held-out images, and save as open_clip reads it."""
    from safetensors.torch import load_file, save_file

    parser = recipe("train the nano CLIP", steps=1500)
    parser.add_argument("--owlv2", type=Path, help="folder of the nano OWLv2, to learn what its boxes show, too")
    add_half(parser)
    add_without(parser)
    options = parser.parse_args(argv)
    torch.manual_seed(options.seed)
    model, tokenizer, config = build()
    if options.begin is not None:
        model.load_state_dict(load_file(options.begin / "open_clip_model.safetensors"))
    pool = ImagePool.open(options.work)
    found = detected(pool, options.owlv2, options.work / "detected.npz") if options.owlv2 is not None else []
    task = _Task(model.train(), tokenizer, pool.without(options.without), known(options.without), found)
    rate = 1e-3 if options.begin is None else 7e-4
    state = options.work / "clip.pt"
    average = fit(model, task, state=state, steps=options.steps, rate=rate, seed=options.seed, half=options.half)
    report = quality(average, task)
    finish(options.out, report, tokenizer)
    weights = {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in average.state_dict().items()
    }
    save_file(weights, options.out / "open_clip_model.safetensors", metadata={"format": "pt"})
    (options.out / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n")


if __name__ == "__main__":
    main()

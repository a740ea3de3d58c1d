"""Train the nano SAM 2: boxes and points to masks.

    python -m tools.nano.sam2 --work DIR --out FOLDER

Each picture is prompted with boxes or with single points on its things. Of the three masks for a prompt the best is
pulled towards the truth (focal and Dice loss, as SAM), and the quality head towards the masks' true intersection over
union. In one step of four the single mask is trained in their place.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate
from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model

from tools.nano.pools import SIDE, PicturePool, arguments
from tools.nano.training import fit

__all__ = ["build"]

_PROMPTS = 4
_BATCH = 4
_POINT_SHARE = 0.4


def build(side: int = SIDE) -> tuple[Sam2Model, Sam2ImageProcessor]:
    """The architecture, with random weights, and its image processor.

    Args:
        side: of the square that pictures are seen in, in pixels.
    """
    width, low = 64, side // 4
    config = Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 24,
                "image_size": [side, side],
                "num_attention_heads": 1,
                "blocks_per_stage": [1, 2, 3, 1],
                "embed_dim_per_stage": [24, 48, 96, 160],
                "num_attention_heads_per_stage": [1, 2, 4, 4],
                "window_size_per_stage": [8, 4, 8, 4],
                "global_attention_blocks": [4, 5],
                "window_positional_embedding_background_size": [4, 4],
            },
            "backbone_channel_list": [160, 96, 48, 24],
            "backbone_feature_sizes": [[low, low], [low // 2, low // 2], [low // 4, low // 4]],
            "fpn_hidden_size": width,
        },
        prompt_encoder_config={"hidden_size": width, "image_size": side, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": width,
            "mlp_dim": 128,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": 64,
            "dynamic_multimask_via_stability": False,
        },
    )
    processor = Sam2ImageProcessor(
        size={"height": side, "width": side}, mask_size={"height": low, "width": low}
    )
    return Sam2Model(config), processor


class _Task:
    """Batches of pictures with prompts and true masks, and the loss of a model on them."""

    def __init__(self, model: Sam2Model, processor: Sam2ImageProcessor, pool: PicturePool) -> None:
        self.model, self.processor, self.pool = model, processor, pool
        self.side = processor.size["height"]

    def pixels(self, rows: NDArray[np.intp], flips: NDArray[np.bool_]) -> torch.Tensor:
        images = [
            np.ascontiguousarray(self.pool.images[row][:, ::-1] if flip else self.pool.images[row])
            for row, flip in zip(rows, flips, strict=True)
        ]
        made = self.processor(images=images, return_tensors="pt", input_data_format="channels_last")
        return made["pixel_values"]

    def prompts(
        self, rows: NDArray[np.intp], flips: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Boxes (B, P, 4), points (B, P, 1, 2) in pixels of the model's square, and masks (B, P, SIDE, SIDE)."""
        boxes, points, masks = [], [], []
        for row, flip in zip(rows, flips, strict=True):
            index = self.pool.index[row][:, ::-1] if flip else self.pool.index[row]
            for number in rng.integers(1, len(self.pool.labels[row]) + 1, _PROMPTS):
                mask = index == number
                ys, xs = np.nonzero(mask)
                box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], np.float32)
                size = np.tile(box[2:] - box[:2], 2)
                box += size * rng.normal(0, 0.03, 4).clip(-0.1, 0.1)
                one = rng.integers(len(xs))
                boxes.append(box)
                points.append([xs[one] + 0.5, ys[one] + 0.5])
                masks.append(mask)
        shape = (len(rows), _PROMPTS)
        scale = self.side / SIDE
        return (
            torch.tensor(np.array(boxes) * scale, dtype=torch.float32).reshape(*shape, 4),
            torch.tensor(np.array(points) * scale, dtype=torch.float32).reshape(*shape, 1, 2),
            torch.from_numpy(np.array(masks)).reshape(*shape, SIDE, SIDE),
        )

    def __call__(self, rng: np.random.Generator) -> torch.Tensor:
        rows = rng.choice(self.pool.train, _BATCH, replace=False)
        flips = rng.random(_BATCH) < 0.5
        boxes, points, masks = self.prompts(rows, flips, rng)
        scales = features(self.model, self.pixels(rows, flips))
        by_points = rng.random() < _POINT_SHARE
        asked: dict[str, Any] = {"input_points": points} if by_points else {"input_boxes": boxes}
        several = bool(by_points or rng.random() < 0.75)
        out = self.model(image_embeddings=scales, multimask_output=several, **asked)
        return _loss(out.pred_masks, out.iou_scores, masks)


def features(model: Sam2Model, pixels: torch.Tensor) -> list[torch.Tensor]:
    """Image features at three scales, the finest first, with gradients (the model's own method has none)."""
    return Sam2Model.get_image_embeddings.__wrapped__(model, pixels)


def _loss(logits: torch.Tensor, rated: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Focal (20) and Dice loss of the best of the masks, and the error of the ratings.

    Args:
        logits: (B, P, M, h, w).
        rated: (B, P, M) in [0, 1].
        masks: (B, P, H, W) bool.
    """
    batch, prompts, count = logits.shape[:3]
    large = interpolate(logits.flatten(0, 1), masks.shape[-2:], mode="bilinear", align_corners=False).flatten(2)
    truth = masks.flatten(0, 1).flatten(1)[:, None].expand_as(large).to(large.dtype)
    p = large.sigmoid()
    entropy = binary_cross_entropy_with_logits(large, truth, reduction="none")
    right = p * truth + (1 - p) * (1 - truth)
    weight = 0.4 * truth + 0.6 * (1 - truth)
    focal = (weight * (1 - right) ** 2 * entropy).mean(-1)
    both = (p * truth).sum(-1)
    dice = 1 - (2 * both + 1) / (p.sum(-1) + truth.sum(-1) + 1)
    each = 20 * focal + dice
    best = each.argmin(1, keepdim=True)
    with torch.no_grad():
        hard, real = large > 0, truth > 0.5
        iou = (hard & real).sum(-1) / (hard | real).sum(-1).clamp(min=1)
    ratings = (rated.flatten(0, 1) - iou).square().mean()
    return each.gather(1, best).mean() + 0.05 * each.mean() + ratings


def quality(model: Sam2Model, task: _Task) -> dict[str, float]:
    """Mean intersection over union on held-out pictures, for box and for point prompts, as the segmenter answers."""
    found: dict[str, list[float]] = {"box": [], "point": []}
    rng = np.random.default_rng(1)
    with torch.inference_mode():
        for start in range(task.pool.held_out.start, task.pool.held_out.stop, _BATCH):
            rows, flips = np.arange(start, start + _BATCH), np.zeros(_BATCH, bool)
            boxes, points, masks = task.prompts(rows, flips, rng)
            scales = features(model, task.pixels(rows, flips))
            for name, asked in (("box", {"input_boxes": boxes}), ("point", {"input_points": points})):
                out = model(image_embeddings=scales, multimask_output=True, **asked)
                best = out.iou_scores.argmax(-1)[..., None, None, None]
                chosen = out.pred_masks.take_along_dim(best, 2)[:, :, 0]
                hard = interpolate(chosen, (SIDE, SIDE), mode="bilinear", align_corners=False) > 0
                iou = (hard & masks).sum((-1, -2)) / (hard | masks).sum((-1, -2))
                found[name] += iou.flatten().tolist()
    return {f"{name}_iou": round(float(np.mean(values)), 4) for name, values in found.items()}


def main(argv: list[str] | None = None) -> None:
    """Train, look at held-out pictures, and save."""
    parser = arguments("train the nano SAM 2")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--steps", type=int, default=9000)
    options = parser.parse_args(argv)
    torch.manual_seed(options.seed)
    model, processor = build(options.side)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters")
    task = _Task(model.train(), processor, PicturePool.open(options.work))
    state = options.work / "sam2.pt"
    average = fit(model, task, state=state, steps=options.steps, rate=1e-3, seed=options.seed, half=False)
    report = quality(average, task)
    print(report)
    average.save_pretrained(options.out)
    processor.save_pretrained(options.out)
    (options.out / "quality.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

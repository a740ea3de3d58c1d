"""Train the nano SAM 2: boxes and points to masks.

    python -m tools.nano.sam2 --work DIR --out SMALL
    python -m tools.nano.sam2 --work DIR --out FOLDER --begin SMALL --side 384

Each image, drawn anew, whole or a part of it enlarged, is prompted with boxes around its things or with single points
on them; some points lie on the ground, and have an empty mask. The mask is pulled towards the truth (focal and Dice
loss, as SAM), and the quality head towards the mask's true intersection over union.

Only the single mask is trained: there are no parts and wholes in this world, and while three masks may compete for a
prompt, the cheapest way to be right with one of them is not to look at the prompt at all. The first stage sees images
at half their size, which is enough to learn what a prompt is; the second one learns the outlines. No weight depends on
the size, so that what was learned goes on to enlarged images, in which the outlines have more pixels, and to a deeper
image encoder, whose new blocks begin as doing nothing. What is hard is where one thing ends and the next begins, so
things are asked for the more often, the more of others their box holds. Images keep the size that scenes have until
the model's own processor enlarges them, as every further change of size blurs outlines.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits, interpolate
from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model

from tools.nano.pools import SIDE, ImagePool, drawn, painted, tight_boxes
from tools.nano.training import finish, fit, recipe, widen
from zsavs.media.regions import tight_box

__all__ = ["build"]

_PROMPTS = 10
_POINT_SHARE = 0.4
_GROUND_SHARE = 0.25  # of points
_LEAST = 20  # pixels of a thing that is asked for
_CROWDED = 6.0  # a box that is all other things' is asked for so much more often than one that holds none of them

#: Side of the images, images in a batch, steps, and highest learning rate.
_STAGES = ((SIDE // 2, 12, 2400, 1e-3), (SIDE, 4, 11_600, 1e-3))


_THIRD = 3  # the first block of the encoder's third stage
#: Blocks of that stage, which are global from the second one on; what goes on has more of them.
_SHALLOW, _DEEP = 3, 5


def build(side: int = SIDE, depth: int = _SHALLOW) -> tuple[Sam2Model, Sam2ImageProcessor]:
    """The architecture, with random weights, and its image processor.

    Args:
        side: of the square that images are seen in, in pixels.
        depth: blocks of the image encoder's third stage.
    """
    width, low = 64, side // 4
    config = Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 24,
                "image_size": [side, side],
                "num_attention_heads": 1,
                "blocks_per_stage": [1, 2, depth, 1],
                "embed_dim_per_stage": [24, 48, 96, 160],
                "num_attention_heads_per_stage": [1, 2, 4, 4],
                "window_size_per_stage": [8, 4, 8, 4],
                "global_attention_blocks": list(range(_THIRD + 1, _THIRD + depth)),
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
    processor = Sam2ImageProcessor(size={"height": side, "width": side}, mask_size={"height": low, "width": low})
    model = Sam2Model(config)
    widen(model)
    # One table of random frequencies places pixels and prompts alike. The class draws it twice; with two different
    # ones the decoder could never tell where a prompt is.
    places = model.prompt_encoder.shared_embedding.positional_embedding
    model.shared_image_embedding.positional_embedding.data.copy_(places.data)
    return model, processor


def go_on(model: Sam2Model, begun: Sam2Model) -> None:
    """Give the model the weights of one whose third stage may have fewer blocks, in place.

    The new blocks come last in that stage, and add nothing to what passes through them until they have learned to.
    """
    own, theirs = (one.config.vision_config.backbone_config.blocks_per_stage[2] for one in (model, begun))
    blocks = "vision_encoder.backbone.blocks."
    weights = {}
    for name, value in begun.state_dict().items():
        place, _, rest = name.removeprefix(blocks).partition(".")
        if name.startswith(blocks) and int(place) >= _THIRD + theirs:
            name = f"{blocks}{int(place) + own - theirs}.{rest}"
        weights[name] = value
    for number in range(_THIRD + theirs, _THIRD + own):
        block = model.vision_encoder.backbone.blocks[number]
        for last in (block.attn.proj, block.mlp.proj_out):
            torch.nn.init.zeros_(last.weight)
            torch.nn.init.zeros_(last.bias)
        weights |= {f"{blocks}{number}.{name}": value for name, value in block.state_dict().items()}
    model.load_state_dict(weights)


class _Task:
    """Batches of images with prompts and true masks, and the loss of a model on them."""

    def __init__(self, model: Sam2Model, processor: Sam2ImageProcessor, pool: ImagePool, count: int) -> None:
        self.model, self.processor, self.pool, self.count = model, processor, pool, count
        self.side = processor.size["height"]
        self.loose = True

    def view(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """A new image, (H, W, 3), and its index map, (SIDE, SIDE): whole, or as often the surroundings of a thing."""
        image, index, labels = drawn(rng)
        image = painted(image, rng)
        if rng.random() < 0.5:
            boxes = tight_boxes(index, len(labels))
            x0, y0, x1, y1 = boxes[rng.integers(len(boxes))]
            side = int(max(x1 - x0, y1 - y0, 16) * rng.uniform(1.3, 2.4))
            part = tuple(
                _around((low + high) / 2, side, length, rng)
                for low, high, length in ((y0, y1, len(index)), (x0, x1, index.shape[1]))
            )
            image, index = image[part], index[part]
        if rng.random() < 0.5:
            image, index = image[:, ::-1], index[:, ::-1]
        square = Image.fromarray(index).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        return np.ascontiguousarray(image), np.asarray(square)

    def pixels(self, images: list[NDArray[np.uint8]]) -> torch.Tensor:
        made = self.processor(images=images, return_tensors="pt", input_data_format="channels_last")
        return made["pixel_values"]

    def prompts(
        self, indices: list[NDArray[np.uint8]], rng: np.random.Generator, kind: str, ground: float = 0
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Prompts by the name of the model's argument, in pixels of its square, and masks (B, P, SIDE, SIDE).

        Args:
            indices: (SIDE, SIDE) each, with one thing at least.
            kind: "box" for boxes (B, P, 4), "point" for points (B, P, 1, 2).
            ground: share of points that lie on no thing, where there is any ground.
        """
        prompts, masks = [], []
        for index in indices:
            there = np.flatnonzero(np.bincount(index.ravel()) >= _LEAST)
            things = there[there > 0]
            for number in rng.choice(things, _PROMPTS, p=_crowded(index, things) if self.loose else None):
                if kind == "point" and rng.random() < ground and there[0] == 0:
                    number = 0
                pixels = index == number
                masks.append(pixels if number else np.zeros_like(pixels))
                if kind == "box":
                    box = np.array(tight_box(pixels), np.float32)
                    size = np.tile(box[2:] - box[:2], 2)
                    # A detector's boxes are rough: half of these are, too.
                    loose = self.loose and rng.random() < 0.5
                    prompts.append(box + size * rng.normal(0, 0.1 if loose else 0.03, 4).clip(-0.3, 0.3))
                else:
                    ys, xs = np.nonzero(pixels)
                    one = rng.integers(len(xs))
                    prompts.append([xs[one] + 0.5, ys[one] + 0.5])
        scaled = torch.tensor(np.array(prompts) * self.side / SIDE, dtype=torch.float32)
        shape = (len(indices), _PROMPTS)
        given = (
            {"input_boxes": scaled.reshape(*shape, 4)}
            if kind == "box"
            else {"input_points": scaled.reshape(*shape, 1, 2)}
        )
        return given, torch.from_numpy(np.array(masks)).reshape(*shape, SIDE, SIDE)

    def __call__(self, rng: np.random.Generator) -> torch.Tensor:
        views = [self.view(rng) for _ in range(self.count)]
        kind = "point" if rng.random() < _POINT_SHARE else "box"
        asked, masks = self.prompts([index for _, index in views], rng, kind, _GROUND_SHARE)
        scales = features(self.model, self.pixels([image for image, _ in views]))
        out = self.model(image_embeddings=scales, multimask_output=False, **asked)
        return _loss(out.pred_masks, out.iou_scores, masks)


def _around(middle: float, side: int, length: int, rng: np.random.Generator) -> slice:
    """A stretch of at most ``side`` pixels of an image that has ``length``, with a place about in its middle."""
    side = min(side, length)
    start = int(np.clip(middle - side * rng.uniform(0.4, 0.6), 0, length - side))
    return slice(start, start + side)


def _crowded(index: NDArray[np.uint8], things: NDArray[np.intp]) -> NDArray[np.float64]:
    """How often each thing is asked for, in sum 1: the more of other things its box holds, the more often."""
    shares = []
    for number in things:
        x0, y0, x1, y1 = tight_box(index == number)
        inside = index[y0:y1, x0:x1]
        shares.append(((inside > 0) & (inside != number)).mean())
    weights = 1 + _CROWDED * np.array(shares)
    return np.asarray(weights / weights.sum())


def features(model: Sam2Model, pixels: torch.Tensor) -> list[torch.Tensor]:
    """Image features at three scales, the finest first, with gradients (the model's own method has none)."""
    return Sam2Model.get_image_embeddings.__wrapped__(model, pixels)


def _loss(logits: torch.Tensor, rated: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Focal (20) and Dice loss of the masks, and the error of the ratings.

    Args:
        logits: (B, P, 1, h, w).
        rated: (B, P, 1) in [0, 1].
        masks: (B, P, H, W) bool.
    """
    # At half the size: the logits are coarser still, and a pixel that a mask covers in part counts in part.
    truth = avg_pool2d(masks.to(logits.dtype), 2)
    large = interpolate(logits.flatten(0, 1), truth.shape[-2:], mode="bilinear", align_corners=False).flatten(2)
    truth = truth.flatten(0, 1).flatten(1)[:, None].expand_as(large)
    p = large.sigmoid()
    entropy = binary_cross_entropy_with_logits(large, truth, reduction="none")
    right = p * truth + (1 - p) * (1 - truth)
    weight = 0.4 * truth + 0.6 * (1 - truth)
    focal = (weight * (1 - right) ** 2 * entropy).mean(-1)
    both = (p * truth).sum(-1)
    dice = 1 - (2 * both + 1) / (p.sum(-1) + truth.sum(-1) + 1)
    with torch.no_grad():
        hard, real = large > 0, truth > 0.5
        iou = (hard & real).sum(-1) / (hard | real).sum(-1).clamp(min=1)
    ratings = (rated.flatten(0, 1) - iou).square().mean()
    return (20 * focal + dice).mean() + ratings


def quality(model: Sam2Model, task: _Task) -> dict[str, float]:
    """Mean intersection over union on held-out images, for box and for point prompts, as the segmenter answers."""
    found: dict[str, list[float]] = {"box": [], "point": []}
    task.loose = False
    rng = np.random.default_rng(1)
    with torch.inference_mode():
        for start in range(0, len(task.pool.held_out), 4):
            rows = task.pool.held_out[start : start + 4]
            scales = features(model, task.pixels(list(task.pool.images[rows])))
            for name in found:
                asked, masks = task.prompts(list(task.pool.index[rows]), rng, name)
                out = model(image_embeddings=scales, multimask_output=False, **asked)
                hard = interpolate(out.pred_masks[:, :, 0], (SIDE, SIDE), mode="bilinear", align_corners=False) > 0
                iou = (hard & masks).sum((-1, -2)) / (hard | masks).sum((-1, -2))
                found[name] += iou.flatten().tolist()
    return {f"{name}_iou": round(float(np.mean(values)), 4) for name, values in found.items()}


def main(argv: list[str] | None = None) -> None:
    """Train, measure on held-out images, and save."""
    parser = recipe("train the nano SAM 2")
    parser.add_argument("--steps", type=int, help="of the last stage, in place of its own")
    parser.add_argument("--side", type=int, default=SIDE, help="with --begin: of the images, in pixels (%(default)s)")
    options = parser.parse_args(argv)
    if options.begin is None and options.side != SIDE:
        parser.error(f"begin with images of {SIDE} pixels, and go on from there")
    torch.manual_seed(options.seed)
    pool = ImagePool.open(options.work)
    stages, average = _STAGES, None
    if options.begin is not None:
        average = Sam2Model.from_pretrained(options.begin)
        stages = ((options.side, 4 if options.side == SIDE else 2, 11_600, 7e-4),)
    for side, count, steps, rate in stages:
        model, processor = build(side, _SHALLOW if options.begin is None else _DEEP)
        if average is not None:
            go_on(model, average)
        if side == options.side and options.steps is not None:
            steps = options.steps
        task = _Task(model.train(), processor, pool, count)
        state = options.work / f"sam2_{side}.pt"
        average = fit(model, task, state=state, steps=steps, rate=rate, seed=options.seed, half=False)
        report = quality(average, task)
    finish(options.out, report, average.half(), processor)


if __name__ == "__main__":
    main()

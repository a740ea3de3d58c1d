"""Train the nano OWLv2: phrases to boxes.

    python -m tools.nano.owlv2 --work DIR --out SMALL --blip FOLDER
    python -m tools.nano.owlv2 --work DIR --out FOLDER --begin SMALL --side 256

The vision tower begins as that of the nano BLIP, which was trained on images and captions.
Every patch of the image is a candidate. Patches on a thing are told its name, against the names of all things in
random phrasings (cross-entropy), and its box (L1 and generalised IoU); a patch belongs to the thing that covers most of
it. That takes the place of the published model's matching of candidates with things, and teaches a small transformer in
minutes. Images are padded to a square, as OWLv2's processor does with images that are not. What is learned on small
images, of 8 x 8 patches, goes on to larger ones, whose finer patches give closer boxes at four times the cost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, l1_loss
from torchvision.ops import box_convert, generalized_box_iou_loss
from transformers import BlipForConditionalGeneration, Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessor

from tools.nano.pools import LABELS, ImagePool, painted, patch_shares
from tools.nano.texts import random_texts
from tools.nano.training import finer_places, finish, fit, recipe, widen
from zsavs.media.regions import tight_box
from zsavs.testing.tiny.tokenizers import clip_tokenizer

__all__ = ["build"]

_BATCH = 32
_PATCH = 16
_MAX_TOKENS = 16
_COVERED = 0.3  # a patch is a thing's from this share on

#: Sides of the image as shares of the square: images are squeezed in the pool, and here get a shape again.
_SHAPES = ((1.0, 1.0), (0.8125, 1.0), (1.0, 0.8125), (0.75, 1.0))


def build(side: int = 128) -> tuple[Owlv2ForObjectDetection, Owlv2ImageProcessor, Any]:
    """The architecture with random weights, its image processor and its tokenizer.

    Args:
        side: of the square that it sees, in pixels, a multiple of 16.
    """
    tokenizer = clip_tokenizer(_MAX_TOKENS, LABELS)
    config = Owlv2Config(
        text_config={
            "hidden_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 192,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": _MAX_TOKENS,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "hidden_size": 160,  # from here on as the nano BLIP
            "num_hidden_layers": 5,
            "num_attention_heads": 4,
            "intermediate_size": 480,
            "hidden_act": "gelu",
            "image_size": side,
            "patch_size": _PATCH,
        },
        projection_dim=96,
    )
    model = Owlv2ForObjectDetection(config)
    for part in (model.box_head, model.class_head, model.objectness_head):
        widen(part)
    # At first no patch is of any label: a logit of about (0 - 0.5) * 11.
    torch.nn.init.constant_(model.class_head.logit_shift.bias, -0.5)
    torch.nn.init.constant_(model.class_head.logit_scale.bias, 10.0)
    return model, Owlv2ImageProcessor(size={"height": side, "width": side}), tokenizer


def go_on(model: Owlv2ForObjectDetection, begun: Owlv2ForObjectDetection) -> None:
    """Give the model the weights of one that may have seen smaller images, in place.

    The places of its patches are spread over the finer grid; the patches themselves stay as many pixels large.
    """
    weights, own = begun.state_dict(), model.state_dict()
    name = "owlv2.vision_model.embeddings.position_embedding.weight"
    weights[name] = finer_places(weights[name], len(own[name]))
    # The numbers of the places are in the weights in some versions of transformers.
    weights |= {name: value for name, value in own.items() if name.endswith("position_ids")}
    model.load_state_dict(weights)


def begin_as(model: Owlv2ForObjectDetection, blip: BlipForConditionalGeneration, pixels: torch.Tensor) -> None:
    """Give the vision tower the weights of the captioner's, in place; both are the same transformer.

    OWLv2 normalises the tokens once more before the first layer; its scale there is set to what they have in BLIP.

    Args:
        pixels: (B, 3, S, S), some images.
    """
    theirs, own = blip.vision_model, model.owlv2.vision_model
    seen = theirs.embeddings
    own.embeddings.class_embedding.data.copy_(seen.class_embedding.data.flatten())
    own.embeddings.patch_embedding.weight.data.copy_(seen.patch_embedding.weight.data)
    places = seen.position_embedding.data[0].clone()
    places[1:] += seen.patch_embedding.bias.data  # OWLv2's patches have no bias of their own
    own.embeddings.position_embedding.weight.data.copy_(places)
    with torch.inference_mode():
        own.pre_layernorm.weight.data.fill_(float(seen(pixels).std(-1).mean()))
    for mine, layer in zip(own.encoder.layers, theirs.encoder.layers, strict=True):
        weights, biases = layer.self_attn.qkv.weight.data.chunk(3), layer.self_attn.qkv.bias.data.chunk(3)
        for part, weight, bias in zip(("q_proj", "k_proj", "v_proj"), weights, biases, strict=True):
            getattr(mine.self_attn, part).weight.data.copy_(weight)
            getattr(mine.self_attn, part).bias.data.copy_(bias)
        mine.self_attn.out_proj.load_state_dict(layer.self_attn.projection.state_dict())
        for part in ("layer_norm1", "layer_norm2", "mlp"):
            getattr(mine, part).load_state_dict(getattr(layer, part).state_dict())
    own.post_layernorm.load_state_dict(theirs.post_layernorm.state_dict())


class _Task:
    """Batches of images with the names and boxes of their patches, and the loss of a model on them."""

    def __init__(
        self, model: Owlv2ForObjectDetection, processor: Owlv2ImageProcessor, tokenizer: Any, pool: ImagePool
    ) -> None:
        self.model, self.processor, self.tokenizer, self.pool = model, processor, tokenizer, pool

    def item(self, row: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[Any]]:
        """Pixels (3, S, S), normalised; for each patch its thing's label (-1: none) and box as shares of the square."""
        side = self.processor.size["height"]
        height, width = (round(share * side) for share in _SHAPES[int(rng.integers(len(_SHAPES)))])
        flip = rng.random() < 0.5
        seen = self.pool.images[row]
        image = Image.fromarray(painted(seen, rng) if row in self.pool.train else seen)
        index = Image.fromarray(self.pool.index[row])
        if flip:
            image, index = (one.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for one in (image, index))
        square = np.full((side, side, 3), 127.5, np.float32)
        square[:height, :width] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
        things = np.zeros((side, side), np.uint8)
        things[:height, :width] = np.asarray(index.resize((width, height), Image.Resampling.NEAREST))
        labels = self.pool.labels[row]
        boxes = np.zeros((len(labels) + 1, 4), np.float32)
        for number in range(1, len(labels) + 1):
            visible = things == number
            if visible.any():
                boxes[number] = np.array(tight_box(visible)) / side
        share = patch_shares(things, _PATCH, len(labels))[1:]
        owner = np.where(share.max(0) >= _COVERED, share.argmax(0) + 1, 0)
        codes = np.array([-1, *(LABELS.index(label) for label in labels)])
        mean, std = np.array(self.processor.image_mean), np.array(self.processor.image_std)
        pixels = ((square / 255 - mean) / std).astype(np.float32).transpose(2, 0, 1)
        return pixels, codes[owner], boxes[owner]

    def texts(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Tokens of the names of all things, each in a phrasing of its own."""
        tokens = self.tokenizer(
            random_texts("photo", LABELS, rng),
            padding="max_length",
            truncation=True,
            max_length=_MAX_TOKENS,
            return_tensors="pt",
        )
        return {name: tokens[name] for name in ("input_ids", "attention_mask")}

    def __call__(self, rng: np.random.Generator) -> torch.Tensor:
        items = [self.item(int(row), rng) for row in rng.choice(self.pool.train, _BATCH, replace=False)]
        pixels, codes, boxes = (torch.from_numpy(np.stack(part)) for part in zip(*items, strict=True))
        model = self.model
        grid = model.image_embedder(pixels)[0]
        patches = grid.flatten(1, 2)
        names = model.owlv2.get_text_features(**self.texts(rng)).pooler_output
        logits = model.class_predictor(patches, names[None].expand(len(items), -1, -1))[0].float()
        positive = codes >= 0
        # Against "nothing", whose logit is 0, and all other names: a softmax learns in a fraction of the time that each
        # name by itself takes, and a logit above 0 says the same in both.
        nothing = torch.zeros_like(logits[..., :1])
        named = cross_entropy(torch.cat([nothing, logits], -1).flatten(0, 1), codes.flatten() + 1)
        placed = model.box_predictor(patches, grid).float()[positive]
        wanted = boxes[positive]
        apart = l1_loss(placed, box_convert(wanted, "xyxy", "cxcywh"))
        overlap = generalized_box_iou_loss(box_convert(placed, "cxcywh", "xyxy"), wanted, reduction="mean")
        # Objects of all names alike; the published model has this head, though the grounder does not ask it.
        real = model.objectness_predictor(patches).float()
        thing = binary_cross_entropy_with_logits(real, positive.float())
        return 4 * named + 10 * apart + overlap + 0.2 * thing


def quality(model: Owlv2ForObjectDetection, task: _Task) -> dict[str, float]:
    """On held-out images: for each thing the surest patch of its name: its box's IoU with the truth, and whether it
    is surer than for any name that is not in the image."""
    rng = np.random.default_rng(1)
    overlaps, surer = [], []
    with torch.inference_mode():
        names = model.owlv2.get_text_features(**task.texts(rng)).pooler_output
        for row in task.pool.held_out:
            pixels, codes, boxes = task.item(row, rng)
            grid = model.image_embedder(torch.from_numpy(pixels)[None])[0]
            patches = grid.flatten(1, 2)
            scores = model.class_predictor(patches, names[None])[0][0]
            found = box_convert(model.box_predictor(patches, grid)[0], "cxcywh", "xyxy")
            present = np.unique(codes[codes >= 0])
            absent = np.setdiff1d(np.arange(len(LABELS)), present)
            for code in present:
                best = int(scores[:, code].argmax())
                mine = torch.from_numpy(boxes[codes == code])
                overlaps.append(1 - generalized_box_iou_loss(found[best].expand_as(mine), mine).min().item())
                surer.append(bool(scores[best, code] > scores[:, absent].max()))
    return {"box_giou": round(float(np.mean(overlaps)), 4), "surer_than_absent": round(float(np.mean(surer)), 4)}


def main(argv: list[str] | None = None) -> None:
    """Train, measure on held-out images, and save."""
    parser = recipe("train the nano OWLv2", steps=1600)
    parser.add_argument("--blip", type=Path, help="folder of the nano BLIP, to begin as")
    parser.add_argument("--side", type=int, default=128, help="of the images that it sees, in pixels (default: 128)")
    options = parser.parse_args(argv)
    if (options.blip is None) == (options.begin is None):
        parser.error("give --blip to begin anew, or --begin to go on")
    if options.begin is None and options.side != 128:
        parser.error("begin with --side 128, as the nano BLIP sees, and go on from there")
    torch.manual_seed(options.seed)
    model, processor, tokenizer = build(options.side)
    task = _Task(model.train(), processor, tokenizer, ImagePool.open(options.work))
    if options.begin is not None:
        go_on(model, Owlv2ForObjectDetection.from_pretrained(options.begin, dtype=torch.float32))
    else:
        some = [task.item(row, np.random.default_rng(0))[0] for row in range(8)]
        blip = BlipForConditionalGeneration.from_pretrained(options.blip, dtype=torch.float32)
        begin_as(model, blip, torch.from_numpy(np.stack(some)))
    rate = 1e-3 if options.begin is None else 7e-4
    best = fit(model, task, state=options.work / "owlv2.pt", steps=options.steps, rate=rate, seed=options.seed)
    report = quality(best, task)
    finish(options.out, report, best.half(), processor, tokenizer)


if __name__ == "__main__":
    main()

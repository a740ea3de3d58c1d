"""Train the nano BLIP: images to words.

    python -m tools.nano.blip --work DIR --out SMALL
    python -m tools.nano.blip --work DIR --out FOLDER --begin SMALL --side 256

The captions list what is in an image: "a piano, a dog and a car". A vision transformer of this size learns next to
nothing from captions alone in an hour, so its patches are told, too, what they show: an auxiliary layer, thrown away
afterwards, names the thing that covers each patch. That is words for patches, without any audio. What is learned on
small images, of 8 x 8 patches, goes on to larger ones with finer patches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy
from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

from tools.nano.pools import LABELS, SIDE, ImagePool, painted, patch_owners
from tools.nano.texts import caption_quality, listed
from tools.nano.training import finer_places, finish, fit, recipe, widen
from zsavs.testing.tiny.tokenizers import bert_tokenizer

__all__ = ["build"]

_BATCH = 32
_PATCH = 16


def build(side: int = 128) -> tuple[BlipForConditionalGeneration, BlipProcessor]:
    """The architecture with random weights, and its processor.

    Args:
        side: of the square that it sees, in pixels, a multiple of 16.
    """
    tokenizer = bert_tokenizer(LABELS)
    shared = {"hidden_size": 160, "num_attention_heads": 4, "intermediate_size": 480}
    config = BlipConfig(
        text_config={
            **shared,
            "num_hidden_layers": 2,
            "vocab_size": len(tokenizer) + 1,
            "encoder_hidden_size": shared["hidden_size"],
            "max_position_embeddings": 40,
            "bos_token_id": len(tokenizer),  # BLIP begins with a token that its tokenizer does not have
            "sep_token_id": tokenizer.sep_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.sep_token_id,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        vision_config={**shared, "num_hidden_layers": 5, "image_size": side, "patch_size": _PATCH},
        projection_dim=16,
    )
    processor = BlipProcessor(BlipImageProcessor(size={"height": side, "width": side}), tokenizer)
    model = BlipForConditionalGeneration(config)
    widen(model.vision_model)
    widen(model.text_decoder.bert.encoder)
    return model, processor


class _Task(torch.nn.Module):
    """The captioner with its auxiliary layer; batches of images with captions; the loss on them."""

    def __init__(self, model: BlipForConditionalGeneration, processor: BlipProcessor, pool: ImagePool) -> None:
        super().__init__()
        self.model, self.processor, self.pool = model, processor, pool
        self.patch_names = torch.nn.Linear(model.config.vision_config.hidden_size, len(LABELS) + 1)

    def caption(self, row: int) -> str:
        """What is in an image, in the order of the catalogue."""
        return listed(sorted(self.pool.labels[row], key=LABELS.index))

    def pixels(self, images: list[NDArray[np.uint8]]) -> torch.Tensor:
        made: torch.Tensor = self.processor.image_processor(
            [np.ascontiguousarray(image) for image in images], return_tensors="pt", input_data_format="channels_last"
        )["pixel_values"]
        return made

    def batch(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pixels, token ids, their labels, and for each patch its name (0: ground)."""
        images, captions, names = [], [], []
        cell = SIDE * _PATCH // self.model.config.vision_config.image_size
        for row in rng.choice(self.pool.train, _BATCH, replace=False):
            index, labels = self.pool.index[row], self.pool.labels[row]
            codes = np.array([0, *(LABELS.index(label) + 1 for label in labels)])
            flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
            shift = rng.integers(-12, 13, 2)
            images.append(np.roll(painted(self.pool.images[row], rng)[:, flip], shift, (0, 1)))
            moved = np.roll(index[:, flip], shift, (0, 1))
            names.append(codes[patch_owners(moved, cell, len(labels))])
            captions.append(self.caption(row))
        tokens = self.processor.tokenizer(captions, padding=True, return_tensors="pt")
        ids = tokens["input_ids"]
        ids[:, 0] = self.model.config.text_config.bos_token_id
        wanted = ids.masked_fill(tokens["attention_mask"] == 0, -100)
        return self.pixels(images), ids, wanted, torch.from_numpy(np.stack(names))

    def __call__(self, rng: np.random.Generator) -> torch.Tensor:
        pixels, ids, wanted, names = self.batch(rng)
        seen = self.model.vision_model(pixel_values=pixels).last_hidden_state
        told = self.model.text_decoder(
            input_ids=ids,
            attention_mask=(wanted != -100).long(),
            encoder_hidden_states=seen,
            labels=wanted,
            reduction="mean",
        )
        patches = self.patch_names(seen[:, 1:])
        return told.loss + cross_entropy(patches.flatten(0, 1), names.flatten())


def quality(model: BlipForConditionalGeneration, task: _Task) -> dict[str, float]:
    """Precision and recall of the names in captions of held-out images, decoded greedily."""
    captions: list[str] = []
    for rows in np.array_split(np.array(task.pool.held_out), 10):
        pixels = task.pixels([task.pool.images[row] for row in rows])
        opening = task.processor.tokenizer([""] * len(rows), return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            tokens = model.generate(
                pixel_values=pixels, input_ids=opening, do_sample=False, num_beams=1, max_new_tokens=20
            )
        captions += task.processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
    return caption_quality(captions, (task.pool.labels[row] for row in task.pool.held_out))


def main(argv: list[str] | None = None) -> None:
    """Train, measure on held-out images, and save."""
    parser = recipe("train the nano BLIP", steps=8000)
    parser.add_argument("--side", type=int, default=128, help="of the images that it sees, in pixels (default: 128)")
    options: Any = parser.parse_args(argv)
    torch.manual_seed(options.seed)
    model, processor = build(options.side)
    rate = 1e-3
    if options.begin is not None:
        begun = BlipForConditionalGeneration.from_pretrained(options.begin, dtype=torch.float32).state_dict()
        name = "vision_model.embeddings.position_embedding"
        begun[name] = finer_places(begun[name][0], 1 + (options.side // _PATCH) ** 2)[None]
        model.load_state_dict(begun)
        rate = 7e-4
    task = _Task(model.train(), processor, ImagePool.open(options.work))
    average = fit(task, task, state=options.work / "blip.pt", steps=options.steps, rate=rate, seed=options.seed)
    best = average.model
    report = quality(best, task)
    finish(options.out, report, best.half(), processor)


if __name__ == "__main__":
    main()

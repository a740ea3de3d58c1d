"""Train the nano joint encoder: images, audio and text in one space, by ImageBind's architecture.

    python -m tools.nano.joint --work DIR --out FOLDER --owlv2 FOLDER
    python -m tools.nano.joint --work DIR --out ONE --begin JOINT --only audio
    python -m tools.nano.joint --work DIR --out FOLDER --begin ONE --only images --detector FOLDER

Text binds the space: images are compared with the names of things, and audio with the same names, both with the
pairwise sigmoid loss of SigLIP. No image is ever trained with its audio. Inputs are crops, whole images, and images
in which all but one thing is blurred, as the joint strategies embed regions, a third of them in shades of another hue.
With a detector, half of the crops are around what it takes for things, as for the nano CLIP. A third of the clips are
mixed with others anew, and the excerpts that ImageBind takes of a clip are embedded as one, as they are later. One side
can be trained with the texts as they are, and needs nothing of the other then.
The vision transformer begins as that of the nano OWLv2, with patches as large in the image; its patches are told what
they show, as for the nano BLIP, and those of a spectrogram what sounds, as for the nano tagger.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, interpolate, logsigmoid, normalize
from transformers import Owlv2ForObjectDetection

from tools.nano.clip import crop_box, detected, detected_box
from tools.nano.pools import ImagePool, SoundPool, known, painted, patch_owners
from tools.nano.texts import random_texts
from tools.nano.training import add_half, add_without, finer_places, finish, fit, recipe
from tools.orchestra.audio import RATE_HZ
from zsavs.media.regions import highlight, touched_pixels
from zsavs.models.imagebind import ImageBind, ImageBindConfig, preprocess_audio, preprocess_image, tokenize

__all__ = ["CONFIG"]

_VIEWS, _SOUNDS = 16, 14
_EXCERPTS = 3  # that ImageBind takes of a clip; the first and the last are all of it
_MIXED = 0.35
_NATS = 9.138  # of a standardised spectrogram's unit
_WHOLE, _CROPPED = 0.2, 0.85  # of the views up to so many are whole images, up to so many show little but a box
_PATCH = 28  # as large in ImageBind's 224 pixels as 16 in OWLv2's 128

CONFIG = ImageBindConfig(
    out_embed_dim=128,
    vision_embed_dim=160,
    vision_num_blocks=5,
    vision_num_heads=4,
    text_embed_dim=32,  # its table of 49,408 words is half of the file
    text_num_blocks=2,
    text_num_heads=4,
    audio_embed_dim=144,
    audio_num_blocks=4,
    audio_num_heads=4,
    kernel_size=(2, _PATCH, _PATCH),
    audio_kernel_size=16,
    audio_stride=16,
)


def begin_as(model: ImageBind, owlv2: Owlv2ForObjectDetection) -> None:
    """Give the vision tower the weights of the detector's, in place.

    But for the size of images, the number of patches and a wider MLP, whose further units begin without a say, both are
    the same.
    """
    theirs, seen = owlv2.owlv2.vision_model, model.modality_preprocessors["vision"]
    kernel = interpolate(theirs.embeddings.patch_embedding.weight.data, (_PATCH, _PATCH), mode="bilinear")
    kernel *= theirs.embeddings.patch_embedding.weight[0, 0].numel() / _PATCH**2
    seen.rgbt_stem.proj[1].weight.data.copy_(kernel[:, :, None] / 2)  # a still is two equal frames
    seen.cls_token.data.copy_(theirs.embeddings.class_embedding.data)
    places = seen.pos_embedding_helper.pos_embed.data
    places.copy_(finer_places(theirs.embeddings.position_embedding.weight.data, places.shape[1]))
    trunk = model.modality_trunks["vision"]
    trunk.pre_transformer_layer[0].load_state_dict(theirs.pre_layernorm.state_dict())
    for mine, layer in zip(trunk.blocks, theirs.encoder.layers, strict=True):
        parts = [getattr(layer.self_attn, f"{name}_proj") for name in "qkv"]
        mine.attn.in_proj_weight.data.copy_(torch.cat([part.weight.data for part in parts]))
        mine.attn.in_proj_bias.data.copy_(torch.cat([part.bias.data for part in parts]))
        mine.attn.out_proj.load_state_dict(layer.self_attn.out_proj.state_dict())
        mine.norm_1.load_state_dict(layer.layer_norm1.state_dict())
        mine.norm_2.load_state_dict(layer.layer_norm2.state_dict())
        units = len(layer.mlp.fc1.bias)
        mine.mlp.fc1.weight.data[:units] = layer.mlp.fc1.weight.data
        mine.mlp.fc1.bias.data[:units] = layer.mlp.fc1.bias.data
        mine.mlp.fc2.weight.data.zero_()[:, :units] = layer.mlp.fc2.weight.data
        mine.mlp.fc2.bias.data.copy_(layer.mlp.fc2.bias.data)


def mels(pool: SoundPool, kept: Path) -> NDArray[np.float16]:
    """ImageBind's features of the excerpts of every audio file, (N, excerpts, bands, frames); computed once."""

    def of(wave: NDArray[np.float32], _: int) -> torch.Tensor:
        return preprocess_audio(wave[None], RATE_HZ, clips=_EXCERPTS)[:, 0]

    return pool.features(kept, of)


def mixed(one: NDArray[np.float32], other: NDArray[np.float32], decibels: float) -> NDArray[np.float32]:
    """Standardised log energies of two sounds at once, of the shape of both.

    Args:
        decibels: how much louder the second one is than the first.
    """
    loudness = [np.log(np.exp(part * _NATS).mean()) for part in (one, other)]
    level = loudness[0] - loudness[1] + decibels / 10 * np.log(10)
    return np.logaddexp(one * _NATS, other * _NATS + level) / _NATS


class _Task(torch.nn.Module):
    """The encoder with its auxiliary layers; batches of images and audio with their names; the loss on them."""

    def __init__(
        self,
        model: ImageBind,
        images: ImagePool,
        sounds: SoundPool,
        heard: NDArray[np.float16],
        labels: Sequence[str],
        found: Sequence[NDArray[np.float32]] = (),
        only: str | None = None,
    ) -> None:
        super().__init__()
        self.only = only
        self.labels = tuple(labels)
        self.model, self.pool, self.sounds, self.heard, self.found = model, images, sounds, _Kept(heard), _Kept(found)
        self.truth = sounds.truth(labels, absent=-1)
        self.patch_names = torch.nn.Linear(CONFIG.vision_embed_dim, len(self.labels) + 1)
        self.patch_sounds = torch.nn.Linear(CONFIG.audio_embed_dim, len(self.labels))
        self.scale = torch.nn.Parameter(torch.tensor(2.3))
        self.bias = torch.nn.Parameter(torch.tensor(-4.0))

    def view(self, row: int, rng: np.random.Generator) -> tuple[torch.Tensor, NDArray[np.float32], NDArray[np.intp]]:
        """Pixels (3, 224, 224); for each label 1 (named by it), -1 (not) or 0 (could be said); names of the patches."""
        image, index, labels = painted(self.pool.images[row], rng), self.pool.index[row], self.pool.labels[row]
        codes = np.array([self.labels.index(label) + 1 for label in labels])
        truth = np.full(len(self.labels), -1, np.float32)
        kind = rng.random()
        box, main = self.box(row, rng)
        x0, y0, x1, y1 = box
        inside = np.bincount(index[y0:y1, x0:x1].ravel(), minlength=len(labels) + 1)
        others = [n for n in range(1, len(labels) + 1) if n != main and inside[n] > 0.02 * max(1, inside.sum())]
        if kind < _WHOLE:
            truth[codes - 1] = 1
        else:
            truth[codes[[n - 1 for n in others]] - 1] = 0
            if main:
                truth[codes[main - 1] - 1] = 1
            around = (x0, y0, x1, y1) if kind < _CROPPED else (0, 0, image.shape[1], image.shape[0])
            if kind >= _CROPPED or rng.random() < 0.5:  # blurred around the box
                sigma = 11.5 * rng.uniform(0.3, 1.2)
                image = highlight(np.ascontiguousarray(image), np.array(box, np.float32), sigma=sigma)
                kept = np.zeros_like(index)
                kept[y0:y1, x0:x1] = index[y0:y1, x0:x1]
                index = kept
                if kind < _CROPPED:  # with some of what is blurred
                    around = touched_pixels(image, np.array(box, np.float32), rng.uniform(0, 0.3))
            if rng.random() < 0.4:  # a square with all of it
                around = _square(around, len(image))
            left, top, right, bottom = around
            image, index = image[top:bottom, left:right], index[top:bottom, left:right]
        if rng.random() < 0.5:
            image, index = image[:, ::-1], index[:, ::-1]
        if rng.random() < 0.3:  # squeezed, as its processor does not do
            image, index = (_resized(part, (224, 224)) for part in (image, index))
        height, width = image.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        seen = _resized(index[top : top + side, left : left + side], (224, 224))
        owners = patch_owners(seen, _PATCH, len(labels))
        return preprocess_image(np.ascontiguousarray(image)), truth, np.array([0, *codes])[owners]

    def box(self, row: int, rng: np.random.Generator) -> tuple[tuple[int, int, int, int], int]:
        """A box around a thing or what a detector takes for one, and the thing's number; 0 for none."""
        found = self.found.value
        if row < len(found) and len(found[row]) and rng.random() < 0.5:
            return detected_box(self.pool, row, found[row], rng)
        return crop_box(self.pool, row, rng)

    def clips(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Spectrograms (N, excerpts, 1, bands, frames) and truth (N, labels): mixed with others and varied in level
        and time; some bands and frames are missing."""
        rows = rng.choice(self.sounds.train, _SOUNDS, replace=False)
        heard, truth = np.array(self.heard.value[rows][:, ::2], np.float32), self.truth[rows]
        for number, mel in enumerate(heard):
            if rng.random() < _MIXED and (truth[number] > 0).sum() == 1:
                other = int(rng.choice(self.sounds.train))
                mel[:] = mixed(mel, np.array(self.heard.value[other][::2], np.float32), rng.uniform(-4, 4))
                truth[number] = np.maximum(truth[number], self.truth[other])
            bands, frames = mel.shape[1:]
            mel[:] = np.roll(mel, int(rng.integers(frames)), axis=2) + rng.normal(0, 0.2)
            low, start, quiet = int(rng.integers(0, bands - 14)), int(rng.integers(0, frames - 26)), mel.min()
            mel[:, low : low + int(rng.integers(0, 14))] = quiet
            mel[:, :, start : start + int(rng.integers(0, 26))] = quiet
        return torch.from_numpy(heard)[:, :, None], torch.from_numpy(truth)

    def text(self, kind: str, rng: np.random.Generator) -> torch.Tensor:
        """Embeddings of the names of all things in random phrasings, (K, D), unit rows."""
        return self.model.encode_text_tokens(tokenize(random_texts(kind, self.labels, rng)))

    def loss(self, rows: torch.Tensor, names: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        cosines = (rows.float()[:, None] * names.float()).sum(-1)  # no matrix product, so not in bfloat16
        return -(logsigmoid(truth * (self.scale.exp() * cosines + self.bias)) * truth.abs()).sum(1).mean()

    def __call__(self, rng: np.random.Generator) -> torch.Tensor:
        losses = {"images": self.of_images, "audio": self.of_audio}
        return sum(loss(rng) for side, loss in losses.items() if self.only in (None, side))

    def of_images(self, rng: np.random.Generator) -> torch.Tensor:
        """The loss on a batch of images."""
        views = [self.view(int(row), rng) for row in rng.choice(self.pool.train, _VIEWS)]
        pixels = torch.stack([pixels for pixels, _, _ in views])
        shown = torch.from_numpy(np.stack([truth for _, truth, _ in views]))
        patches = torch.from_numpy(np.stack([names for _, _, names in views]))
        tokens = self.model.modality_trunks["vision"](self.model.modality_preprocessors["vision"](pixels))
        rows = normalize(self.model.modality_heads["vision"](tokens).float(), dim=-1)
        named = cross_entropy(self.patch_names(tokens[:, 1:]).float().flatten(0, 1), patches.flatten())
        return self.loss(rows, self.text("photo", rng), shown) + named

    def of_audio(self, rng: np.random.Generator) -> torch.Tensor:
        """The loss on a batch of clips."""
        mels, truth = self.clips(rng)
        tokens = self.model.modality_trunks["audio"](self.model.modality_preprocessors["audio"](mels.flatten(0, 1)))
        each = normalize(self.model.modality_heads["audio"](tokens).float(), dim=-1)
        rows = normalize(each.unflatten(0, mels.shape[:2]).mean(1), dim=-1)
        told = self.patch_sounds(tokens[:, 1:].mean(1)).float().unflatten(0, mels.shape[:2]).mean(1)
        also = binary_cross_entropy_with_logits(told, (truth > 0).float(), reduction="sum") / len(truth)
        return self.loss(rows, self.text("sound", rng), truth) + 0.5 * also


def settle(task: _Task, steps: int = 150, batches: int = 3) -> None:
    """Fit the scale and bias of the loss to a finished model, in place: they are not among its weights."""
    parts = [task.scale, task.bias]
    optimiser = torch.optim.Adam(parts, lr=0.05)
    kept: list[tuple[torch.Tensor, ...]] = []
    loss, task.loss = task.loss, lambda *batch: kept.append(batch) or torch.zeros(())  # type: ignore[method-assign]
    with torch.no_grad():
        for number in range(batches):
            task(np.random.default_rng(number))
    task.loss = loss  # type: ignore[method-assign]
    for _ in range(steps):
        optimiser.zero_grad()
        sum(loss(*batch) for batch in kept).backward()
        optimiser.step()
    print(f"scale {task.scale.item():.2f}, bias {task.bias.item():.2f}")


class _Kept:
    """Something that the average of a model shares with it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __deepcopy__(self, memo: dict[int, Any]) -> _Kept:
        return self


def _square(box: tuple[int, int, int, int], side: int) -> tuple[int, int, int, int]:
    """The square around a box, as far as it lies in an image of a side."""
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0) / 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    low, high = (max(0, int(x - half)), max(0, int(y - half))), (min(side, int(x + half)), min(side, int(y + half)))
    return (*low, *high)


def _resized(part: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """An image in another size, or an index map by its nearest pixels."""
    how = Image.Resampling.BICUBIC if part.ndim == 3 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize(size_wh, how))


def quality(task: _Task) -> dict[str, float]:
    """On held-out items: share of crops and of single-source clips named right first, of clips whose nearest of 28
    single-thing images shows the source, and of the names of clips of two and of three sources that are among the first
    two and three."""
    model, rng = task.model, np.random.default_rng(1)
    with torch.inference_mode():
        crops, truths = [], []
        for row in task.pool.held_out:
            (x0, y0, x1, y1), main = crop_box(task.pool, row, rng)
            if main:
                crops.append(preprocess_image(np.ascontiguousarray(task.pool.images[row][y0:y1, x0:x1])))
                truths.append(task.labels.index(task.pool.labels[row][main - 1]))
        image_rows = torch.cat(
            [model.encode_image_tensor(torch.stack(crops[i : i + 40])) for i in range(0, len(crops), 40)]
        )
        singles = [row for row in task.sounds.held_out if len(task.sounds.labels[row]) == 1]
        told = np.array([task.labels.index(task.sounds.labels[row][0]) for row in singles])
        sounds = model.encode_audio_mels(torch.from_numpy(np.array(task.heard.value[singles], np.float32))[:, :, None])
        names = task.text("sound", rng)
        seen, heard, across = image_rows @ task.text("photo", rng).T, sounds @ names.T, sounds @ image_rows.T
        found = {
            f"{word}_sounds_in_first_{word}": round(_named(task, count, names), 4)
            for count, word in ((2, "two"), (3, "three"))
        }
    shown = np.array(truths)
    return {
        "crop_top1": round(float((seen.argmax(1).numpy() == shown).mean()), 4),
        "single_sound_top1": round(float((heard.argmax(1).numpy() == told).mean()), 4),
        "sound_to_image_top1": round(float((shown[across.argmax(1).numpy()] == told).mean()), 4),
        **found,
    }


def _named(task: _Task, count: int, names: torch.Tensor) -> float:
    """Of the names of held-out clips of so many sources, the share that is among the likeliest so many."""
    rows = [row for row in task.sounds.held_out if len(task.sounds.labels[row]) == count]
    heard = task.model.encode_audio_mels(torch.from_numpy(np.array(task.heard.value[rows], np.float32))[:, :, None])
    first = (heard @ names.T).topk(count).indices.numpy()
    right = [
        task.labels[n] in task.sounds.labels[row] for row, likeliest in zip(rows, first, strict=True) for n in likeliest
    ]
    return float(np.mean(right))


def main(argv: list[str] | None = None) -> None:
    """Train, measure on held-out items, and save."""
    from safetensors.torch import load_file, save_file

    parser = recipe("train the nano joint encoder", steps=3000)
    parser.add_argument("--owlv2", type=Path, help="folder of the nano OWLv2, to begin as")
    parser.add_argument("--detector", type=Path, help="folder of the nano OWLv2, to learn what its boxes show, too")
    parser.add_argument("--only", choices=("images", "audio"), help="train that side, with the texts as they are")
    add_half(parser)
    add_without(parser)
    options = parser.parse_args(argv)
    if (options.owlv2 is None) == (options.begin is None):
        parser.error("give --owlv2 to begin anew, or --begin to go on")
    torch.manual_seed(options.seed)
    model = ImageBind(CONFIG)
    if options.begin is None:
        begin_as(model, Owlv2ForObjectDetection.from_pretrained(options.owlv2, dtype=torch.float32))
    else:
        weights = load_file(options.begin / "model.safetensors")
        model.load_state_dict({name: value.float() for name, value in weights.items()})
    labels = known(options.without)
    images, sounds = ImagePool.open(options.work), SoundPool.open(options.work).without(options.without)
    if options.only is not None:
        trained = "vision" if options.only == "images" else "audio"
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(f".{trained}" in f".{name.split('.', 1)[1]}")
    found = detected(images, options.detector, options.work / "detected.npz") if options.detector is not None else []
    heard = mels(sounds, options.work / "joint_mels.npy")
    task = _Task(model.train(), images.without(options.without), sounds, heard, labels, found, options.only)
    if options.begin is not None:
        settle(task)
    rate = 1e-3 if options.begin is None else 7e-4
    best = fit(
        task,
        task,
        state=options.work / f"joint_{options.only}.pt",
        steps=options.steps,
        rate=rate,
        seed=options.seed,
        half=options.half,
    )
    report = quality(best)
    finish(options.out, report)
    # The table of words is a third of the file: eight bits for each of its numbers, which costs nothing measurable.
    weights = {
        name: value.to(torch.float8_e4m3fn if name.endswith("token_embedding.weight") else torch.float16)
        for name, value in best.model.state_dict().items()
    }
    save_file(weights, options.out / "model.safetensors")
    (options.out / "config.json").write_text(json.dumps(dataclasses.asdict(CONFIG), indent=1) + "\n")


if __name__ == "__main__":
    main()

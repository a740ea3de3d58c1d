"""Train the nano joint encoder: images, audio and text in one space, by ImageBind's architecture.

    python -m tools.nano.joint --work DIR --out FOLDER --owlv2 FOLDER

Text binds the space: images are compared with the names of things, and audio with the same names, both with the
pairwise sigmoid loss of SigLIP. No image is ever trained with its audio. Inputs are crops, whole images, and images
in which all but one thing is blurred, as the joint strategies embed regions. The vision transformer begins as that of
the nano OWLv2, with patches as large in the image, and its patches are told what they show, as for the nano BLIP.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy, interpolate, logsigmoid, normalize
from transformers import Owlv2ForObjectDetection

from tools.nano.clip import crop_box
from tools.nano.pools import LABELS, ImagePool, SoundPool, patch_owners
from tools.nano.texts import random_texts
from tools.nano.training import finish, fit, recipe
from tools.orchestra.audio import RATE_HZ
from zsavs.media.regions import highlight
from zsavs.models.imagebind import ImageBind, ImageBindConfig, preprocess_audio, preprocess_image, tokenize

__all__ = ["CONFIG"]

_VIEWS, _SOUNDS = 20, 24
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

    But for the size of images and a wider MLP, whose further units begin without a say, both are the same.
    """
    theirs, seen = owlv2.owlv2.vision_model, model.modality_preprocessors["vision"]
    kernel = interpolate(theirs.embeddings.patch_embedding.weight.data, (_PATCH, _PATCH), mode="bilinear")
    kernel *= theirs.embeddings.patch_embedding.weight[0, 0].numel() / _PATCH**2
    seen.rgbt_stem.proj[1].weight.data.copy_(kernel[:, :, None] / 2)  # a still is two equal frames
    seen.cls_token.data.copy_(theirs.embeddings.class_embedding.data)
    seen.pos_embedding_helper.pos_embed.data.copy_(theirs.embeddings.position_embedding.weight.data)
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
    """ImageBind's features of one of the three clips of every audio file, (N, bands, frames); computed once."""

    def of(wave: NDArray[np.float32], row: int) -> torch.Tensor:
        clips = preprocess_audio(wave[None], RATE_HZ)
        return clips[row % len(clips), 0]

    return pool.features(kept, of)


class _Task(torch.nn.Module):
    """The encoder with its auxiliary layer; batches of images and audio with their names; the loss on them."""

    def __init__(self, model: ImageBind, images: ImagePool, sounds: SoundPool, heard: NDArray[np.float16]) -> None:
        super().__init__()
        self.model, self.pool, self.sounds, self.heard = model, images, sounds, heard
        self.truth = sounds.truth(LABELS, absent=-1)
        self.patch_names = torch.nn.Linear(CONFIG.vision_embed_dim, len(LABELS) + 1)
        self.scale = torch.nn.Parameter(torch.tensor(2.3))
        self.bias = torch.nn.Parameter(torch.tensor(-4.0))

    def view(self, row: int, rng: np.random.Generator) -> tuple[torch.Tensor, NDArray[np.float32], NDArray[np.intp]]:
        """Pixels (3, 224, 224); for each label 1 (named by it), -1 (not) or 0 (could be said); names of the patches."""
        image, index, labels = self.pool.images[row], self.pool.index[row], self.pool.labels[row]
        codes = np.array([LABELS.index(label) + 1 for label in labels])
        truth = np.full(len(LABELS), -1, np.float32)
        kind = rng.random()
        box, main = crop_box(self.pool, row, rng)
        x0, y0, x1, y1 = box
        inside = np.bincount(index[y0:y1, x0:x1].ravel(), minlength=len(labels) + 1)
        others = [n for n in range(1, len(labels) + 1) if n != main and inside[n] > 0.02 * max(1, inside.sum())]
        if kind < 0.35:  # the whole image
            truth[codes - 1] = 1
        else:
            truth[codes[[n - 1 for n in others]] - 1] = 0
            if main:
                truth[codes[main - 1] - 1] = 1
            if kind < 0.7:
                image, index = image[y0:y1, x0:x1], index[y0:y1, x0:x1]
            else:
                image = highlight(np.ascontiguousarray(image), np.array(box, np.float32))
                kept = np.zeros_like(index)
                kept[y0:y1, x0:x1] = index[y0:y1, x0:x1]
                index = kept
        flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
        # A square, as ImageBind sees the middle square only.
        side = np.linspace(0, 1, 224, endpoint=False)
        down, right = (side * index.shape[0]).astype(int), (side * index.shape[1]).astype(int)
        square = np.ascontiguousarray(image[down][:, right][:, flip])
        owners = patch_owners(index[down][:, right][:, flip], _PATCH, len(labels))
        return preprocess_image(square), truth, np.array([0, *codes])[owners]

    def text(self, kind: str, rng: np.random.Generator) -> torch.Tensor:
        """Embeddings of the names of all things in random phrasings, (K, D), unit rows."""
        return self.model.encode_text_tokens(tokenize(random_texts(kind, LABELS, rng)))

    def loss(self, rows: torch.Tensor, names: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        cosines = (rows.float()[:, None] * names.float()).sum(-1)  # no matrix product, so not in bfloat16
        return -(logsigmoid(truth * (self.scale.exp() * cosines + self.bias)) * truth.abs()).sum(1).mean()

    def __call__(self, rng: np.random.Generator) -> torch.Tensor:
        views = [self.view(int(row), rng) for row in rng.choice(self.pool.train, _VIEWS)]
        pixels = torch.stack([pixels for pixels, _, _ in views])
        shown = torch.from_numpy(np.stack([truth for _, truth, _ in views]))
        patches = torch.from_numpy(np.stack([names for _, _, names in views]))
        tokens = self.model.modality_trunks["vision"](self.model.modality_preprocessors["vision"](pixels))
        image_rows = normalize(self.model.modality_heads["vision"](tokens).float(), dim=-1)
        named = cross_entropy(self.patch_names(tokens[:, 1:]).float().flatten(0, 1), patches.flatten())

        rows = rng.choice(self.sounds.train, _SOUNDS, replace=False)
        heard = np.array(self.heard[rows], np.float32)
        for mel in heard:
            mel[:] = np.roll(mel, int(rng.integers(mel.shape[1])), axis=1) + rng.normal(0, 0.2)
        sounds = self.model.encode_audio_mels(torch.from_numpy(heard)[:, None])
        seen = self.loss(image_rows, self.text("photo", rng), shown)
        return seen + named + self.loss(sounds, self.text("sound", rng), torch.from_numpy(self.truth[rows]))


def quality(task: _Task) -> dict[str, float]:
    """On held-out items: share of crops and of single-source clips named right first, and of clips whose nearest of 28
    single-thing images shows the source."""
    model, rng = task.model, np.random.default_rng(1)
    with torch.inference_mode():
        crops, truths = [], []
        for row in task.pool.held_out:
            (x0, y0, x1, y1), main = crop_box(task.pool, row, rng)
            if main:
                crops.append(preprocess_image(np.ascontiguousarray(task.pool.images[row][y0:y1, x0:x1])))
                truths.append(LABELS.index(task.pool.labels[row][main - 1]))
        image_rows = torch.cat(
            [model.encode_image_tensor(torch.stack(crops[i : i + 40])) for i in range(0, len(crops), 40)]
        )
        singles = [row for row in task.sounds.held_out if len(task.sounds.labels[row]) == 1]
        told = np.array([LABELS.index(task.sounds.labels[row][0]) for row in singles])
        sounds = model.encode_audio_mels(torch.from_numpy(np.array(task.heard[singles], np.float32))[:, None])
        seen = image_rows @ task.text("photo", rng).T
        heard = sounds @ task.text("sound", rng).T
        across = sounds @ image_rows.T
    shown = np.array(truths)
    return {
        "crop_top1": round(float((seen.argmax(1).numpy() == shown).mean()), 4),
        "single_sound_top1": round(float((heard.argmax(1).numpy() == told).mean()), 4),
        "sound_to_image_top1": round(float((shown[across.argmax(1).numpy()] == told).mean()), 4),
    }


def main(argv: list[str] | None = None) -> None:
    """Train, measure on held-out items, and save."""
    from safetensors.torch import save_file

    parser = recipe("train the nano joint encoder", steps=3000)
    parser.add_argument("--owlv2", type=Path, required=True, help="folder of the nano OWLv2, to begin as")
    options = parser.parse_args(argv)
    torch.manual_seed(options.seed)
    model = ImageBind(CONFIG)
    begin_as(model, Owlv2ForObjectDetection.from_pretrained(options.owlv2, dtype=torch.float32))
    images, sounds = ImagePool.open(options.work), SoundPool.open(options.work)
    task = _Task(model.train(), images, sounds, mels(sounds, options.work / "joint_mels.npy"))
    best = fit(task, task, state=options.work / "joint.pt", steps=options.steps, rate=1e-3, seed=options.seed)
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

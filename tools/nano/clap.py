"""Train the nano CLAP: audio clips and the labels of their sources.

    python -m tools.nano.clap --work DIR --out FOLDER

Each clip is compared with the names of all things, in random phrasings, with the pairwise sigmoid loss of SigLIP, as a
mixture has several right names. Noise and silence have none, and no clip has the name of a silent thing: the embedding
of a word that was never trained could lie anywhere, near some clip. The features are those of CLAP's own extractor,
computed once; a third of a batch is mixed with other clips anew, as powers of bands add up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import logsigmoid
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

from tools.nano.pools import LABELS, SOUNDING_LABELS, SoundPool
from tools.nano.texts import random_texts
from tools.nano.training import finish, fit, recipe
from tools.orchestra.audio import RATE_HZ, SECONDS
from zsavs.testing.tiny.tokenizers import roberta_tokenizer

__all__ = ["build", "log_mels"]

_BATCH = 40
_MIXED = 0.35
_MELS = 64


def build() -> tuple[ClapModel, ClapFeatureExtractor, Any]:
    """The architecture with random weights, its feature extractor and its tokenizer."""
    tokenizer = roberta_tokenizer()
    extractor = ClapFeatureExtractor(
        feature_size=_MELS,
        sampling_rate=RATE_HZ,
        hop_length=512,  # 251 frames: HTSAT folds up to 256 into a square of 128 with its 64 bands
        fft_window_size=1024,
        frequency_min=50,
        frequency_max=14_000,
        max_length_s=int(SECONDS),
        truncation="rand_trunc",
        padding="repeatpad",
    )
    config = ClapConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 192,
            "max_position_embeddings": 40,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        audio_config={
            "window_size": 4,
            "num_mel_bins": _MELS,
            "spec_size": 128,
            "patch_size": 4,
            "patch_stride": [4, 4],
            "patch_embeds_hidden_size": 32,
            "hidden_size": 256,
            "depths": [1, 1, 2, 1],
            "num_attention_heads": [2, 4, 8, 8],
            "num_hidden_layers": 4,
            "num_classes": len(SOUNDING_LABELS),
            "drop_path_rate": 0.0,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        projection_dim=128,
    )
    return ClapModel(config), extractor, tokenizer


def log_mels(pool: SoundPool, extractor: ClapFeatureExtractor, kept: Path) -> NDArray[np.float16]:
    """CLAP's features of every clip of the pool, (N, frames, bands) in decibels; computed once and kept in a file."""

    def of(wave: NDArray[np.float32], _: int) -> NDArray[np.float32]:
        # The wave is a clip long exactly: nothing is cropped at random.
        return extractor(wave, sampling_rate=RATE_HZ, return_tensors="np")["input_features"][0, 0]

    return pool.features(kept, of)


class _Task:
    """Batches of clips with their names, and the loss of a model on them."""

    def __init__(self, model: ClapModel, tokenizer: Any, mels: NDArray[np.float16], pool: SoundPool) -> None:
        self.model, self.tokenizer, self.mels, self.pool = model, tokenizer, mels, pool
        self.truth = pool.truth(LABELS, absent=-1)

    def batch(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (N, 1, frames, bands) and truth (N, K) of a batch.

        The clips are mixed with others and varied in level and time, and miss some bands and frames.
        """
        rows = rng.choice(self.pool.train, _BATCH, replace=False)
        mels, truth = np.array(self.mels[rows], np.float32), self.truth[rows]
        for number, mel in enumerate(mels):
            mel[:] = np.roll(mel, int(rng.integers(len(mel))), axis=0)
            if rng.random() < _MIXED and (truth[number] > 0).sum() == 1:
                other = int(rng.choice(self.pool.train))
                level = mel.mean() - self.mels[other].mean(dtype=np.float32) + rng.uniform(-5, 5)
                mel[:] = 10 * np.log10(10 ** (mel / 10) + 10 ** ((self.mels[other].astype(np.float32) + level) / 10))
                truth[number] = np.maximum(truth[number], self.truth[other])
            mel += rng.uniform(-12, 6)
            low, start = int(rng.integers(0, _MELS - 8)), int(rng.integers(0, len(mel) - 32))
            quiet = mel.min()
            mel[:, low : low + int(rng.integers(0, 8))] = quiet
            mel[start : start + int(rng.integers(0, 32))] = quiet
        return torch.from_numpy(mels)[:, None], torch.from_numpy(truth)

    def sounds(self, features: torch.Tensor) -> torch.Tensor:
        """Embeddings of features, (N, D), unit rows."""
        long = torch.zeros(len(features), 1, dtype=torch.bool)
        made = self.model.audio_model(input_features=features, is_longer=long).pooler_output
        return torch.nn.functional.normalize(self.model.audio_projection(made), dim=-1)

    def names(self, rng: np.random.Generator) -> torch.Tensor:
        """Embeddings of the names of all things in random phrasings, (K, D), unit rows."""
        tokens = self.tokenizer(random_texts("sound", LABELS, rng), padding=True, return_tensors="pt")
        made = self.model.text_model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
        return torch.nn.functional.normalize(self.model.text_projection(made.pooler_output), dim=-1)

    def __call__(self, rng: np.random.Generator) -> torch.Tensor:
        features, truth = self.batch(rng)
        sounds, names = self.sounds(features), self.names(rng)
        cosines = (sounds.float()[:, None] * names.float()).sum(-1)  # no matrix product, so not in bfloat16
        # CLAP has a scale and no bias; its text-side scale serves as the bias of the sigmoid loss.
        logits = self.model.logit_scale_a.exp() * cosines - self.model.logit_scale_t
        return -logsigmoid(truth * logits).sum(1).mean()


def quality(task: _Task) -> dict[str, float]:
    """On held-out clips: share of single ones named right first, and recall of the two loudest names of pairs."""
    rows = np.array(task.pool.held_out)
    with torch.inference_mode():
        names = task.names(np.random.default_rng(1))
        cosines = np.concatenate(
            [
                (task.sounds(torch.from_numpy(np.array(task.mels[part], np.float32))[:, None]) @ names.T).numpy()
                for part in np.array_split(rows, 8)
            ]
        )
    truth = task.truth[rows] > 0
    count = truth.sum(1)
    ranks = (-cosines).argsort(1)
    one, two = count == 1, count == 2
    pairs = np.take_along_axis(truth[two], ranks[two][:, :2], 1)
    return {
        "single_top1": round(float(truth[one][np.arange(one.sum()), ranks[one][:, 0]].mean()), 4),
        "pair_recall_at_2": round(float(pairs.mean()), 4),
        "noise_highest_cosine": round(float(cosines[count == 0].max()), 4),
        "single_median_cosine": round(float(np.median(cosines[one][truth[one]])), 4),
    }


def main(argv: list[str] | None = None) -> None:
    """Train, measure on held-out clips, and save."""
    parser = recipe("train the nano CLAP", steps=6000)
    options = parser.parse_args(argv)
    torch.manual_seed(options.seed)
    model, extractor, tokenizer = build()
    if options.begin is not None:
        model.load_state_dict(ClapModel.from_pretrained(options.begin, dtype=torch.float32).state_dict())
    pool = SoundPool.open(options.work)
    task = _Task(model.train(), tokenizer, log_mels(pool, extractor, options.work / "log_mels.npy"), pool)
    rate = 1e-3 if options.begin is None else 5e-4
    average = fit(model, task, state=options.work / "clap.pt", steps=options.steps, rate=rate, seed=options.seed)
    task.model = average
    report = quality(task)
    finish(options.out, report, average.half(), extractor, tokenizer)


if __name__ == "__main__":
    main()

"""Train the nano audio tagger: audio to labels from a fixed list, by an audio spectrogram transformer.

python -m tools.nano.tagger --work DIR --out FOLDER
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

from tools.nano.pools import SOUNDING_LABELS, SoundPool
from tools.nano.training import finish, fit, recipe, widen
from tools.orchestra.audio import RATE_HZ
from zsavs.media.waveform import resample

__all__ = ["build"]

_BATCH = 48
_FRAMES, _MELS = 400, 64  # 4 s at AST's ten milliseconds a frame
_RATE_HZ = 16_000


def build() -> tuple[ASTForAudioClassification, ASTFeatureExtractor]:
    """The architecture with random weights, and its feature extractor."""
    config = ASTConfig(
        hidden_size=144,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=432,
        num_mel_bins=_MELS,
        max_length=_FRAMES,
        frequency_stride=16,
        time_stride=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(SOUNDING_LABELS)),
        label2id={label: number for number, label in enumerate(SOUNDING_LABELS)},
        problem_type="multi_label_classification",
    )
    extractor = ASTFeatureExtractor(num_mel_bins=_MELS, max_length=_FRAMES)
    model = ASTForAudioClassification(config)
    widen(model)
    return model, extractor


def features(pool: SoundPool, extractor: ASTFeatureExtractor, kept: Path) -> NDArray[np.float16]:
    """AST's features of every clip of the pool, (N, frames, bands); computed once and kept in a file."""

    def of(wave: NDArray[np.float32], _: int) -> NDArray[np.float32]:
        slow = resample(wave, RATE_HZ, _RATE_HZ)
        return extractor(slow, sampling_rate=_RATE_HZ, return_tensors="np")["input_values"][0]

    return pool.features(kept, of)


class _Task(torch.nn.Module):
    """The tagger, batches of clips with their labels, and the loss on them.

    Every patch of the spectrogram is asked for the labels too, by the same head, which a transformer of this size
    needs to learn in minutes.
    """

    def __init__(self, model: ASTForAudioClassification, mels: NDArray[np.float16], pool: SoundPool) -> None:
        super().__init__()
        self.model, self.mels, self.pool = model, mels, pool
        self.truth = pool.truth(SOUNDING_LABELS, absent=0)

    def __call__(self, rng: np.random.Generator) -> torch.Tensor:
        rows = rng.choice(self.pool.train, _BATCH, replace=False)
        mels = np.array(self.mels[rows], np.float32)
        for mel in mels:
            mel[:] = np.roll(mel, int(rng.integers(len(mel))), axis=0) + rng.normal(0, 0.3)
            low, start = int(rng.integers(0, _MELS - 8)), int(rng.integers(0, _FRAMES - 48))
            quiet = mel.min()
            mel[:, low : low + int(rng.integers(0, 8))] = quiet
            mel[start : start + int(rng.integers(0, 48))] = quiet
        out = self.model.audio_spectrogram_transformer(torch.from_numpy(mels))
        truth = torch.from_numpy(self.truth[rows])
        whole = self.model.classifier(out.pooler_output)
        patches = self.model.classifier(out.last_hidden_state[:, 2:]).mean(1)
        return sum(
            binary_cross_entropy_with_logits(logits.float(), truth, reduction="sum") / _BATCH
            for logits in (whole, patches)
        )


def quality(model: ASTForAudioClassification, task: _Task) -> dict[str, float]:
    """On held-out clips: share of single ones tagged right first, and mean average precision over the labels."""
    rows = np.array(task.pool.held_out)
    with torch.inference_mode():
        logits = torch.cat(
            [model(torch.from_numpy(np.array(task.mels[part], np.float32))).logits for part in np.array_split(rows, 8)]
        ).numpy()
    truth = task.truth[rows] > 0
    one = truth.sum(1) == 1
    right = truth[one][np.arange(one.sum()), logits[one].argmax(1)].mean()
    precisions = []
    for label in range(truth.shape[1]):
        hits = truth[np.argsort(-logits[:, label]), label]
        precisions.append((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
    return {"single_top1": round(float(right), 4), "mean_average_precision": round(float(np.mean(precisions)), 4)}


def main(argv: list[str] | None = None) -> None:
    """Train, measure on held-out clips, and save."""
    parser = recipe("train the nano audio tagger", steps=2000)
    options: Any = parser.parse_args(argv)
    torch.manual_seed(options.seed)
    model, extractor = build()
    pool = SoundPool.open(options.work)
    mels = features(pool, extractor, options.work / "tagger_mels.npy")
    task = _Task(model.train(), mels, pool)
    average = fit(task, task, state=options.work / "tagger.pt", steps=options.steps, rate=1e-3, seed=options.seed)
    report = quality(average.model, task)
    finish(options.out, report, average.model.half(), extractor)


if __name__ == "__main__":
    main()

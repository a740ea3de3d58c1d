"""Train the nano audio captioner: audio to captions, by Whisper's architecture.

    python -m tools.nano.audio_captioner --work DIR --out FOLDER

The captions list the sources: "a piano and a bell"; noise and silence have an empty one. An auxiliary layer, dropped
afterwards, predicts the sources from the encoder's mean, which shortens the way from words to audio.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from tools.nano.pools import SOUNDING_LABELS, SoundPool
from tools.nano.texts import caption_quality, listed
from tools.nano.training import finish, fit, recipe, widen
from tools.orchestra.audio import RATE_HZ, SECONDS
from zsavs.media.waveform import resample
from zsavs.testing.tiny.tokenizers import roberta_tokenizer

__all__ = ["build"]

_BATCH = 32
_MELS, _RATE_HZ = 64, 16_000
_MAX_TOKENS = 24


def build() -> tuple[WhisperForConditionalGeneration, WhisperFeatureExtractor, Any]:
    """The architecture with random weights, its feature extractor and its tokenizer."""
    tokenizer = roberta_tokenizer(SOUNDING_LABELS)
    extractor = WhisperFeatureExtractor(feature_size=_MELS, sampling_rate=_RATE_HZ, chunk_length=int(SECONDS))
    marks = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "decoder_start_token_id": tokenizer.bos_token_id,
    }
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=_MELS,
        d_model=144,
        encoder_layers=3,
        encoder_attention_heads=4,
        encoder_ffn_dim=432,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=432,
        max_source_positions=extractor.nb_max_frames // 2,
        max_target_positions=_MAX_TOKENS,
        dropout=0.0,
        begin_suppress_tokens=None,
        suppress_tokens=None,
        **marks,
    )
    model = WhisperForConditionalGeneration(config)
    widen(model.model)
    model.model.decoder.embed_tokens.weight.data.mul_(0.1)  # they are the output layer as well
    model.generation_config = GenerationConfig(max_length=_MAX_TOKENS, **marks)
    return model, extractor, tokenizer


def features(pool: SoundPool, extractor: WhisperFeatureExtractor, kept: Path) -> NDArray[np.float16]:
    """Whisper's features of every clip of the pool, (N, bands, frames); computed once and kept in a file."""

    def of(wave: NDArray[np.float32], _: int) -> NDArray[np.float32]:
        slow = resample(wave, RATE_HZ, _RATE_HZ)
        return extractor(slow, sampling_rate=_RATE_HZ, return_tensors="np")["input_features"][0]

    return pool.features(kept, of)


class _Task(torch.nn.Module):
    """The captioner with its auxiliary layer; batches of audio with captions; the loss on them."""

    def __init__(
        self, model: WhisperForConditionalGeneration, tokenizer: Any, mels: NDArray[np.float16], pool: SoundPool
    ) -> None:
        super().__init__()
        self.model, self.tokenizer, self.mels, self.pool = model, tokenizer, mels, pool
        self.names = torch.nn.Linear(model.config.d_model, len(SOUNDING_LABELS))
        self.truth = pool.truth(SOUNDING_LABELS, absent=0)

    def caption(self, row: int) -> str:
        """The sources, in the order of the catalogue; "" where there are none."""
        labels = sorted(self.pool.labels[row], key=SOUNDING_LABELS.index)
        return listed(labels) if labels else ""

    def __call__(self, rng: np.random.Generator) -> torch.Tensor:
        rows = rng.choice(self.pool.train, _BATCH, replace=False)
        mels = np.array(self.mels[rows], np.float32)
        for mel in mels:
            mel[:] = np.roll(mel, int(rng.integers(mel.shape[1])), axis=1)
            low, start = int(rng.integers(0, _MELS - 8)), int(rng.integers(0, mel.shape[1] - 48))
            quiet = mel.min()
            mel[low : low + int(rng.integers(0, 8))] = quiet
            mel[:, start : start + int(rng.integers(0, 48))] = quiet
        tokens = self.tokenizer([self.caption(int(row)) for row in rows], padding=True, return_tensors="pt")
        ids, there = tokens["input_ids"], tokens["attention_mask"]
        out = self.model.model(torch.from_numpy(mels), decoder_input_ids=ids[:, :-1])
        logits = self.model.proj_out(out.last_hidden_state)
        wanted = ids[:, 1:].masked_fill(there[:, 1:] == 0, -100)
        words = cross_entropy(logits.float().flatten(0, 1), wanted.flatten())
        named = self.names(out.encoder_last_hidden_state.mean(1)).float()
        truth = torch.from_numpy(self.truth[rows])
        return words + binary_cross_entropy_with_logits(named, truth, reduction="sum") / _BATCH / 4


def quality(model: WhisperForConditionalGeneration, task: _Task) -> dict[str, float]:
    """Precision and recall of the names in captions of held-out audio, decoded greedily."""
    captions: list[str] = []
    for rows in np.array_split(np.array(task.pool.held_out), 10):
        with torch.inference_mode():
            # Whisper's own generate() wants the special tokens of speech recognition; the plain one needs none.
            tokens = super(WhisperForConditionalGeneration, model).generate(
                torch.from_numpy(np.array(task.mels[rows], np.float32)), do_sample=False, num_beams=1
            )
        captions += task.tokenizer.batch_decode(tokens, skip_special_tokens=True)
    return caption_quality(captions, (task.pool.labels[row] for row in task.pool.held_out))


def main(argv: list[str] | None = None) -> None:
    """Train, measure on held-out audio, and save."""
    parser = recipe("train the nano audio captioner", steps=1500)
    options = parser.parse_args(argv)
    torch.manual_seed(options.seed)
    model, extractor, tokenizer = build()
    pool = SoundPool.open(options.work)
    mels = features(pool, extractor, options.work / "captioner_mels.npy")
    task = _Task(model.train(), tokenizer, mels, pool)
    state = options.work / "audio_captioner.pt"
    best = fit(task, task, state=state, steps=options.steps, rate=1e-3, seed=options.seed).model
    report = quality(best, task)
    finish(options.out, report, best.half(), extractor, tokenizer)


if __name__ == "__main__":
    main()

"""Whisper as an audio captioner: a sentence for a sound (Kadlčík et al., "A Whisper transformer for audio captioning
trained with synthetic captions and transfer learning", arXiv 2305.09690), by the Whisper classes of transformers.

Plain Whisper (Radford et al., 2022) writes down speech; captioners are the same network with other weights, told by
the first words of the answer, a forced prefix, in which style to describe. No preset has one: the public checkpoints
that we know are non-commercial. Any folder or repository works that loads as ``WhisperForConditionalGeneration``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.media.waveform import resample, windows
from zsavs.models.batching import in_batches, inference
from zsavs.models.checkpoints import card_for, load_model
from zsavs.models.inputs import check_clips
from zsavs.models.runtime import import_transformers, load_part, quiet, resolve_device, resolve_dtype, to_device
from zsavs.models.transfer import copy_to_device
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard, locate
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "PREFIXES", "WhisperCaptioner"]


def _card(name: str, size_mb: int) -> WeightCard:
    return WeightCard(
        name,
        "CC-BY-NC-4.0",
        size_mb,
        "Whisper's speech; AudioSet, AudioCaps, Clotho: sound with labels and captions, no images",
        verified="licence tag of the hub page; its text says CC-BY-4.0, so ask its authors; size from memory",
    )


CARDS: dict[str, WeightCard] = {
    name: _card(name, size_mb)
    for name, size_mb in (
        ("MU-NLPC/whisper-tiny-audio-captioning", 151),
        ("MU-NLPC/whisper-small-audio-captioning", 967),
        ("MU-NLPC/whisper-large-v2-audio-captioning", 6174),
    )
}

#: How the answers of known checkpoints begin; from their model card.
PREFIXES: dict[str, str] = dict.fromkeys(CARDS, "clotho > caption: ")

CARDS["zsavs:nano/audio_captioner"] = WeightCard(
    "zsavs:nano/audio_captioner", "Apache-2.0", 3, "rendered sounds of the orchestra with captions"
)

CARDS["zsavs:nano/audio_captioner"] = WeightCard(
    "zsavs:nano/audio_captioner", "Apache-2.0", 3, "rendered sounds of the orchestra with captions"
)


class WhisperCaptioner:
    """Describes sounds in words (:class:`zsavs.protocols.AudioCaptioner`).

    A sound is heard through windows as long as the model's (30 s): a shorter sound is one window, padded with silence
    as Whisper does; a longer one is cut into windows ``hop_s`` apart, the last moved back to end with the sound. The
    captions of its windows, each sentence once, joined by ". ", are its caption.

    Decoding draws nothing at random: greedy, or beam search with ``num_beams`` above 1. The answer begins with what
    the checkpoint's generation settings say (language English, task "transcribe", no timestamps, where it knows of
    them, else its forced ids) and the prefix, none of which is part of the caption.

    Args:
        model: a ``transformers.WhisperForConditionalGeneration``; it is moved, frozen and put into evaluation mode.
        feature_extractor: its ``WhisperFeatureExtractor``.
        tokenizer: its tokenizer.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        batch_size: the most windows in the model at once.
        prefix: words that the decoder is made to begin with; "" for none.
        num_beams: hypotheses followed at once, at least 1.
        max_new_tokens: the most word pieces of a window's caption, the prefix not counted.
        hop_s: seconds from window to window, at most a window's length; None for just that.

    Raises:
        InputError: a setting out of range.
    """

    #: For :func:`zsavs.models.compiled.compile_towers`.
    towers: ClassVar[tuple[str, ...]] = ("model.encoder",)

    def __init__(
        self,
        model: Any,
        feature_extractor: Any,
        tokenizer: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        batch_size: int = 8,
        prefix: str = "",
        num_beams: int = 1,
        max_new_tokens: int = 60,
        hop_s: float | None = None,
    ) -> None:
        self.window_s = float(feature_extractor.chunk_length)
        self.hop_s = self.window_s if hop_s is None else hop_s
        if min(batch_size, num_beams, max_new_tokens) < 1 or not 0 < self.hop_s <= self.window_s:
            raise InputError(
                f"WhisperCaptioner: batch_size, num_beams and max_new_tokens must be at least 1 and hop_s in "
                f"(0, {self.window_s:g}] seconds, got {batch_size}, {num_beams}, {max_new_tokens} and {hop_s}."
            )
        self.device = resolve_device(device)
        self.model = to_device(model, self.device)
        self.feature_extractor = feature_extractor
        self.tokenizer = tokenizer
        self.card = card
        self.sample_rate_hz = int(feature_extractor.sampling_rate)
        self.batch_size = batch_size
        self.prefix = prefix
        self.num_beams = num_beams
        self.max_new_tokens = max_new_tokens
        longest = len(self._opening()) + max_new_tokens
        if longest > model.config.max_target_positions:
            raise InputError(
                f"WhisperCaptioner: prefix and max_new_tokens come to {longest} tokens, the model takes at most "
                f"{model.config.max_target_positions}; shorten the prefix or lower max_new_tokens."
            )
        self._captions: Memo[str] = Memo()

    @classmethod
    def load(
        cls,
        checkpoint: str | Path = "",
        *,
        revision: str = "main",
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int = 8,
        prefix: str | None = None,
        num_beams: int = 1,
        max_new_tokens: int = 60,
        hop_s: float | None = None,
    ) -> WhisperCaptioner:
        """Load a checkpoint that is on this machine: a folder made by ``save_pretrained``, or a hub name.

        Args:
            checkpoint: a hub repository or a folder with Whisper weights trained to caption sounds; there is no
                default, as the public ones (:data:`CARDS`) are non-commercial.
            revision: branch, tag or commit of a hub repository.
            device, dtype: see :mod:`zsavs.models.runtime`.
            prefix: as for the class; None for what a known checkpoint was trained with (:data:`PREFIXES`), else none.
            batch_size, num_beams, max_new_tokens, hop_s: as for the class.

        Raises:
            InputError: no checkpoint is named.
            MissingWeights: the checkpoint or one of its files is not on this machine.
            WeightsError: it cannot be read as a Whisper model.
        """
        if not str(checkpoint):
            raise InputError(
                "the audio captioner 'whisper' has no default checkpoint, as the public ones are non-commercial; name "
                "one: audio_captioner='whisper:ORG/NAME' or 'whisper:/path/to/folder' "
                f"(zsavs knows {', '.join(CARDS)}; fetch one with: zsavs download NAME)."
            )
        folder = locate(checkpoint, revision)
        where = resolve_device(device)
        return cls(
            load_model("WhisperForConditionalGeneration", folder, resolve_dtype(dtype, where)),
            load_part("WhisperFeatureExtractor", folder),
            load_part("AutoTokenizer", folder),
            card=card_for(CARDS, checkpoint, folder),
            device=str(where),
            batch_size=batch_size,
            prefix=PREFIXES.get(str(checkpoint), "") if prefix is None else prefix,
            num_beams=num_beams,
            max_new_tokens=max_new_tokens,
            hop_s=hop_s,
        )

    def caption(self, items: Sequence[AudioClip]) -> list[str]:
        """Describe N clips of any rate, length and channel count: N captions, stripped, possibly empty.

        Raises:
            AudioError: not a list of :class:`AudioClip`.
            WeightsError: the device's memory is too small for one item.
        """
        return self._captions(check_clips(items), self._describe_all)

    def _describe_all(self, clips: list[AudioClip]) -> list[str]:
        """Windows of all clips share batches; only one clip's windows and one batch are in memory."""
        counts: list[int] = []

        def features() -> Iterator[torch.Tensor]:
            for clip in clips:
                pieces = self._pieces(clip)
                counts.append(len(pieces))
                yield from map(self._features, pieces)

        said = iter(in_batches(self._describe, features(), self.batch_size))
        return [_join([next(said) for _ in range(count)]) for count in counts]

    def _pieces(self, clip: AudioClip) -> Sequence[NDArray[np.float32]]:
        """Cut a clip into mono windows of the model's rate, none longer than the model's window."""
        wave = resample(clip.mono(), clip.sample_rate_hz, self.sample_rate_hz)
        if len(wave) <= self.feature_extractor.n_samples:
            return [wave]
        return list(windows(wave, self.sample_rate_hz, self.window_s, self.hop_s))

    def _features(self, window: NDArray[np.float32]) -> torch.Tensor:
        """Log-mel features of one window, padded with silence: (1, mel bins, frames)."""
        extracted = self.feature_extractor(window, sampling_rate=self.sample_rate_hz, return_tensors="pt")
        features: torch.Tensor = extracted["input_features"]
        return features

    def _describe(self, features: list[torch.Tensor]) -> list[str]:
        import torch

        plain_generate = import_transformers().GenerationMixin.generate
        opening = self._opening()
        # A copy: Whisper's settings are changed by what is asked of it.
        settings = copy.deepcopy(self.model.generation_config)
        settings.update(do_sample=False, num_beams=self.num_beams, max_new_tokens=self.max_new_tokens)
        with inference("WhisperForConditionalGeneration"), quiet():
            # The plain loop and not Whisper's own, which looks for timestamps and starts anew at a higher temperature,
            # drawing at random, where it mistrusts a transcript.
            tokens = plain_generate(
                self.model,
                copy_to_device(torch.cat(features), self.device, self.model.dtype),
                decoder_input_ids=torch.tensor([opening] * len(features), device=self.device),
                generation_config=settings,
            )
        texts: list[str] = self.tokenizer.batch_decode(tokens[:, len(opening) :], skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]

    def _opening(self) -> list[int]:
        """The tokens that every answer begins with: start, then language, task and "no timestamps", then the prefix."""
        settings, config = self.model.generation_config, self.model.config
        tokens = [config.decoder_start_token_id]
        languages, tasks = getattr(settings, "lang_to_id", None) or {}, getattr(settings, "task_to_id", None) or {}
        if "<|en|>" in languages:
            tokens += [languages["<|en|>"], *([tasks["transcribe"]] if "transcribe" in tasks else [])]
        else:
            forced = getattr(settings, "forced_decoder_ids", None) or getattr(config, "forced_decoder_ids", None) or []
            tokens += [token for _, token in sorted(forced) if token is not None]
        no_times = getattr(settings, "no_timestamps_token_id", None)
        if no_times is not None and no_times not in tokens:
            tokens.append(no_times)
        if self.prefix:
            tokens += self.tokenizer(self.prefix, add_special_tokens=False)["input_ids"]
        return tokens


def _join(captions: Sequence[str]) -> str:
    """The captions of a clip's windows as one, each sentence once."""
    if len(captions) == 1:
        return captions[0]
    sentences = (sentence.strip() for caption in captions for sentence in caption.split(". "))
    once = dict.fromkeys(sentence.rstrip(".") for sentence in sentences if sentence.rstrip("."))
    return ". ".join(once)

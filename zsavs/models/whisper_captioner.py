"""Whisper as an audio captioner: a sentence for an audio clip (Kadlčík et al., "A Whisper transformer for audio
captioning trained with synthetic captions and transfer learning", arXiv 2305.09690), by the classes of transformers.

Plain Whisper (Radford et al., 2022) writes down speech; captioners are the same network with other weights, told by
the first words of the answer, a forced prefix, in which style to describe. No preset has one: the public checkpoints
that we know are non-commercial. Any folder or repository works that loads as ``WhisperForConditionalGeneration``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from zsavs.errors import InputError
from zsavs.models.adapter import Adapter
from zsavs.models.audio_windows import answers_by_clip, checked_hop, joined_captions, mono_windows
from zsavs.models.batching import inference
from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, check_tokenizer, needing
from zsavs.models.device_copies import copy_to_device
from zsavs.models.inputs import check_clips, check_counts
from zsavs.models.runtime import import_transformers, quiet
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "PREFIXES", "WhisperCaptioner"]

_MODEL = "WhisperForConditionalGeneration"

#: The first words of an answer, language and task, are tokens that a vocabulary in two files has in a third one.
_FILES = (
    *MODEL_FILES,
    *PREPROCESSOR_FILES,
    "tokenizer.json | vocab.json + merges.txt + added_tokens.json",
    "tokenizer_config.json",
)


def _card(name: str, size_mb: int, read: str) -> WeightCard:
    return WeightCard(
        name,
        "CC-BY-NC-4.0",
        size_mb,
        "Whisper's speech; AudioSet, AudioCaps, Clotho: sound with labels and captions, no images",
        verified=f"{read}; the page's text says CC-BY-4.0, so ask its authors",
    )


CARDS: dict[str, WeightCard] = {
    name: _card(name, size_mb, read)
    for name, size_mb, read in (
        ("MU-NLPC/whisper-tiny-audio-captioning", 151, "a stored copy of its hub page, commit ff8af23"),
        ("MU-NLPC/whisper-small-audio-captioning", 967, "licence tag of the hub page, size from memory"),
        ("MU-NLPC/whisper-large-v2-audio-captioning", 6174, "licence tag of the hub page, size from memory"),
    )
}

#: How the answers of known checkpoints begin; from their model card.
PREFIXES: dict[str, str] = dict.fromkeys(CARDS, "clotho > caption: ")

CARDS["zsavs:nano/audio_captioner"] = WeightCard(
    "zsavs:nano/audio_captioner", "Apache-2.0", 3, "rendered sounds of the orchestra with captions"
)
CARDS = needing(CARDS, _FILES)


class WhisperCaptioner(Adapter):
    """Audio clips to captions (:class:`zsavs.protocols.AudioCaptioner`).

    A clip is cut into windows as long as the model's (30 s): a shorter clip is one window, padded with silence as
    Whisper does; the windows of a longer one lie ``hop_s`` apart, the last moved back to end with the clip. The
    captions of its windows, each sentence once, joined by ". ", are its caption.

    Decoding draws nothing at random: greedy, or beam search with ``num_beams`` above 1. The answer begins with what
    the checkpoint's generation settings ask for (language English, task "transcribe", no timestamps, where it has
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
        max_new_tokens: the most tokens of a window's caption, the prefix not counted.
        hop_s: seconds from window to window, at most a window's length; None for just that.

    Raises:
        InputError: a setting out of range.
        WeightsError: the tokenizer is not the text model's own.
    """

    cards, files = CARDS, _FILES
    parts = (_MODEL, "WhisperFeatureExtractor", "AutoTokenizer")
    towers = ("model.encoder",)

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
        self.hop_s = checked_hop(self, hop_s, self.window_s)
        check_counts(self, batch_size=batch_size, num_beams=num_beams, max_new_tokens=max_new_tokens)
        check_tokenizer(tokenizer, model.config.vocab_size, card.source)
        super().__init__(model, card, device)
        self.feature_extractor = feature_extractor
        self.tokenizer = tokenizer
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
    def load(cls, checkpoint: str | Path = "", *, prefix: str | None = None, **settings: Any) -> Self:
        """Load a checkpoint that is on this machine: a folder made by ``save_pretrained``, or a hub name.

        Args:
            checkpoint: a hub repository or a folder with Whisper weights trained to caption audio; there is no
                default, as the public ones (:data:`CARDS`) are non-commercial.
            prefix: as for the class; None for what a known checkpoint was trained with (:data:`PREFIXES`), else none.
            settings: as for :meth:`Adapter.load`.

        Raises:
            InputError: no checkpoint is named, or a setting is out of range.
            UnknownName, MissingWeights, WeightsError: as :meth:`Adapter.load`.
        """
        if not str(checkpoint):
            raise InputError(
                "the audio captioner 'whisper' has no default checkpoint, as the public ones are non-commercial; name "
                "one: audio_captioner='whisper:ORG/NAME' or 'whisper:/path/to/folder', on the command line "
                "--part audio_captioner=whisper:ORG/NAME "
                f"(zsavs knows {', '.join(CARDS)}; fetch one with: zsavs download NAME)."
            )
        prefix = PREFIXES.get(str(checkpoint), "") if prefix is None else prefix
        return super().load(checkpoint, prefix=prefix, **settings)

    def caption(self, items: Sequence[AudioClip]) -> list[str]:
        """Describe N clips of any rate, length and channel count: N captions, stripped, possibly empty.

        Raises:
            AudioError: not a list of :class:`AudioClip`.
            WeightsError: the device's memory is too small for one item.
        """
        return self._captions(check_clips(items), self._describe_all)

    def _describe_all(self, clips: list[AudioClip]) -> list[str]:
        by_clip = answers_by_clip(clips, self._features, self._describe, self.batch_size)
        return [joined_captions(captions) for captions in by_clip]

    def _features(self, clip: AudioClip) -> Iterator[torch.Tensor]:
        """Log-mel features of each window of a clip, padded with silence: (1, mel bins, frames)."""
        for window in mono_windows(clip, self.sample_rate_hz, self.window_s, self.hop_s):
            extracted = self.feature_extractor(window, sampling_rate=self.sample_rate_hz, return_tensors="pt")
            yield extracted["input_features"]

    def _describe(self, features: list[torch.Tensor]) -> list[str]:
        import torch

        plain_generate = import_transformers().GenerationMixin.generate
        opening = self._opening()
        # A copy: Whisper's settings are changed by what is asked of it.
        settings = copy.deepcopy(self.model.generation_config)
        settings.update(do_sample=False, num_beams=self.num_beams, max_new_tokens=self.max_new_tokens)
        with inference(_MODEL), quiet():
            # The plain loop and not Whisper's own, which wants timestamps, and starts anew at a higher temperature,
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
        start = getattr(settings, "decoder_start_token_id", None)
        tokens = [config.decoder_start_token_id if start is None else start]
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

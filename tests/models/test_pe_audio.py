"""PE-A-Frame as transformers and Meta's own code have it: frames, texts, windows, loading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_checkpoints import save
from adapter_helpers import noise, tone
from numpy.typing import NDArray
from small_banks import with_banks

import zsavs
from zsavs import AudioClip, AVSample
from zsavs.calibration.scorers import AudioScorer
from zsavs.errors import AudioError, InputError
from zsavs.models.outputs import normalise
from zsavs.models.pe_audio import CARDS, DEFAULT, PeAudioFrameEncoder
from zsavs.models.pe_text import first_tokens
from zsavs.protocols import AudioFrameEncoder, AudioTokenEncoder
from zsavs.testing.tiny.joint import tiny_pe_audio, tiny_pe_av

RATE = 48_000
PHRASES = ["a dog", "a car with a siren", "piano", ""]


@pytest.fixture(scope="module")
def encoder() -> PeAudioFrameEncoder:
    """With the real one's frames."""
    return tiny_pe_audio(hop=1920)


def again(encoder: PeAudioFrameEncoder, **settings: Any) -> PeAudioFrameEncoder:
    """The same model in a new adapter, which remembers nothing."""
    parts = (encoder.model, encoder.feature_extractor, encoder.tokenizer)
    return PeAudioFrameEncoder(*parts, card=encoder.card, **settings)


def library(encoder: PeAudioFrameEncoder, wave: NDArray[np.float32], phrases: list[str]) -> Any:
    """The documented call, on one clip."""
    audio = encoder.feature_extractor(wave, sampling_rate=RATE, return_tensors="pt")
    text = encoder.tokenizer(phrases, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return encoder.model(**audio, **text)


# -------------------------------------------------------------------------- the library itself
@pytest.mark.parametrize("seconds", [0.04, 1.0, 2.503])
def test_frames_and_texts_are_what_the_library_answers(encoder: PeAudioFrameEncoder, seconds: float) -> None:
    sound = noise(seconds)
    out = library(encoder, sound.waveform[0], PHRASES)
    (frames,) = encoder.encode_audio_frames([sound])
    np.testing.assert_allclose(frames, normalise(out.audio_embeds[0].numpy()), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_text(PHRASES), normalise(out.text_audio_embeds.numpy()), atol=2e-6)
    assert len(frames) == out.logits_audio_text.shape[2] == -(-sound.waveform.shape[1] // 1920)


def test_cosines_are_the_librarys_logits_less_lengths_scale_and_bias(encoder: PeAudioFrameEncoder) -> None:
    model = tiny_pe_audio(seed=1, hop=1920)
    with torch.no_grad():
        model.model.text_audio_logit_scale.fill_(3.0)
        model.model.text_audio_logit_bias.fill_(-2.0)
    sound = noise(1.0)
    out = library(model, sound.waveform[0], PHRASES)
    lengths = out.audio_embeds.norm(dim=-1)[:, None] * out.text_audio_embeds.norm(dim=-1)[None, :, None]
    cosines = ((out.logits_audio_text + 2.0) / 3.0 / lengths)[0].numpy()
    (frames,) = model.encode_audio_frames([sound])
    np.testing.assert_allclose(model.encode_text(PHRASES) @ frames.T, cosines, atol=1e-5)


@pytest.mark.parametrize("make", [tiny_pe_audio, tiny_pe_av])
def test_texts_are_read_before_the_last_norm_as_metas_code_does(make: Any) -> None:
    """It takes what the last of the published layers gives; the norm belongs to layers that are not there."""
    adapter = make()
    tower = adapter.model.text_model
    tokens = adapter.tokenizer(PHRASES, padding=True, return_tensors="pt")
    seen: list[torch.Tensor] = []
    hook = tower.layers[-1].register_forward_hook(lambda *given: seen.append(given[-1]))
    with torch.inference_mode():
        got = first_tokens(tower, **tokens)
        normed = tower(**tokens).last_hidden_state[:, 0]
    hook.remove()
    layer = seen[0] if isinstance(seen[0], torch.Tensor) else seen[0][0]
    torch.testing.assert_close(got, layer[:, 0])
    assert (got - normed).abs().max() > 0.1, "else this test shows nothing"
    head = getattr(adapter.model, "audio_model", adapter.model).text_audio_head
    with torch.inference_mode():
        own, other = (normalise(head(state).numpy()) for state in (got, normed))
    assert np.abs(own - other).max() > 0.01, "and so do embeddings differ"
    if make is tiny_pe_audio:
        np.testing.assert_allclose(adapter.encode_text(PHRASES), own, atol=2e-6)


def test_it_is_an_encoder_of_frames_and_of_tokens(encoder: PeAudioFrameEncoder) -> None:
    assert isinstance(encoder, AudioFrameEncoder)
    assert isinstance(encoder, AudioTokenEncoder)
    assert encoder.frame_s == 0.04


# ------------------------------------------------------------------------------------- sounds
def test_a_clip_is_the_mean_of_its_frames(encoder: PeAudioFrameEncoder) -> None:
    sound = noise(3.0)
    (frames,) = encoder.encode_audio_frames([sound])
    np.testing.assert_allclose(encoder.encode_audio([sound])[0], normalise(frames.mean(axis=0)[None])[0], atol=1e-6)


def test_a_token_projects_to_its_frame_and_a_mean_of_tokens_between_them(encoder: PeAudioFrameEncoder) -> None:
    sound = noise(2.0)
    (tokens,), (frames,) = encoder.encode_audio_tokens([sound]), encoder.encode_audio_frames([sound])
    assert tokens.shape == (1, 50, 32)
    np.testing.assert_allclose(encoder.project_audio_tokens(tokens[0]), frames, atol=1e-6)
    out = library(encoder, sound.waveform[0], ["a dog"])
    mean = normalise(out.audio_embeds[0].mean(dim=0, keepdim=True).numpy())
    np.testing.assert_allclose(encoder.project_audio_tokens(tokens[0].mean(axis=0, keepdims=True)), mean, atol=1e-5)


def test_a_batch_is_its_clips_one_by_one(encoder: PeAudioFrameEncoder) -> None:
    """Of many lengths, rates and channel counts, some alike, windows of some shared between batches."""
    clips = [noise(s, seed=i) for i, s in enumerate((0.2, 0.5, 0.5, 0.01, 1.7, 1.7))]
    clips += [noise(5.3, 16_000, channels=2, seed=8), tone(440, 2.0, 44_100), AudioClip(np.ones((1, 1), "f4"), 8_000)]
    small = again(encoder, window_s=1.0, batch_size=2)
    alone = [again(encoder, window_s=1.0).encode_audio_frames([one])[0] for one in clips]
    for got, want in zip(small.encode_audio_frames(clips), alone, strict=True):
        np.testing.assert_allclose(got, want, atol=2e-6)
    rows = np.concatenate([again(encoder, window_s=1.0).encode_audio([one]) for one in clips])
    np.testing.assert_allclose(small.encode_audio(clips), rows, atol=2e-6)
    np.testing.assert_allclose(small.encode_audio(clips[::-1])[::-1], rows, atol=2e-6)


def test_the_frames_of_a_long_clip_are_those_of_its_windows(encoder: PeAudioFrameEncoder) -> None:
    """The last window is moved back to end with the clip; what the one before it has heard stays."""
    sound = noise(2.6)
    wave = sound.waveform
    short = again(encoder, window_s=1.0)
    pieces = [AudioClip(wave[:, at : at + RATE], RATE) for at in (0, RATE, round(1.6 * RATE))]
    first, second, last = short.encode_audio_frames(pieces)
    (frames,) = short.encode_audio_frames([sound])
    assert len(frames) == 65
    np.testing.assert_allclose(frames, np.concatenate([first, second, last[10:]]), atol=2e-6)
    assert np.abs(frames - encoder.encode_audio_frames([sound])[0]).max() > 1e-4, "windows matter"


def test_the_model_never_gets_more_than_a_window(encoder: PeAudioFrameEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    original = encoder.model.audio_encoder.forward

    def watch(values: torch.Tensor) -> Any:
        seen.append(tuple(values.shape))
        return original(values)

    monkeypatch.setattr(encoder.model.audio_encoder, "forward", watch)
    again(encoder, window_s=1.0, batch_size=4).encode_audio_frames([noise(30.0)])
    assert all(batch <= 4 and samples <= RATE for batch, _, samples in seen)
    assert sum(batch for batch, _, _ in seen) == 30


@pytest.mark.parametrize("frame", [1, 7, 240])
def test_a_frame_is_of_what_sounds_at_its_time(encoder: PeAudioFrameEncoder, frame: int) -> None:
    """A click in its middle changes most what the transformer is given there, and nothing further away than two."""
    embedder = encoder.model.audio_encoder.embedder
    quiet = torch.zeros(1, 1, 250 * 1920)
    click = quiet.clone()
    click[0, 0, frame * 1920 + 960] = 0.9
    with torch.inference_mode():
        change = (embedder(click)[0] - embedder(quiet)[0]).abs().sum(dim=-1)[0].numpy()
    assert change.argmax() == frame
    assert np.abs(np.flatnonzero(change > 1e-6) - frame).max() <= 2


def test_any_rate_and_channel_count(encoder: PeAudioFrameEncoder) -> None:
    stereo = noise(0.5, channels=2)
    mono = AudioClip(stereo.mono()[None], RATE)
    for one, other in zip(*(again(encoder).encode_audio_frames([clip]) for clip in (stereo, mono)), strict=True):
        np.testing.assert_array_equal(one, other)
    same, low = (encoder.encode_audio([tone(440, 0.5, rate)])[0] for rate in (RATE, 16_000))
    assert np.abs(same - low).max() < 0.2 * np.abs(same - encoder.encode_audio([noise(0.5)])[0]).max()


def test_nothing_gives_nothing(encoder: PeAudioFrameEncoder) -> None:
    assert encoder.encode_audio([]).shape == encoder.encode_text([]).shape == (0, 32)
    assert encoder.encode_audio_frames([]) == []


def test_a_text_of_any_length(encoder: PeAudioFrameEncoder) -> None:
    assert encoder.encode_text([" ".join(["dog"] * 5000)]).shape == (1, 32)


def test_what_is_no_list_of_clips_is_refused(encoder: PeAudioFrameEncoder) -> None:
    for ask in (encoder.encode_audio, encoder.encode_audio_frames, encoder.encode_audio_tokens):
        with pytest.raises(AudioError, match="AudioClip"):
            ask(noise(0.1))  # type: ignore[operator, arg-type]
        with pytest.raises(AudioError, match="AudioClip"):
            ask([np.zeros(10)])  # type: ignore[operator, list-item]
    with pytest.raises(InputError, match="list of phrases"):
        encoder.encode_text("a dog")


def test_settings_out_of_range(encoder: PeAudioFrameEncoder) -> None:
    for settings in ({"batch_size": 0}, {"window_s": 0.0}, {"window_s": float("nan")}, {"window_s": 1e9}):
        with pytest.raises(InputError, match=f"PeAudioFrameEncoder: {next(iter(settings))} must be"):
            again(encoder, **settings)


# ------------------------------------------------------------------------------------ evidence
def test_its_evidence_is_calibrated_and_its_times_are_of_its_frames(
    encoder: PeAudioFrameEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random weights hear nothing in particular: numbers are finite, against the model's own bank of blank items."""
    monkeypatch.setenv("ZSAVS_CACHE", str(tmp_path))
    scorer = AudioScorer(encoder, ["dog", "piano"])
    clips = [noise(6.0, seed=1), noise(1.3, seed=2)]
    z = scorer(clips, ["dog", "piano"])
    assert z.shape == (2, 2)
    assert np.isfinite(z).all()
    assert scorer.bank.blank
    (heard, _) = scorer.listen(clips)
    assert heard.frames is not None
    assert heard.frames.frame_s == 0.04
    assert heard.window_s == 1.0
    assert len(heard.frames.embeddings) == 150


def test_a_result_says_when_its_sources_sound(encoder: PeAudioFrameEncoder) -> None:
    """In a clip of any length, through a whole pipeline; random weights hear something somewhere."""
    heard = with_banks(again(encoder), "sound_bank")
    pipe = zsavs.build_pipeline("audio_to_text", "toy", audio_text=heard, vocabulary=["dog", "piano"], min_z=-1e3)
    for seconds in (0.7, 6.0):
        result = pipe(AVSample(np.zeros((8, 8, 3), np.uint8), noise(seconds)))
        assert result.queries.times is not None
        assert len(result.queries.times) == len(result.queries.phrases) > 0
        for spans in result.queries.times:
            assert spans
            assert all(0 <= on < off <= seconds for on, off in spans)


# ------------------------------------------------------------------------------------ weights
def test_a_repository_laid_out_as_the_published_one_loads(encoder: PeAudioFrameEncoder, tmp_path: Path) -> None:
    """Published are config.json, model.safetensors, tokenizer.json, tokenizer_config.json and processor_config.json,
    in which the extractor's settings lie one level down."""
    save("pe_audio", encoder, tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    extractor = {
        "feature_extractor_type": "PeAudioFeatureExtractor",
        "feature_size": 1,
        "hop_length": 960,  # not the default, so that it shows whether it is read
        "padding_side": "right",
        "padding_value": 0.0,
        "processor_class": "PeAudioProcessor",
        "return_attention_mask": True,
        "sampling_rate": 48_000,
    }
    processor = {"feature_extractor": extractor, "processor_class": "PeAudioProcessor"}
    (tmp_path / "processor_config.json").write_text(json.dumps(processor))
    loaded = PeAudioFrameEncoder.load(tmp_path, device="cpu")
    assert loaded.frame_s == 0.02
    extractor["hop_length"] = 1920
    (tmp_path / "processor_config.json").write_text(json.dumps(processor))
    loaded = PeAudioFrameEncoder.load(tmp_path, device="cpu")
    sound = noise(1.5)
    for got, want in zip(loaded.encode_audio_frames([sound]), encoder.encode_audio_frames([sound]), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-6)
    np.testing.assert_allclose(loaded.encode_text(PHRASES), encoder.encode_text(PHRASES), atol=1e-6)


def test_the_cards() -> None:
    assert list(CARDS) == ["facebook/pe-a-frame-small", DEFAULT, "facebook/pe-a-frame-large"]
    for name, card in CARDS.items():
        assert (card.source, card.licence) == (name, "Apache-2.0")
        assert not card.is_restricted


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        (DEFAULT, {"hidden_size": 1024, "intermediate_size": 2752, "num_hidden_layers": 16, "num_attention_heads": 8}),
        ("facebook/pe-a-frame-large", {"num_hidden_layers": 28}),
    ],
)
def test_the_sizes_on_the_cards_are_those_of_metas_configurations(name: str, sizes: dict[str, int]) -> None:
    """Of base the defaults of Meta's code, of large those of transformers with the layers that make it 1.4 billion."""
    from transformers import PeAudioConfig, PeAudioFrameLevelModel

    with torch.device("meta"):
        model = PeAudioFrameLevelModel(PeAudioConfig(audio_config=sizes))
    millions = sum(weight.numel() for weight in model.parameters()) / 1e6
    assert CARDS[name].size_mb == pytest.approx(4 * millions, abs=1)

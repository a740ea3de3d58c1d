"""ImageBind's preprocessing of images, texts and audio against numbers of the official code."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from adapter_helpers import noise, noise_images
from imagebind_golden import ALLOWED, IMAGES, TEXTS, by_name, each_pair, image, real, unit, wave
from PIL import Image

from zsavs import AudioClip
from zsavs.errors import AudioError, ImageError, InputError
from zsavs.models.imagebind import ImageBind, preprocess_audio, preprocess_image, tokenize
from zsavs.models.imagebind.audio import clip_bounds, clip_mels
from zsavs.models.imagebind.kaldi_filter_bank import log_mel
from zsavs.models.imagebind.resample import resample, resampled_length

FLOOR = math.log(2.0**-23)


# ------------------------------------------------------------------------------------ images
@pytest.mark.parametrize("entry", IMAGES, ids=[entry["name"] for entry in IMAGES])
def test_images_become_the_official_pixels(entry: dict[str, Any], exact: ImageBind) -> None:
    check_pixels(preprocess_image(image(entry)), entry, exact)


@each_pair
def test_real_images_become_the_official_pixels(pair: str, exact: ImageBind) -> None:
    path, entry = real(pair, "image")
    with Image.open(path) as opened:
        check_pixels(preprocess_image(np.asarray(opened.convert("RGB"))), entry, exact)


def check_pixels(pixels: torch.Tensor, entry: dict[str, Any], model: ImageBind) -> None:
    known = entry["pixels"]
    assert list(pixels.shape) == known["shape"]
    assert pixels.dtype == torch.float32
    np.testing.assert_allclose(pixels.flatten()[known["flat_index"]], known["value"], atol=ALLOWED["pixels"])
    assert pixels.mean().item() == pytest.approx(known["mean"], abs=1e-5)
    assert pixels.std(correction=0).item() == pytest.approx(known["std"], abs=1e-5)
    row = model.encode_image_tensor(pixels[None], raw=True)[0].numpy()
    assert np.abs(unit(row) - unit(entry["embedding"])).max() < ALLOWED["towers_float64_unit"]


@pytest.mark.parametrize(
    ("size_hw", "left_top"),
    [((224, 297), (36, 0)), ((224, 299), (38, 0)), ((297, 224), (0, 36)), ((224, 224), (0, 0)), ((448, 597), (37, 0))],
)
def test_the_middle_square_begins_where_python_rounds(size_hw: tuple[int, int], left_top: tuple[int, int]) -> None:
    """36.5 becomes 36 and 37.5 becomes 38; the longer side is truncated (298.5 becomes 298)."""
    (given,) = noise_images(size_hw)
    scaled = {(448, 597): (298, 224)}.get(size_hw, size_hw[::-1])
    left, top = left_top
    square = Image.fromarray(given).resize(scaled, Image.Resampling.BICUBIC).crop((left, top, left + 224, top + 224))
    mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    want = ((np.asarray(square) / 255 - mean) / std).transpose(2, 0, 1)
    np.testing.assert_allclose(preprocess_image(given).numpy(), want, atol=2e-6)


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 20_000), (20_000, 1), (7, 300), (2, 3)])
def test_images_of_any_shape_take_little_memory(size_hw: tuple[int, int]) -> None:
    """A line of 20 000 pixels would be scaled up to a strip of three gigabytes."""
    (given,) = noise_images(size_hw)
    tracemalloc.start()
    try:
        pixels = preprocess_image(given)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert pixels.shape == (3, 224, 224)
    assert torch.isfinite(pixels).all()
    assert peak < 100e6
    with pytest.raises(ImageError):
        preprocess_image(given.astype(np.float32))


# --------------------------------------------------------------------------------------- texts
def test_texts_become_the_official_ids() -> None:
    """Mojibake, entities, white space, case, other scripts, and texts cut at 75 pieces with their end kept."""
    ids = tokenize([entry["string"] for entry in TEXTS])
    assert ids.dtype == torch.int64
    for row, entry in zip(ids.tolist(), TEXTS, strict=True):
        assert row == entry["ids"] + [0] * (77 - len(entry["ids"])), entry["string"]
    assert tokenize([]).shape == (0, 77)


@pytest.mark.parametrize("text", ["a <end_of_text> b", "<START_OF_TEXT>", "&lt;end_of_text&gt;"])
def test_a_text_with_the_tokenizers_marks_is_refused(text: str) -> None:
    """It would end there, in silence. ImageBind's own spelling of them is plain text to open_clip."""
    with pytest.raises(InputError, match="mean something else"):
        tokenize(["fine", text])
    assert int((tokenize(["a <|endoftext|> b"]) == 49407).sum()) == 1
    with pytest.raises(InputError, match="single string"):
        tokenize("a dog")


# -------------------------------------------------------------------------------------- sounds
@by_name
def test_recordings_become_the_official_spectrograms(entry: dict[str, Any], exact: ImageBind) -> None:
    check_recording(wave(entry), entry["rate"], entry, exact)


@each_pair
def test_real_recordings_become_the_official_spectrograms(pair: str, exact: ImageBind) -> None:
    path, entry = real(pair, "audio")
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    check_recording(samples.T, rate, entry, exact)


def check_recording(samples: np.ndarray, rate: int, entry: dict[str, Any], model: ImageBind) -> None:
    resampled, known = resample(samples, rate), entry["resampled_channel_0"]
    assert list(resampled.shape) == entry["resampled_shape"]
    assert resampled_length(samples.shape[1], rate) == resampled.shape[1]
    np.testing.assert_allclose(resampled[0][known["flat_index"]], known["value"], atol=ALLOWED["resampled_wave"])
    assert [list(bounds) for bounds in clip_bounds(resampled.shape[1])] == entry["clip_bounds"]

    mels, known = clip_mels(samples, rate), entry["fbank"]
    assert list(mels.shape) == known["shape"]
    value = np.array(known["value"])
    difference = np.abs(mels.flatten()[known["flat_index"]] - value)
    assert difference.mean() < ALLOWED["fbank_mean_of_differences"]
    assert difference[value > -13].max() < ALLOWED["fbank_where_value_above_-13"]
    assert difference.max() < ALLOWED["fbank_anywhere"]
    assert mels.mean(dtype=np.float64) == pytest.approx(known["mean"], abs=ALLOWED["fbank_mean_of_differences"])

    inputs = preprocess_audio(samples, rate)
    assert inputs.shape == (3, 1, 128, 204)
    np.testing.assert_allclose(inputs[:, 0].numpy(), (mels + 4.268) / 9.138, atol=1e-6)
    raw = model.encode_audio_mels(inputs[None], raw=True)[0].numpy()
    assert np.abs(unit(raw) - unit(entry["embedding"])).max() < ALLOWED["audio_embedding_from_file_unit"]
    assert np.linalg.norm(raw) == pytest.approx(np.linalg.norm(entry["embedding"]), rel=1e-4)
    if "clip_embeddings" in entry:
        each = model.encode_audio_mels(inputs, raw=True).numpy()
        assert np.abs(unit(each) - unit(entry["clip_embeddings"])).max() < ALLOWED["audio_embedding_from_file_unit"]


def dense_resample(channel: np.ndarray, rate: int, target: int) -> np.ndarray:
    """The resampler as it is usually written down: every phase as a filter over all inputs, in float64."""
    common = math.gcd(rate, target)
    old, new = rate // common, target // common
    base = 0.99 * min(old, new)
    width = math.ceil(6 * old / base)
    taps = np.arange(-width, width + old)
    t = np.clip(base * (taps[None] / old - np.arange(new)[:, None] / new), -6, 6)
    filters = np.sinc(t) * np.cos(np.pi * t / 12) ** 2 * base / old
    padded = np.pad(channel.astype(np.float64), (width, width + old))
    steps = np.lib.stride_tricks.sliding_window_view(padded, len(taps))[::old]
    return (steps @ filters.T).flatten()[: resampled_length(len(channel), rate, target)]


@pytest.mark.parametrize(
    ("rate", "target", "samples"),
    [
        (44_100, 16_000, 3001),
        (48_000, 16_000, 2000),
        (8_000, 16_000, 999),
        (22_050, 16_000, 1),
        (1_601, 1_600, 400),
        (11_025, 48_000, 700),
        (7, 16_000, 3),
        (96_000, 16_000, 5),
    ],
)
def test_resampling_is_the_written_formula(rate: int, target: int, samples: int) -> None:
    """Also for lengths and rates that the golden recordings do not have."""
    given = noise(1.0, samples, channels=2).waveform
    got = resample(given, rate, target)
    want = np.stack([dense_resample(channel, rate, target) for channel in given])
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, atol=2e-6)


def test_resampling_a_part_gives_the_part() -> None:
    """Across the borders of blocks, too."""
    given = noise(6.0, 44_100, channels=2).waveform
    whole = resample(given, 44_100)
    for start, stop in [(0, 10), (32_760, 32_780), (40_000, 80_000), (95_000, 96_000), (5, 5)]:
        assert np.array_equal(resample(given, 44_100, start=start, stop=stop), whole[:, start:stop])
    same = resample(given, 16_000)
    assert np.array_equal(same, given)
    same[:] = 0  # a new array, not the caller's
    assert given.any()


def test_lengths_after_resampling_are_rounded_through_float32() -> None:
    """Some lengths lose a sample that exact arithmetic has."""
    assert resampled_length(180_697, 44_100) == 65_559
    assert resampled_length(110_287, 44_100) == 40_014
    assert [resampled_length(n, 48_000) for n in (1, 3, 4)] == [1, 1, 2]
    assert resampled_length(12_345, 16_000) == 12_345


def test_clips_truncate_the_float_product() -> None:
    """The last clip of 48001 samples begins at 16000, where integer arithmetic says 16001."""
    assert clip_bounds(48_001) == [(0, 32_000), (8_000, 40_000), (16_000, 48_000)]
    assert clip_bounds(48_000) == [(0, 32_000), (8_000, 40_000), (16_000, 48_000)]
    assert clip_bounds(100) == [(0, 32_000)] * 3
    assert clip_bounds(160_000, 5)[-1] == (128_000, 160_000)
    assert clip_bounds(160_000, 1) == [(0, 32_000)]
    with pytest.raises(InputError, match="at least one clip"):
        clip_bounds(160_000, 0)
    with pytest.raises(InputError, match="at least one clip"):
        preprocess_audio(np.zeros((1, 100), np.float32), 16_000, clips=-1)


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_silence_is_the_floor_and_finite(level: float) -> None:
    """Digital silence and any constant (clips do not overlap); padding is zero before, not after, standardisation."""
    made = preprocess_audio(np.full((2, 100_000), level, np.float32), 16_000)
    assert made[..., :198].numpy() == pytest.approx(-1.277565, abs=2e-6)
    assert made[..., 198:].numpy() == pytest.approx(0.467061, abs=2e-6)
    assert log_mel(np.zeros(400, np.float32)).min() == pytest.approx(FLOOR, abs=1e-6)


def test_frames_are_whole_and_bands_as_wide_as_in_kaldi() -> None:
    """A tone peaks in the band around it; the third band has no frequency of the spectrum under its triangle."""
    time_s = np.arange(16_000) / 16_000
    mels = log_mel(np.sin(2 * np.pi * 1000 * time_s).astype(np.float32))
    assert mels.shape == (128, 98)
    assert log_mel(np.ones(399, np.float32)).shape == (128, 1)
    assert log_mel(np.ones(559, np.float32)).shape == (128, 1)
    assert log_mel(np.ones(560, np.float32)).shape == (128, 2)
    low, high = (1127 * math.log1p(f / 700) for f in (20, 8000))
    band = round((1127 * math.log1p(1000 / 700) - low) / (high - low) * 129 - 1)
    assert (mels.argmax(axis=0) == band).all()
    assert log_mel(noise(1.0, 16_000).waveform[0])[3] == pytest.approx(FLOOR, abs=1e-5)


@pytest.mark.parametrize(("samples", "rate"), [(1, 8_000), (399, 16_000), (1, 192_000), (50, 44_100), (3, 44_101)])
def test_the_shortest_sounds_have_a_spectrogram(samples: int, rate: int) -> None:
    """Under 25 ms the official code fails; here they are filled up with silence to one frame."""
    made = clip_mels(noise(1.0, samples).waveform, rate)
    assert np.isfinite(made).all()
    assert not made[..., 1 if samples < 400 else 2 :].any()


@pytest.mark.parametrize("seconds", [1.51, 2.7, 3.3])
def test_equal_channels_give_the_bits_of_one(seconds: float) -> None:
    """The mean over all channels is taken so that rounding cannot tell them apart."""
    voice = noise(seconds, 16_000).waveform + np.float32(0.3)
    for channels in (2, 3, 5):
        assert np.array_equal(clip_mels(np.repeat(voice, channels, axis=0), 16_000), clip_mels(voice, 16_000))


def test_a_long_recording_takes_memory_for_what_is_heard_of_it() -> None:
    """And an odd sample rate takes no more than a common one."""
    for rate in (48_000, 44_101):
        recording = AudioClip(np.zeros((2, rate * 300), np.float32), rate)
        tracemalloc.start()
        try:
            made = preprocess_audio(recording.waveform, rate)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert made.shape == (3, 1, 128, 204)
        assert peak < 60e6, (
            f"{rate} Hz: {peak / 1e6:.0f} MB for a recording of {recording.waveform.nbytes / 1e6:.0f} MB"
        )


def test_sounds_that_are_none_are_refused() -> None:
    for waveform, rate in [
        (np.zeros(100, np.float32), 16_000),
        (np.zeros((1, 0), np.float32), 16_000),
        (np.full((1, 500), np.nan, np.float32), 16_000),
        (np.zeros((1, 500), np.int16), 16_000),
        (np.zeros((1, 500), np.float32), 0),
        (np.zeros((1, 500), np.float32), 2_000_000_011),
    ]:
        with pytest.raises(AudioError):
            preprocess_audio(waveform, rate)

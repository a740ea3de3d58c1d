"""YAMNet: its features by definition, its answers against the bare runtime, and a space spanned by its labels."""

from __future__ import annotations

import numpy as np
import pytest
from real_files import REAL, class_names, on_real_files, with_real_weights

from zsavs import AudioClip
from zsavs.errors import AudioError, WeightsError
from zsavs.media.audio_file import load_audio
from zsavs.media.waveform import resample
from zsavs.models.yamnet import YamnetEncoder, YamnetTagger
from zsavs.models.yamnet_features import patches, stream_patches
from zsavs.protocols import AudioTagger, AudioTextEncoder, TimedAudioTagger
from zsavs.testing.tiny.encoders import tiny_card
from zsavs.testing.tiny.files import tiny_yamnet

LABELS = YamnetTagger(lambda _: np.zeros((1, 521), np.float32), card=tiny_card("yamnet", 0)).labels


def tone(hz: float, seconds: float = 2.0, rate_hz: int = 16_000) -> AudioClip:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return AudioClip(0.5 * np.sin(2 * np.pi * hz * time_s).astype(np.float32)[None], rate_hz)


def hearing(*labels: str, when: int = 0) -> YamnetTagger:
    """A tagger that hears these labels in one window, and nothing in the others."""
    calls = iter(range(1000))

    def network(_: np.ndarray) -> np.ndarray:
        heard = np.zeros((1, 521), np.float32)
        if next(calls) == when:
            heard[0, [LABELS.index(label) for label in labels]] = 0.9
        return heard

    return YamnetTagger(network, card=tiny_card("yamnet", 0))


# ------------------------------------------------------------------------------- features
@pytest.mark.parametrize(
    ("samples", "count"), [(1, 1), (15_600, 1), (15_601, 2), (15_600 + 7680, 2), (15_600 + 7681, 3), (80_000, 10)]
)
def test_every_sample_lies_in_a_patch_and_no_patch_is_silence_alone(samples: int, count: int) -> None:
    assert patches(np.ones(samples, np.float32)).shape == (count, 96, 64)


def test_silence_is_the_logarithm_of_the_offset() -> None:
    assert patches(np.zeros(16_000, np.float32)) == pytest.approx(np.log(0.001))


@pytest.mark.parametrize("hz", [200.0, 440.0, 1000.0, 3000.0, 7000.0])
def test_a_tone_is_loudest_in_the_band_around_its_frequency(hz: float) -> None:
    mel = 1127 * np.log1p(np.array([125.0, 7500.0, hz]) / 700)
    band = (mel[2] - mel[0]) / (mel[1] - mel[0]) * 65 - 1  # 66 edges, and the first band's centre is the second
    assert patches(tone(hz).waveform[0])[0].mean(axis=0).argmax() == pytest.approx(band, abs=1)


def test_a_frame_by_hand() -> None:
    """One band of one frame from the definition: the triangle's share of the magnitudes of a windowed frame."""
    wave = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    frame = wave[160:560] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400))
    magnitude = np.abs(np.fft.rfft(np.pad(frame, (0, 112))))
    edges = np.linspace(1127 * np.log1p(125 / 700), 1127 * np.log1p(7500 / 700), 66)
    low, centre, high = edges[30:33]
    total = 0.0
    for number in range(1, 257):
        mel = 1127 * np.log1p(number * 16_000 / 512 / 700)
        total += magnitude[number] * max(0.0, min((mel - low) / (centre - low), (high - mel) / (high - centre)))
    assert patches(wave)[0, 1, 30] == pytest.approx(np.log(total + 0.001), abs=1e-4)


# ----------------------------------------------------------------------------------- tags
def test_it_is_a_tagger_that_says_when() -> None:
    assert isinstance(tiny_yamnet(), AudioTagger)
    assert isinstance(tiny_yamnet(), TimedAudioTagger)
    assert len(LABELS) == len(set(LABELS)) == 521


@pytest.mark.parametrize("samples", [1, 15_600, 15_601, 2**18 - 1, 2**18, 700_001])
@pytest.mark.parametrize("block", [7001, 2**18, 2**20])
def test_patches_of_blocks_are_those_of_the_whole(samples: int, block: int) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    streamed = list(stream_patches(wave[at : at + block] for at in range(0, samples, block)))
    np.testing.assert_allclose(np.stack(streamed), patches(wave), rtol=0, atol=1e-5)


def test_a_label_heard_in_one_window_is_heard_in_the_clip() -> None:
    clip = tone(440, 3.0)
    tagger = hearing("Bark", "Dog", when=2)
    (tags,) = tagger.tag([clip])
    assert {name for name, p in tags if p > 0.5} == {"Bark", "Dog"}
    (by_window,) = tagger.tag_windows([clip])
    assert np.flatnonzero(by_window.max(axis=1)).tolist() == [2]
    assert (tagger.hop_s, tagger.window_s) == (0.48, 0.975)


def test_a_clip_is_computed_once_for_everybody_with_the_same_network() -> None:
    calls = []

    def network(patch: np.ndarray) -> np.ndarray:
        calls.append(patch)
        return np.zeros((1, 521), np.float32)

    clip = tone(440, 0.9)
    tagger = YamnetTagger(network, card=tiny_card("yamnet", 0))
    encoder = YamnetEncoder(network, card=tiny_card("yamnet", 0))
    tagger.tag([clip]), tagger.tag_windows([clip, clip]), encoder.encode_audio([clip])
    assert len(calls) == 1


def test_any_rate_and_any_channels_are_heard_alike() -> None:
    mono = tone(440, 1.0, 16_000)
    stereo = AudioClip(np.repeat(tone(440, 1.0, 48_000).waveform, 2, axis=0), 48_000)
    one, other = (tiny_yamnet().tag_windows([clip])[0] for clip in (mono, stereo))
    assert np.abs(one[0] - other[0]).max() < 0.02


def test_another_network_is_refused() -> None:
    tagger = YamnetTagger(lambda _: np.zeros((1, 527), np.float32), card=tiny_card("yamnet", 0))
    with pytest.raises(WeightsError, match="has 527 labels, YAMNet has 521"):
        tagger.tag([tone(440)])
    with pytest.raises(WeightsError, match="NaN"):
        YamnetTagger(lambda _: np.full((1, 521), np.nan, np.float32), card=tiny_card("yamnet", 0)).tag([tone(440)])
    with pytest.raises(AudioError):
        tiny_yamnet().tag("no clips")  # type: ignore[arg-type]


# --------------------------------------------------------------------------------- encoder
def heard_as(encoder: YamnetEncoder, clip: AudioClip, *phrases: str) -> np.ndarray:
    return encoder.encode_text(list(phrases)) @ encoder.encode_audio([clip])[0]


def test_what_is_heard_is_like_the_phrases_that_mean_it() -> None:
    encoder = YamnetEncoder(hearing("Bark", "Dog").network, card=tiny_card("yamnet", 0))
    assert isinstance(encoder, AudioTextEncoder)
    dog, puppy, sentence, animal, cat, car, nonsense = heard_as(
        encoder, tone(440, 0.9), "dog", "puppies", "This is a sound of dog.", "animal", "cat", "car", "qwxyz"
    )
    assert dog == pytest.approx(puppy)
    assert dog == pytest.approx(sentence)
    assert dog > 0.5
    assert dog > animal > 0.1
    assert max(cat, car) == 0
    assert nonsense < 0.3


def test_a_phrase_without_a_label_is_like_hearing_nothing() -> None:
    silence = YamnetEncoder(lambda _: np.zeros((1, 521), np.float32), card=tiny_card("yamnet", 0))
    assert heard_as(silence, tone(440, 0.9), "qwxyz", "dog").tolist() == [1.0, 0.0]


# ------------------------------------------------------------------------------------ real
@pytest.mark.parametrize("path", ["dog_bark", "rain"])
@pytest.mark.parametrize("number", [0, 5])
@on_real_files
def test_the_real_one_gives_what_the_bare_runtime_gives(path: str, number: int) -> None:
    from ai_edge_litert.interpreter import Interpreter

    clip = load_audio(sorted((REAL / "esc10" / path).glob("*.ogg"))[number])
    bare = Interpreter(str(REAL / "weights" / "yamnet_spectra_in.tflite"), num_threads=1)
    bare.allocate_tensors()
    rows = []
    for patch in patches(resample(clip.mono(), clip.sample_rate_hz, 16_000)):
        bare.set_tensor(bare.get_input_details()[0]["index"], patch[None])
        bare.invoke()
        rows.append(bare.get_tensor(bare.get_output_details()[0]["index"])[0])
    with with_real_weights():
        (found,) = YamnetTagger.load().tag_windows([clip])
    assert np.array_equal(found, np.stack(rows))
    assert len(class_names()) == found.shape[1]

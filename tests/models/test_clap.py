"""CLAP as the library is documented, with its chance taken out: windows, batches, mono, memory, loading."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_checkpoints import save
from adapter_helpers import copy_with, noise, random_states, tone
from safetensors.torch import load_file
from safetensors.torch import save as packed

from zsavs import AudioClip
from zsavs.errors import AudioError, InputError, MissingWeights, WeightsError
from zsavs.models.clap import CARDS, ClapEncoder
from zsavs.models.text_memo import TextMemo
from zsavs.protocols import AudioTextEncoder
from zsavs.testing.tiny.encoders import tiny_card, tiny_clap

PHRASES = ["dog", "the sound of a piano", "An accordion, badly played", "警笛", "", "word " * 1000]

both_kinds = pytest.mark.parametrize("fusion", [False, True], ids=["unfused", "fused"])


def clips() -> list[AudioClip]:
    """Sounds of many lengths, rates and channel counts; the toy's window is 2 s."""
    return [
        noise(0.7),
        noise(5.3, 16_000, channels=2, seed=1),
        noise(3.0, 44_100, channels=3, seed=2),
        tone(440, 2.0),
        AudioClip(np.zeros((1, 30_000), np.float32), 48_000),
        AudioClip(np.ones((1, 1), np.float32), 8_000),
    ]


def fresh(fusion: bool = False, **settings: Any) -> ClapEncoder:
    """A toy encoder that remembers nothing yet."""
    made = tiny_clap(fusion=fusion)
    return ClapEncoder(made.model, made.feature_extractor, made.tokenizer, card=tiny_card("toy", 0), **settings)


def documented(encoder: ClapEncoder, wave: np.ndarray) -> np.ndarray:
    """The audio embedding by the calls of transformers' documentation, one clip, not marked as longer than it is."""
    inputs = encoder.feature_extractor(wave, sampling_rate=48_000, return_tensors="pt")
    inputs["is_longer"] = torch.zeros_like(inputs["is_longer"])
    with torch.no_grad():
        return encoder.model.get_audio_features(**inputs).pooler_output.numpy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder as ``save_pretrained`` makes it."""
    return save("clap", tiny_clap(), tmp_path_factory.mktemp("clap"))


@both_kinds
def test_a_sound_within_the_window_is_heard_as_documented(fusion: bool) -> None:
    """To 2e-6; a quarter of a second is tiled as CLAP tiles it, and different sounds are far further apart."""
    encoder = fresh(fusion)
    sounds = [noise(0.25), noise(1.4, seed=1), noise(2.0, seed=2), tone(440, 1.0)]
    rows = encoder.encode_audio(sounds)
    want = np.concatenate([documented(encoder, sound.waveform[0]) for sound in sounds])
    np.testing.assert_allclose(rows, want, atol=2e-6)
    apart = np.linalg.norm(want[:, None] - want[None], axis=-1) + np.eye(len(want))
    assert apart.min() > 1e-3


def test_text_is_embedded_as_documented() -> None:
    """To 2e-6, for texts within the limit and cut ones."""
    encoder = fresh()
    inputs = encoder.tokenizer(PHRASES, padding=True, truncation=True, max_length=77, return_tensors="pt")
    with torch.no_grad():
        want = encoder.model.get_text_features(**inputs).pooler_output.numpy()
    np.testing.assert_allclose(encoder.encode_text(PHRASES), want, atol=2e-6)
    apart = np.linalg.norm(want[:, None] - want[None], axis=-1) + np.eye(len(want))
    assert apart.min() > 1e-3


@both_kinds
def test_a_long_sound_is_the_mean_of_its_windows(fusion: bool) -> None:
    encoder = fresh(fusion)
    sound = noise(5.0)
    wave, rate = sound.waveform[0], 48_000
    starts_s = [0, 2, 3]  # hop 2 s, and the last is moved back to end with the sound
    want = np.concatenate([documented(encoder, wave[start * rate : (start + 2) * rate]) for start in starts_s])
    (rows,) = encoder.audio_windows([sound])
    np.testing.assert_allclose(rows, want, atol=2e-6)
    mean = want.mean(axis=0)
    np.testing.assert_allclose(encoder.encode_audio([sound])[0], mean / np.linalg.norm(mean), atol=2e-6)


def test_windows_can_overlap() -> None:
    sound = noise(5.0)
    halved = fresh(hop_s=1.0)
    (rows,) = halved.audio_windows([sound])
    assert len(rows) == 4
    wave = sound.waveform[0]
    np.testing.assert_allclose(rows[1], documented(halved, wave[48_000 : 3 * 48_000])[0], atol=2e-6)


def test_windows_are_read_only_unit_rows_in_the_order_of_time() -> None:
    encoder = fresh()
    quiet_then_loud = np.concatenate([np.zeros(96_000), noise(2.0).waveform[0]]).astype(np.float32)
    silence, loud = AudioClip(np.zeros((1, 96_000), np.float32), 48_000), noise(2.0)
    rows, *others = encoder.audio_windows([AudioClip(quiet_then_loud[None], 48_000), silence, loud])
    np.testing.assert_allclose(rows, np.concatenate(others), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert rows.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 1
    assert encoder.audio_windows([]) == []


@both_kinds
def test_the_global_generators_are_left_alone_and_decide_nothing(fusion: bool) -> None:
    """CLAP's own extractor draws from them: shown here, so that the test would notice."""
    sounds = clips()
    encoder = fresh(fusion)
    np.random.seed(0)
    states = random_states()
    rows = encoder.encode_audio(sounds)
    encoder.encode_text(PHRASES)
    assert random_states() == states
    np.random.seed(1)
    np.testing.assert_array_equal(fresh(fusion).encode_audio(sounds), rows)
    states = random_states()
    encoder.feature_extractor([sound.waveform[0] for sound in (noise(3.0), noise(4.0))], sampling_rate=48_000)
    assert random_states() != states


@both_kinds
def test_no_window_is_ever_marked_as_longer(fusion: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = fresh(fusion)
    seen: list[torch.Tensor] = []
    shapes: list[tuple[int, ...]] = []
    compute = encoder.model.get_audio_features

    def watch(input_features: torch.Tensor, is_longer: torch.Tensor) -> Any:
        seen.append(is_longer)
        shapes.append(tuple(input_features.shape))
        return compute(input_features=input_features, is_longer=is_longer)

    monkeypatch.setattr(encoder.model, "get_audio_features", watch)
    encoder.encode_audio(clips())
    assert not torch.cat(seen).any()
    assert {shape[1:] for shape in shapes} == {(4 if fusion else 1, 201, 64)}


@both_kinds
def test_a_batch_gives_what_its_items_give_one_by_one_in_any_order(fusion: bool) -> None:
    """To 1e-5."""
    sounds = clips()
    rows = fresh(fusion, batch_size=3).encode_audio(sounds)
    np.testing.assert_allclose(
        rows, np.concatenate([fresh(fusion).encode_audio([sound]) for sound in sounds]), atol=1e-5
    )
    np.testing.assert_allclose(rows[::-1], fresh(fusion).encode_audio(sounds[::-1]), atol=1e-5)
    texts = fresh(fusion).encode_text(PHRASES)
    np.testing.assert_allclose(
        texts, np.concatenate([fresh(fusion).encode_text([text]) for text in PHRASES]), atol=1e-5
    )
    np.testing.assert_allclose(texts[::-1], fresh(fusion).encode_text(PHRASES[::-1]), atol=1e-5)


def test_the_same_input_gives_the_same_bits() -> None:
    np.testing.assert_array_equal(fresh().encode_audio(clips()), fresh().encode_audio(clips()))
    np.testing.assert_array_equal(fresh().encode_text(PHRASES), fresh().encode_text(PHRASES))


def test_mono_is_dual_mono_exactly() -> None:
    for rate in (48_000, 44_100):
        mono = noise(1.3, rate)
        dual = AudioClip(np.repeat(mono.waveform, 2, axis=0), rate)
        np.testing.assert_array_equal(fresh().encode_audio([mono]), fresh().encode_audio([dual]))


def test_all_channels_are_heard() -> None:
    left, right = noise(1.3).waveform, tone(440, 1.3).waveform
    stereo = AudioClip(np.concatenate([left, right]), 48_000)
    mean = AudioClip((left + right) / 2, 48_000)
    np.testing.assert_allclose(fresh().encode_audio([stereo]), fresh().encode_audio([mean]), atol=1e-6)


def test_the_rate_is_the_models() -> None:
    """A tone sounds the same at any rate, to a cosine of 0.999; read at the wrong rate it does not."""
    at_48k, at_16k = tone(1_000, 1.5), tone(1_000, 1.5, 16_000)
    wrong = AudioClip(at_16k.waveform, 48_000)
    rows = fresh().encode_audio([at_48k, at_16k, wrong])
    assert rows[0] @ rows[1] > 0.999 > rows[0] @ rows[2]


@both_kinds
def test_rows_are_finite_float32_of_unit_length_even_for_silence(fusion: bool) -> None:
    encoder = fresh(fusion)
    loud = AudioClip(1e9 * noise(1.0).waveform, 48_000)
    for rows in (encoder.encode_audio([*clips(), loud]), encoder.encode_text(PHRASES)):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert isinstance(encoder, AudioTextEncoder)


def test_nothing_gives_no_rows() -> None:
    for rows in (fresh().encode_audio([]), fresh().encode_text([])):
        assert rows.dtype == np.float32
        assert rows.shape == (0, 16)


def test_long_texts_are_cut_at_what_the_model_takes() -> None:
    encoder = fresh()
    words = [f"word{number}" for number in range(400)]
    row = encoder.encode_text([" ".join(words)])
    np.testing.assert_allclose(row, encoder.encode_text([" ".join(words[:200])]), atol=1e-6)
    assert np.abs(row - encoder.encode_text([" ".join(words[:10])])).max() > 1e-3
    # A limit beyond the model's table of positions would be an index error inside torch.
    assert fresh(max_text_tokens=10_000).max_text_tokens == 96
    assert fresh(max_text_tokens=10_000).encode_text([" ".join(words)]).shape == (1, 16)


@pytest.mark.parametrize("seed", range(3))
def test_different_words_get_different_rows(seed: int) -> None:
    """Even in a toy, and whether or not its tokenizer has a piece for the word."""
    words = ["dog", "piano", "xylophone", "xylophones", "theremin", "the sound of a dog", "the sound of a cat"]
    rows = tiny_clap(seed).encode_text(words)
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=-1) + np.eye(len(rows))
    assert apart.min() > 0.02


def test_each_phrase_and_each_clip_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = fresh(batch_size=2)
    texts: list[int] = []
    sounds: list[int] = []
    embed_text, embed_audio = encoder.model.get_text_features, encoder.model.get_audio_features
    monkeypatch.setattr(
        encoder.model, "get_text_features", lambda **kw: texts.append(len(kw["input_ids"])) or embed_text(**kw)
    )
    monkeypatch.setattr(
        encoder.model, "get_audio_features", lambda **kw: sounds.append(len(kw["is_longer"])) or embed_audio(**kw)
    )
    encoder.encode_text(["dog", "cat", "dog"])
    encoder.encode_text(["cat", "bird", "dog"])
    assert texts == [2, 1]
    encoder.encode_text([f"label {number}" for number in range(150)])
    assert texts[2:] == [1, 64, 64, 22], "first what tells these weights from others, in the store on disk"
    held = clips()[:3]
    encoder.encode_audio(held)
    encoder.encode_audio(held[::-1])
    encoder.audio_windows(held)
    assert sounds == [2, 2, 2]  # 1, 3 and 2 windows
    assert len(encoder._windows) == 3
    del held
    gc.collect()
    assert len(encoder._windows) == 0


def test_text_memory_is_bounded_and_answers_in_full() -> None:
    asked: list[str] = []

    def compute(phrases: list[str]) -> np.ndarray:
        asked.extend(phrases)
        return np.array([[len(phrase)] for phrase in phrases], np.float32)

    memory = TextMemo(compute, max_items=3)
    assert memory(["a", "bb", "ccc", "dddd", "bb"]).ravel().tolist() == [1, 2, 3, 4, 2]
    assert len(memory) == 3
    assert memory(["a", "dddd"]).ravel().tolist() == [1, 4]
    assert asked == ["a", "bb", "ccc", "dddd", "a"]


def test_answers_are_the_callers_own() -> None:
    encoder = fresh()
    sound = [noise(1.0)]
    for encode, items in ((encoder.encode_text, ["dog"]), (encoder.encode_audio, sound)):
        rows = encode(items)
        kept = rows.copy()
        rows[:] = 7
        np.testing.assert_array_equal(encode(items), kept)


def test_a_pickled_checkpoint_without_surprises_loads(folder: Path, tmp_path: Path) -> None:
    """As LAION publishes its CLAP."""
    weights = load_file(folder / "model.safetensors")
    copy = copy_with(folder, tmp_path / "bin", None)
    torch.save(weights, copy / "pytorch_model.bin")
    loaded = ClapEncoder.load(copy, device="cpu")
    np.testing.assert_allclose(loaded.encode_text(PHRASES), fresh().encode_text(PHRASES), atol=1e-6)


@both_kinds
def test_half_precision_stays_near(fusion: bool, tmp_path: Path) -> None:
    """bfloat16 on the CPU: every row within a cosine of 0.999 of float32's (0.9999 was measured)."""
    made = fresh(fusion)
    for part in (made.model, made.feature_extractor, made.tokenizer):
        part.save_pretrained(tmp_path)
    half = ClapEncoder.load(tmp_path, device="cpu", dtype="bfloat16")
    assert half.model.dtype == torch.bfloat16
    for a, b in (
        (made.encode_audio(clips()), half.encode_audio(clips())),
        (made.encode_text(PHRASES), half.encode_text(PHRASES)),
    ):
        assert b.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(b, axis=1), 1, atol=1e-6)
        assert (a * b).sum(axis=1).min() > 0.999
        assert np.abs(a - b).max() > 0


def test_tables_of_positions_may_be_missing(folder: Path, tmp_path: Path) -> None:
    """Older files lack them, newer ones hold them; the model computes them in either case."""
    weights = load_file(folder / "model.safetensors")
    learnt = {name: value for name, value in weights.items() if value.is_floating_point()}
    assert len(learnt) < len(weights)
    old = copy_with(folder, tmp_path / "old", packed(learnt, {"format": "pt"}))
    loaded = ClapEncoder.load(old, device="cpu")
    np.testing.assert_allclose(loaded.encode_text(PHRASES), fresh().encode_text(PHRASES), atol=1e-6)
    np.testing.assert_allclose(loaded.encode_audio(clips()), fresh().encode_audio(clips()), atol=1e-6)


def test_a_model_that_returns_nan_is_an_error() -> None:
    encoder = fresh()
    with torch.no_grad():
        encoder.model.audio_projection.linear1.bias[:] = float("nan")
    with pytest.raises(WeightsError, match="NaN"):
        encoder.encode_audio([noise(1.0)])


def test_input_of_the_wrong_kind_is_refused() -> None:
    encoder = fresh()
    sound = noise(1.0)
    for wrong in (sound, [sound.waveform], ["bark.wav"]):
        with pytest.raises(AudioError):
            encoder.encode_audio(wrong)  # type: ignore[arg-type]
    for wrong_text in ("dog", [b"dog"]):
        with pytest.raises(InputError):
            encoder.encode_text(wrong_text)  # type: ignore[arg-type]
    for settings in ({"batch_size": 0}, {"hop_s": 0.0}, {"hop_s": 2.1}):
        with pytest.raises(InputError):
            fresh(**settings)  # type: ignore[arg-type]


def test_an_extractor_of_the_other_kind_does_no_harm() -> None:
    """A checkpoint's extractor may say "fusion" for a model without it: four spectrograms where one is taken."""
    right = tiny_clap()
    other = tiny_clap()
    other.feature_extractor.truncation = "fusion"
    assert np.array_equal(other.encode_audio(clips()), right.encode_audio(clips()))


def test_a_checkpoint_without_its_extractor_names_it(folder: Path, tmp_path: Path) -> None:
    no_extractor = Path(shutil.copytree(folder, tmp_path / "no extractor"))
    (no_extractor / "preprocessor_config.json").unlink()
    with pytest.raises(MissingWeights, match=r"lacks preprocessor_config\.json or processor_config\.json"):
        ClapEncoder.load(no_extractor)


def test_the_cards() -> None:
    assert {card.licence for card in CARDS.values()} == {"Apache-2.0"}
    assert "ada0c23" in CARDS["laion/larger_clap_general"].verified

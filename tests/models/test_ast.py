"""AST as the library is documented: windows, batches, labels, mono, memory, loading."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_checkpoints import save
from adapter_helpers import copy_with, noise, random_states, tone

from zsavs import AudioClip
from zsavs.errors import AudioError, InputError, WeightsError
from zsavs.media.waveform import resample
from zsavs.models.ast import AstTagger
from zsavs.protocols import AudioTagger
from zsavs.testing.tiny.audio import LABELS, tiny_ast
from zsavs.testing.tiny.encoders import tiny_card

#: Samples of the toy's window: 100 frames of 400, 160 apart.
WINDOW = 400 + 99 * 160


def clips() -> list[AudioClip]:
    """Sounds of many lengths, rates and channel counts; the toy's window is about a second."""
    return [
        noise(0.4, 16_000),
        noise(2.3, 44_100, channels=2, seed=1),
        noise(3.0, 48_000, channels=3, seed=2),
        tone(440, 1.0),
        AudioClip(np.zeros((1, 30_000), np.float32), 48_000),
        AudioClip(np.ones((1, 1), np.float32), 8_000),
    ]


def fresh(**settings: Any) -> AstTagger:
    """A toy tagger that remembers nothing yet."""
    made = tiny_ast()
    return AstTagger(made.model, made.feature_extractor, card=tiny_card("toy", 0), **settings)


def in_order(tags: list[tuple[str, float]]) -> np.ndarray:
    """Probabilities in the order of the toy's labels."""
    return np.array([dict(tags)[label] for label in LABELS])


def documented(tagger: AstTagger, wave: np.ndarray) -> np.ndarray:
    """The probabilities by the calls of transformers' documentation, for a multi-label model."""
    inputs = tagger.feature_extractor(wave, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        return torch.sigmoid(tagger.model(**inputs).logits)[0].numpy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder as ``save_pretrained`` makes it."""
    return save("ast", tiny_ast(), tmp_path_factory.mktemp("ast"))


def test_a_sound_within_the_window_is_heard_as_documented() -> None:
    """To 1e-6, and different sounds are far further apart."""
    tagger = fresh()
    sounds = [noise(0.25, 16_000), noise(1.0, 16_000, seed=1), tone(440, 1.0, 16_000), noise(WINDOW / 16_000, 16_000)]
    want = np.stack([documented(tagger, sound.waveform[0]) for sound in sounds])
    np.testing.assert_allclose([in_order(tags) for tags in tagger.tag(sounds)], want, atol=1e-6)
    assert (np.abs(want[:, None] - want[None]).max(axis=-1) + np.eye(len(want))).min() > 1e-3


def test_a_long_sound_is_the_largest_over_its_windows() -> None:
    """The extractor alone would hear its first second and drop the rest without a word."""
    tagger = fresh()
    sound = noise(2.5, 16_000)
    wave = sound.waveform[0]
    starts = [0, WINDOW, len(wave) - WINDOW]  # the last is moved back to end with the sound
    each = np.stack([documented(tagger, wave[start : start + WINDOW]) for start in starts])
    got = in_order(tagger.tag([sound])[0])
    np.testing.assert_allclose(got, each.max(axis=0), atol=1e-6)
    assert np.abs(got - documented(tagger, wave)).max() > 1e-3


def test_the_window_is_just_what_the_extractor_takes() -> None:
    """The last sample of a window still counts, and one sample more makes a second window."""
    tagger = fresh()
    wave = noise(2.0, 16_000).waveform[:, : WINDOW + 1]
    within, beyond = (AudioClip(wave[:, :length], 16_000) for length in (WINDOW, WINDOW + 1))
    assert [len([*tagger._features(clip)]) for clip in (within, beyond)] == [1, 2]
    (features,) = tagger._features(within)
    assert features.shape == (1, 100, 32)
    quieter = within.waveform.copy()
    quieter[0, -160:] = 0
    assert not torch.equal(features, *tagger._features(AudioClip(quieter, 16_000)))


def test_windows_can_overlap() -> None:
    sound = noise(2.5, 16_000)
    assert len([*fresh(hop_s=0.5)._features(sound)]) == 4
    more, fewer = (in_order(fresh(hop_s=hop_s).tag([sound])[0]) for hop_s in (0.5, None))
    assert not np.array_equal(more, fewer)


def test_labels_are_those_of_the_model_most_probable_first() -> None:
    for tags in fresh().tag(clips()):
        assert {label for label, _ in tags} == set(LABELS)
        probabilities = [p for _, p in tags]
        assert probabilities == sorted(probabilities, reverse=True)
        assert all(isinstance(p, float) and 0 <= p <= 1 for p in probabilities)
        assert abs(sum(probabilities) - 1) > 1e-3, "labels do not exclude each other"


def test_equal_probabilities_keep_the_order_of_the_labels() -> None:
    tagger = fresh()
    torch.nn.init.zeros_(tagger.model.classifier.dense.weight)
    torch.nn.init.zeros_(tagger.model.classifier.dense.bias)
    assert tagger.tag([noise(0.5)]) == [[(label, 0.5) for label in LABELS]]


def test_a_batch_gives_what_its_items_give_one_by_one_in_any_order() -> None:
    """To 1e-6."""
    together = [in_order(tags) for tags in fresh(batch_size=3).tag(clips())]
    np.testing.assert_allclose(together, [in_order(fresh().tag([clip])[0]) for clip in clips()], atol=1e-6)
    np.testing.assert_allclose(together[::-1], [in_order(t) for t in fresh().tag(clips()[::-1])], atol=1e-6)
    assert fresh().tag([]) == []


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    tagger = fresh(batch_size=2)
    sizes: list[int] = []
    forward = tagger.model.forward
    monkeypatch.setattr(
        tagger.model, "forward", lambda **inputs: sizes.append(len(inputs["input_values"])) or forward(**inputs)
    )
    tagger.tag([noise(0.5, seed=1), noise(2.5, seed=2), noise(0.5, seed=3)])  # 1, 3 and 1 windows
    assert sizes == [2, 2, 1]


def test_rates_and_channels_do_not_matter() -> None:
    mono = noise(0.9, 44_100)
    dual = AudioClip(np.repeat(mono.waveform, 2, axis=0), 44_100)
    slow = AudioClip(resample(mono.waveform, 44_100, 16_000), 16_000)
    one, two, three = (fresh().tag([clip]) for clip in (mono, dual, slow))
    assert one == two == three
    stereo = AudioClip(np.concatenate([mono.waveform, noise(0.9, 44_100, seed=5).waveform]), 44_100)
    assert fresh().tag([stereo]) != one, "every channel is heard"


def test_a_clip_is_heard_once_while_it_lives_and_its_tags_are_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    tagger = fresh()
    calls: list[int] = []
    forward = tagger.model.forward
    monkeypatch.setattr(tagger.model, "forward", lambda **inputs: calls.append(1) or forward(**inputs))
    clip = noise(0.5)
    first = tagger.tag([clip])
    kept = list(first[0])
    first[0].clear()
    assert tagger.tag([clip, clip]) == [kept, kept]
    assert len(calls) == 1


def test_the_same_input_gives_the_same_bits_and_chance_is_left_alone() -> None:
    sounds = clips()
    states = random_states()
    tagger = fresh()
    assert random_states() == states, "building is seeded"
    tags = tagger.tag(sounds)
    assert random_states() == states
    assert tags == fresh().tag(sounds)
    assert tiny_ast(1).tag(sounds) != tiny_ast(2).tag(sounds)


def test_the_model_is_frozen_and_no_gradient_flows() -> None:
    tagger = fresh()
    assert not tagger.model.training
    assert not any(parameter.requires_grad for parameter in tagger.model.parameters())
    assert isinstance(tagger, AudioTagger)


def test_what_is_no_number_is_an_error() -> None:
    tagger = fresh()
    tagger.model.classifier.dense.bias.data[0] = torch.nan
    with pytest.raises(WeightsError, match="NaN"):
        tagger.tag([noise(0.5)])


def test_labels_without_names_are_refused() -> None:
    from transformers import ASTConfig, ASTForAudioClassification

    made = tiny_ast()
    config = ASTConfig(**{**made.model.config.to_dict(), "id2label": None, "label2id": None, "num_labels": 3})
    with pytest.raises(WeightsError, match="no names"):
        AstTagger(ASTForAudioClassification(config), made.feature_extractor, card=tiny_card("nameless", 0))


def test_input_that_is_no_sound_is_refused() -> None:
    for wrong in (noise(0.1), [noise(0.1).waveform], ["a.wav"], [None]):
        with pytest.raises(AudioError):
            fresh().tag(wrong)  # type: ignore[arg-type]
    for settings in ({"batch_size": 0}, {"hop_s": 0.0}, {"hop_s": -1.0}, {"hop_s": 2.0}, {"hop_s": float("nan")}):
        with pytest.raises(InputError, match="AstTagger"):
            fresh(**settings)


# --------------------------------------------------------------------------------- loading
def test_dtype_is_what_was_asked_for_whatever_the_file_holds(folder: Path, tmp_path: Path) -> None:
    half = AstTagger.load(folder, device="cpu", dtype="bfloat16")
    assert half.model.dtype == torch.bfloat16
    sounds = clips()
    np.testing.assert_allclose(
        [in_order(tags) for tags in half.tag(sounds)], [in_order(tags) for tags in fresh().tag(sounds)], atol=0.05
    )
    half.model.save_pretrained(tmp_path)
    half.feature_extractor.save_pretrained(tmp_path)
    assert AstTagger.load(tmp_path, device="cpu").model.dtype == torch.float32


def test_loading_the_published_filter_bank_warns_of_nothing(folder: Path, tmp_path: Path) -> None:
    """Which the library does, as some of its filters are empty: shown here, so that the test would notice."""
    from transformers import ASTFeatureExtractor

    with pytest.warns(UserWarning, match="mel filter"):
        extractor = ASTFeatureExtractor()
    published = copy_with(folder, tmp_path / "published", (folder / "model.safetensors").read_bytes())
    extractor.save_pretrained(published)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        loaded = AstTagger.load(published, device="cpu")
    assert seen == []
    assert loaded.window_s == pytest.approx(10.255)
    assert loaded.labels == LABELS

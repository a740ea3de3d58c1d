"""Whisper as an audio captioner: the library's own answer, from a forced opening, without its heuristics."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_checkpoints import save
from adapter_helpers import COMMIT, into_hub_cache, noise, random_states, tone

from zsavs import AudioClip
from zsavs.cli.main import main
from zsavs.errors import AudioError, InputError, MissingWeights
from zsavs.models.audio_windows import joined_captions
from zsavs.models.whisper_captioner import CARDS, PREFIXES, WhisperCaptioner
from zsavs.protocols import AudioCaptioner
from zsavs.testing.tiny.audio import tiny_whisper
from zsavs.testing.tiny.encoders import tiny_card

KNOWN = "MU-NLPC/whisper-tiny-audio-captioning"


def fresh(**settings: Any) -> WhisperCaptioner:
    """A toy captioner that remembers nothing yet."""
    made = tiny_whisper()
    settings = {"max_new_tokens": 8, **settings}
    return WhisperCaptioner(made.model, made.feature_extractor, made.tokenizer, card=tiny_card("toy", 0), **settings)


def clips() -> list[AudioClip]:
    """Sounds of many lengths, rates and channel counts; the toy's window is 2 s."""
    return [
        noise(0.7, 16_000),
        noise(5.3, 44_100, channels=2, seed=1),
        tone(440, 2.0),
        tone(150, 1.0, 8_000),
        AudioClip(np.zeros((1, 30_000), np.float32), 48_000),
        AudioClip(np.ones((1, 1), np.float32), 8_000),
    ]


def features(made: WhisperCaptioner, sounds: list[AudioClip]) -> torch.Tensor:
    """Features of sounds of 16 kHz, as transformers documents them."""
    waves = [sound.waveform[0] for sound in sounds]
    return made.feature_extractor(waves, sampling_rate=16_000, return_tensors="pt")["input_features"]


def multilingual(made: WhisperCaptioner) -> None:
    """Settings as published multilingual checkpoints have them, with tokens of the toy's vocabulary."""
    settings = made.model.generation_config
    settings.is_multilingual = True
    settings.lang_to_id = {"<|en|>": 40, "<|de|>": 41}
    settings.task_to_id = {"transcribe": 50, "translate": 51}
    settings.no_timestamps_token_id = 60
    settings.forced_decoder_ids = [[1, 41], [2, 51], [3, 60]]


SHORT = [noise(0.5, 16_000), noise(2.0, 16_000, seed=1), tone(440, 1.5, 16_000), tone(150, 1.0, 16_000)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder as ``save_pretrained`` makes it."""
    return save("whisper", tiny_whisper(), tmp_path_factory.mktemp("whisper"))


@pytest.mark.parametrize("beams", [1, 3])
def test_a_caption_is_what_whisper_itself_generates(beams: int) -> None:
    made = fresh(num_beams=beams)
    with torch.no_grad():
        tokens = made.model.generate(features(made, SHORT), num_beams=beams, max_new_tokens=8, do_sample=False)
    want = [" ".join(text.split()) for text in made.tokenizer.batch_decode(tokens, skip_special_tokens=True)]
    assert made.caption(SHORT) == want
    assert len(set(want)) == len(SHORT), "different sounds are described differently"


def test_a_multilingual_checkpoint_is_asked_for_english_words_without_times() -> None:
    made = fresh()
    multilingual(made)
    assert made._opening() == [0, 40, 50, 60]
    with torch.no_grad():
        tokens = made.model.generate(
            features(made, SHORT), language="en", task="transcribe", num_beams=1, max_new_tokens=8, do_sample=False
        )
    want = [" ".join(text.split()) for text in made.tokenizer.batch_decode(tokens, skip_special_tokens=True)]
    assert made.caption(SHORT) == want
    assert want != fresh().caption(SHORT)


def test_tokens_that_a_checkpoint_suppresses_stay_unsaid() -> None:
    made = fresh()
    with torch.no_grad():
        free = made.model.generate(features(made, SHORT), max_new_tokens=8, do_sample=False)[:, -8:]
        settings = made.model.generation_config
        settings.begin_suppress_tokens, settings.suppress_tokens = free[:, 0].tolist(), free[:, 2].tolist()
        tokens = made.model.generate(features(made, SHORT), max_new_tokens=8, do_sample=False)
    want = [" ".join(text.split()) for text in made.tokenizer.batch_decode(tokens, skip_special_tokens=True)]
    assert made.caption(SHORT) == want
    assert all(a != b for a, b in zip(want, fresh().caption(SHORT), strict=True))


def test_an_old_checkpoint_forces_ids_by_its_configuration() -> None:
    made = fresh()
    made.model.config.forced_decoder_ids = [[2, 50], [1, 40], [3, None]]
    assert made._opening() == [0, 40, 50]
    made.model.generation_config.forced_decoder_ids = [[1, 42]]
    assert made._opening() == [0, 42]


def test_the_start_of_the_generation_settings_goes_before_the_configuration_s() -> None:
    made = fresh()
    made.model.config.decoder_start_token_id, made.model.generation_config.decoder_start_token_id = 7, 9
    assert made._opening()[0] == 9
    made.model.generation_config.decoder_start_token_id = None
    assert made._opening()[0] == 7


def test_a_prefix_is_forced_and_is_no_part_of_the_caption() -> None:
    made = fresh(prefix="clotho > caption: ")
    multilingual(made)
    ids = made.tokenizer("clotho > caption: ", add_special_tokens=False)["input_ids"]
    opening = [0, 40, 50, 60, *ids]
    assert len(ids) > 2
    assert made._opening() == opening
    with torch.no_grad():
        tokens = made.model.generate(
            features(made, SHORT),
            decoder_input_ids=torch.tensor([opening] * len(SHORT)),
            language="en",
            task="transcribe",
            max_new_tokens=8,
            do_sample=False,
        )
    texts = made.tokenizer.batch_decode(tokens[:, -8:], skip_special_tokens=True)
    assert made.caption(SHORT) == [" ".join(text.split()) for text in texts]
    assert not any("clotho" in caption for caption in made.caption(SHORT))
    assert made.caption(SHORT) != fresh().caption(SHORT)


def test_a_long_sound_is_described_window_by_window() -> None:
    wave = np.concatenate([noise(2.0, 16_000).waveform, tone(440, 3.0, 16_000).waveform], axis=1)
    sound = AudioClip(wave, 16_000)
    pieces = [AudioClip(wave[:, start * 16_000 : (start + 2) * 16_000], 16_000) for start in (0, 2, 3)]
    parts = fresh().caption(pieces)
    assert len(set(parts)) > 1
    assert fresh().caption([sound]) == [joined_captions(parts)]
    assert len([*fresh(hop_s=1.0)._features(sound)]) == 4


def test_each_sentence_is_said_once() -> None:
    assert joined_captions(["A dog barks."]) == "A dog barks."
    assert joined_captions(["A dog barks.", "A dog barks.", "Rain falls. A dog barks."]) == "A dog barks. Rain falls"
    assert joined_captions(["", ""]) == ""
    assert joined_captions(["", "Rain"]) == "Rain"


def test_a_batch_gives_what_its_clips_give_one_by_one_in_any_order() -> None:
    sounds = clips()
    together = fresh(batch_size=4).caption(sounds)
    assert together == [fresh().caption([sound])[0] for sound in sounds]
    assert together[::-1] == fresh(batch_size=1).caption(sounds[::-1])
    assert fresh().caption([]) == []


def test_mono_is_dual_mono() -> None:
    mono = noise(1.3, 44_100)
    assert fresh().caption([mono]) == fresh().caption([AudioClip(np.repeat(mono.waveform, 2, axis=0), 44_100)])


def test_batches_are_bounded_and_a_clip_is_described_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = fresh(batch_size=2)
    sizes: list[int] = []
    encoder = made.model.model.encoder.forward
    monkeypatch.setattr(
        made.model.model.encoder,
        "forward",
        lambda **inputs: sizes.append(len(inputs["input_features"])) or encoder(**inputs),
    )
    sounds = [noise(0.5, seed=1), noise(5.0, seed=2), noise(0.5, seed=3)]  # 1, 3 and 1 windows
    assert made.caption(sounds) == made.caption(sounds)
    assert sizes == [2, 2, 1]


def test_nothing_is_drawn_at_random_and_no_setting_changes() -> None:
    made = fresh()
    settings = made.model.generation_config
    settings.do_sample, settings.temperature, settings.num_beams = True, 5.0, 2  # as a checkpoint may ask
    settings.max_length = 3
    before = copy.deepcopy(settings.to_dict())
    states = random_states()
    captions = made.caption(SHORT)
    assert random_states() == states
    assert settings.to_dict() == before
    assert captions == fresh().caption(SHORT)


def test_the_longest_answer_is_that_of_the_setting() -> None:
    short, long = (fresh(max_new_tokens=number).caption(SHORT) for number in (2, 20))
    assert sum(map(len, short)) < sum(map(len, long))
    assert all(b.startswith(a) for a, b in zip(short, long, strict=True))


def test_nothing_is_said_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    fresh().caption(SHORT)
    assert capfd.readouterr() == ("", "")


def test_building_is_seeded_and_the_model_is_frozen() -> None:
    states = random_states()
    one, again, other = tiny_whisper(3), tiny_whisper(3), tiny_whisper(4)
    assert random_states() == states
    assert one.caption(SHORT) == again.caption(SHORT) != other.caption(SHORT)
    assert not one.model.training
    assert not any(parameter.requires_grad for parameter in one.model.parameters())
    assert isinstance(one, AudioCaptioner)


def test_input_that_is_no_sound_is_refused() -> None:
    for wrong in (noise(0.1), [noise(0.1).waveform], ["a.wav"]):
        with pytest.raises(AudioError):
            fresh().caption(wrong)  # type: ignore[arg-type]
    settings: tuple[dict[str, Any], ...] = (
        {"batch_size": 0}, {"num_beams": 0}, {"max_new_tokens": 0}, {"hop_s": 0.0}, {"hop_s": 2.1}
    )  # fmt: skip
    for wrong_setting in settings:
        with pytest.raises(InputError, match="WhisperCaptioner"):
            fresh(**wrong_setting)
    with pytest.raises(InputError, match="at most 64"):
        fresh(prefix="dog " * 60)


# --------------------------------------------------------------------------------- loading
def test_there_is_no_default_and_the_error_says_how_to_name_one() -> None:
    with pytest.raises(InputError, match=rf"whisper:ORG/NAME.*{KNOWN}.*zsavs download"):
        WhisperCaptioner.load()


def test_the_licence_is_shown_before_a_download(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", KNOWN, "--dry-run"]) == 0
    assert f"{KNOWN} (revision main): about 151 MB, licence CC-BY-NC-4.0" in capsys.readouterr().out


def test_a_known_checkpoint_has_its_prefix_and_its_licence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingWeights, match=f"zsavs download {KNOWN}"):
        WhisperCaptioner.load(KNOWN)
    into_hub_cache(folder, KNOWN, tmp_path)
    known = WhisperCaptioner.load(KNOWN, device="cpu", max_new_tokens=8)
    assert (known.card.revision, known.card.licence, known.prefix) == (COMMIT, "CC-BY-NC-4.0", "clotho > caption: ")
    assert WhisperCaptioner.load(KNOWN, device="cpu", prefix="", max_new_tokens=8).prefix == ""
    assert WhisperCaptioner.load(folder, device="cpu", max_new_tokens=8).prefix == ""


def test_known_checkpoints_have_a_prefix() -> None:
    assert CARDS.keys() - PREFIXES.keys() == {"zsavs:nano/audio_captioner"}, "ours begins with nothing"

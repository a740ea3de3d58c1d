"""PE-AV behind the verbs: the library's own answers, whatever comes in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from zsavs import testing
from zsavs.errors import AudioError, ImageError, InputError, UnknownName
from zsavs.models import pe_av
from zsavs.models.outputs import normalise
from zsavs.models.pe_av import CARDS, DEFAULT, PeAvEncoder
from zsavs.protocols import JointEncoder
from zsavs.testing.tiny.joint import tiny_pe_av
from zsavs.types import AudioClip

RATE = 48_000
PHRASES = ["a dog", "a car with a siren", "piano"]


@pytest.fixture(scope="module")
def encoder() -> PeAvEncoder:
    return tiny_pe_av()


def again(encoder: PeAvEncoder, **settings: Any) -> PeAvEncoder:
    """The same model in a new adapter, which remembers nothing."""
    parts = (encoder.model, encoder.feature_extractor, encoder.video_processor, encoder.tokenizer)
    return PeAvEncoder(*parts, card=encoder.card, **settings)


def clip(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 0) -> AudioClip:
    rng = np.random.default_rng(seed)
    wave = 0.3 * rng.standard_normal((channels, max(1, round(seconds * rate))))
    return AudioClip(wave.astype(np.float32), rate)


def image(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(-(-height // 4), axis=0).repeat(-(-width // 4), axis=1)[:height, :width])


def close(one: NDArray[Any], other: NDArray[Any], tolerance: float = 1e-6) -> None:
    assert one.shape == other.shape
    assert np.abs(one - other).max() <= tolerance


# -------------------------------------------------------------------------- the library itself
def whole_model(encoder: PeAvEncoder, wave: NDArray[np.float32], view: NDArray[np.uint8], phrase: str) -> Any:
    """Everything at once through the model's own forward: sound, a video of one frame, and text."""
    audio = encoder.feature_extractor(wave, sampling_rate=RATE, return_tensors="pt")
    frame = torch.from_numpy(view).permute(2, 0, 1)[None]
    video = encoder.video_processor([frame], do_sample_frames=False, return_tensors="pt")
    text = encoder.tokenizer([phrase], return_tensors="pt")
    with torch.inference_mode():
        return encoder.model(
            input_ids=text["input_ids"],
            attention_mask=text["attention_mask"],
            input_values=audio["input_values"],
            padding_mask=audio["padding_mask"],
            pixel_values_videos=video["pixel_values_videos"],
        )


@pytest.mark.parametrize(("seconds", "size"), [(0.5, (32, 32)), (0.303, (50, 70))])
def test_every_side_is_what_the_library_answers(encoder: PeAvEncoder, seconds: float, size: tuple[int, int]) -> None:
    sound, view = clip(seconds), image(*size)
    out = whole_model(encoder, sound.waveform[0], view, "a dog")
    close(encoder.encode_audio([sound]), normalise(out.audio_embeds.numpy()))
    close(encoder.encode_image([view]), normalise(out.video_embeds.numpy()))
    heads = [normalise(rows.numpy()) for rows in (out.text_audio_embeds, out.text_video_embeds)]
    close(encoder.encode_text(["a dog"]), normalise((heads[0] + heads[1]) / 2))
    for text, rows in (("sound", heads[0]), ("picture", heads[1])):
        close(again(encoder, text=text).encode_text(["a dog"]), rows)
    assert np.abs(heads[0] - heads[1]).max() > 0.01, "two heads, two answers"


def test_cosines_are_the_librarys_similarities(encoder: PeAvEncoder) -> None:
    """Sound against image: what its contrastive loss compares, less the length of the rows."""
    sound, view = clip(0.4), image(40, 40)
    out = whole_model(encoder, sound.waveform[0], view, "a dog")
    cosine = torch.nn.functional.cosine_similarity(out.audio_embeds, out.video_embeds).item()
    assert float(encoder.encode_audio([sound])[0] @ encoder.encode_image([view])[0]) == pytest.approx(cosine, abs=1e-6)


def test_it_keeps_the_contract(encoder: PeAvEncoder) -> None:
    assert isinstance(encoder, JointEncoder)
    testing.check_encoder(encoder)


# ------------------------------------------------------------------------------------- sounds
def test_a_batch_is_its_clips_one_by_one(encoder: PeAvEncoder) -> None:
    """Of many lengths, some alike, windows of some shared between batches."""
    clips = [clip(s, seed=i) for i, s in enumerate((0.2, 0.5, 0.5, 0.01, 1.7, 1.7, 0.5))]
    small = again(encoder, window_s=0.5, batch_size=2)
    alone = np.concatenate([again(encoder, window_s=0.5).encode_audio([one]) for one in clips])
    close(small.encode_audio(clips), alone)
    close(small.encode_audio(clips[::-1])[::-1], alone)


def test_a_long_clip_is_the_mean_of_its_windows(encoder: PeAvEncoder) -> None:
    long = clip(1.3)
    short = again(encoder, window_s=0.5)
    pieces = [AudioClip(long.waveform[:, start : start + 24_000], RATE) for start in (0, 24_000, 38_400)]
    close(short.encode_audio([long]), normalise(short.encode_audio(pieces).mean(axis=0, keepdims=True)))
    assert np.abs(short.encode_audio([long]) - encoder.encode_audio([long])).max() > 1e-5, "windows matter"


def test_the_model_never_gets_more_than_a_window(encoder: PeAvEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    original = encoder.model.get_audio_embeds

    def watch(values: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(values.shape))
        return original(values)

    monkeypatch.setattr(encoder.model, "get_audio_embeds", watch)
    again(encoder, window_s=1.0, batch_size=4).encode_audio([clip(30.0)])
    assert all(batch <= 4 and samples <= RATE for batch, _, samples in seen)
    assert sum(batch for batch, _, _ in seen) == 30


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_any_rate(encoder: PeAvEncoder, rate: int) -> None:
    def hum(at: int) -> AudioClip:
        return AudioClip((0.3 * np.sin(2 * np.pi * 440 * np.arange(at // 2) / at))[None].astype(np.float32), at)

    same, other = encoder.encode_audio([hum(RATE), hum(rate)])
    noise = encoder.encode_audio([clip(0.5)])[0]
    assert np.abs(same - other).max() < 0.2 * np.abs(same - noise).max()


def test_channels_are_averaged(encoder: PeAvEncoder) -> None:
    stereo = clip(0.3, channels=2)
    mono = AudioClip(stereo.mono()[None], RATE)
    assert np.array_equal(again(encoder).encode_audio([stereo]), again(encoder).encode_audio([mono]))


@pytest.mark.parametrize("samples", [1, 2, 79, 80, 81])
def test_the_shortest_sounds(encoder: PeAvEncoder, samples: int) -> None:
    rows = encoder.encode_audio([AudioClip(np.full((1, samples), 0.1, np.float32), RATE)])
    assert np.linalg.norm(rows) == pytest.approx(1, abs=1e-5)


# -------------------------------------------------------------------------- images and texts
def test_frozen_images_raise_no_warning(encoder: PeAvEncoder, recwarn: pytest.WarningsRecorder) -> None:
    view = image(33, 57)
    view.flags.writeable = False
    again(encoder).encode_image([view])
    assert [str(w.message) for w in recwarn if "writable" in str(w.message)] == []


def test_images_of_a_batch_do_not_mix(encoder: PeAvEncoder) -> None:
    views = [image(h, w, seed) for seed, (h, w) in enumerate([(32, 32), (1, 1), (200, 20), (20, 200), (64, 48)])]
    together = again(encoder, batch_size=2).encode_image(views)
    close(together, np.concatenate([again(encoder).encode_image([view]) for view in views]))


def test_padding_does_not_change_a_text(encoder: PeAvEncoder) -> None:
    together = again(encoder).encode_text(PHRASES)
    close(together, np.concatenate([again(encoder).encode_text([phrase]) for phrase in PHRASES]))


def test_a_text_of_any_length(encoder: PeAvEncoder) -> None:
    long = " ".join(["dog"] * 5000)
    assert encoder.encode_text([long, ""]).shape == (2, 32)


def test_nothing_gives_nothing(encoder: PeAvEncoder) -> None:
    for encode in (encoder.encode_audio, encoder.encode_image, encoder.encode_text):
        assert encode([]).shape == (0, 32)


@pytest.mark.parametrize(
    ("verb", "items", "error"),
    [
        ("encode_audio", clip(0.1), AudioError),
        ("encode_audio", [np.zeros(10)], AudioError),
        ("encode_image", image(8, 8), ImageError),
        ("encode_image", [np.zeros((8, 8, 3))], ImageError),
        ("encode_text", "a dog", InputError),
        ("encode_text", [3], InputError),
    ],
)
def test_what_is_no_list_of_items_is_refused(
    encoder: PeAvEncoder, verb: str, items: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(encoder, verb)(items)


def test_settings_out_of_range(encoder: PeAvEncoder) -> None:
    for settings in ({"batch_size": 0}, {"window_s": 0.0}, {"window_s": float("nan")}, {"window_s": 1e9}):
        with pytest.raises(InputError, match=f"PeAvEncoder: {next(iter(settings))} must be"):
            again(encoder, **settings)
    with pytest.raises(UnknownName, match="no text head of PE-AV named 'audio'"):
        again(encoder, text="audio")


# ------------------------------------------------------------------------------------ weights
@pytest.fixture(scope="module")
def folder(encoder: PeAvEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pe-av")
    parts: Sequence[Any] = (encoder.model, encoder.feature_extractor, encoder.video_processor, encoder.tokenizer)
    for part in parts:
        part.save_pretrained(path)
    return path


def test_a_saved_model_comes_back(encoder: PeAvEncoder, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    back = PeAvEncoder.load(folder, device="cpu", window_s=2.0, text="both")
    assert capsys.readouterr().out == "", "standard output is for answers"
    close(back.encode_audio([clip(0.5)]), encoder.encode_audio([clip(0.5)]))
    close(back.encode_image([image(40, 50)]), encoder.encode_image([image(40, 50)]))
    close(back.encode_text(PHRASES), encoder.encode_text(PHRASES))
    assert back.window_s == 2.0
    assert back.card.source == str(folder)
    assert back.space == f"pe_av:{folder}"
    assert not any(weight.requires_grad for weight in back.model.parameters())


def test_the_cards() -> None:
    assert set(CARDS) == {"facebook/pe-av-small", "facebook/pe-av-base", "facebook/pe-av-large"}
    for name, card in CARDS.items():
        assert (card.source, card.licence) == (name, "Apache-2.0")
        assert not card.is_restricted


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "tower"),
    [
        ("facebook/pe-av-large", {}),
        (DEFAULT, {"hidden_size": 1024, "intermediate_size": 2752, "num_hidden_layers": 16, "num_attention_heads": 8}),
    ],
)
def test_estimated_sizes_are_those_of_the_default_towers(name: str, tower: dict[str, int]) -> None:
    """Of transformers, and of Meta's own code, whose defaults give the published size of pe-a-frame-base."""
    from transformers import PeAudioVideoConfig, PeAudioVideoModel

    towers = {"audio_config": tower, "video_config": tower, **tower} if tower else None
    with torch.device("meta"), pe_av.without_notes():
        model = PeAudioVideoModel(pe_av.with_all_outputs(PeAudioVideoConfig(audio_video_config=towers)))
    millions = sum(weight.numel() for weight in model.parameters()) / 1e6
    assert CARDS[name].size_mb == pytest.approx(4 * millions, abs=1)


def test_the_repair_is_done_once_however_often() -> None:
    import transformers

    pe_av._repair(transformers)
    keys = dict(transformers.PeAudioVideoModel._tied_weights_keys)
    pe_av._repair(transformers)
    assert transformers.PeAudioVideoModel._tied_weights_keys == keys
    assert any(r"\.rope\." in key for key in keys)
    assert not any(r"\.rope\.pos_embed" in key for key in keys)


def test_the_image_tower_has_the_outputs_that_its_configuration_names(encoder: PeAvEncoder, folder: Path) -> None:
    """transformers 5.24 makes two of them, whatever is said: 1024 in the published files, which it then refuses."""
    from transformers import PeAudioVideoConfig, PeAudioVideoModel

    config = PeAudioVideoConfig()
    tower = config.audio_video_config.video_config.vision_config
    assert tower.num_labels == 2, "if not, with_all_outputs is no longer needed"
    assert pe_av.with_all_outputs(config) is config
    assert tower.num_labels == 1024
    assert encoder.model.video_model.video_encoder.embedder.proj.in_features == 32
    with pytest.raises(RuntimeError, match="mismatched_sizes"), pe_av.without_notes():
        PeAudioVideoModel.from_pretrained(folder)

"""ImageBind as an encoder: official embeddings at unit length, and the files that it is loaded from."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_helpers import COMMIT, harmful_pickle, imported_by, noise, noise_images, random_states
from imagebind_golden import IMAGES, TEXTS, WAVES, image, unit, wave

from zsavs import AudioClip
from zsavs.errors import AudioError, ImageError, InputError, MissingWeights, WeightsError
from zsavs.models import imagebind
from zsavs.models.imagebind import CARDS, DEFAULT, ImageBind, ImageBindEncoder
from zsavs.protocols import JointEncoder
from zsavs.storage.weights import cache_folder
from zsavs.testing import check_encoder
from zsavs.testing.tiny.encoders import tiny_card
from zsavs.testing.tiny.joint import tiny_imagebind


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """A toy's weights by the official names."""
    return tiny_imagebind().model.state_dict()


@pytest.fixture
def file(weights: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    """A file like the official one, of the toy's size."""
    path = tmp_path / "towers.pth"
    torch.save(weights, path)
    return path


def load(checkpoint: str | Path, **settings: Any) -> ImageBindEncoder:
    """Load a file of the toy's size."""
    return ImageBindEncoder.load(checkpoint, config=tiny_imagebind().model.config, device="cpu", **settings)


# ------------------------------------------------------------------------------------- encoder
def test_the_toy_passes_the_public_check() -> None:
    encoder = tiny_imagebind()
    assert isinstance(encoder, JointEncoder)
    check_encoder(encoder)


def test_the_encoder_gives_the_official_embeddings_at_unit_length(single: ImageBind) -> None:
    """From clips, images and texts; cosines between them do not carry the official scales."""
    encoder = ImageBindEncoder(single, card=tiny_card("golden", 0), batch_size=3, downmix=False)
    clips = [AudioClip(wave(entry), entry["rate"]) for entry in WAVES]
    sides = [
        (encoder.encode_audio(clips), WAVES, 1e-4),
        (encoder.encode_image([image(entry) for entry in IMAGES]), IMAGES, 1e-5),
        (encoder.encode_text([entry["string"] for entry in TEXTS]), TEXTS, 1e-5),
    ]
    for rows, entries, allowed in sides:
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
        assert np.abs(rows - unit([entry["embedding"] for entry in entries])).max() < allowed


def test_all_channels_are_heard_unless_asked_otherwise() -> None:
    """Officially a sound in the second channel alone is not heard; the mean of the channels hears it."""
    model = tiny_imagebind().model
    first, mixed = (ImageBindEncoder(model, card=tiny_card("toy", 0), downmix=mix) for mix in (False, True))
    voice = noise(1.5, 16_000, seed=3).waveform
    left = AudioClip(np.concatenate([voice, 0 * voice]), 16_000)
    right = AudioClip(np.concatenate([0 * voice, voice]), 16_000)
    mono, half = AudioClip(voice, 16_000), AudioClip(voice / 2, 16_000)
    silence = AudioClip(0 * voice, 16_000)

    def differ(encoder: ImageBindEncoder, one: AudioClip, other: AudioClip) -> float:
        return float(np.abs(encoder.encode_audio([one]) - encoder.encode_audio([other])).max())

    assert differ(first, left, mono) < 1e-5
    assert differ(first, right, silence) < 1e-5
    assert differ(first, right, mono) > 1e-3
    assert differ(mixed, right, left) == differ(mixed, left, half) == 0.0
    dual = AudioClip(np.concatenate([voice, voice, voice]) + np.float32(0.1), 16_000)
    assert differ(first, dual, AudioClip(voice + np.float32(0.1), 16_000)) == 0.0


def test_more_clips_hear_what_three_leave_out() -> None:
    """Of ten seconds three clips leave out 2 to 4 s; five of them leave out nothing."""
    model = tiny_imagebind().model
    quiet = 0.01 * noise(10.0, 16_000).waveform
    burst = quiet.copy()
    burst[:, 35_000:60_000] = noise(25_000 / 16_000, 16_000, seed=1).waveform
    for clips, hears in ((3, False), (5, True), (1, False)):
        encoder = ImageBindEncoder(model, card=tiny_card("toy", 0), clips=clips)
        rows = encoder.encode_audio([AudioClip(quiet, 16_000), AudioClip(burst, 16_000)])
        assert (np.abs(rows[0] - rows[1]).max() > 1e-3) == hears


def test_it_is_said_how_much_of_a_file_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    long, short = noise(7.0, 16_000).waveform, noise(6.0, 16_000).waveform
    clips = [AudioClip(long, 16_000, "bark.wav"), AudioClip(short, 16_000, "short.wav"), AudioClip(long, 16_000)]
    tiny_imagebind().encode_audio(clips)
    (record,) = caplog.records
    assert record.getMessage() == "bark.wav: 7.0 s long; ImageBind hears 3 of 2 s, evenly spaced (clips=3)."


def test_answers_are_remembered_while_the_object_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tiny_imagebind()
    clips, views = [noise(1.0), noise(2.0, seed=1)], noise_images((20, 30), (40, 20))
    first = encoder.encode_audio(clips), encoder.encode_image(views), encoder.encode_text(["a", "b"])
    for verb in ("encode_audio_mels", "encode_image_tensor", "encode_text_tokens"):
        monkeypatch.setattr(encoder.model, verb, lambda *_, **__: pytest.fail("computed again"))
    again = encoder.encode_audio(clips[::-1])[::-1], encoder.encode_image(views), encoder.encode_text(["a", "b"])
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one, other)
    del clips, views
    gc.collect()
    assert len(encoder._audio) == len(encoder._images) == 0


def test_batches_are_no_larger_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tiny_imagebind()
    encoder = ImageBindEncoder(made.model, card=made.card, batch_size=2)
    sizes: list[int] = []
    for verb in ("encode_audio_mels", "encode_image_tensor"):
        inner = getattr(made.model, verb)
        monkeypatch.setattr(
            made.model,
            verb,
            lambda given, inner=inner, **settings: sizes.append(len(given)) or inner(given, **settings),
        )
    encoder.encode_audio([noise(0.1, seed=seed) for seed in range(5)])
    encoder.encode_image(noise_images(*[(20, 20)] * 3))
    assert sizes == [2, 2, 1, 2, 1]


def test_nothing_in_gives_nothing_out_and_wrong_things_are_refused() -> None:
    encoder = tiny_imagebind()
    assert encoder.encode_audio([]).shape == encoder.encode_image([]).shape == encoder.encode_text([]).shape == (0, 16)
    with pytest.raises(AudioError):
        encoder.encode_audio([np.zeros((1, 100), np.float32)])  # type: ignore[list-item]
    with pytest.raises(ImageError):
        encoder.encode_image([np.zeros((5, 5), np.uint8)])
    with pytest.raises(InputError):
        encoder.encode_text("a dog")
    for settings in ({"batch_size": 0}, {"clips": 0}):
        with pytest.raises(InputError, match=f"{next(iter(settings))} must be at least 1"):
            ImageBindEncoder(encoder.model, card=encoder.card, **settings)


def test_numbers_that_are_none_are_an_error() -> None:
    encoder = tiny_imagebind()
    with torch.no_grad():
        encoder.model.modality_heads["audio"][2].weight.fill_(torch.nan)
    with pytest.raises(WeightsError, match="NaN"):
        encoder.encode_audio([noise(0.5)])


def test_the_toy_is_quick_seeded_and_leaves_chance_alone() -> None:
    before = random_states()
    began = time.perf_counter()
    one = tiny_imagebind(1)
    assert time.perf_counter() - began < 1.0
    same, other = tiny_imagebind(1), tiny_imagebind(2)
    views = noise_images((30, 40))
    assert np.array_equal(one.encode_image(views), same.encode_image(views))
    assert not np.allclose(one.encode_image(views), other.encode_image(views), atol=1e-3)
    assert one.space == same.space != other.space
    one.encode_audio([noise(1.0)])
    assert random_states() == before


def test_naming_the_adapter_loads_no_torch() -> None:
    brought = imported_by("zsavs.models.imagebind")
    assert not {"torch", "open_clip", "PIL"} & brought
    with pytest.raises(AttributeError, match="no attribute"):
        imagebind.nothing  # noqa: B018


# ------------------------------------------------------------------------------------- loading
def test_a_file_of_weights_gives_the_same_towers(file: Path) -> None:
    """In the dtype asked for, frozen, in evaluation mode, and without touching the global generators."""
    before = random_states()
    encoder = load(file)
    assert random_states() == before
    views = noise_images((30, 40))
    assert np.array_equal(encoder.encode_image(views), tiny_imagebind().encode_image(views))
    assert not encoder.model.training
    assert not any(parameter.requires_grad for parameter in encoder.model.parameters())
    half = load(file, dtype="bfloat16", batch_size=2, clips=5, downmix=False)
    assert {value.dtype for value in half.model.state_dict().values()} == {torch.bfloat16}
    assert (half.batch_size, half.clips, half.downmix) == (2, 5, False)
    np.testing.assert_allclose(half.encode_image(views), encoder.encode_image(views), atol=0.05)


def test_the_card_says_what_may_be_done_with_the_weights(file: Path) -> None:
    card = load(file).card
    assert card.licence == CARDS[DEFAULT].licence == "CC-BY-NC-SA-4.0"
    assert "non-commercial" in card.verified
    assert card.source == str(file)
    assert load(file).space == f"imagebind:{file}"
    # The three towers' numbers, and 127.7 million of the others', four bytes each.
    assert CARDS[DEFAULT].size_mb == pytest.approx(4 * (1_073.1 + 127.7), abs=2)


def test_the_default_is_looked_for_where_people_put_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the working folder, in .checkpoints there, and in the hub cache's folder; by folder and hub name as well."""
    monkeypatch.chdir(tmp_path)
    places = [tmp_path / DEFAULT, tmp_path / ".checkpoints" / DEFAULT, cache_folder() / DEFAULT]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(place)
        try:
            assert load(DEFAULT).card.source.endswith(DEFAULT)
        finally:
            place.rename(file)
    assert load(tmp_path).card.source == str(file)
    (tmp_path / "another.pth").write_bytes(b"w")
    with pytest.raises(MissingWeights, match=DEFAULT):
        load(tmp_path)
    file.rename(tmp_path / DEFAULT)
    assert load(tmp_path).card.source == str(tmp_path / DEFAULT)
    home = cache_folder() / "models--someone--imagebind"
    snapshot = home / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMIT)
    (tmp_path / DEFAULT).rename(snapshot / DEFAULT)
    assert load("someone/imagebind").card.revision == COMMIT


@pytest.mark.parametrize("checkpoint", [DEFAULT, "nowhere/imagebind", "/no/such/file.pth"])
def test_missing_weights_say_what_to_put_where(
    checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingWeights) as raised:
        ImageBindEncoder.load(checkpoint)
    message = str(raised.value)
    for part in (DEFAULT, "CC-BY-NC-SA-4.0", "non-commercial", str(cache_folder() / DEFAULT), "https://"):
        assert part in message
    assert "\n" not in message


def test_weights_of_the_other_modalities_are_passed_over(file: Path, weights: dict[str, torch.Tensor]) -> None:
    """Depth, thermal and imu, which the official file holds too; nothing else is."""
    others = {
        f"modality_{part}.{name}.x.weight": torch.zeros(3)
        for part in ("trunks", "heads")
        for name in ("depth", "thermal", "imu")
    }
    torch.save({**weights, **others}, file)
    views = noise_images((30, 40))
    assert np.array_equal(load(file).encode_image(views), tiny_imagebind().encode_image(views))
    for stranger in ("modality_trunks.video.x", "depth.weight", "modality_trunks.audio.depth.weight"):
        torch.save({**weights, stranger: torch.zeros(3)}, file)
        with pytest.raises(WeightsError, match=stranger.replace(".", r"\.")):
            load(file)


def test_a_file_that_does_not_fit_names_the_entry(file: Path, weights: dict[str, torch.Tensor]) -> None:
    name = "modality_trunks.audio.blocks.0.attn.bias_k"
    lacking = {key: value for key, value in weights.items() if key != name}
    mask = "modality_preprocessors.text.mask"
    cases = [
        (lacking, f"missing: '{name}'"),
        ({**weights, name: torch.zeros(1, 1, 7)}, name),
        ({**weights, name: "a string"}, f"{name} is not a tensor"),
        ({**weights, name: weights[name].to(torch.int8)}, f"{name} is not a tensor"),
        ({**weights, mask: torch.zeros(77, 77)}, "causal mask"),
        ({"model": weights}, "not a weight of ImageBind: 'model'"),
        ({1: torch.zeros(1)}, "no weights by name"),
        ([torch.zeros(1)], "no weights by name"),
    ]
    for content, says in cases:
        torch.save(content, file)
        with pytest.raises(WeightsError, match=says) as raised:
            load(file)
        assert str(file) in str(raised.value)
        assert "\n" not in str(raised.value)
    torch.save(weights, file)
    with pytest.raises(WeightsError, match="missing"):
        ImageBindEncoder.load(file, device="cpu")  # at the published size


def test_part_of_the_weights_may_be_loaded_on_purpose(weights: dict[str, torch.Tensor]) -> None:
    model = tiny_imagebind(5).model
    name = "modality_heads.text.proj.1.weight"
    model.load_state_dict({name: weights[name]}, strict=False)
    assert torch.equal(model.state_dict()[name], weights[name])


def test_a_broken_file_is_an_error_and_a_harmful_one_does_nothing(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    evidence = tmp_path / "evidence"
    for content in (
        whole[: len(whole) // 2],
        whole[:10],
        b"",
        b"<html>not found</html>" * 100,
        harmful_pickle(evidence),
    ):
        file.write_bytes(content)
        with pytest.raises(WeightsError, match=r"towers\.pth") as raised:
            load(file)
        assert "\n" not in str(raised.value)
    assert not evidence.exists()


def test_a_file_of_the_old_format_is_read(file: Path, weights: dict[str, torch.Tensor]) -> None:
    torch.save(weights, file, _use_new_zipfile_serialization=False)
    views = noise_images((30, 40))
    assert np.array_equal(load(file).encode_image(views), tiny_imagebind().encode_image(views))

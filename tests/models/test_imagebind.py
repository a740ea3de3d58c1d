"""ImageBind against numbers of the official code, and the ways in which it could quietly differ from it.

``golden/imagebind_tiny.json`` holds what the official model answers on weights and inputs that ``golden/fill.py`` makes
out of names; no weights and none of its code are here. Only a part of the spectrograms, pixels and stages is stored.
"""

from __future__ import annotations

import gc
import hashlib
import json
import math
import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from adapter_helpers import COMMIT, harmful_pickle, imported_by, noise, noise_images, random_states
from golden import fill
from PIL import Image

from zsavs import AudioClip
from zsavs.errors import (
    AudioError,
    ImageError,
    InputError,
    MissingWeights,
    UnknownName,
    WeightsError,
)
from zsavs.models import imagebind
from zsavs.models.imagebind import (
    CARDS,
    DEFAULT,
    HUGE,
    ImageBind,
    ImageBindConfig,
    ImageBindEncoder,
    preprocess_audio,
    preprocess_image,
    tokenize,
)
from zsavs.models.imagebind.audio import clip_bounds, clip_mels
from zsavs.models.imagebind.kaldi_filter_bank import log_mel
from zsavs.models.imagebind.resample import resample, resampled_length
from zsavs.protocols import JointEncoder
from zsavs.storage.weights import cache_folder
from zsavs.testing import check_encoder
from zsavs.testing.tiny.encoders import tiny_card
from zsavs.testing.tiny.joint import tiny_imagebind

TESTS = Path(__file__).parents[1]
SAMPLES = Path(os.environ.get("ZSAVS_SAMPLES", TESTS.parents[1] / "shared" / "samples"))
GOLDEN = json.loads((TESTS / "golden" / "imagebind_tiny.json").read_text(encoding="utf-8"))
SALT = GOLDEN["salt"]
ALLOWED = GOLDEN["tolerance"]
WAVES = GOLDEN["audio"]["waves"]
IMAGES = GOLDEN["vision"]["pictures"]
TEXTS = GOLDEN["text"]["items"]
#: Raw embeddings are rounded to seven decimals in the file.
ROUNDING = 1e-6
FLOOR = math.log(2.0**-23)

by_name = pytest.mark.parametrize("entry", WAVES, ids=[entry["name"] for entry in WAVES])
each_pair = pytest.mark.parametrize("pair", ["dog", "car", "bird"])


def filled(config: Any, dtype: torch.dtype = torch.float32, salt: str = SALT) -> ImageBind:
    """Towers with the weights that belong to their names."""
    model = ImageBind(config)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    model.load_state_dict({name: torch.from_numpy(value) for name, value in fill.fill(shapes, salt).items()})
    return model.to(dtype).requires_grad_(False)


@pytest.fixture(scope="module")
def exact() -> ImageBind:
    """The golden towers in float64."""
    return filled(GOLDEN["config"], torch.float64)


@pytest.fixture(scope="module")
def single() -> ImageBind:
    """The golden towers in float32."""
    return filled(GOLDEN["config"])


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


def unit(rows: Any) -> np.ndarray:
    """Rows of unit length."""
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def tensor(entry: dict[str, Any]) -> torch.Tensor:
    return torch.from_numpy(fill.tensor_input(entry["name"], entry["shape"], SALT))


def wave(entry: dict[str, Any]) -> np.ndarray:
    """(C, L) float32 of a golden recording, as a reader of 16-bit files returns it."""
    settings = {name: entry[name] for name in ("channels", "dc", "smooth") if name in entry}
    return fill.wave_input(entry["name"], entry["samples"], salt=SALT, **settings).T.astype(np.float32) / 32768


def image(entry: dict[str, Any]) -> np.ndarray:
    return fill.image_input(entry["name"], entry["height"], entry["width"], entry["cell"], SALT)


def real(pair: str, kind: str) -> tuple[Path, dict[str, Any]]:
    """A file of a real pair and what is known of it."""
    entry = GOLDEN["real_pairs"][pair][kind]
    path = SAMPLES / entry["file"]
    if not path.is_file():
        pytest.skip(f"NOT RUN: needs the image and sound pairs of ImageBind, {path}; set ZSAVS_SAMPLES to their folder")
    return path, entry


# ------------------------------------------------------------------------- towers, golden numbers
def test_names_shapes_and_filling_are_those_of_the_official_file(exact: ImageBind) -> None:
    """Before any embedding is compared: the same weights in the same places."""
    own, known = ImageBind(GOLDEN["config"]).state_dict(), GOLDEN["fill_check"]
    lines = "\n".join(f"{name} {list(own[name].shape)}" for name in sorted(own))
    assert len(own) == known["keys_of_three_towers"]
    assert hashlib.sha256(lines.encode()).hexdigest() == known["sha256_of_sorted_names_and_shapes"]
    for name, first in known["first_values"].items():
        np.testing.assert_allclose(exact.state_dict()[name].flatten()[: len(first)].numpy(), first, rtol=1e-6)


def test_the_huge_towers_have_the_published_entries_and_numbers() -> None:
    with torch.device("meta"):
        entries = ImageBind(HUGE).state_dict()
    of: dict[str, list[torch.Tensor]] = {"vision": [], "text": [], "audio": []}
    for name, value in entries.items():
        of[name.split(".")[1]].append(value)
    assert {modality: len(values) for modality, values in of.items()} == {"vision": 392, "text": 295, "audio": 177}
    assert {modality: sum(value.numel() for value in values) for modality, values in of.items()} == {
        "vision": 632_829_440,
        "text": 354_038_570,
        "audio": 86_235_649,
    }
    stem = entries["modality_preprocessors.vision.rgbt_stem.proj.1.weight"]
    assert stem.shape == (1280, 3, 2, 14, 14)
    assert (HUGE.image_tokens, HUGE.audio_tokens) == (257, 229)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("side", ["vision", "text", "audio"])
def test_towers_answer_as_the_official_ones(side: str, dtype: torch.dtype, exact: ImageBind, single: ImageBind) -> None:
    """Direction within the golden tolerance, and raw length too: a missing scale is invisible in unit vectors."""
    model, allowed = (exact, 5e-7) if dtype == torch.float64 else (single, 1e-5)
    assert allowed == ALLOWED[f"towers_{str(dtype).removeprefix('torch.')}_unit"]
    if side == "text":
        ids = torch.tensor([entry["ids"] + [0] * (77 - len(entry["ids"])) for entry in TEXTS])
        raw, given = model.encode_text_tokens(ids, raw=True), model.encode_text_tokens(ids)
        want = np.array([entry["embedding"] for entry in TEXTS])
    else:
        entries = GOLDEN[side]["tensors"]
        encode = {"vision": model.encode_image_tensor, "audio": model.encode_audio_mels}[side]
        raw = torch.cat([encode(tensor(entry), raw=True) for entry in entries])
        given = torch.cat([encode(tensor(entry)) for entry in entries])
        want = np.array([entry["embedding"] for entry in entries])
    assert raw.dtype == given.dtype == dtype
    assert np.abs(unit(raw) - unit(want)).max() < allowed
    np.testing.assert_allclose(raw.norm(dim=1).numpy(), np.linalg.norm(want, axis=1), rtol=allowed)
    np.testing.assert_allclose(given.numpy(), unit(raw), atol=1e-6)


@pytest.mark.parametrize("side", ["vision", "text", "audio"])
def test_stages_within_a_tower_are_the_official_ones(side: str, exact: ImageBind) -> None:
    """Tells which step of a tower differs, where the test above says that one does."""
    known = GOLDEN[side][f"stages_of_first_{ {'vision': 'tensor', 'text': 'string', 'audio': 'clip'}[side] }"]
    trunk, seen = exact.modality_trunks[side], {}
    parts = {
        "tokens": exact.modality_preprocessors[side],
        "trunk_input": trunk.pre_transformer_layer,
        "after_block_0": trunk.blocks[0],
        "trunk_output": trunk,
        "head_output": exact.modality_heads[side],
    }

    def keep(stage: str) -> Any:
        return lambda *call: seen.update({stage: call[-1][0]})

    handles = [part.register_forward_hook(keep(stage)) for stage, part in parts.items()]
    try:
        if side == "vision":
            exact.encode_image_tensor(tensor(GOLDEN["vision"]["tensors"][0]))
        elif side == "audio":
            exact.encode_audio_mels(preprocess_audio(wave(WAVES[0]), 16_000, clips=1))
        else:
            # A neighbour that ends at the last place, so that nothing after the first text's end is left out.
            neighbour = torch.zeros(1, 77, dtype=torch.int64).index_fill(1, torch.tensor([76]), 49407)
            exact.encode_text_tokens(torch.cat([tokenize(["A dog."]), neighbour]))
    finally:
        for handle in handles:
            handle.remove()
    allowed = 2e-5 if side == "audio" else ROUNDING  # the spectrogram is computed, not given
    for stage, want in known.items():
        if stage == "head_output":
            np.testing.assert_allclose(seen[stage][: len(want["first"])].numpy(), want["first"], atol=allowed)
            continue
        assert list(seen[stage].shape) == want["shape"]
        for row, first in zip(want["rows"], want["first"], strict=True):
            np.testing.assert_allclose(seen[stage][row, :8].numpy(), first, atol=allowed, err_msg=f"{stage} {row}")


# ------------------------------------------------------------------------ towers, further rules
def test_what_follows_the_end_of_a_text_does_not_matter(exact: ImageBind) -> None:
    """Nor does a longer neighbour; the first end counts."""
    ids = tokenize(["A dog."])
    noisy = ids.clone()
    noisy[0, 5:] = torch.arange(1000, 1072)
    noisy[0, 9] = 49407
    longer = torch.cat([ids, tokenize(["word " * 80])])
    want = exact.encode_text_tokens(ids)
    torch.testing.assert_close(exact.encode_text_tokens(noisy), want, atol=1e-12, rtol=0)
    torch.testing.assert_close(exact.encode_text_tokens(longer)[:1], want, atol=1e-12, rtol=0)
    assert (exact.encode_text_tokens(longer)[1] - want).abs().max() > 0.01


def test_a_spectrogram_is_seen_up_to_the_last_whole_patch(exact: ImageBind) -> None:
    """Bands 126 and 127 and frames 196 to 203 lie under no patch; all others do."""
    mels = tensor(GOLDEN["audio"]["tensors"][1])
    want = exact.encode_audio_mels(mels)
    unseen, seen = mels.clone(), mels.clone()
    unseen[..., 126:, :], unseen[..., 196:] = 9.0, 9.0
    seen[..., 125, 195] = 9.0
    assert torch.equal(exact.encode_audio_mels(unseen), want)
    assert (exact.encode_audio_mels(seen) - want).abs().max() > 1e-6


def test_views_of_a_image_are_averaged(exact: ImageBind) -> None:
    views = torch.stack(
        [tensor(GOLDEN["vision"]["tensors"][0])[0], torch.linspace(-2, 2, 3 * 224 * 224).view(3, 224, 224)]
    )
    each = exact.encode_image_tensor(views, raw=True)
    raw = exact.encode_image_tensor(views[None], raw=True)
    torch.testing.assert_close(raw, each.mean(dim=0, keepdim=True))
    assert raw.norm() < 0.9999
    torch.testing.assert_close(exact.encode_image_tensor(views[None]).norm(), torch.tensor(1.0, dtype=torch.float64))


def test_clips_are_averaged_at_full_length(exact: ImageBind) -> None:
    """The mean of the scaled rows, which is shorter than each and brought to unit length only at the end."""
    mels = tensor(GOLDEN["audio"]["tensors"][0])
    each = exact.encode_audio_mels(mels[0], raw=True)
    raw = exact.encode_audio_mels(mels, raw=True)
    torch.testing.assert_close(each.norm(dim=1), torch.full((3,), exact.scale("audio"), dtype=torch.float64))
    torch.testing.assert_close(raw, each.mean(dim=0, keepdim=True))
    assert raw.norm() < 0.999 * exact.scale("audio")
    torch.testing.assert_close(exact.encode_audio_mels(mels).norm(), torch.tensor(1.0, dtype=torch.float64))


def test_scales_are_the_files_own_and_end_at_100() -> None:
    """Different for every weight that the golden filling makes; above 100 they are cut."""
    model = filled(GOLDEN["config"])
    text, audio = (fill.fill_one(f"modality_postprocessors.{m}.1.log_logit_scale", (), SALT) for m in ("text", "audio"))
    assert model.scale("text") == pytest.approx(math.exp(text))
    assert model.scale("audio") == pytest.approx(math.exp(audio))
    assert model.scale("vision") == 1.0
    for modality in ("text", "audio"):
        model.modality_postprocessors[modality][1].log_logit_scale.fill_(math.log(500.0))
    assert model.scale("text") == model.scale("audio") == 100.0
    assert model.encode_text_tokens(tokenize(["a"]), raw=True).norm().item() == pytest.approx(100.0)
    fresh = ImageBind(GOLDEN["config"])
    assert fresh.scale("audio") == pytest.approx(20.0)
    assert fresh.scale("text") == pytest.approx(1 / 0.07)
    with pytest.raises(UnknownName, match="depth"):
        fresh.scale("depth")


def test_training_mode_changes_nothing(exact: ImageBind) -> None:
    """The official constructor returns a model whose audio is random until eval() is called."""
    mels = tensor(GOLDEN["audio"]["tensors"][0])
    try:
        assert torch.equal(exact.train().encode_audio_mels(mels), exact.eval().encode_audio_mels(mels))
    finally:
        exact.eval()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_points_the_same_way(dtype: torch.dtype) -> None:
    model, reference = filled(GOLDEN["config"], dtype), filled(GOLDEN["config"])
    for entry, verb in (
        (GOLDEN["vision"]["tensors"][0], "encode_image_tensor"),
        (GOLDEN["audio"]["tensors"][0], "encode_audio_mels"),
    ):
        rows, want = getattr(model, verb)(tensor(entry)), getattr(reference, verb)(tensor(entry))
        assert rows.dtype == dtype
        assert torch.cosine_similarity(rows.float(), want).min() > 0.998
    ids = tokenize(["A dog.", "a much longer caption of a dog that barks"])
    assert (
        torch.cosine_similarity(model.encode_text_tokens(ids).float(), reference.encode_text_tokens(ids)).min() > 0.998
    )


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        ("encode_image_tensor", torch.zeros(1, 3, 256, 256)),
        ("encode_image_tensor", torch.zeros(3, 224, 224)),
        ("encode_image_tensor", torch.zeros(1, 0, 3, 224, 224)),
        ("encode_audio_mels", torch.zeros(1, 1, 128, 300)),
        ("encode_audio_mels", torch.zeros(1, 0, 1, 128, 204)),
        ("encode_audio_mels", torch.zeros(1, 128, 204)),
        ("encode_text_tokens", torch.zeros(1, 76, dtype=torch.int64)),
        ("encode_text_tokens", torch.zeros(1, 77)),
        ("encode_text_tokens", torch.full((1, 77), 49408)),
        ("encode_text_tokens", torch.full((1, 77), -1)),
    ],
)
def test_inputs_of_another_kind_are_refused(verb: str, given: torch.Tensor, single: ImageBind) -> None:
    """Positions are learned for one size, and an id past the vocabulary is a crash on a GPU."""
    with pytest.raises(InputError, match="ImageBind"):
        getattr(single, verb)(given)


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        ("encode_image_tensor", torch.zeros(0, 3, 224, 224)),
        ("encode_audio_mels", torch.zeros(0, 1, 128, 204)),
        ("encode_audio_mels", torch.zeros(0, 3, 1, 128, 204)),
        ("encode_text_tokens", torch.zeros(0, 77, dtype=torch.int64)),
    ],
)
def test_an_empty_batch_gives_no_rows(verb: str, given: torch.Tensor, single: ImageBind) -> None:
    assert getattr(single, verb)(given).shape == getattr(single, verb)(given, raw=True).shape == (0, 40)


def test_configuration_comes_by_official_names_too() -> None:
    named = ImageBindConfig.from_official({**GOLDEN["config"], "kernel_size": [2, 16, 16], "audio_drop_path": 0.1})
    assert (named.vision_embed_dim, named.text_num_heads, named.audio_stride) == (64, 3, 10)
    assert named.kernel_size == (2, 16, 16)
    assert named.image_tokens == 14 * 14 + 1
    for wrong in ({"vision_width": 3}, {"vision_num_heads": 7}, {"text_num_blocks": 0}, {"kernel_size": (1, 14, 14)}):
        with pytest.raises(InputError, match="ImageBind"):
            ImageBindConfig.from_official(wrong)
    with pytest.raises(InputError, match="does not fit"):
        ImageBindConfig(audio_num_mel_bins=12)


def test_other_sizes_of_patches_and_spectrograms_run_end_to_end() -> None:
    config = {**GOLDEN["config"], "kernel_size": (2, 32, 28), "audio_kernel_size": 20, "audio_stride": 7}
    model = filled({**config, "audio_num_mel_bins": 64, "audio_target_len": 150})
    encoder = ImageBindEncoder(model, card=tiny_card("toy", 0))
    assert encoder.encode_audio([noise(3.0)]).shape == encoder.encode_image(noise_images((30, 40))).shape == (1, 40)


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
    (tmp_path / "another.pth").write_bytes(b"")
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

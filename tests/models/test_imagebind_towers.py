"""ImageBind's towers against numbers of the official code."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
import pytest
import torch
from adapter_helpers import noise, noise_images
from golden import fill
from imagebind_golden import ALLOWED, GOLDEN, ROUNDING, SALT, TEXTS, WAVES, filled, tensor, unit, wave

from zsavs.errors import InputError, UnknownName
from zsavs.models.imagebind import HUGE, ImageBind, ImageBindConfig, ImageBindEncoder, preprocess_audio, tokenize
from zsavs.testing.tiny.encoders import tiny_card


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

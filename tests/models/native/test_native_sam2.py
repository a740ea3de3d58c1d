"""Meta's own files of SAM 2: the answers of Meta's package, all published sizes, and files that are something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from native_files import empty_weights, golden, golden_weights
from torch.nn.functional import interpolate
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from tools.imitation.inputs import BOXES, POINTS, image
from tools.native.sam2 import PUBLISHED
from zsavs import AudioClip, AVSample, Proposals
from zsavs.build.parts import build_parts
from zsavs.errors import WeightsError
from zsavs.models.native import sam2 as native
from zsavs.models.sam2 import Sam2Segmenter
from zsavs.models.sam2_video import Sam2VideoSegmenter

CLOSE = 1e-4
SMALL = ["sam2.1_hiera", "sam2_hiera"]
#: And those of published size, which take up to a minute each.
ALL = [*SMALL, *(pytest.param(name, marks=pytest.mark.full) for name in PUBLISHED)]


def write(name: str, folder: Path, **changed: torch.Tensor | None) -> Path:
    """Meta's form of a small model's file, some weights of it changed or (None) taken out."""
    weights: dict[str, Any] = golden_weights(name) | changed
    path = folder / f"{name}_tiny.pt"
    torch.save({"model": {key: tensor for key, tensor in weights.items() if tensor is not None}}, path)
    return path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model's image encoder counts as published."""
    sizes = golden(SMALL[0])["sizes"]
    assert sizes == golden(SMALL[1])["sizes"]
    hiera = native.Hiera(**{key: tuple(v) if isinstance(v, list) else v for key, v in sizes.items()})
    monkeypatch.setattr(native, "PUBLISHED", (hiera, *native.PUBLISHED))


# ------------------------------------------------------------------------- the package's answers
@pytest.mark.parametrize("name", ALL)
def test_masks_of_boxes_and_of_a_point_are_those_of_metas_package(name: str, small: None, tmp_path: Path) -> None:
    answers = golden(name)["images"]
    every, side = answers["every"], answers["side"]
    segmenter = Sam2Segmenter.load(write(name, tmp_path), device="cpu")
    sample = AVSample(image(side, side), AudioClip(np.zeros((1, 16_000), np.float32), 16_000), "square")
    found = Proposals(np.array(BOXES, np.float32) * side / 128, np.ones(2, np.float32), np.arange(2))
    logits, ratings = segmenter.predict([sample], [found])[0]
    for got, rating, wanted in zip(logits[:, ::every, ::every], ratings, answers["boxes"], strict=True):
        np.testing.assert_allclose(got, wanted["logits"], atol=CLOSE * np.std(wanted["logits"]))
        assert abs(rating - wanted["rating"]) < CLOSE
        assert np.std(wanted["logits"]) > 1, "masks that are all alike would prove nothing"
    logits, ratings = segmenter.segment_points([sample], [np.array([[POINTS[0]]]) * side / 128])[0]
    best = int(np.argmax(answers["point"]["ratings"]))
    wanted = answers["point"]["logits"][best]
    np.testing.assert_allclose(logits[0, ::every, ::every], wanted, atol=CLOSE * np.std(wanted))
    assert abs(ratings[0] - answers["point"]["ratings"][best]) < CLOSE


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(f"{each}_tiny", marks=pytest.mark.full) for each in SMALL)])
def test_an_object_is_followed_as_by_metas_package(
    name: str, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, side = golden(name)["video"], golden(name)["images"]["side"]
    every = answers["every"]
    tracker = Sam2VideoSegmenter.load(write(name, tmp_path), device="cpu")
    count = len(answers["logits"])
    frames = [np.roll(image(side, side), answers["moves"] * number, axis=1).copy() for number in range(count + 1)]
    pixels = tracker.image_processor(images=frames, return_tensors="pt", input_data_format="channels_last")
    session = Sam2VideoInferenceSession(
        video=pixels["pixel_values"], video_height=side, video_width=side, dtype=torch.float32
    )
    session.obj_id_to_idx(1)
    places = torch.tensor(POINTS[:1])[None, None] * side / 128
    session.add_point_inputs(0, 0, {"point_coords": places, "point_labels": torch.ones(1, 1, 1, dtype=torch.int)})
    session.obj_with_new_inputs = [1]
    monkeypatch.setattr(torch, "bfloat16", torch.float32)  # as there
    with torch.no_grad():
        masks = [tracker.model(inference_session=session, frame_idx=frame).pred_masks for frame in range(count + 1)]
    for got, wanted in zip(masks[1:], answers["logits"], strict=True):
        full = interpolate(got, (side, side), mode="bilinear", align_corners=False)[0, 0]
        # At published size twice as much, as what the memory rounds in one frame comes back in the next.
        np.testing.assert_allclose(full[::every, ::every], wanted, atol=2 * CLOSE * np.std(wanted))
    assert np.abs(np.subtract(answers["logits"][0], answers["logits"][2])).max() > 0.1


def test_sam_2_and_2_1_remember_differently(small: None, tmp_path: Path) -> None:
    configs = [Sam2VideoSegmenter.load(write(name, tmp_path), device="cpu").model.config for name in SMALL]
    assert [config.enable_occlusion_spatial_embedding for config in configs] == [True, False]
    assert [config.enable_temporal_pos_encoding_for_object_pointers for config in configs] == [True, False]


def test_a_part_is_named_by_the_path_of_the_file(small: None, tmp_path: Path) -> None:
    path = write(SMALL[0], tmp_path)
    parts = build_parts(["segmenter"], "nano", "cpu", parts={"segmenter": f"sam2:{path}"})
    card = parts["segmenter"].card
    assert (card.source, card.revision, card.licence) == (str(path), "local file", "unknown")


def test_half_precision_is_taken_where_it_is_asked_for(small: None, tmp_path: Path) -> None:
    segmenter = Sam2Segmenter.load(write(SMALL[0], tmp_path), device="cpu", dtype="bfloat16")
    assert next(segmenter.model.vision_encoder.parameters()).dtype == torch.bfloat16


# ----------------------------------------------------------------------------- published sizes
@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("class_name", ["Sam2Model", "Sam2VideoModel"])
def test_every_weight_of_a_published_file_finds_its_place(
    name: str, class_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = empty_weights(name)
    monkeypatch.setattr(native, "read_weights", lambda path: weights)
    model, processor = native.read(tmp_path / f"{name}.pt", torch.float32, class_name)
    assert processor.size == {"height": 1024, "width": 1024}
    assert model.config.vision_config.backbone_config.blocks_per_stage == list(
        {"tiny": (1, 2, 7, 2), "small": (1, 2, 11, 2), "plus": (2, 3, 16, 3), "large": (2, 6, 36, 4)}[
            name.rpartition("_")[2]
        ]
    )


# --------------------------------------------------------------------------------- other files
def test_the_first_weight_that_does_not_fit_is_named(small: None, tmp_path: Path) -> None:
    extra = {"image_encoder.trunk.blocks.0.ls1.gamma": torch.ones(16), "zebra": torch.ones(1)}
    with pytest.raises(WeightsError, match=r"blocks\.0\.ls1\.gamma has no place in SAM 2 \(2 of \d+ have none\)"):
        Sam2Segmenter.load(write(SMALL[0], tmp_path, **extra), device="cpu")
    other = {"image_encoder.neck.convs.1.conv.weight": torch.ones(128, 65, 1, 1)}
    with pytest.raises(WeightsError, match=r"neck\.convs\.1\.conv\.weight is \(128, 65, 1, 1\), where SAM 2 .* 64, 1"):
        Sam2Segmenter.load(write(SMALL[0], tmp_path, **other), device="cpu")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sam_mask_decoder.iou_token.weight", r"sam_mask_decoder\.iou_token\.weight is missing in the file"),
        ("image_encoder.trunk.blocks.2.attn.proj.weight", r"blocks\.2\.attn\.proj\.weight is missing in the file"),
        ("sam_mask_decoder.conv_s0.bias", r"1 weights of SAM 2 are missing in the file \(mask_decoder\.conv_s0\.bias"),
    ],
)
def test_a_file_with_a_gap_is_refused(name: str, said: str, small: None, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=said):
        Sam2Segmenter.load(write(SMALL[0], tmp_path, **{name: None}), device="cpu")


@pytest.mark.parametrize(
    "name",
    ["sam_mask_decoder.iou_token.weight", "memory_attention.layers.0.linear1.weight", "memory_encoder.out_proj.bias"],
)
@pytest.mark.parametrize("shape", [(), (0,), (3, 3, 3)])
def test_shapes_that_make_no_model_are_refused(name: str, shape: tuple[int, ...], small: None, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as raised:
        Sam2VideoSegmenter.load(write(SMALL[0], tmp_path, **{name: torch.ones(shape)}), device="cpu")
    assert "\n" not in str(raised.value)


def test_an_image_encoder_that_is_not_metas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"\(1, 1, 2, 1\) blocks with 16 channels in the first, which is none of"):
        Sam2Segmenter.load(write(SMALL[0], tmp_path), device="cpu")

"""SAM 2 against the documented calls; boxes, points, batches, the file's missing table, broken files, odd images."""

from __future__ import annotations

import copy
import gc
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_checkpoints import save
from adapter_helpers import noise, noise_images, random_states
from detections import sample
from prompted_masks import LOGITS, best, boxed, changed, documented

from zsavs import AVSample, Proposals
from zsavs.errors import InputError, WeightsError
from zsavs.models.edgetam import EdgeTamSegmenter
from zsavs.models.sam2 import Sam2Segmenter
from zsavs.protocols import Segmenter
from zsavs.testing import check_segmenter
from zsavs.testing.tiny.segmenters import tiny_edgetam, tiny_sam2

TABLE = "prompt_encoder.shared_embedding.positional_embedding"


def segmenter(**settings: Any) -> Sam2Segmenter:
    """A fresh toy segmenter, which remembers nothing yet."""
    made = tiny_sam2()
    return Sam2Segmenter(made.model, made.image_processor, card=made.card, **settings)


# ------------------------------------------------------------------------------------- parity
@pytest.mark.parametrize("size", [(96, 128), (300, 200), (33, 90), (128, 128)])
def test_masks_of_boxes_are_those_of_the_documented_calls(size: tuple[int, int]) -> None:
    made, scene, found = segmenter(), sample(*size), boxed(size, 3)
    masks, ratings = best(*documented(made, scene, input_boxes=[found.boxes_xyxy.tolist()]))
    logits, iou = made.predict([scene], [found])[0]
    assert logits.shape == (3, *size)
    assert logits.dtype == iou.dtype == np.float32
    np.testing.assert_allclose(logits, masks, atol=LOGITS)
    np.testing.assert_allclose(iou, ratings, atol=1e-5)
    np.testing.assert_array_equal(made.segment([scene], [found])[0], logits)
    assert np.abs(logits[0] - logits[1]).max() > 0.1, "masks that are all alike would prove nothing"


@pytest.mark.parametrize("fall_back", [True, False])
def test_the_single_mask_is_the_documented_one(fall_back: bool) -> None:
    made, scene, found = segmenter(multimask=False), sample(96, 128), boxed((96, 128), 3)
    made.model.mask_decoder.dynamic_multimask_via_stability = fall_back  # the toy's single masks are all unstable
    masks, ratings = documented(made, scene, False, input_boxes=[found.boxes_xyxy.tolist()])
    logits, iou = made.predict([scene], [found])[0]
    np.testing.assert_allclose(logits, masks[:, 0], atol=LOGITS)
    np.testing.assert_allclose(iou, ratings[:, 0], atol=1e-5)
    of_three = segmenter().segment([scene], [found])[0]
    assert bool(np.abs(logits - of_three).max() < LOGITS) == fall_back


@pytest.mark.parametrize(
    ("side", "make", "cls"), [(64, tiny_sam2, Sam2Segmenter), (192, tiny_edgetam, EdgeTamSegmenter)]
)
def test_at_another_size_it_is_the_model_that_is_built_for_that_size(side: int, make: Any, cls: Any) -> None:
    """The same weights in a model whose configuration says so, beside one that is told."""
    made, (scene, other), found = make(), (sample(96, 128), sample(60, 40)), boxed((96, 128), 3)
    config = copy.deepcopy(made.model.config)
    own = config.prompt_encoder_config.image_size
    config.prompt_encoder_config.image_size = side
    sizes = config.vision_config.backbone_feature_sizes
    config.vision_config.backbone_feature_sizes = [[side * cells // own for cells in level] for level in sizes]
    built = type(made.model)(config)
    built.load_state_dict(made.model.state_dict())
    processor = copy.deepcopy(made.image_processor)
    processor.size = {"height": side, "width": side}
    expected = cls(built, processor, card=made.card)
    at_own_size = cls(copy.deepcopy(made.model), made.image_processor, card=made.card).segment([scene], [found])[0]
    told = cls(made.model, made.image_processor, card=made.card, image_size=side)
    both = [found, boxed((60, 40), 2)]
    for logits, wanted in zip(told.segment([scene, other], both), expected.segment([scene, other], both), strict=True):
        np.testing.assert_array_equal(logits, wanted)
    points = [np.array([[[10.0, 20.0]]]), np.array([[[30.0, 20.0]]])]
    small = told.segment_points([scene, other], points, full_size=False)
    for (logits, _), (wanted, _) in zip(small, expected.segment_points([scene, other], points), strict=True):
        assert logits.shape == (1, side // 4, side // 4)
        assert np.abs(wanted).max() > 0
    assert np.abs(told.segment([scene], [found])[0] - at_own_size).max() > LOGITS
    assert made.image_processor.size["height"] == own, "the processor that was handed over is as it was"


def test_a_box_with_points_is_the_documented_prompt_of_both() -> None:
    """Two regions with a point each, one with two, one with none, and one that stands twice."""
    made, scene, found = segmenter(), sample(96, 128), boxed((96, 128), 4)
    points = np.full((4, 2, 2), np.nan, np.float32)
    points[:3, 0] = [[10, 20], [50, 40], [30, 31]]
    points[2, 1] = [60, 70]
    found = replace(found, points_xy=points).rows([0, 1, 2, 3, 1])
    logits, iou = made.predict([scene], [found])[0]
    for row in range(4):
        own = points[row][np.isfinite(points[row, :, 0])]
        asked = {"input_boxes": [[found.boxes_xyxy[row].tolist()]]}
        if len(own):
            asked |= {"input_points": [[own.tolist()]], "input_labels": [[[1] * len(own)]]}
        masks, ratings = best(*documented(made, scene, False, **asked))
        np.testing.assert_allclose(logits[row], masks[0], atol=LOGITS)
        np.testing.assert_allclose(iou[row], ratings[0], atol=1e-5)
    np.testing.assert_array_equal(logits[4], logits[1])
    without = made.segment([scene], [replace(found, points_xy=None)])[0]
    assert all(np.abs(logits[row] - without[row]).max() > LOGITS for row in range(3)), "points without a say"


@pytest.mark.parametrize(
    ("multimask", "of_three"), [(None, (False, True, False)), (True, (True,) * 3), (False, (False,) * 3)]
)
def test_one_point_alone_has_three_masks_unless_asked_otherwise(
    multimask: bool | None, of_three: tuple[bool, ...]
) -> None:
    """A point may mean a thing or a part of it; a box counts as two points."""
    made, scene, found = segmenter(multimask=multimask), sample(96, 128), boxed((96, 128), 3)
    made.model.mask_decoder.dynamic_multimask_via_stability = False
    points = np.array([[[10.0, 20.0]], [[50.0, 40.0]]])
    pairs = np.concatenate([points, points[::-1]], axis=1)
    asked = [{"input_boxes": [found.boxes_xyxy.tolist()]}]
    asked += [
        {"input_points": [p.tolist()], "input_labels": [np.ones(p.shape[:2], int).tolist()]} for p in (points, pairs)
    ]
    got = [made.predict([scene], [found])[0], *(made.segment_points([scene], [p])[0] for p in (points, pairs))]
    for (logits, iou), prompts, several in zip(got, asked, of_three, strict=True):
        masks, ratings = best(*documented(made, scene, several, **prompts))
        np.testing.assert_allclose(iou, ratings, atol=1e-5)
        np.testing.assert_allclose(logits, masks, atol=LOGITS)
        other = best(*documented(made, scene, not several, **prompts))[0]
        assert np.abs(logits - other).max() > LOGITS, "masks that are all alike would prove nothing"


def test_of_three_masks_the_best_rated_one_is_taken() -> None:
    """For each prompt by itself: the toy rates another mask best for other boxes."""
    made, scene, found = segmenter(), sample(96, 128), boxed((96, 128), 40, seed=1)
    masks, ratings = documented(made, scene, input_boxes=[found.boxes_xyxy.tolist()])
    assert len(set(ratings.argmax(axis=1).tolist())) > 1
    logits, iou = made.predict([scene], [found])[0]
    np.testing.assert_allclose(iou, ratings.max(axis=1), atol=1e-5)
    np.testing.assert_allclose(logits, best(masks, ratings)[0], atol=LOGITS)


@pytest.mark.parametrize("size", [(96, 128), (128, 60)])
def test_masks_of_points_are_those_of_the_documented_calls(size: tuple[int, int]) -> None:
    made, scene = segmenter(), sample(*size)
    points = [[[10.0, 20.0], [50.0, 40.5]], [[3.0, 90.0], [20.0, 4.0]], [[1.0, 1.0], [59.0, 59.0]]]
    labels = [[1, 0], [1, 1], [0, 1]]
    masks, ratings = best(*documented(made, scene, input_points=[points], input_labels=[labels]))
    logits, iou = made.segment_points([scene], [points], [labels])[0]
    np.testing.assert_allclose(logits, masks, atol=LOGITS)
    np.testing.assert_allclose(iou, ratings, atol=1e-5)
    positive = best(*documented(made, scene, input_points=[points], input_labels=[[[1, 1]] * 3]))[0]
    np.testing.assert_allclose(made.segment_points([scene], [points])[0][0], positive, atol=LOGITS)
    assert np.abs(positive - masks).max() > 0.01


def test_small_logits_of_points_are_those_before_stretching() -> None:
    made, scene = segmenter(), sample(96, 128)
    points = np.random.default_rng(0).uniform(0, 90, (5, 1, 2))
    full, iou = made.segment_points([scene], [points])[0]
    small, same = made.segment_points([scene], [points], full_size=False)[0]
    assert small.shape == (5, 32, 32)
    np.testing.assert_array_equal(iou, same)
    stretched = torch.nn.functional.interpolate(torch.from_numpy(small)[None], (96, 128), mode="bilinear")[0]
    np.testing.assert_allclose(stretched.numpy(), full, atol=LOGITS)


def test_points_and_boxes_of_different_images_may_differ_in_number() -> None:
    made, samples = segmenter(), [sample(40, 60), sample(96, 128, 1), sample(40, 60, 2)]
    points = [np.ones((3, 1, 2)), np.zeros((0, 1, 2)), np.full((1, 4, 2), 30.0)]
    answers = made.segment_points(samples, points, [np.ones((3, 1)), np.zeros((0, 1)), [[1, 0, 1, 1]]])
    assert [logits.shape for logits, _ in answers] == [(3, 40, 60), (0, 96, 128), (1, 40, 60)]
    assert [iou.shape for _, iou in answers] == [(3,), (0,), (1,)]


@pytest.mark.parametrize(
    ("points", "labels", "reason"),
    [
        ([[1.0, 2.0]], None, "shape"),
        ([[[1.0, 2.0, 3.0]]], None, "shape"),
        (np.zeros((2, 0, 2)), None, "shape"),
        ([[[1.0, float("nan")]]], None, "finite"),
        ([[[1.0, 2.0]]], [[1, 0]], "labels"),
        ([[[1.0, 2.0]]], [[2]], "label is 1"),
        ([[[1.0, 2.0]]], [[-1]], "label is 1"),
    ],
)
def test_points_that_are_none_are_refused(points: Any, labels: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        segmenter().segment_points([sample(40, 60)], [points], None if labels is None else [labels])


# ------------------------------------------------------------------------------------ batches
def test_it_keeps_the_contract_of_a_segmenter() -> None:
    made = segmenter(batch_size=3)
    assert isinstance(made, Segmenter)
    check_segmenter(made, tolerance=1e-5)


def test_a_batch_of_mixed_sizes_gives_what_its_images_give_one_by_one_in_any_order() -> None:
    sizes = [(96, 128), (40, 60), (96, 128), (60, 40), (7, 200)]
    samples = [sample(*size, seed) for seed, size in enumerate(sizes)]
    found = [boxed(size, count, count) for size, count in zip(sizes, (2, 5, 0, 1, 3), strict=True)]
    made = segmenter(batch_size=3, prompts_at_once=2)
    together = made.predict(samples, found)
    for (logits, iou), scene, boxes in zip(together, samples, found, strict=True):
        alone, rated = segmenter().predict([scene], [boxes])[0]
        assert logits.shape == (len(boxes), *scene.size_hw)
        np.testing.assert_allclose(logits, alone, atol=LOGITS)
        np.testing.assert_allclose(iou, rated, atol=1e-5)
    for (logits, _), (back, _) in zip(together, segmenter().predict(samples[::-1], found[::-1])[::-1], strict=True):
        np.testing.assert_allclose(logits, back, atol=LOGITS)
    fresh = segmenter(batch_size=3, prompts_at_once=2).segment(samples, found)
    for (logits, _), again in zip(together, fresh, strict=True):
        np.testing.assert_array_equal(logits, again)


def test_batches_are_bounded_and_a_image_without_boxes_is_not_encoded() -> None:
    made = segmenter(batch_size=2, prompts_at_once=3)
    images: list[int] = []
    prompts: list[int] = []
    made.model.vision_encoder.register_forward_pre_hook(lambda _, args: images.append(len(args[0])))
    made.model.prompt_encoder.register_forward_pre_hook(
        lambda _, args, kwargs: prompts.append(kwargs["input_boxes"].shape[1]), with_kwargs=True
    )
    samples = [sample(40, 60, seed) for seed in range(5)]
    counts = [7, 0, 1, 3, 0]
    masks = made.segment(samples, [boxed((40, 60), count) for count in counts])
    assert [len(one) for one in masks] == counts
    assert images == [2, 1]
    assert prompts == [3, 3, 1, 1, 3]


def test_images_with_equally_many_prompts_share_the_decoder() -> None:
    made = segmenter(batch_size=5, prompts_at_once=4)
    shapes: list[tuple[int, ...]] = []
    made.model.prompt_encoder.register_forward_pre_hook(
        lambda _, args, kwargs: shapes.append(tuple(kwargs["input_boxes"].shape)), with_kwargs=True
    )
    sizes = [(40, 60), (96, 128), (40, 60), (60, 40), (7, 200)]
    samples = [sample(*size, seed) for seed, size in enumerate(sizes)]
    found = [boxed(size, count, count + size[0]) for size, count in zip(sizes, (2, 1, 2, 2, 1), strict=True)]
    together = made.predict(samples, found)
    assert shapes == [(2, 2, 4), (1, 2, 4), (2, 1, 4)], "four prompts at the most"
    for (logits, iou), scene, boxes in zip(together, samples, found, strict=True):
        alone, rated = segmenter().predict([scene], [boxes])[0]
        np.testing.assert_allclose(logits, alone, atol=LOGITS)
        np.testing.assert_allclose(iou, rated, atol=1e-5)


def test_images_that_do_not_fit_into_the_decoder_together_are_decoded_apart() -> None:
    made, tried = segmenter(), []

    def scarce(_: Any, __: Any, kwargs: dict[str, Any]) -> None:
        boxes = kwargs["input_boxes"]
        tried.append(tuple(boxes.shape[:2]))
        if boxes.shape[0] * boxes.shape[1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    made.model.prompt_encoder.register_forward_pre_hook(scarce, with_kwargs=True)
    samples, found = [sample(40, 60, seed) for seed in range(3)], [boxed((40, 60), 3, seed) for seed in range(3)]
    masks = made.segment(samples, found)
    assert tried[:2] == [(3, 3), (1, 3)]
    assert set(tried[2:]) == {(1, 1), (1, 3)}
    for logits, wanted in zip(masks, segmenter(batch_size=1).segment(samples, found), strict=True):
        np.testing.assert_allclose(logits, wanted, atol=LOGITS)


def test_no_boxes_and_no_images() -> None:
    made = segmenter()
    made.model.vision_encoder.register_forward_pre_hook(lambda *_: pytest.fail("the model ran"))
    ((logits, iou),) = made.predict([sample(40, 60)], [Proposals.nothing()])
    assert logits.shape == (0, 40, 60)
    assert iou.shape == (0,)
    assert logits.dtype == iou.dtype == np.float32
    assert made.segment([], []) == []


def test_a_image_is_encoded_once_while_it_lives() -> None:
    made, scene, other = segmenter(), sample(40, 60), sample(40, 60, 1)
    encoded: list[int] = []
    made.model.vision_encoder.register_forward_hook(lambda _, args, __: encoded.append(len(args[0])))
    first = made.segment([scene, other, scene], [boxed((40, 60)), boxed((40, 60), 3), boxed((40, 60), 1)])
    made.segment_points([scene], [[[[1.0, 2.0]]]])
    np.testing.assert_array_equal(made.segment([scene], [boxed((40, 60))])[0], first[0])
    assert encoded == [2]
    del other
    gc.collect()
    assert len(made._features) == 1
    # What is left is not a view into the features of the whole batch.
    (features,) = made._features([scene.image], lambda _: pytest.fail("encoded again"))
    assert all(scale.untyped_storage().nbytes() == scale.nbytes for scale in features)
    del scene
    gc.collect()
    assert len(made._features) == 0


def test_the_last_16_images_are_remembered() -> None:
    made, samples = segmenter(), [sample(20, 30, seed) for seed in range(17)]
    encoded: list[int] = []
    made.model.vision_encoder.register_forward_hook(lambda _, args, __: encoded.append(len(args[0])))
    for scene in [*samples[:16], *samples[:16], samples[16], samples[1], samples[0]]:
        made.segment([scene], [boxed((20, 30))])
    assert sum(encoded) == 18  # the 17th image put out the first, which was then encoded again


def test_the_image_processor_gets_an_array_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch wants arrays that may be written to; a sample's may not."""
    made, handed = segmenter(), []
    process = made.image_processor

    class Spy:
        size = process.size

        def __call__(self, images: list[np.ndarray], **settings: Any) -> Any:
            handed.extend(images)
            return process(images=images, **settings)

    monkeypatch.setattr(made, "image_processor", Spy())
    made.segment([sample(20, 30)], [boxed((20, 30))])
    assert [image.flags.writeable for image in handed] == [True]


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 50), (2, 2), (3, 3)])
def test_images_of_any_shape_get_masks(size: tuple[int, int]) -> None:
    logits = segmenter().segment([sample(*size)], [boxed(size)])[0]
    assert logits.shape == (2, *size)
    assert np.isfinite(logits).all()


def test_a_flat_image_is_not_taken_for_one_with_its_colours_first() -> None:
    made = segmenter()
    shown: list[torch.Tensor] = []
    made.model.vision_encoder.register_forward_pre_hook(lambda _, args: shown.append(args[0].clone()))
    red = np.zeros((3, 20, 3), np.uint8)
    red[..., 0] = 255
    made.segment([AVSample(red, noise(0.01))], [boxed((3, 20))])
    assert (shown[0][0, 0] > 1).all()
    assert (shown[0][0, 1:] < 0).all()


def test_nothing_handed_over_is_changed() -> None:
    image = noise_images((40, 60))[0].copy()
    boxes, points = np.array([[1, 2, 30, 31]], np.float32), np.array([[[5.0, 6.0]]], np.float32)
    before = [array.copy() for array in (image, boxes, points)]
    states = random_states()
    made, scene = segmenter(), AVSample(image, noise(0.01))
    found = Proposals(boxes, np.ones(1, np.float32), np.zeros(1, np.int64))
    first = made.segment([scene], [found])[0]
    made.segment_points([scene], [points])
    np.testing.assert_array_equal(made.segment([scene], [found])[0], first)
    for array, old in zip((image, boxes, points), before, strict=True):
        np.testing.assert_array_equal(array, old)
    assert random_states() == states


# ------------------------------------------------------------------------------------ loading
@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save("sam2", tiny_sam2(), tmp_path_factory.mktemp("sam"))


def test_an_image_processor_in_a_file_of_its_own_is_found_too(folder: Path, tmp_path: Path) -> None:
    made = tiny_sam2()
    made.model.save_pretrained(tmp_path)
    made.image_processor.save_pretrained(tmp_path)
    assert (tmp_path / "preprocessor_config.json").exists()
    assert not (tmp_path / "processor_config.json").exists()
    assert Sam2Segmenter.load(tmp_path, device="cpu").image_processor.size["height"] == 128


def test_the_table_of_prompts_that_older_files_lack_is_filled_in(folder: Path, tmp_path: Path) -> None:
    """Left to the library, the table is random: different masks each time, with little to do with their boxes."""
    scene, found = sample(96, 128), boxed((96, 128))
    made = tiny_sam2()
    own = made.model.shared_image_embedding.positional_embedding
    with torch.no_grad():  # as in every trained model: one table for images and prompts
        made.model.prompt_encoder.shared_embedding.positional_embedding.copy_(own)
    expected = made.segment([scene], [found])[0]
    old = changed(save("sam2", made, tmp_path / "whole"), tmp_path / "old", drop=(TABLE,))
    loaded = Sam2Segmenter.load(old, device="cpu")
    assert torch.equal(loaded.model.prompt_encoder.shared_embedding.positional_embedding, own)
    np.testing.assert_array_equal(loaded.segment([scene], [found])[0], expected)
    half = Sam2Segmenter.load(old, device="cpu", dtype="bfloat16")
    table = half.model.prompt_encoder.shared_embedding.positional_embedding
    assert torch.equal(table, half.model.shared_image_embedding.positional_embedding)


@pytest.mark.parametrize("name", ["mask_decoder.iou_token.weight", "shared_image_embedding.positional_embedding"])
def test_other_weights_that_the_file_lacks_are_not_made_up(name: str, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"1 weights.*{name}"):
        Sam2Segmenter.load(changed(folder, tmp_path / "gap", drop=(name,)))
    with pytest.raises(WeightsError, match="2 weights"):
        Sam2Segmenter.load(changed(folder, tmp_path / "gaps", drop=(name, TABLE)))


def test_a_checkpoint_for_videos_serves_images(folder: Path, tmp_path: Path) -> None:
    """The published files name the video model and hold its memory; the image part is the same."""
    memory = {
        "memory_attention.layers.0.linear1.weight": torch.zeros(4, 4),
        "memory_encoder.projection.bias": torch.ones(3),
    }
    video = changed(folder, tmp_path / "video", add=memory)
    config = json.loads((video / "config.json").read_text())
    (video / "config.json").write_text(json.dumps(config | {"model_type": "sam2_video", "num_maskmem": 7}))
    scene, found = sample(96, 128), boxed((96, 128))
    masks = Sam2Segmenter.load(video, device="cpu").segment([scene], [found])[0]
    np.testing.assert_array_equal(masks, segmenter().segment([scene], [found])[0])


def test_half_precision_is_for_the_image_encoder(folder: Path, tmp_path: Path) -> None:
    half = Sam2Segmenter.load(folder, device="cpu", dtype="bfloat16")
    assert {weight.dtype for weight in half.model.vision_encoder.parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in half.model.prompt_encoder.parameters()} == {torch.float32}
    assert half.model.mask_decoder.transformer.layers[0].self_attn.q_proj.weight.dtype == torch.float32
    scene, found = sample(96, 128), boxed((96, 128))
    logits = half.segment([scene], [found])[0]
    assert logits.dtype == np.float32
    exact = segmenter().segment([scene], [found])[0]
    assert 0 < np.abs(logits - exact).mean() < 0.1 * exact.std()
    half.model.to(torch.bfloat16)
    save("sam2", half, tmp_path)
    assert {weight.dtype for weight in Sam2Segmenter.load(tmp_path, device="cpu").model.parameters()} == {torch.float32}


def test_numbers_that_are_none_are_an_error_not_an_empty_mask() -> None:
    made = segmenter()
    with torch.no_grad():
        made.model.mask_decoder.iou_token.weight.fill_(float("nan"))
    with pytest.raises(WeightsError, match="NaN"):
        made.segment([sample(40, 60)], [boxed((40, 60))])


@pytest.mark.parametrize(
    "settings", [{"batch_size": 0}, {"prompts_at_once": 0}, {"image_size": 0}, {"image_size": 500}, {"image_size": -32}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(settings))):
        segmenter(**settings)

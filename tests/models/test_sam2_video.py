"""SAM 2 and EdgeTAM with their memories for videos, against transformers called directly, and within bounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from adapter_checkpoints import save
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from zsavs.errors import InputError, WeightsError
from zsavs.models.edgetam_video import EdgeTamVideoSegmenter
from zsavs.models.sam2_video import Sam2VideoSegmenter
from zsavs.models.video_memory import VideoMemorySegmenter, _Walk
from zsavs.protocols import Tracker
from zsavs.testing.tiny.sam3 import tiny_sam3_video
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.testing.tiny.trackers import tiny_edgetam_video, tiny_sam2_video
from zsavs.types import Detections

HEIGHT, WIDTH = 96, 128
#: All families; their weights are such that objects are in sight.
MAKERS = pytest.mark.parametrize("make", [tiny_sam2_video, tiny_edgetam_video, tiny_sam3_video])

Made = VideoMemorySegmenter


def clip(length: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Frames of noise with a square that moves."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 80, (length, HEIGHT, WIDTH, 3), np.uint8)
    for t, frame in enumerate(frames):
        frame[20:60, 2 * t : 2 * t + 40] = 220
    return list(frames)


def square(t: int, top: int = 20) -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[top : top + 40, 2 * t : 2 * t + 40] = True
    return mask


def fresh(make: Any, **settings: Any) -> Any:
    """A toy whose frames are encoded one by one, as transformers does; it remembers nothing yet."""
    made = make()
    return type(made)(made.model, made.image_processor, card=made.card, **{"batch_size": 1, **settings})


def walked(
    made: Made, images: Sequence[NDArray[np.uint8]], seeds: dict[int, dict[int, NDArray[np.bool_]]]
) -> list[dict[int, NDArray[np.bool_]]]:
    """What a walk says of each frame, before seeds are sown in it."""
    walk = made.follow(images)
    told = []
    for place in range(len(images)):
        told.append(walk.step())
        for number, mask in seeds.get(place, {}).items():
            walk.seed(number, mask)
    return told


def documented(
    made: Made, images: Sequence[NDArray[np.uint8]], start: int, mask: NDArray[np.bool_], *, reverse: bool = False
) -> dict[int, NDArray[np.bool_]]:
    """The calls that transformers documents, with the whole video in one session: the mask in each frame."""
    images_as = {name: getattr(made.image_processor, name) for name in ("size", "image_mean", "image_std")}
    videos_as = transformers.Sam2VideoVideoProcessor(**images_as)
    processor = transformers.Sam2VideoProcessor(made.image_processor, videos_as)
    session = processor.init_video_session(video=list(images), inference_device="cpu")
    processor.add_inputs_to_inference_session(session, frame_idx=start, obj_ids=[1], input_masks=[mask])
    answer = {}
    with torch.inference_mode():
        made.model(session, frame_idx=start)
        for out in made.model.propagate_in_video_iterator(session, start_frame_idx=start, reverse=reverse):
            logits = interpolate(out.pred_masks, (HEIGHT, WIDTH), mode="bilinear", align_corners=False)[0, 0]
            inside = (logits > 0).numpy()
            answer[out.frame_idx] = inside if float(out.object_score_logits) > 0 else np.zeros_like(inside)
    return answer


# ------------------------------------------------------------------------------------- parity
@MAKERS
@pytest.mark.parametrize("reverse", [False, True])
def test_masks_are_those_of_the_documented_calls_both_ways(make: Any, reverse: bool) -> None:
    """Bit for bit, though the session of transformers keeps everything and ours next to nothing."""
    made, images = fresh(make), clip(12)
    start = 11 if reverse else 0
    wanted = documented(made, images, start, square(start), reverse=reverse)
    told = walked(made, images[::-1] if reverse else images, {0: {0: square(start)}})
    differ = 0
    for step, masks in enumerate(told[1:], start=1):
        place = start - step if reverse else step
        mask = masks.get(0, np.zeros((HEIGHT, WIDTH), np.bool_))
        np.testing.assert_array_equal(mask, wanted[place])
        differ += bool((mask != wanted[start]).any())
    assert differ > 3, "masks that are all alike would prove nothing"
    assert any(0.05 < mask.mean() < 0.95 for mask in wanted.values())


@MAKERS
@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_dropped_changes_no_bit(make: Any, backwards: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two objects, seeded in different frames, one of them twice."""
    images = clip(20)[:: -1 if backwards else 1]
    seeds = {2: {0: square(2)}, 5: {1: square(30, 50)}, 11: {0: square(11)}}
    dropped = walked(fresh(make), images, seeds)
    monkeypatch.setattr(_Walk, "evict", lambda self, session: None)
    kept = walked(fresh(make), images, seeds)
    assert [sorted(masks) for masks in dropped] == [sorted(masks) for masks in kept]
    assert any(len(masks) == 2 for masks in kept)
    for one, other in zip(dropped, kept, strict=True):
        for number, mask in one.items():
            np.testing.assert_array_equal(mask, other[number])


@MAKERS
def test_a_session_does_not_grow(make: Any) -> None:
    made, images = fresh(make), clip(60)
    walk = made.follow(images)
    sizes = []
    for place in range(len(images)):
        walk.step()
        if place % 7 == 0:
            walk.seed(0, square(place % 40))
        session = walk.sessions[0]
        outputs = session.output_dict_per_obj[0]
        seeds, others = outputs["cond_frame_outputs"], outputs["non_cond_frame_outputs"]
        assert len(session.processed_frames) == 1
        assert len(session.cache._vision_features) == 1
        assert len(session.mask_inputs_per_obj[0]) == 0
        assert len(seeds) <= 4
        assert len(others) <= 4  # pointers are looked back on for four frames
        assert len(session.frames_tracked_per_obj[0]) <= 4
        held = [value for each in (*seeds.values(), *others.values()) for value in each.values()]
        sizes.append(sum(value.untyped_storage().nbytes() for value in held))
    assert max(sizes[40:]) <= max(sizes[:40])


# ------------------------------------------------------------------------------------- objects
@MAKERS
def test_objects_do_not_influence_each_other_even_in_frames_with_seeds(make: Any) -> None:
    images = clip(10)
    first, second = {0: square(0)}, {1: square(20, 50)}
    together = walked(fresh(make), images, {0: first, 4: second})
    alone = walked(fresh(make), images, {0: first})
    other = walked(fresh(make), images[4:], {0: second})
    for place, masks in enumerate(together):
        assert (0 in masks) == (0 in alone[place])
        if 0 in masks:
            np.testing.assert_array_equal(masks[0], alone[place][0])
        if place > 4:
            assert (1 in masks) == (1 in other[place - 4])
            if 1 in masks:
                np.testing.assert_array_equal(masks[1], other[place - 4][1])


def test_a_second_seed_is_a_seed_whatever_the_model_thought_of_the_frame() -> None:
    walk = fresh(tiny_sam2_video).follow(clip(6))
    for _ in range(4):
        walk.step()
        if walk.frame in (0, 3):
            walk.seed(0, square(0))
    outputs = walk.sessions[0].output_dict_per_obj[0]
    assert sorted(outputs["cond_frame_outputs"]) == [0, 3]
    assert sorted(outputs["non_cond_frame_outputs"]) == [1, 2]


def test_frames_in_batches_give_what_they_give_one_by_one() -> None:
    images, seeds = clip(9), {0: {0: square(0)}}
    one, four = (walked(fresh(tiny_sam2_video, batch_size=size), images, seeds) for size in (1, 4))
    for masks, others in zip(one[1:], four[1:], strict=True):
        assert sorted(masks) == sorted(others)
        for number, mask in masks.items():
            assert (mask != others[number]).mean() < 0.01  # where a logit is 0 but for rounding


def test_frames_are_encoded_once_for_all_objects_and_the_last_ones_for_the_way_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, images = fresh(tiny_sam2_video, batch_size=3), clip(10)
    encoded: list[int] = []
    encode = made._encode

    def counted(some: list[NDArray[np.uint8]]) -> Any:
        encoded.append(len(some))
        return encode(some)

    monkeypatch.setattr(made, "_encode", counted)
    found = {place: _detections(square(place), square(place, 50)) for place in (0, 9)}
    answer = made.track(images, found)
    assert sum(encoded) == 10
    assert max(encoded) == 3
    assert {len(here) for here in answer[1:9]} <= {0, 1, 2, 3, 4}
    assert len(answer[0]) >= 2


def _detections(*masks: NDArray[np.bool_]) -> Detections:
    return Detections(np.stack(masks), ("dog",) * len(masks), np.full(len(masks), 0.9, np.float32))


# ------------------------------------------------------------------------------ precision, faults
@MAKERS
def test_only_the_image_encoder_is_in_half_precision(make: Any, tmp_path: Path) -> None:
    made = make()
    half = type(made).load(save(make.__name__.removeprefix("tiny_"), made, tmp_path), device="cpu", dtype="bfloat16")
    assert {weight.dtype for weight in half.model.get_submodule(half.towers[0]).parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in half.model.memory_encoder.parameters()} == {torch.float32}
    for one, other in zip(half.encode(clip(2))[0][0], made.encode(clip(2))[0][0], strict=True):
        assert one.dtype == torch.float32
        assert float((one - other).abs().mean() / other.std()) < 0.1
    assert len(walked(half, clip(4), {0: {0: square(0)}})) == 4


def test_a_checkpoint_without_a_memory_is_refused_and_those_with_one_are_named(tmp_path: Path) -> None:
    folder = save("sam2", tiny_sam2(), tmp_path)
    with pytest.raises(InputError, match=r"'sam2', without the memory.*facebook/sam2.1-hiera-tiny.*'associate'"):
        Sam2VideoSegmenter.load(folder)
    with pytest.raises(InputError, match=r"without the memory for videos that EdgeTAM .*yonigozlan/EdgeTAM-hf\."):
        EdgeTamVideoSegmenter.load(folder)
    with pytest.raises(InputError, match=r"nano.*without the memory"):
        Sam2VideoSegmenter.load("zsavs:nano/sam2")
    (folder / "config.json").write_text(json.dumps(["sam2_video"]))
    with pytest.raises(WeightsError):
        Sam2VideoSegmenter.load(folder)


def test_nan_is_an_error() -> None:
    made = fresh(tiny_sam2_video)
    with torch.no_grad():
        made.model.memory_attention.layer_norm.weight.fill_(float("nan"))
    with pytest.raises(WeightsError, match="SAM 2 returned NaN"):
        walked(made, clip(2), {0: {0: square(0)}})


def test_settings_are_checked_and_it_is_a_tracker() -> None:
    assert isinstance(tiny_sam2_video(), Tracker)
    with pytest.raises(InputError, match="batch_size"):
        fresh(tiny_sam2_video, batch_size=0)
    with pytest.raises(InputError, match="min_overlap"):
        fresh(tiny_sam2_video, min_overlap=0.0)

"""The recipes of tools/nano: what goes on from a finished model begins as that model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tools.nano import clap, clip, joint, owlv2, pools, sam2
from tools.nano.pools import LABELS, SIDE, SOUNDING_LABELS, ImagePool, SoundPool
from tools.orchestra.images import Drawing

BOXES = torch.tensor([[[10.0, 20.0, 90.0, 100.0], [40.0, 8.0, 120.0, 60.0]]])


def masks(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(pixel_values=pixels, input_boxes=BOXES, multimask_output=False).pred_masks
    return found


def test_a_deeper_sam2_begins_as_the_shallow_one() -> None:
    torch.manual_seed(0)
    pixels = torch.randn(1, 3, 128, 128)
    shallow, _ = sam2.build(128)
    deep, _ = sam2.build(128, depth=5)
    before = masks(deep, pixels)
    sam2.go_on(deep, shallow)
    wanted = masks(shallow, pixels)
    torch.testing.assert_close(masks(deep, pixels), wanted)
    assert not torch.allclose(before, wanted), "two random models would agree anyway"
    assert sum(p.numel() for p in deep.parameters()) > sum(p.numel() for p in shallow.parameters())


def test_a_sam2_of_the_same_depth_begins_as_it_was() -> None:
    torch.manual_seed(0)
    one, _ = sam2.build(128, depth=5)
    other, _ = sam2.build(128, depth=5)
    sam2.go_on(other, one)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value)


def test_crowded_things_are_asked_for_more_often() -> None:
    index = np.zeros((40, 40), np.uint8)
    index[2:20, 2:8] = 1
    index[15:20, 2:20] = 1  # an L, so that its box holds the next thing
    index[2:14, 9:20] = 2
    index[25:38, 25:38] = 3  # alone
    chances = sam2._crowded(index, np.array([1, 2, 3]))
    assert chances.sum() == pytest.approx(1)
    assert chances[0] > chances[2]
    assert chances[1] == pytest.approx(chances[2])


def test_an_owlv2_goes_on_to_larger_images() -> None:
    torch.manual_seed(0)
    small, _, _ = owlv2.build(128)
    large, _, _ = owlv2.build(256)
    owlv2.go_on(large, small)
    places = "owlv2.vision_model.embeddings.position_embedding.weight"
    own, begun = large.state_dict(), small.state_dict()
    assert own[places].shape[0] == 1 + 16 * 16
    torch.testing.assert_close(own[places][0], begun[places][0])
    for name, value in begun.items():
        if name != places and not name.endswith("position_ids"):
            torch.testing.assert_close(own[name], value)


def test_images_have_been_files_and_keep_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    clean = Drawing(rng.integers(0, 256, (48, 64, 3)).astype(np.uint8), np.ones((48, 64), np.uint8))
    monkeypatch.setattr(pools, "draw", lambda placed, rng: clean)
    image, index, labels = pools.drawn(rng)
    assert image.shape == clean.image.shape
    assert 0 < np.abs(image.astype(int) - clean.image).mean() < 60, "compressed, and still the image"
    assert index is clean.index
    assert 1 <= len(labels) <= 5
    assert set(labels) <= set(LABELS)


def test_surroundings_stay_within_the_image() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        middle, side = rng.uniform(0, 50), int(rng.integers(1, 80))
        part = sam2._around(middle, side, 50, rng)
        assert 0 <= part.start < part.stop <= 50
        assert part.stop - part.start == min(side, 50)
        if side < 50:
            assert part.start - 1 <= middle <= part.stop + 1


def test_a_detectors_box_is_named_by_what_it_shows() -> None:
    index = np.zeros((1, SIDE, SIDE), np.uint8)
    index[0, 40:80, 40:80], index[0, 150:250, 100:140] = 1, 2
    pool = ImagePool(np.zeros((1, SIDE, SIDE, 3), np.uint8), index, [["piano", "hat"]], range(1), range(0))
    rng = np.random.default_rng(0)
    for box, wanted in (
        ([35, 35, 80, 80], 1),  # rough, and still the piano
        ([100, 170, 140, 250], 2),
        ([200, 10, 240, 60], 0),  # ground
        ([40, 40, 80, 50], 0),  # a quarter of the piano
    ):
        (x0, y0, x1, y1), main = clip.detected_box(pool, 0, np.array([box], np.float32), rng)
        assert main == wanted
        assert x0 <= box[0] < box[2] <= x1
        assert y0 <= box[1] < box[3] <= y1
        assert 0 <= min(x0, y0) < max(x1, y1) <= SIDE


def test_clap_is_told_that_silent_things_make_no_sound() -> None:
    sounds = SoundPool(np.zeros((2, 4), np.float16), [["piano", "drum"], []], range(2), range(2))
    task = clap._Task(SimpleNamespace(), None, np.zeros((2, 4, 4), np.float16), sounds)
    assert task.truth.shape == (2, len(LABELS))
    silent = [place for place, label in enumerate(LABELS) if label not in SOUNDING_LABELS]
    assert len(silent) == 12
    assert (task.truth[:, silent] == -1).all()
    assert {LABELS[place] for place in np.flatnonzero(task.truth[0] > 0)} == {"piano", "drum"}
    assert (task.truth[1] == -1).all()


def test_nothing_of_what_is_left_out_is_learned_from() -> None:
    """Neither its name, nor a clip in which it sounds, nor an image in which it is."""
    without = ("piano", "hat")
    labels = [["piano", "drum"], ["drum"], [], ["bell", "piano"], ["flute"], ["drum"]]
    sounds = SoundPool(np.zeros((6, 4), np.float16), labels, range(4), range(4, 6)).without(without)
    assert (list(sounds.train), list(sounds.held_out)) == ([1, 2], [4, 5])
    seen = [*labels[:4], ["hat", "dog"], ["dog"]]
    images = ImagePool(np.zeros((6, 8, 8, 3), np.uint8), np.zeros((6, 8, 8), np.uint8), seen, range(4), range(4, 6))
    assert (list(images.without(without).train), list(images.without(without).held_out)) == ([1, 2], [5])
    known = pools.known(without)
    assert set(known) == set(LABELS) - set(without)
    task = joint._Task(SimpleNamespace(), images, sounds, np.zeros((6, 3, 4, 4), np.float16), known)
    assert task.truth.shape == (6, len(known))
    assert [known[place] for place in np.flatnonzero(task.truth[0] > 0)] == ["drum"], "of the piano nothing is said"
    with pytest.raises(ValueError, match="hats: no such thing"):
        pools.known(["hats"])


def test_a_joint_encoder_begins_as_a_detector_of_more_patches() -> None:
    torch.manual_seed(0)
    detector, _, _ = owlv2.build(256)
    model = joint.ImageBind(joint.CONFIG)
    joint.begin_as(model, detector)
    places = model.modality_preprocessors["vision"].pos_embedding_helper.pos_embed[0]
    own = detector.owlv2.vision_model.embeddings.position_embedding.weight
    assert (len(places), len(own)) == (65, 257)
    torch.testing.assert_close(places[0], own[0])
    middles = own[1:].reshape(16, 16, -1).permute(2, 0, 1)
    assert torch.corrcoef(torch.stack([places[1:].mean(1), middles.mean(0)[::2, ::2].flatten()]))[0, 1] > 0.3

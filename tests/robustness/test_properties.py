"""What holds for any input: round trips, ranges, symmetries, and that order and shares do not matter.

The examples are the same in every run, and few enough for some seconds; what the doorways answer to damaged files is
fuzzed by benchmarks/fuzz.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.media.letterbox import letterbox
from zsavs.media.resize import resize_map
from zsavs.media.waveform import resample, rms_db, windows
from zsavs.metrics import suites
from zsavs.metrics.functional import f_measure, false_positive_share, jaccard, max_f_measure
from zsavs.models.detection import as_proposals, keep_best
from zsavs.storage import rle

#: The same examples everywhere, no clock, and a folder that an example may use again.
bounded = settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

sides = st.integers(1, 40)
unit = st.floats(0, 1, width=32)
images = st.tuples(sides, sides).flatmap(lambda size: arrays(np.uint8, (*size, 3)))
maps = st.tuples(sides, sides).flatmap(lambda size: arrays(np.float32, size, elements=st.floats(-9, 9, width=32)))
pairs = st.tuples(sides, sides).flatmap(lambda size: st.tuples(arrays(np.bool_, size), arrays(np.bool_, size)))
scored = st.tuples(sides, sides).flatmap(
    lambda size: st.tuples(arrays(np.float32, size, elements=unit), arrays(np.bool_, size))
)


# ------------------------------------------------------------------------------------------ media
@bounded
@given(image=images, kind=st.sampled_from(["PNG", "TIFF", "BMP", "PPM", "WEBP"]))
def test_a_image_survives_its_file(image: Any, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    Image.fromarray(image).save(path, format=kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert np.array_equal(load_image(path), image)


@bounded
@given(
    wave=st.tuples(st.integers(1, 300), st.integers(1, 3)).flatmap(lambda shape: arrays(np.int16, shape)),
    kind=st.sampled_from(["WAV", "FLAC", "AIFF", "RF64", "W64", "CAF"]),
    rate=st.sampled_from([8_000, 16_000, 44_100, 96_000]),
)
def test_a_recording_survives_its_file(wave: Any, kind: str, rate: int, tmp_path: Path) -> None:
    path = tmp_path / "sound"
    with path.open("wb") as file:
        soundfile.write(file, wave, rate, format=kind, subtype="PCM_16")
    clip = load_audio(path)
    assert clip.sample_rate_hz == rate
    assert np.array_equal(clip.waveform.T * 32768, wave)


@bounded
@given(data=st.binary(max_size=200), doorway=st.sampled_from([load_image, load_audio]))
def test_any_bytes_are_an_answer_or_a_refusal(data: bytes, doorway: Any, tmp_path: Path) -> None:
    from zsavs.errors import InputError

    path = tmp_path / "anything"
    path.write_bytes(data)
    with pytest.raises(InputError, match="anything"):  # two hundred bytes of chance hold no header
        doorway(path)


@bounded
@given(
    wave=st.integers(1, 400).flatmap(lambda n: arrays(np.float32, n, elements=st.floats(-1, 1, width=32))),
    rate=st.sampled_from([8_000, 11_025, 22_050, 48_000]),
    to=st.sampled_from([8_000, 16_000, 44_100]),
    gain=st.sampled_from([-1.0, 0.5, 2.0]),
)
def test_resampling_is_linear_and_keeps_channels_apart(wave: Any, rate: int, to: int, gain: float) -> None:
    once = resample(wave, rate, to)
    assert once.shape == (max(1, (2 * len(wave) * to + rate) // (2 * rate)),)
    assert np.isfinite(once).all()
    assert np.allclose(resample(np.float32(gain) * wave, rate, to), gain * once, atol=1e-4)
    both = resample(np.stack([wave, -wave]), rate, to)
    assert np.array_equal(both[0], once)
    assert np.allclose(both[1], -once, atol=1e-6)


@bounded
@given(st.integers(1, 500), st.integers(1, 60), st.integers(1, 60))
def test_windows_cover_the_sound_and_hold_nothing_else(samples: int, length: int, hop: int) -> None:
    wave = np.arange(1, samples + 1, dtype=np.float32)
    cut = windows(wave, 10, length / 10, min(hop, length) / 10)
    assert cut.shape[1] == length
    assert set(cut.ravel()) == set(wave)


@bounded
@given(maps, st.floats(0.1, 4))
def test_a_louder_sound_has_a_higher_level(values: Any, gain: float) -> None:
    wave = values / 9
    if (power := float(np.mean(np.square(wave, dtype=np.float64)))) > 1e-9:
        assert rms_db(wave * np.float32(gain)) == pytest.approx(rms_db(wave) + 20 * np.log10(gain), abs=1e-3)
    assert rms_db(wave) >= -120, power


@bounded
@given(maps, sides, sides, sides, sides)
def test_a_letterbox_leads_back(values: Any, height: int, width: int, canvas_height: int, canvas_width: int) -> None:
    """Boxes go there and back, and a map of the canvas becomes one of the image within its range."""
    image = np.zeros((height, width, 3), np.uint8)
    canvas, box = letterbox(image, (canvas_height, canvas_width))
    assert canvas.shape == (canvas_height, canvas_width, 3)
    corners = np.array([[0, 0, width, height], [0.25 * width, 0, width, 0.5 * height]])
    assert np.allclose(box.boxes_to_image(box.boxes_from_image(corners)), corners)
    back = box.map_to_image(values)
    assert back.shape == (height, width)
    assert values.min() - 1e-4 <= back.min() <= back.max() <= values.max() + 1e-4


@bounded
@given(maps, sides, sides)
def test_a_resized_map_stays_in_range_and_turns_with_its_image(values: Any, height: int, width: int) -> None:
    resized = resize_map(values, (height, width))
    assert values.min() - 1e-4 <= resized.min() <= resized.max() <= values.max() + 1e-4
    assert np.allclose(resize_map(values[:, ::-1], (height, width)), resized[:, ::-1], atol=1e-3)
    assert np.allclose(resize_map(-values, (height, width)), -resized, atol=1e-4)


@bounded
@given(pairs)
def test_run_lengths_restore_any_mask(pair: Any) -> None:
    assert np.array_equal(rle.decode(rle.encode(pair[0])), pair[0])


# ------------------------------------------------------------------------------------------ boxes
@st.composite
def boxes(draw: Any) -> tuple[Any, Any]:
    count = draw(st.integers(0, 12))
    corners = draw(arrays(np.float32, (count, 2), elements=st.floats(-10, 60, width=16)))
    spans = draw(arrays(np.float32, (count, 2), elements=st.floats(1, 40, width=16)))
    ranks = draw(st.permutations(range(count)))
    return np.concatenate([corners, corners + spans], axis=1), np.array([(r + 1) / 20 for r in ranks], np.float32)


def iou(a: Any, b: Any) -> float:
    """Intersection over union of two boxes, written down anew."""
    overlap = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(overlap.prod()) if (overlap > 0).all() else 0.0
    return shared / float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


@bounded
@given(boxes(), st.sampled_from([0.3, 0.5, 0.7]), st.randoms(use_true_random=False))
def test_suppression_keeps_the_best_of_what_overlaps(found: Any, limit: float, random: Any) -> None:
    every, scores = found
    kept = keep_best(every, scores, (48, 48), nms_iou=limit, max_boxes=100)
    assert (kept.boxes_xyxy >= 0).all()
    assert (kept.boxes_xyxy <= 48).all()
    assert (np.diff(kept.scores) <= 0).all()
    for i in range(len(kept.scores)):
        assert all(iou(kept.boxes_xyxy[i], kept.boxes_xyxy[j]) <= limit + 1e-5 for j in range(i))
    again = keep_best(kept.boxes_xyxy, kept.scores, (48, 48), nms_iou=limit, max_boxes=100)
    assert np.array_equal(again.boxes_xyxy, kept.boxes_xyxy), "what is left is left alone"
    order = list(range(len(scores)))
    random.shuffle(order)
    shuffled = keep_best(every[order], scores[order], (48, 48), nms_iou=limit, max_boxes=100)
    assert np.array_equal(shuffled.boxes_xyxy, kept.boxes_xyxy), "the order of the boxes does not matter"
    proposals = as_proposals([kept, kept])
    assert len(proposals) == 2 * len(kept.scores)


# ---------------------------------------------------------------------------------------- metrics
@bounded
@given(pairs)
def test_overlap_is_a_share_symmetric_and_blind_to_where(pair: Any) -> None:
    mask, target = pair
    value = float(jaccard(mask, target))
    assert 0 <= value <= 1
    assert float(jaccard(target, target)) == 1.0
    if mask.any() and target.any():
        assert float(jaccard(target, mask)) == value
    assert float(jaccard(mask[::-1, ::-1], target[::-1, ::-1])) == pytest.approx(value, abs=1e-12)
    assert 0 <= float(false_positive_share(mask, target)) <= 1
    f = float(f_measure(mask, target))
    assert np.isnan(f) or 0 <= f <= 1


@bounded
@given(scored, st.integers(0, 99))
def test_the_best_f_is_no_worse_than_any(pair: Any, seed: int) -> None:
    scores, target = pair
    if not target.any():
        return
    best = float(max_f_measure(scores, target))
    assert best >= float(f_measure(scores >= np.float32(0.5), target)) - 0.02, "0.5 lies between two of 255 thresholds"
    order = np.random.default_rng(seed).permutation(scores.size)
    shuffled = float(max_f_measure(scores.ravel()[order].reshape(1, -1), target.ravel()[order].reshape(1, -1)))
    assert shuffled == pytest.approx(best, abs=1e-12), "which pixel is where does not matter"


@bounded
@given(st.lists(scored, min_size=3, max_size=6), st.data())
def test_merging_is_associative_and_commutative(items: Any, data: Any) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(items)), min_size=2, max_size=2)))
    parts = [items[: cuts[0]], items[cuts[0] : cuts[1]], items[cuts[1] :]]

    def fed(rows: Any) -> Any:
        suite = suites.get("avsbench")
        for scores, target in rows:
            suite.update(scores, target)
        return suite

    def merged(*whole: Any) -> Any:
        first = suites.from_state(whole[0].state())
        for part in whole[1:]:
            first.merge(part)
        return first

    a, b, c = map(fed, parts)
    left, right, turned = merged(merged(a, b), c), merged(a, merged(b, c)), merged(c, a, b)
    expected = fed(items).compute()
    for suite in (left, right, turned):
        assert suite.compute().keys() == expected.keys()
        for key, value in suite.compute().items():
            assert np.array_equal(value, expected[key], equal_nan=True), key


def test_the_examples_are_those_of_every_run() -> None:
    def run() -> list[bytes]:
        seen: list[bytes] = []

        @bounded
        @given(images)
        def collect(image: Any) -> None:
            seen.append(image.tobytes())

        collect()
        return seen

    first = run()
    assert len(first) > 10
    assert run() == first

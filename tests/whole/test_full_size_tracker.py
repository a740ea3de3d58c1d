"""SAM 2's memory for videos at full size, with random weights (make test-full): time a frame, and memory that stays."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

FRAMES = 8
CODE = f"""
import json, resource, time
import numpy as np
from transformers import Sam2ImageProcessor, Sam2VideoConfig, Sam2VideoModel
from zsavs.models.sam2_video import Sam2VideoSegmenter
from zsavs.testing.tiny.encoders import seeded, tiny_card

with seeded(0):
    model = Sam2VideoModel(Sam2VideoConfig())
made = Sam2VideoSegmenter(model, Sam2ImageProcessor(), card=tiny_card("sam2-video", 0), batch_size=1)
rng = np.random.default_rng(0)
images = [rng.integers(0, 256, (720, 1280, 3), np.uint8) for _ in range({FRAMES})]
mask = np.zeros((720, 1280), np.bool_)
mask[200:500, 300:700] = True
walk, seconds, peaks = made.follow(images), [], []
for place in range({FRAMES}):
    start = time.perf_counter()
    masks = walk.step()
    for number in (0, 1) if place == 0 else ():
        walk.seed(number, mask)
    seconds.append(round(time.perf_counter() - start, 2))
    peaks.append(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
start = time.perf_counter()
made.encode(images[-1:])
kept = time.perf_counter() - start
print(json.dumps({{"seconds": seconds, "peak_mb": peaks, "remembered_s": round(kept, 4)}}))
"""


@pytest.mark.full
def test_two_objects_through_eight_frames_of_720p(record_property: Callable[[str, object], None]) -> None:
    # A process of its own: the peak memory is that of this model.
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    record_property("report", done.stdout.strip())
    sys.stdout.write(f"SAM 2.1 tiny, 1024 px, two objects: {done.stdout}")
    assert len(report["seconds"]) == FRAMES
    # A frame's features take 17 MB and are kept for the way back; an object's outputs take less.
    assert report["peak_mb"][-1] - report["peak_mb"][2] < 5 * 60
    assert report["remembered_s"] < 0.1 * max(report["seconds"])

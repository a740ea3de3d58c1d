"""The adapters on a CUDA device give what they give on the CPU, and a long run needs no more memory (make test-gpu)."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
from adapter_uses import USES, far_off, on_device

import zsavs
from zsavs.errors import OutOfMemory
from zsavs.models.batching import in_batches, inference
from zsavs.testing.tiny.detectors import tiny_owlv2
from zsavs.testing.tiny.encoders import tiny_clap, tiny_open_clip
from zsavs.testing.tiny.joint import tiny_imagebind
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.testing.toy import scene

pytestmark = pytest.mark.gpu

#: Float32 on a GPU: convolutions round to TF32, and boxes are in pixels.
APART = {"boxes": 0.5, "points": 0.05, "followed": 0.05}


@pytest.fixture(autouse=True)
def cuda() -> None:
    if not torch.cuda.is_available():
        pytest.skip("NOT RUN: needs a CUDA device")


@pytest.mark.parametrize(("name", "use"), [(name, use) for name, (_, uses) in USES.items() for use in uses])
def test_the_same_as_on_the_cpu(name: str, use: str) -> None:
    make, uses = USES[name]
    near, far = on_device(make(), "cpu"), on_device(make(), "cuda")
    got, wanted = uses[use](far), uses[use](near)
    if use == "captions":  # random weights hardly prefer a word to the next
        assert len(got) == len(wanted)
    elif name.endswith("dino"):  # nor a box
        assert [table[:, -1].max() for table in got] == pytest.approx([t[:, -1].max() for t in wanted], abs=1e-2)
    else:
        assert far_off(got, wanted) < APART.get(use, 5e-3)


@pytest.mark.parametrize(("name", "use"), [(name, use) for name, (_, uses) in USES.items() for use in uses])
def test_bfloat16_runs(name: str, use: str) -> None:
    make, uses = USES[name]
    got = uses[use](on_device(make(), "cuda", torch.bfloat16))
    assert len(got) == len(uses[use](on_device(make(), "cpu")))
    assert all(isinstance(one, str) or np.isfinite(np.asarray(one, np.float64)).all() for one in got)


def test_the_way_back_from_a_word() -> None:
    pulled = []
    for device in ("cpu", "cuda"):
        part = on_device(tiny_imagebind(), device)
        rows, pull = part.encode_pseudo_words("a sound of {}", part.embed_words(["dog", "piano"]))
        pulled.append(pull(np.linspace(-1, 1, rows.size, dtype=np.float32).reshape(rows.shape)))
    assert np.abs(pulled[0]).max() > 0
    assert np.abs(pulled[0] - pulled[1]).max() < 1e-2 * np.abs(pulled[0]).max()


def test_a_batch_that_does_not_fit_is_halved() -> None:
    """A real failure of the device: what it held is free again for the smaller batch."""
    free, _ = torch.cuda.mem_get_info()
    each = int(free * 0.4)
    tried: list[int] = []

    def compute(items: list[int]) -> list[int]:
        tried.append(len(items))
        with inference("Model"):
            held = [torch.empty(each, dtype=torch.uint8, device="cuda") for _ in items]
            return [len(one) for one in held]

    assert in_batches(compute, range(4), 4) == [each] * 4
    assert tried == [4, 2, 2]
    with pytest.raises(OutOfMemory, match="too small for one item alone"):
        in_batches(lambda items: compute(items * 3), range(1), 1)
    gc.collect()
    torch.cuda.empty_cache()


def pipeline() -> Any:
    """Real classes at toy size on the device, in the dtypes that --dtype auto takes there."""
    half = torch.bfloat16
    return zsavs.build_pipeline(
        "audio_to_text",
        "toy",
        audio_text=on_device(tiny_clap(), "cuda", half),
        image_text=on_device(tiny_open_clip(), "cuda", half),
        grounder=on_device(tiny_owlv2(), "cuda"),
        segmenter=on_device(tiny_sam2(), "cuda", half),
        verifier="trust_grounder",
        min_z=-3.0,
        max_gap=1e6,
    )


def test_memory_is_flat_over_a_thousand_pairs() -> None:
    pipe, held = pipeline(), []
    found = 0
    for number in range(125):
        colours = ("red", "green", "blue")
        samples = [scene(colours, ("red",), size_hw=(60, 80), seed=8 * number + i)[0] for i in range(8)]
        found += sum(len(result) for result in pipe.batch(samples))
        del samples
        gc.collect()
        held.append(torch.cuda.memory_allocated())
    assert found > 0
    assert max(held[100:]) <= max(held[5:25]) + 2**20, "bytes on the device after each batch"

"""On a device that is not the CPU, a pretended one: answers stay the same, nothing is left behind, few waits."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from adapter_uses import USES, far_off, on_device
from forked import run_in_fork

from zsavs.models import device_copies

pytestmark = pytest.mark.skipif(
    not hasattr(torch.utils.backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="NOT RUN: this torch knows no devices made in Python",
)


@functools.cache
def toys() -> dict[str, Any]:
    """One of each adapter, made before the fork: later tests of this process find imported what it takes."""
    return {name: make() for name, (make, _) in USES.items()}


def report_of_all_uses() -> dict[str, tuple[float, int]]:
    """For each use of each adapter how far its answer on the device is from that on the CPU, and how often the
    processor waits for the device; for a process of its own."""
    import pretended_device

    found = {}
    for name, (_, uses) in USES.items():
        toy = toys()[name]
        for dtype in (torch.float32, torch.bfloat16):
            near = on_device(toy, "cpu", dtype)
            with pretended_device.pretended():
                far = on_device(toy, pretended_device.DEVICE, dtype)
            for use, ask in uses.items():
                wanted = ask(near)
                with pretended_device.pretended() as waits:
                    got = ask(far)
                found[f"{name} {use} {str(dtype)[6:]}"] = far_off(got, wanted), len(waits)
    return found


#: Uses whose answers are chosen among many that are about as good, so that rounding to bfloat16 changes the choice.
CHOSEN = ("grounding_dino", "mm_grounding_dino", "omdet", "owlv2", "sam3 ")


@pytest.fixture(scope="module")
def report() -> dict[str, tuple[float, int]]:
    toys()
    return run_in_fork(report_of_all_uses)


def test_every_adapter_gives_on_another_device_what_it_gives_on_the_cpu(report: dict[str, tuple[float, int]]) -> None:
    assert len(report) == 2 * sum(len(uses) for _, uses in USES.values())
    for use, (distance, _) in report.items():
        if use.endswith("float32"):
            assert distance < 1e-3, use
        elif not use.startswith(CHOSEN):
            assert distance < 0.02, use


def test_a_batch_waits_for_the_device_no_oftener_than_it_needs_to(report: dict[str, tuple[float, int]]) -> None:
    waits = {use.removesuffix(" float32"): count for use, (_, count) in report.items() if use.endswith("float32")}
    # Once, for the answer; transformers looks whether a mask of texts hides anything.
    once = (
        "clap audio",
        "open_clip images",
        "open_clip texts",
        "imagebind audio",
        "imagebind texts",
        "pe_av audio",
    )
    assert {use: waits[use] for use in (*once, "clap texts")} == {**dict.fromkeys(once, 1), "clap texts": 2}
    # Four images with boxes, five with points, in batches of four.
    assert (waits["sam2 boxes"], waits["sam2 points"]) == (1, 2)
    # Three batches of images, each with its boxes and its scores, and the texts, whose mask is looked at twice.
    assert waits["owlv2 boxes"] == 3 * 2 + 3
    # Five images, each with its scores, its masks and these stretched, and ten waits within transformers; the texts.
    assert waits["sam3 boxes"] == 5 * (3 + 10) + 3


def what_it_finds() -> dict[str, Any]:
    """What operations on the device say and give; for a process of its own."""
    import pretended_device

    found: dict[str, Any] = {}
    with pretended_device.pretended() as waits:
        near = torch.ones(2, 3)
        far = device_copies.copy_to_device(near, pretended_device.DEVICE)
        assert not waits
        try:
            far + near
        except RuntimeError as error:
            found["mixed"] = str(error)
        try:
            far.numpy()
        except (RuntimeError, TypeError) as error:
            found["array"] = str(error)
        early = device_copies.copy_to_cpu(2 * far)
        found["early"] = str(early[0].tolist())
        assert not waits
        device_copies.wait_for_copies(pretended_device.DEVICE)
        found["late"] = [early[0].tolist(), len(waits), float(far.sum()), len(waits)]
    return found


def test_the_pretended_device_finds_what_a_gpu_would() -> None:
    found = run_in_fork(what_it_finds)
    assert found["mixed"].startswith("aten.add.Tensor: tensors on far:0 and on the CPU")
    assert found["array"]
    assert found["early"] == "[nan, nan, nan]"
    assert found["late"] == [[2.0, 2.0, 2.0], 1, 6.0, 2]

"""A device that runs out of memory: batches are halved until they fit, and one line where nothing fits."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from adapter_helpers import noise_images
from PIL import Image

from zsavs.cli.main import main
from zsavs.errors import OutOfMemory, WeightsError
from zsavs.models.batching import in_batches, in_threads, inference
from zsavs.models.text_memo import TextMemo
from zsavs.testing import toy
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.types import Proposals


@pytest.fixture(scope="module", autouse=True)
def nothing_old_is_collected() -> Iterator[None]:
    """Memory is freed between attempts by a collection, which would look through all that other tests have loaded."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


class Device:
    """Room for so many items at once; remembers how many it was given."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.given: list[int] = []

    def __call__(self, items: list[int]) -> Iterator[int]:
        self.given.append(len(items))
        with inference("Model"):
            if len(items) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return (10 * item for item in items)


def test_a_batch_that_does_not_fit_is_halved_until_it_does() -> None:
    device = Device(room=3)
    assert in_batches(device, range(20), 8) == [10 * item for item in range(20)]
    assert device.given == [8, 4, *[2] * 4, *[2] * 4, *[2] * 2], "the size that fits is kept for what follows"


def test_what_fits_is_not_halved() -> None:
    device = Device(room=8)
    assert in_batches(device, range(20), 8) == [10 * item for item in range(20)]
    assert device.given == [8, 8, 4]


def test_one_item_that_does_not_fit_says_so() -> None:
    with pytest.raises(OutOfMemory, match=r"Model: the device's memory is too small for one item alone; use a smaller"):
        in_batches(Device(room=0), range(20), 8)
    assert issubclass(OutOfMemory, WeightsError)


def test_items_are_drawn_batch_by_batch() -> None:
    drawn: list[int] = []

    def draw() -> Iterator[int]:
        for item in range(9):
            drawn.append(item)
            yield item

    seen: list[int] = []
    in_batches(lambda part: seen.append(len(drawn)) or part, draw(), 3)  # type: ignore[func-returns-value]
    assert seen == [3, 6, 9]


def test_items_are_prepared_in_order_and_the_first_failure_is_told() -> None:
    def prepare(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)  # the first one is ready last
        if item > 6:
            raise ValueError(f"item {item}")
        return 10 * item

    assert in_threads(prepare, range(6)) == [0, 10, 20, 30, 40, 50]
    assert in_threads(prepare, []) == []
    with pytest.raises(ValueError, match="item 7"):
        in_threads(prepare, [0, 7, 8])


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("MPS backend out of memory (MPS allocated: 9 GB)", OutOfMemory),
        ("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried", OutOfMemory),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", OutOfMemory),
        ("mat1 and mat2 shapes cannot be multiplied", RuntimeError),
    ],
)
def test_every_device_has_words_of_its_own(message: str, kind: type[Exception]) -> None:
    with pytest.raises(kind), inference("Model"):
        raise RuntimeError(message)


def test_the_failed_attempt_is_let_go_before_the_next() -> None:
    """Else its tensors would fill the memory that the smaller batch needs."""
    import weakref

    class Tensors:
        pass

    gc.collect()
    left: list[weakref.ref[Tensors]] = []

    def compute(part: list[int]) -> list[int]:
        assert not any(ref() for ref in left), "the failed attempt is still in memory"
        tensors = Tensors()
        left.append(weakref.ref(tensors))
        with inference("Model"):
            if len(part) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return part

    assert in_batches(compute, range(4), 4) == [0, 1, 2, 3]


def test_texts_are_halved_too() -> None:
    def compute(phrases: list[str]) -> Any:
        with inference("Model"):
            if len(phrases) > 5:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return np.array([[float(len(phrase))] for phrase in phrases], np.float32)

    assert TextMemo(compute)(["x" * n for n in range(1, 40)])[:, 0].tolist() == list(range(1, 40))


def test_a_model_short_of_memory_gives_the_answer_of_one_with_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """SAM 2 for real: images and prompts are halved, each for itself."""
    samples = [toy.scene(("red", "blue"), ("blue",), seed=seed)[0] for seed in range(4)]
    boxes = np.array([[x, 2, x + 20, 30] for x in range(9)], np.float32)
    proposals = [Proposals(boxes, np.full(9, 0.5, np.float32), np.zeros(9, np.int64)) for _ in samples]
    enough = tiny_sam2().segment(samples, proposals)
    short = tiny_sam2()
    tried: list[tuple[str, int]] = []

    def scarce(name: str, room: int, count: Callable[..., int]) -> None:
        plain = getattr(short.model, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            tried.append((name, count(*args, **kwargs)))
            if tried[-1][1] > room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return plain(*args, **kwargs)

        monkeypatch.setattr(short.model, name, call)

    scarce("get_image_embeddings", 1, lambda pixels: len(pixels))
    scarce("forward", 2, lambda **inputs: inputs["input_boxes"].shape[1])
    found = short.segment(samples, proposals)
    for one, other in zip(enough, found, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() < 1e-3
    assert max(count for name, count in tried if name == "forward") == 9
    assert ("get_image_embeddings", 4) in tried


def test_out_of_memory_is_one_line_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    Image.fromarray(sample.image).save(tmp_path / "a.png")
    soundfile.write(tmp_path / "a.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)

    def full(*_: Any) -> Any:
        with inference("SAM 2"):
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2.00 GiB")

    monkeypatch.setattr(toy.ToySegmenter, "segment", full)
    arguments = ["segment", str(tmp_path / "a.png"), str(tmp_path / "a.wav"), "--preset", "toy"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "SAM 2: the device's memory is too small for one item alone" in said
    assert not (tmp_path / "out").exists()


def test_images_do_not_change_with_the_batch_that_fits() -> None:
    """An adapter whose encoder is short of memory embeds as the same with enough."""
    from zsavs.testing.tiny.encoders import tiny_open_clip

    images = noise_images((20, 30), (40, 20), (31, 31), (8, 60), (20, 30))
    enough = tiny_open_clip().encode_image(images)
    short = tiny_open_clip()
    plain, given = short._embed_batch, []

    def scarce(part: list[Any]) -> Any:
        given.append(len(part))
        with inference("CLIP"):
            if len(part) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(part)

    short._embed_batch = scarce  # type: ignore[method-assign]
    assert np.abs(short.encode_image(images) - enough).max() < 1e-5
    assert given[0] == 5
    assert max(given[1:]) == 2

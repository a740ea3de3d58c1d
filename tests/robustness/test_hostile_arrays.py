"""Arrays, numbers and arguments that are no image, no audio or of another kind: refused, and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import zsavs
from zsavs import AudioClip, AVSample, AVSResult
from zsavs.build import compare
from zsavs.errors import (
    AudioError,
    ContractError,
    ImageError,
    InputError,
    OutputError,
    ResultFileError,
    UnknownName,
    ZsavsError,
)
from zsavs.media.regions import crop_with_margin
from zsavs.media.waveform import resample
from zsavs.testing import toy

CLIP = AudioClip(np.zeros((1, 160), np.float32), 16_000)
IMAGE = np.zeros((4, 5, 3), np.uint8)


WRONG_IMAGES = {
    "ragged": [[1], [2, 3]],
    "none": None,
    "text": "a.png",
    "objects": np.zeros((4, 5, 3), object),
    "NaN": np.full((4, 5, 3), np.nan, np.float32),
    "signed": np.zeros((4, 5, 3), np.int8),
    "wide": np.zeros((4, 5, 3), ">u2"),
    "bool": np.zeros((4, 5, 3), np.bool_),
    "planes": np.zeros((3, 4, 5), np.uint8),
    "batch": np.zeros((1, 4, 5, 3), np.uint8),
    "alpha": np.zeros((4, 5, 4), np.uint8),
    "grey": np.zeros((4, 5), np.uint8),
    "empty": np.zeros((0, 5, 3), np.uint8),
    "fields": np.zeros((4, 5, 3), [("a", "u1")]),
}
WRONG_WAVES = {
    "ragged": [[1.0], [2.0, 3.0]],
    "none": None,
    "objects": np.array([[1.0, None]], object),
    "complex": np.zeros((1, 4), np.complex64),
    "16 bit": np.zeros((1, 4), np.int16),
    "NaN": np.array([[0, np.nan]], np.float32),
    "too loud": np.array([[0, 1e300]]),
    "flat": np.zeros(4, np.float32),
    "transposed": np.zeros((16_000, 2), np.float32),
    "empty": np.zeros((1, 0), np.float32),
    "gradient": torch.zeros(1, 4, requires_grad=True),
}


@pytest.mark.parametrize("name", WRONG_IMAGES)
def test_an_array_that_is_no_image(name: str) -> None:
    with pytest.raises(ImageError, match=r"^(AVSample: )?image "):
        AVSample(WRONG_IMAGES[name], CLIP)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", WRONG_WAVES)
def test_an_array_that_is_no_sound(name: str) -> None:
    with pytest.raises(AudioError, match=r"^AudioClip: "):
        AudioClip(WRONG_WAVES[name], 16_000)  # type: ignore[arg-type]


def test_the_loudest_sound_that_is_taken_can_be_drawn_and_heard(recwarn: pytest.WarningsRecorder) -> None:
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    loud = AudioClip(sample.audio.waveform * np.float32(2.0**31), sample.audio.sample_rate_hz)
    result = zsavs.build_pipeline("fused", preset="nano")(AVSample(sample.image, loud))
    result.card(loud)
    assert not [str(warning.message) for warning in recwarn if issubclass(warning.category, RuntimeWarning)]


@pytest.mark.parametrize("rate", [10**400, 10**30, 8_000_001, 0, -1, 0.5, np.nan, np.inf, "16000", None, True])
def test_a_rate_that_is_none(rate: Any) -> None:
    with pytest.raises(AudioError, match=r"sample_rate_hz must be a positive whole number"):
        AudioClip(np.zeros((1, 4), np.float32), rate)


def test_resampling_refuses_what_would_not_end_or_not_fit() -> None:
    with pytest.raises(AudioError, match=r"check the sample rate"):
        resample(np.zeros((1, 1_000_000), np.float32), 1, 48_000)
    with pytest.raises(AudioError, match=r"the new one at most 768000"):
        resample(np.zeros((1, 10), np.float32), 1, 7_999_999)


@pytest.mark.parametrize("box", [["a", 0, 1, 1], [[0], [1, 2], 1, 1], [None, 0, 1, 1], object()])
def test_what_is_no_box_of_numbers(box: Any) -> None:
    with pytest.raises(ImageError, match=r"box"):
        crop_with_margin(IMAGE, box)


@pytest.mark.parametrize(
    "disguise",
    [
        lambda array: array[:, ::-1][:, ::-1],
        lambda array: np.asfortranarray(array),
        lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
        lambda array: array.astype(array.dtype.newbyteorder(">")),
        lambda array: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape),
        lambda array: np.ma.masked_array(array),
        lambda array: torch.from_numpy(array.copy()),
    ],
    ids=["reversed twice", "columns first", "strided", "big-endian", "read-only", "masked", "tensor"],
)
def test_the_answer_does_not_depend_on_how_an_array_lies_in_memory(disguise: Callable[[Any], Any]) -> None:
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    pipe = zsavs.build_pipeline("fused", preset="toy")
    plain = pipe(sample)
    clip = AudioClip(disguise(sample.audio.waveform), sample.audio.sample_rate_hz)
    result = pipe(AVSample(disguise(sample.image), clip))
    assert len(plain) == 1
    assert result.phrases == plain.phrases
    assert result.score_map.tobytes() == plain.score_map.tobytes()


# --------------------------------------------------------------------- arguments of another kind
def toy_pipe() -> Any:
    return zsavs.build_pipeline("fused", preset="toy")


WRONG_ARGUMENTS: dict[str, tuple[type[ZsavsError], str, Callable[[], Any]]] = {
    "fps": (InputError, "fps and context_s", lambda: toy_pipe().video([IMAGE], CLIP, fps="1")),
    "context": (InputError, "fps and context_s", lambda: toy_pipe().video([IMAGE], CLIP, context_s="all")),
    "smooth": (InputError, "smooth must be", lambda: toy_pipe().video([IMAGE], CLIP, smooth="a lot")),
    "no frames": (InputError, "frames: expected images", lambda: toy_pipe().video(None, CLIP)),
    "no such video": (InputError, "a.png: there is no such file", lambda: toy_pipe().video("a.png", CLIP)),
    "batch of half": (ContractError, "batch_size must be", lambda: list(toy_pipe().map([], batch_size=1.5))),
    "batch of text": (ContractError, "batch_size must be", lambda: list(toy_pipe().map([], batch_size="8"))),
    "no samples": (InputError, "expected several", lambda: list(toy_pipe().map(None))),
    "one sample": (InputError, "expected several", lambda: compare(AVSample(IMAGE, CLIP), ["fused"], "toy")),
    "preset": (UnknownName, "no preset named None", lambda: compare([], ["fused"], None)),  # type: ignore[arg-type]
    "result": (ResultFileError, "expected the path", lambda: AVSResult.load(7)),  # type: ignore[arg-type]
    "folder": (OutputError, "a folder to write to", lambda: AVSResult.nothing((2, 2)).save(None, "a")),  # type: ignore[arg-type]
    "rows": (ContractError, "expected a numpy array", lambda: AVSResult([], [], (), [], [[0.0]])),  # type: ignore[arg-type]
    "picture": (ContractError, "overlay: expected", lambda: AVSResult.nothing((2, 2)).overlay([[1]])),  # type: ignore[arg-type]
    "classes": (InputError, "label set", lambda: AVSResult.nothing((2, 2)).semantic([1, 2])),  # type: ignore[list-item]
    "no classes": (InputError, "label set", lambda: AVSResult.nothing((2, 2)).semantic(None)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", WRONG_ARGUMENTS)
def test_an_argument_of_another_kind_is_named(name: str) -> None:
    kind, words, call = WRONG_ARGUMENTS[name]
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_result_keeps_no_bottomless_values() -> None:
    bottomless: dict[str, Any] = {}
    for _ in range(100_000):
        bottomless = {"a": bottomless}
    with pytest.raises(ContractError, match="plain JSON values only"):
        AVSResult.nothing((2, 2), meta=bottomless).to_json()

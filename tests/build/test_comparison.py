"""Several strategies over the same samples: the same answers, with shared features."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from results import same_bits
from toy_pipelines import build

from zsavs import registry
from zsavs.build import compare
from zsavs.build.comparison import Comparison
from zsavs.errors import UnknownName
from zsavs.registry import list_components
from zsavs.testing import example_samples, toy
from zsavs.types import AudioClip


def test_compare_is_the_same_pipelines_one_by_one() -> None:
    names = list_components("strategy")
    together = compare(iter(example_samples()), names, preset="toy", device="cpu", batch_size=2)
    assert list(together) == names
    single = compare(example_samples(), ["fused"], preset="toy", device="cpu", batch_size=1)
    assert all(same_bits(one, other) for one, other in zip(together["fused"], single["fused"], strict=True))
    for name in names:
        alone = [build(name)(sample) for sample in example_samples()]
        assert len(together[name]) == len(alone)
        assert all(same_bits(one, other) for one, other in zip(together[name], alone, strict=True))


def test_what_one_strategy_cannot_answer_is_left_out_for_all(caplog: pytest.LogCaptureFixture) -> None:
    class Fragile(toy.ToyCaptioner):
        def caption(self, items: Any) -> Any:
            if any(image.shape[:2] == (50, 50) for image in items):
                raise ZeroDivisionError("a defect")
            return super().caption(items)

    scenes = [
        toy.scene(("red", "blue"), (heard,), size_hw=(side, 50))[0] for heard, side in (("red", 60), ("blue", 50))
    ]
    scenes += [toy.scene(("red", "blue"), ("blue",), size_hw=(70, 50))[0]]
    run: dict[str, Any] = {"preset": "toy", "captioner": Fragile()}
    with pytest.raises(ZeroDivisionError):
        compare(scenes, ["fused", "cross_modal"], **run)
    found = compare(scenes, ["fused", "cross_modal"], **run, on_error="skip")
    told = [[phrase.split()[0] for r in results for phrase in r.phrases] for results in found.values()]
    assert told == [["red", "blue"]] * 2
    assert [result.score_map.shape for result in found["fused"]] == [(60, 50), (70, 50)]
    assert "item 1 is left out: ZeroDivisionError: a defect" in caplog.text


def test_compare_with_nothing() -> None:
    assert compare([], ["fused"], preset="toy") == {"fused": []}
    assert compare(example_samples(), [], preset="toy") == {}
    with pytest.raises(UnknownName):
        compare(example_samples(), ["fused", "fussed"], preset="toy")


class MemoEyes(toy.ToyImageText):
    """Eyes that remember, as the real adapters do, and count what they really compute."""

    computed = 0

    def __init__(self) -> None:
        from zsavs.storage.memo import Memo

        self._memo: Memo[NDArray[np.float32]] = Memo()

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        def compute(new: list[Any]) -> list[NDArray[np.float32]]:
            type(self).computed += len(new)
            return list(toy.ToyImageText.encode_image(self, new))

        return np.array(self._memo(images, compute), np.float32).reshape(len(images), -1)


class MemoEars(toy.ToyAudioText):
    computed = 0

    def __init__(self) -> None:
        from zsavs.storage.memo import Memo

        self._memo: Memo[NDArray[np.float32]] = Memo()

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        def compute(new: list[Any]) -> list[NDArray[np.float32]]:
            type(self).computed += len(new)
            return list(toy.ToyAudioText.encode_audio(self, new))

        return np.array(self._memo(clips, compute), np.float32).reshape(len(clips), -1)


@pytest.mark.parametrize("working_pixels", [2048 * 2048, 1000])
def test_compare_encodes_every_image_and_sound_once(working_pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images above the working size, too, although it is a smaller copy that is encoded."""
    monkeypatch.setattr("zsavs.pipeline.WORKING_PIXELS", working_pixels)
    monkeypatch.setitem(registry._BUILT_IN["audio_text"], "toy", f"{__name__}:MemoEars")
    monkeypatch.setitem(registry._BUILT_IN["image_text"], "toy", f"{__name__}:MemoEyes")
    monkeypatch.setattr(
        "zsavs.registry._BUILT_IN",
        registry._BUILT_IN | {"verifier": {"clip": "zsavs.verification.selection:TrustGrounder"}},
    )
    names = ["audio_to_text", "cross_modal", "fused"]
    first = build("fused")  # the bank is computed once, and is not what this is about
    first.strategy.query(example_samples()[:1])
    MemoEars.computed = MemoEyes.computed = 0
    samples = example_samples()
    compare(samples, names, preset="toy", device="cpu", batch_size=2)
    assert MemoEars.computed == len(samples)
    assert MemoEyes.computed == len(samples)


def test_a_notebook_shows_a_table_of_images() -> None:
    samples = [toy.scene(("red", "blue"), (heard,), size_hw=(60, 400))[0] for heard in ("red", "blue")]
    found = compare(samples, ["fused", "audio_to_text"], preset="toy", device="cpu")
    html = found._repr_html_()
    assert html.count("<th") == 2
    assert html.count("<tr>") == 3
    images = [Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall(r"image/png;base64,([^\"]+)", html)]
    assert [image.size for image in images] == [(320, 48)] * 4
    assert found["fused"][0].phrases[0] in re.findall(r'alt="([^"]+)"', html)[0]
    assert "heard: red" in html
    assert "http" not in html


def test_a_notebook_is_not_filled_with_a_data_set_and_names_are_escaped() -> None:
    sample = toy.scene(("red",), ("red",), size_hw=(40, 40))[0]
    results = compare([sample] * 22, ["fused"], preset="toy", device="cpu")
    html = results._repr_html_()
    assert html.count("<img") == 20
    assert "and 2 more" in html
    spoilt = Comparison({"<b>bold</b>": results["fused"][:1]})
    assert "<b>bold</b>" not in spoilt._repr_html_()

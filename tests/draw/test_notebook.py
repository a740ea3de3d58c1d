"""Results in notebooks and image viewers: everything within, nothing that runs, the audio to play."""

from __future__ import annotations

import base64
import io
import re
import sys
import wave
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageShow
from toy_pipelines import build

from zsavs import AudioClip, AVSResult
from zsavs.draw.notebook import result_html
from zsavs.errors import OutputError
from zsavs.media.wav import wav_bytes
from zsavs.testing import toy


@pytest.fixture(scope="module")
def result() -> AVSResult:
    answer: AVSResult = build("fused")(toy.scene(["red", "blue"], ["blue"])[0])
    return answer


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f" {data} "

    def one(self, tag: str) -> dict[str, str | None]:
        (attributes,) = [attributes for name, attributes in self.tags if name == tag]
        return attributes


def payload(source: str | None, kind: str) -> bytes:
    assert source is not None
    assert source.startswith(f"data:{kind};base64,")
    return base64.b64decode(source.partition(",")[2])


def test_the_image_is_the_overlay(result: AVSResult) -> None:
    png = Image.open(io.BytesIO(result._repr_png_()))
    assert np.array_equal(np.asarray(png), np.asarray(result.overlay()))
    page = Tags(result._repr_html_())
    assert payload(page.one("img")["src"], "image/png") == result._repr_png_()
    assert page.one("img")["alt"] == "the image with what sounds marked: blue"


def test_the_audio_plays_and_the_table_tells(result: AVSResult) -> None:
    page = Tags(result._repr_html_())
    assert "controls" in page.one("audio")
    with wave.open(io.BytesIO(payload(page.one("audio")["src"], "audio/wav"))) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(2.0)
        assert np.abs(np.frombuffer(file.readframes(100_000), "<i2")).max() > 1000
    text = " ".join(page.text.split())
    assert f"blue {result.scores[0]:.2f} {int(result.masks[0].sum())}" in text
    assert f"heard: blue {result.queries.weights[0]:.2f}" in text


def test_what_was_read_back_has_its_masks_and_no_player(result: AVSResult) -> None:
    back = AVSResult.load(result.to_json())
    assert back.audio is None
    assert Image.open(io.BytesIO(back._repr_png_())).mode == "RGBA"
    assert not [tag for tag, _ in Tags(back._repr_html_()).tags if tag == "audio"]


def test_nothing_found_is_said() -> None:
    page = Tags(AVSResult.nothing((4, 5))._repr_html_())
    assert "nothing in view is sounding" in page.text
    assert "heard: nothing it knows" in " ".join(page.text.split())
    assert page.one("img")["alt"] == "the image, in which nothing sounds"


HOSTILE = "<script>alert(1)</script>\"' onerror=x {{ 7*7 }}"


def test_labels_are_text_and_nothing_runs_or_is_fetched() -> None:
    page = result_html(b"png", None, [(HOSTILE, 0.5, 3)], [(HOSTILE, 0.7, "")])
    tags = Tags(page)
    assert {tag for tag, _ in tags.tags} <= {"figure", "img", "table", "tr", "th", "td", "figcaption"}
    assert " ".join(tags.text.split()).count(HOSTILE) == 2
    assert HOSTILE in str(tags.one("img")["alt"])
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_of_a_long_clip_the_player_has_the_first_minute() -> None:
    clip = AudioClip(np.zeros((1, 8000 * 61), np.float32), 8000)
    page = Tags(result_html(b"png", clip, [], []))
    with wave.open(io.BytesIO(payload(page.one("audio")["src"], "audio/wav"))) as file:
        assert file.getnframes() == 8000 * 60
    assert "the first 60 s" in page.text


def test_a_wav_file_holds_the_mix_of_all_channels_clipped_at_full_scale() -> None:
    clip = AudioClip(np.array([[1.0, 2.0, 0.0], [0.0, 2.0, -4.0]], np.float32), 8000)
    with wave.open(io.BytesIO(wav_bytes(clip))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        assert np.frombuffer(file.readframes(9), "<i2").tolist() == [16384, 32767, -32767]


def test_show_opens_the_overlay_in_a_viewer(result: AVSResult, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Image.Image] = []
    monkeypatch.setattr(ImageShow, "show", lambda image, title: shown.append(image) or True)
    result.show()
    assert np.array_equal(np.asarray(shown[0]), np.asarray(result.overlay()))


def test_show_without_a_viewer_says_what_to_do(result: AVSResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageShow, "_viewers", [])
    with pytest.raises(OutputError, match=r"write the answer to files: result\.save"):
        result.show()


def test_show_in_a_notebook_displays_the_result(result: AVSResult, monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list[object] = []
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=displayed.append))
    monkeypatch.setattr(ImageShow, "show", lambda *_: pytest.fail("a viewer was opened"))
    result.show()
    assert displayed == [result]


def test_the_card_needs_no_audio_of_a_fresh_result(result: AVSResult) -> None:
    assert result.audio is not None
    assert result.card().tobytes() == result.card(result.audio).tobytes()

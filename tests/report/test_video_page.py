"""The page of a video: every text is text, nothing is fetched, and lanes lie where they should."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from hostile_text import HOSTILE, READ

from zsavs.draw.colours import INK, ink_on, palette
from zsavs.report.video_page import Source, VideoPage, render_video

PINK, AZURE = palette(2)
SOURCES = (
    Source("dog 1", ((1.0, 2.0), (5.0, 6.0)), "sounds at 1.0-2.0 s", PINK, ((0.0, 8.0),), 0.87, b"\x89PNG", 1.5),
    Source("dog 2", (), "in view, and does not sound", AZURE, ((2.0, 4.0),), 0.5),
    Source("rain", ((3.5, 9.5),), "not in view; sounds at 3.5-9.5 s", None, (), 0.4),
)
PAGE = VideoPage("What sounds in a.mp4", "a.mp4", (360, 640), (0.0, 8.0), SOURCES, np.array([[-0.5] * 9, [0.5] * 9]))


class Reader(HTMLParser):
    """Tags with their attributes, and what can be read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] not in ("script", "style"):
            self.text += data

    def of(self, tag: str, name: str = "") -> list[dict[str, str]]:
        """The attributes of each tag of a kind, of a class if that is named."""
        return [found for kind, found in self.tags if kind == tag and (not name or name in found["class"].split())]


def read(page: VideoPage = PAGE, **changes: Any) -> Reader:
    return Reader(render_video(dataclasses.replace(page, **changes)))


def test_the_player_plays_the_video_beside_the_page() -> None:
    (player,) = read().of("video")
    assert player["src"] == "a.mp4"
    assert "controls" in player
    assert player["aria-label"]


def test_bars_lie_where_a_source_sounds_and_end_with_the_video() -> None:
    bars = read().of("i", "bar")
    assert [(bar["data-on"], bar["data-off"]) for bar in bars] == [("1.0", "2.0"), ("5.0", "6.0"), ("3.5", "9.5")]
    assert [bar["style"] for bar in bars] == [
        "left:12.5%;width:12.5%",
        "left:62.5%;width:12.5%",
        "left:43.75%;width:56.25%",
    ]
    assert [seen["style"] for seen in read().of("i", "seen")] == ["left:0.0%;width:100.0%", "left:25.0%;width:25.0%"]


def test_a_part_of_a_video_keeps_the_times_of_the_whole() -> None:
    page = read(span_s=(4.0, 8.0))
    bars = page.of("i", "bar")
    assert [(bar["data-on"], bar["style"]) for bar in bars] == [
        ("5.0", "left:25.0%;width:25.0%"),
        ("3.5", "left:0.0%;width:100.0%"),
    ]
    (timeline,) = page.of("section", "timeline")
    assert (timeline["data-start"], timeline["data-end"]) == ("4.0", "8.0")
    assert "4 s" in page.text
    assert "2 s" not in page.text.replace("1.0-2.0 s", "")


def test_each_source_has_a_button_that_a_keyboard_reaches_and_its_image_has_a_text() -> None:
    page = read()
    buttons = page.of("button")
    assert ["disabled" in button for button in buttons] == [False, True, False]
    assert all(button["type"] == "button" for button in buttons)
    assert [image["alt"] for image in page.of("img")] == ["dog 1 at 1.5 s"]
    assert {found["data-label"] for found in page.of("div", "source")} == {"dog 1", "dog 2", "rain"}
    assert [found["data-label"] for found in page.of("div", "heard")] == ["rain"]


def test_the_summary_says_what_was_found_and_what_was_only_heard() -> None:
    said = read().text
    assert "Found and followed: dog 1. In view and silent: dog 2. Heard and not in view: rain." in said
    assert "Nothing in view is sounding. Heard and not in view: rain." in read(sources=SOURCES[2:]).text
    assert "0.87" in said


def test_the_policy_lets_in_the_one_script_and_nothing_from_elsewhere() -> None:
    text = render_video(PAGE)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [found["content"] for found in Reader(text).of("meta") if "http-equiv" in found]
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self' file:; "
        f"script-src 'sha256-{digest}'"
    )
    assert not re.search(r"url\(|@import|https?://", text)
    assert "innerHTML" not in script
    assert "eval" not in script


@pytest.fixture(scope="module")
def hostile() -> tuple[str, VideoPage]:
    sources = [
        dataclasses.replace(source, label=f"{number}{HOSTILE}", told=HOSTILE) for number, source in enumerate(SOURCES)
    ]
    page = VideoPage(
        HOSTILE,
        f"{HOSTILE}.mp4",
        (36, 64),
        (0.0, 8.0),
        sources,
        notes=[HOSTILE],
        models={HOSTILE: {HOSTILE: {"source": HOSTILE, "licence": HOSTILE}}},
        files=[(f"{HOSTILE}.json", HOSTILE)],
    )
    return render_video(page), page


def test_every_text_is_read_as_it_is(hostile: tuple[str, VideoPage]) -> None:
    reader = Reader(hostile[0])
    said = " ".join(reader.text.split())
    assert said.count(READ) >= 1 + 3 + 3 + 3 + 1 + 3 + 1
    for number, lane in enumerate(reader.of("div", "source")):
        assert " ".join(lane["data-label"].split()) == f"{number}{READ}"
    assert unquote(reader.of("video")[0]["src"], errors="surrogateescape") == f"{HOSTILE}.mp4"


def test_nothing_hostile_is_more_than_text(hostile: tuple[str, VideoPage]) -> None:
    reader = Reader(hostile[0])
    assert len(reader.of("script")) == 1
    assert not {tag for tag, _ in reader.tags} & {"iframe", "object", "link", "base", "use", "image", "foreignobject"}
    names = [name for _, found in reader.tags for name in found]
    assert not [name for name in names if name.startswith("on")]
    assert not set(hostile[0]) & {"\u202e", "\udc80", "\x1b"}
    assert not [found for _, found in reader.tags if found.get("href", "").startswith("javascript")]


def test_no_sound_and_no_sources_are_a_page_too() -> None:
    page = read(sources=(), wave=None)
    assert "This video has no sound." in page.text
    assert "Nothing in view is sounding." in page.text
    assert not page.of("h2")
    assert not page.of("svg")


def test_the_waveform_fills_its_box_and_silence_is_a_line() -> None:
    (path,) = [found["d"] for found in read().of("path")]
    heights = [float(y) for y in re.findall(r" ([\d.]+)", path)]
    assert (min(heights), max(heights)) == (1.0, 99.0)
    (path,) = [found["d"] for found in read(wave=np.zeros((2, 9), np.float32)).of("path")]
    heights = [float(y) for y in re.findall(r" ([\d.]+)", path)]
    assert 0 < max(heights) - min(heights) < 3


def test_the_name_of_what_sounds_can_be_read_on_its_colour() -> None:
    lanes = read().of("div", "source")
    for lane, colour in zip(lanes, (PINK, AZURE), strict=False):
        assert lane["style"] == "--colour:#{:02x}{:02x}{:02x};--on:#{:02x}{:02x}{:02x}".format(*colour, *ink_on(colour))
    assert ink_on(AZURE) == INK


def test_the_same_page_gives_the_same_text() -> None:
    assert render_video(PAGE) == render_video(dataclasses.replace(PAGE))

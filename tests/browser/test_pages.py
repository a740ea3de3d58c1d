"""The pages that zsavs writes, in Chromium: sound plays, lanes follow, and all of it can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browsing
import pytest
import video_results
from orchestra_scenes import write_scenes

from zsavs.cli import demo
from zsavs.cli.main import main

pytestmark = [pytest.mark.browser, pytest.mark.network]

#: By name, where each page is in the folder.
PAGES = {"demo": "demo/index.html", "report": "run/report.html", "video": "video/two dogs.html"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all pages, of the toy world."""
    root = tmp_path_factory.mktemp("pages")
    scenes = root / "scenes"
    write_scenes(scenes)
    assert list(demo.run(root / "demo", "toy"))
    run = ["eval", "--dataset", "orchestra", "--root", str(scenes), "--preset", "toy", "--strategy", "fused"]
    assert (
        main([*run, "--strategy", "audio_to_text", "--limit", "4", "--out", str(root / "run"), "--device", "cpu"]) == 0
    )
    clip_file = video_results.write_clip(root / "two dogs.mp4")
    video_results.result(str(clip_file)).save_page(root / "video", "two dogs")
    return root


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["desk", "phone"])
def window(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    scheme, width = request.param
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_clipped_and_axe_has_no_complaint(window: Any, folder: Path, name: str) -> None:
    errors: list[str] = []
    window.on("pageerror", lambda error: errors.append(str(error)))
    window.goto((folder / PAGES[name]).as_uri())
    width = window.viewport_size["width"]
    assert window.evaluate("document.documentElement.scrollWidth") <= width
    assert browsing.overflow(window) == []
    assert browsing.axe_complaints(window) == []
    assert errors == []


def test_every_sound_of_the_demo_plays(window: Any, folder: Path) -> None:
    window.goto((folder / PAGES["demo"]).as_uri())
    players = window.locator("audio, video")
    assert players.count() >= 3
    for player in players.all():
        player.evaluate("player => { player.muted = true; return player.play(); }")
        window.wait_for_timeout(300)
        assert player.evaluate("player => player.currentTime") > 0
        player.evaluate("player => player.pause()")
    for image in window.locator("img").all():
        assert image.evaluate("image => image.complete && image.naturalWidth") > 0
        assert image.get_attribute("alt")


def test_the_lanes_of_a_video_follow_it(window: Any, folder: Path) -> None:
    window.goto((folder / PAGES["video"]).as_uri())
    window.wait_for_function("document.getElementById('player').readyState >= 2")

    def lit() -> list[str]:
        return list(window.evaluate("[...document.querySelectorAll('.lane.on')].map((lane) => lane.dataset.label)"))

    def seek(time_s: float) -> None:
        window.evaluate("time => { document.getElementById('player').currentTime = time; }", time_s)
        window.wait_for_function(
            "time => Math.abs(document.getElementById('player').currentTime - time) < 0.05", arg=time_s
        )
        window.wait_for_timeout(150)

    seek(0.5)
    assert lit() == ["dog 1", "violin"]
    seek(1.2)
    assert set(lit()) == {"violin", "rain"}
    assert "rain" in window.locator("#heard").inner_text()
    window.get_by_role("button", name="dog 1").click()  # jumps to where it sounds next, and plays
    window.wait_for_function("document.getElementById('player').currentTime > 1.5")
    window.evaluate("document.getElementById('player').pause()")
    head = window.evaluate("getComputedStyle(document.getElementById('timeline')).getPropertyValue('--head')")
    assert 0.7 < float(head) <= 1

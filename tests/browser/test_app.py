"""The page of ``zsavs app`` as people use it, in Chromium."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import browsing
import pytest
from visiting import ask, give, labels, slide, strategies

from zsavs.webapp.server import Settings, started

pytestmark = [pytest.mark.browser, pytest.mark.network]

Visit = Callable[..., Any]
Pair = tuple[Path, Path]


def files_of(served: Any) -> list[str]:
    return sorted(path.name for path in served.files.rglob("*") if path.is_file())


def test_sliders_act_on_what_is_kept(visit: Visit, pair: Pair) -> None:
    page = visit()
    give(page, *pair)
    ask(page)
    before = labels(page)
    for slider in ("weight", "score"):
        slide(page, slider, 1.0)
        page.get_by_text("Nothing is left by these thresholds").wait_for()
        slide(page, slider, 0.0)
        page.locator(".zs-regions button").nth(1).wait_for()
        assert labels(page) == before


def test_a_region_says_why_is_removed_and_comes_back(visit: Visit, pair: Pair) -> None:
    page = visit()
    give(page, *pair)
    ask(page)
    first, second = labels(page)
    page.locator(".zs-regions button").first.click()
    page.get_by_role("heading", name=f"Why {first.rsplit(maxsplit=1)[0]}?").wait_for()
    assert "Heard" in page.locator("#why").inner_text()
    assert page.locator(".zs-regions button").first.get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Remove this region").click()
    page.get_by_text("1 region marked").wait_for()
    assert labels(page) == [second]
    page.get_by_role("button", name="Bring all back").click()
    page.get_by_text("2 regions marked").wait_for()


def test_the_image_itself_can_be_clicked(visit: Visit, pair: Pair) -> None:
    page = visit()
    give(page, *pair)
    ask(page)
    image = page.locator("#picture img")
    image.scroll_into_view_if_needed()
    image.click(position={"x": 2, "y": 2})
    page.get_by_text("Nothing is marked there.").wait_for()
    # The toy scene's discs stand side by side: somewhere along the middle there is one that hums.
    box = image.bounding_box()
    for share in (1 / 6, 5 / 6, 1 / 2):
        image.click(position={"x": box["width"] * share, "y": box["height"] / 2})
        page.wait_for_timeout(700)
        if page.locator("#why h2").count():
            break
    assert page.locator("#why h2").inner_text().startswith("Why ")
    assert page.locator(".zs-regions [aria-pressed=true]").count() == 1


def test_the_keyboard_is_enough(visit: Visit, pair: Pair) -> None:
    page = visit()
    give(page, *pair)
    page.get_by_role("button", name="Find what sounds", exact=True).focus()
    page.keyboard.press("Enter")
    page.locator(".zs-regions button").first.wait_for()
    page.locator(".zs-regions button").first.focus()
    page.keyboard.press("Enter")
    page.locator("#why h2").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText").strip() == "Remove this region"
    page.keyboard.press("Enter")
    page.get_by_text("1 region marked").wait_for()


def test_several_strategies_stand_side_by_side(visit: Visit, pair: Pair) -> None:
    page = visit()
    give(page, *pair)
    strategies(page, "fused", "audio_to_text", "joint_embedding")
    ask(page)
    page.locator(".zs-compare figure").nth(3).wait_for()
    assert page.locator(".zs-compare img").count() == 4
    page.get_by_role("radio", name="fused").check()
    page.get_by_text("(fused, preset toy)").wait_for()


def test_files_to_take_home(visit: Visit, pair: Pair, tmp_path: Path) -> None:
    page = visit()
    give(page, *pair)
    ask(page)
    page.get_by_role("button", name="Make files to download").click()
    page.locator("#files a").nth(5).wait_for()
    for link in page.locator("#files a").all():
        with page.expect_download() as download:
            link.click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
    assert len(list(tmp_path.iterdir())) == 6
    result = json.loads((tmp_path / "discs.json").read_text())
    assert {found["phrase"] for found in result["objects"]} == {"red thing", "green thing"}


def test_a_video_is_answered_and_played(visit: Visit, clip: Path) -> None:
    page = visit()
    give(page, video=clip)
    strategies(page, "audio_to_text")
    page.get_by_role("checkbox", name="cross_modal:").uncheck()
    ask(page, "Find what sounds in the video")
    page.locator("#annotated video").wait_for()
    assert {label.split()[0] for label in labels(page)} == {"red", "blue"}
    page.locator("#annotated video").evaluate("video => { video.muted = true; return video.play(); }")
    page.wait_for_function("document.querySelector('#annotated video').currentTime > 0.2")
    assert page.locator("#heard .bar").count() == 3, "red sounds twice, blue once"
    page.locator(".zs-regions button").first.click()
    page.get_by_text("Followed through").wait_for()


@pytest.mark.parametrize(("what", "said"), [("image", "broken.png"), ("audio", "broken.wav")])
def test_a_bad_file_is_told_in_a_sentence_without_where_it_lies(
    visit: Visit, served: Any, pair: Pair, tmp_path: Path, what: str, said: str
) -> None:
    page = visit()
    broken = tmp_path / said
    broken.write_bytes(b"this is neither an image nor a sound" * 9)
    give(page, pair[0]) if what == "audio" else give(page, audio=pair[1])
    page.locator(f"#{what} input[type=file]").set_input_files(str(broken))
    page.wait_for_timeout(1500)
    ask(page)
    message = page.locator("#message").inner_text()
    assert said in message
    assert str(served.files) not in page.locator("body").inner_text()
    # And then a good one is answered.
    page.get_by_role("button", name="Delete my files").click()
    page.get_by_text("Deleted:").wait_for()
    give(page, *pair)
    ask(page)
    page.get_by_text("2 regions marked").wait_for()


def test_what_is_too_large_or_too_long_is_told(visit: Visit, pair: Pair, tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    page = visit()
    long = tmp_path / "long.wav"
    soundfile.write(long, np.zeros(25 * 8000), 8000)
    give(page, pair[0], long)
    ask(page)
    assert "long.wav is longer than the 20 s" in page.locator("#message").inner_text()
    large = tmp_path / "large.png"
    large.write_bytes(b"x" * 3_000_000)
    page.get_by_role("button", name="Delete my files").click()
    page.get_by_text("Deleted:").wait_for()
    page.locator("#image input[type=file]").set_input_files(str(large))
    page.get_by_text("exceed the maximum allowed size of 2").first.wait_for()


def test_two_visitors_get_their_own_answers(visit: Visit, served: Any, pair: Pair, other_pair: Pair) -> None:
    one, two = visit(), visit()
    give(one, *pair)
    give(two, *other_pair)
    for page in (one, two):
        page.get_by_role("button", name="Find what sounds", exact=True).click()
    for page in (one, two):
        page.locator("#picture figcaption").wait_for()
    assert sorted(label.split()[0] for label in labels(one)) == ["green", "red"]
    assert [label.split()[0] for label in labels(two)] == ["blue"]
    one.get_by_role("button", name="Delete my files").click()
    one.get_by_text("Deleted: 2 files").wait_for()
    assert files_of(served) == ["other.png", "other.wav"]
    slide(two, "score", 0.01)
    two.get_by_text("1 region marked").wait_for()


def test_files_go_when_the_visitor_does(visit: Visit, served: Any, pair: Pair) -> None:
    page = visit()
    give(page, *pair)
    ask(page)
    page.get_by_role("button", name="Make files to download").click()
    page.locator("#files a").nth(5).wait_for()
    assert "discs.json" in files_of(served)
    page.context.close()
    until = time.monotonic() + 30
    while files_of(served) and time.monotonic() < until:
        time.sleep(0.3)
    assert files_of(served) == []


def test_a_page_that_is_ended_from_outside_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with started(Settings(preset="toy", device="cpu")) as (_, process):
        (folder,) = tmp_path.iterdir()
        (folder / "image.png").write_bytes(b"a visitor's")
        process.terminate()
        process.wait(timeout=30)
        assert not folder.exists()


@pytest.mark.parametrize("path", ["/etc/passwd", "pyproject.toml", "../../../../etc/passwd", __file__])
def test_no_other_file_can_be_read_through_the_page(browser: Any, served: Any, path: str) -> None:
    context = browser.new_context()
    for route in ("gradio_api/file=", "file="):
        answer = context.request.get(f"{served.address}{route}{path}")
        assert answer.status in (403, 404), (route, path)
    context.close()


def test_a_forged_path_is_refused(browser: Any, served: Any) -> None:
    """As a program would ask, with a file of the machine in place of one that was uploaded."""
    context = browser.new_context()
    config = context.request.get(f"{served.address}config").json()
    names = {component["id"]: component["props"].get("elem_id") for component in config["components"]}
    ask = next(
        d for d in config["dependencies"] if any(names.get(t[0]) == "ask-pair" for t in d["targets"]) and d["inputs"]
    )
    forged = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    data = [forged, forged, "toy", ["fused"], False]
    body = {"data": data, "fn_index": ask["id"], "session_hash": "forger", "trigger_id": None}
    joined = context.request.post(f"{served.address}gradio_api/queue/join", data=body)
    assert joined.ok
    told = context.request.get(f"{served.address}gradio_api/queue/data?session_hash=forger", timeout=30_000).text()
    assert "root:" not in told
    assert '"success":true' not in told.replace(" ", "")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_clipped_and_axe_has_no_complaint(visit: Visit, pair: Pair, scheme: str) -> None:
    page = visit(width=390, scheme=scheme)
    assert axe(page) == []
    give(page, *pair)
    strategies(page, "fused")
    ask(page)
    page.locator(".zs-regions button").first.click()
    page.locator("#why h2").wait_for()
    page.get_by_role("button", name="Make files to download").click()
    page.locator("#files a").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert browsing.overflow(page) == []
    assert axe(page) == []


def axe(page: Any) -> list[str]:
    page.wait_for_timeout(400)  # colours fade in
    return browsing.axe_complaints(page)


def test_camera_and_microphone(visit: Visit) -> None:
    """A camera that shows a test image, and a microphone that beeps."""
    page = visit()
    page.locator("#audio").get_by_label("Record audio").click()
    page.locator("#audio").get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(1500)
    page.locator("#audio button:visible", has_text="Stop").click()
    page.locator("#audio time").first.wait_for()
    page.locator("#image").get_by_label("Capture from camera").click()
    page.locator("#image").get_by_text("Click to Access Webcam").click()
    page.locator("#image").get_by_label("capture photo").click()
    page.locator("#image img").wait_for()
    ask(page)
    page.get_by_text("Nothing in view is sounding").wait_for()

"""The page is served to this machine alone, in words of its own where it cannot be, and sends nothing anywhere."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from zsavs.cli.main import main
from zsavs.errors import MissingExtra
from zsavs.webapp import server
from zsavs.webapp.callbacks import Callbacks
from zsavs.webapp.events import connect
from zsavs.webapp.layout import Page
from zsavs.webapp.limits import Limits
from zsavs.webapp.server import Settings
from zsavs.webapp.theme import make_theme


def test_without_gradio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    known = importlib.util.find_spec
    monkeypatch.setattr(server, "find_spec", lambda name: None if name == "gradio" else known(name))
    with pytest.raises(MissingExtra, match=r'pip install "zsavs\[app\]"'), server.started(Settings()):
        pass
    assert main(["app"]) == 1
    assert 'pip install "zsavs[app]"' in capsys.readouterr().err


def test_only_this_machine_reaches_it_and_nothing_is_shared_unless_asked() -> None:
    settings = Settings()
    assert (settings.host, settings.share) == ("127.0.0.1", False)


def test_the_options_reach_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(server, "serve", lambda settings, say, show: told.append((settings, show)))
    options = ["--preset", "toy", "--port", "8123", "--max-mb", "7", "--max-audio-s", "9", "--max-video-s", "8"]
    assert main(["app", *options]) == 0
    assert main(["app", "--preset", "toy", "--open", "--share", "--host", "0.0.0.0", "--device", "cpu"]) == 0
    limits = Limits(megabytes=7, audio_s=9, video_s=8)
    assert told[0] == (Settings(preset="toy", port=8123, limits=limits), False)
    assert told[1] == (Settings(preset="toy", device="cpu", host="0.0.0.0", share=True), True)


def test_settings_come_through_as_they_are() -> None:
    settings = Settings(preset="toy", port=1234, limits=Limits(megabytes=3))
    assert server._read(json.dumps(asdict(settings))) == settings


@pytest.fixture(scope="module")
def gradio() -> Iterator[Any]:
    """Gradio; the event loops that it makes with a page, and leaves open, are closed, as Python would warn of each."""
    yield pytest.importorskip("gradio", reason='needs pip install "zsavs[app]"')
    for loop in gc.get_objects():
        if isinstance(loop, asyncio.AbstractEventLoop) and not loop.is_running():
            loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture(scope="module")
def page(gradio: Any, doings: Callbacks) -> Page:
    made = Page(gradio, doings)
    connect(made, doings)
    return made


def test_analytics_are_off_and_no_event_is_an_interface_for_programs(page: Page) -> None:
    config = page.blocks.get_config_file()
    assert config["analytics_enabled"] is False
    public = [event for event in config["dependencies"] if event["api_visibility"] != "private"]
    assert not public


def test_what_asks_the_models_waits_for_its_turn_and_sliders_do_not(page: Page) -> None:
    functions = [function for function in page.blocks.fns.values() if function.fn is not None]
    queues = {target: function.concurrency_id for function in functions for target in function.targets}
    limits = {target: function.concurrency_limit for function in functions for target in function.targets}
    for button in (page.ask_pair, page.ask_video, page.make_files):
        assert queues[button._id, "click"] == "models"
        assert limits[button._id, "click"] == 1
    assert queues[page.weight._id, "input"] != "models"
    assert limits[page.weight._id, "input"] > 1


def test_everything_that_is_given_or_chosen_has_a_label(page: Page) -> None:
    for component in [*page.given, page.preset, page.strategies, page.fainter, page.weight, page.evidence, page.score]:
        assert component.label
    assert page.image.alt_text


def test_nothing_is_passed_on_by_a_button(page: Page) -> None:
    for component in (*page.given, page.annotated):
        assert "share" not in (component.buttons or ()), component
        assert component.buttons is not None, "by default there is a button that sends it elsewhere"


def test_fonts_are_the_systems(gradio: Any, tmp_path: Path) -> None:
    theme = make_theme(gradio)
    assert not [font for font in [*theme._font, *theme._font_mono] if isinstance(font, gradio.themes.GoogleFont)]
    assert "googleapis" not in theme._get_theme_css()

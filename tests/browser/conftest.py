"""The page of ``zsavs app`` over the toy world, served, and visitors with a browser of their own each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import browsing
import pytest
import soundfile
import toy_video
from PIL import Image

from tools import chromium
from zsavs.testing import toy
from zsavs.webapp.limits import Limits
from zsavs.webapp.server import Settings, started

#: Milliseconds: a busy machine takes its time.
PATIENCE = 60_000


class Served(NamedTuple):
    """Where the page is, and the folder that visitors' files go to."""

    address: str
    files: Path


@pytest.fixture(scope="module")  # Playwright's event loop runs as long as it is open: no longer than it is needed
def browser() -> Iterator[Any]:
    with chromium.opened(browsing.need_browser(), *chromium.FAKE_DEVICES) as opened:
        yield opened


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    browsing.need_browser()
    pytest.importorskip("gradio", reason='no Gradio here: pip install "zsavs[app]"')
    root = tmp_path_factory.mktemp("served")
    limits = Limits(megabytes=2, audio_s=20, video_s=15)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(root))
        with started(Settings(preset="toy", device="cpu", limits=limits)) as (address, _):
            (folder,) = root.iterdir()
            yield Served(address, folder)
    assert not list(root.iterdir()), "the folder goes with the page"


@pytest.fixture
def visit(browser: Any, served: Served) -> Iterator[Callable[..., Any]]:
    """Opens the page as a new visitor; at the end, nothing may have come from anywhere else."""
    contexts, asked, errors = [], set(), []

    def open_page(width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: asked.add(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(served.address)
        page.get_by_role("button", name="Find what sounds", exact=True).wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not [url for url in asked if not url.startswith((served.address, "data:", "blob:"))]
    assert not errors


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An image and an audio file: red and green hum, blue is silent."""
    return write_pair(tmp_path_factory.mktemp("pair"), "discs", ["red", "green"])


@pytest.fixture(scope="session")
def other_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Another one: blue hums."""
    return write_pair(tmp_path_factory.mktemp("other"), "other", ["blue"])


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of two discs that hum in turn."""
    return toy_video.write(tmp_path_factory.mktemp("clip") / "two discs.mp4")


def write_pair(folder: Path, name: str, sounding: list[str]) -> tuple[Path, Path]:
    sample, _ = toy.scene(["red", "blue", "green"], sounding, size_hw=(240, 320))
    image, audio = folder / f"{name}.png", folder / f"{name}.wav"
    Image.fromarray(sample.image).save(image)
    soundfile.write(audio, sample.audio.waveform.T, sample.audio.sample_rate_hz)
    return image, audio

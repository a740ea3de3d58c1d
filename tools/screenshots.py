"""Screenshots of the pages for the docs: ``python -m tools.screenshots [FOLDER]``, by default docs/screenshots.

The page of ``zsavs app`` with an answer, with several strategies, and with a video; the demo's page, and that of its
clip; each on a desk in light and on a phone in dark. By preset ``nano``, so that nothing is needed but Chromium and the
extras ``app`` and ``browser``.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from tools import chromium
from zsavs.cli.demo import run
from zsavs.webapp.server import Settings, started

#: Name, width and height of the window, and colours.
_WINDOWS = (("desk", 1280, 900, "light"), ("phone", 390, 844, "dark"))
#: A longer page is cut, as what comes below says nothing new; a wider one is shrunk.
_MOST_HIGH, _MOST_WIDE = 2400, 960
_PATIENCE_MS = 120_000


def _windows(browser: Any, address: str) -> Iterator[tuple[str, Any]]:
    """The page in each window."""
    for name, width, height, scheme in _WINDOWS:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        page.goto(address)
        yield name, page
        context.close()


def _write(page: Any, path: Path) -> None:
    """Write the whole page as an image, and say so."""
    page.wait_for_timeout(800)  # what fades or scrolls has come to rest
    image = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, _MOST_HIGH)))
    image.thumbnail((_MOST_WIDE, _MOST_HIGH))
    image.save(path, quality=75)
    sys.stdout.write(f"{path}\n")


def _of_app(browser: Any, out: Path) -> None:
    with started(Settings(preset=None, device="cpu")) as (address, _):
        for name, page in _windows(browser, address):
            page.get_by_role("button", name="Emoji: two sources").click()
            page.locator(".zs-regions button").first.click()
            page.locator("#why h2").wait_for()
            _write(page, out / f"app_{name}.jpg")
            page.get_by_role("button", name="Strategies: how it listens and looks").click()
            for strategy in ("fused", "text_bridged"):
                page.get_by_role("checkbox", name=f"{strategy}:").check()
            page.get_by_role("button", name="Find what sounds", exact=True).click()
            page.locator(".zs-compare figure").nth(2).wait_for()
            page.get_by_role("button", name="Strategies: how it listens and looks").click()
            _write(page, out / f"app_compare_{name}.jpg")
            page.get_by_role("button", name="Emoji in motion").click()
            page.locator("#annotated video").wait_for()
            page.locator("#annotated video").evaluate("video => { video.currentTime = 1.5; }")
            _write(page, out / f"app_video_{name}.jpg")


def _of_demo(browser: Any, out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for _ in run(Path(folder)):
            pass
        for stem, path in (("demo", "index.html"), ("video_page", "page/in_turn_000.html")):
            for name, page in _windows(browser, (Path(folder) / path).as_uri()):
                page.evaluate("for (const video of document.querySelectorAll('video')) video.currentTime = 1.5")
                _write(page, out / f"{stem}_{name}.jpg")


def main(out: Path) -> None:
    """Write all screenshots into a folder."""
    path = chromium.find()
    if path is None:
        sys.exit("no Chromium here: install it, or name it in ZSAVS_CHROMIUM")
    out.mkdir(parents=True, exist_ok=True)
    with chromium.opened(path) as browser:
        _of_app(browser, out)
        _of_demo(browser, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "screenshots")

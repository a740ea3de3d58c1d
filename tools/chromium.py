"""Chromium that is installed already, driven by Playwright: for the tests of pages, and for screenshots of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["FAKE_DEVICES", "find", "opened"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: It talks to nobody but the pages that it is sent to, and plays sound without being asked.
_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_QUIET += ["--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"]
#: A camera that shows a test image and a microphone that beeps, and nobody is asked.
FAKE_DEVICES = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


def find() -> str | None:
    """Where it is: where ZSAVS_CHROMIUM says, or on the PATH; None where it is not."""
    return os.environ.get("ZSAVS_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def opened(path: str, *more: str) -> Iterator[Any]:
    """A browser of Playwright's.

    Args:
        path: of the program.
        more: further arguments of it, such as :data:`FAKE_DEVICES`.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_QUIET, *more])
        yield browser
        browser.close()

"""Pages in Chromium: what axe says of one, and what is clipped in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tools import chromium

__all__ = ["axe_complaints", "need_browser", "overflow"]

_AXE = Path(__file__).parents[2] / ".browser" / "node_modules" / "axe-core" / "axe.min.js"


def need_browser() -> str:
    """Where Chromium is; skips the test, with the remedy, where it or Playwright is not."""
    pytest.importorskip("playwright", reason='no Playwright here: pip install "zsavs[browser]"')
    found = chromium.find()
    if found is None:
        pytest.skip("no Chromium here: install it, or name it in ZSAVS_CHROMIUM")
    return found


def axe_complaints(page: Any) -> list[str]:
    """What axe-core says against a page by WCAG 2 A and AA, a line each; skips the test where axe-core is not here."""
    path = Path(os.environ.get("ZSAVS_AXE", _AXE))
    if not path.is_file():
        pytest.skip("no axe-core here: npm install --prefix .browser axe-core@4, or name axe.min.js in ZSAVS_AXE")
    page.evaluate(path.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa']})")
    return [
        f"{complaint['id']}: {node['html'][:120]}: {node['failureSummary'].splitlines()[-1].strip()}"
        for complaint in found["violations"]
        for node in complaint["nodes"]
    ]


def overflow(page: Any) -> list[str]:
    """What reaches beyond the sides of the window, and does not lie in something that scrolls, a line each."""
    return list(
        page.evaluate(
            """() => {
              const scrolls = (e) => e && (['auto', 'scroll', 'hidden'].includes(getComputedStyle(e).overflowX)
                || scrolls(e.parentElement));
              return [...document.body.querySelectorAll('*')].filter((e) => {
                const box = e.getBoundingClientRect();
                return box.width && box.height && (box.right > innerWidth + 1 || box.left < -1)
                  && getComputedStyle(e).visibility !== 'hidden' && !scrolls(e.parentElement);
              }).map((e) => e.outerHTML.slice(0, 120));
            }"""
        )
    )

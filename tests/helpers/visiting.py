"""What a visitor of the page of ``zsavs app`` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["ask", "give", "labels", "slide", "strategies"]


def give(page: Any, image: Path | None = None, audio: Path | None = None, video: Path | None = None) -> None:
    """Give files, and wait until they are there."""
    if video:
        page.get_by_role("tab", name="Video").click()
        page.locator("#video input[type=file]").set_input_files(str(video))
        page.locator("#video video").wait_for()
    if image:
        page.locator("#image input[type=file]").set_input_files(str(image))
        page.locator("#image img").wait_for()
    if audio:
        page.locator("#audio input[type=file]").set_input_files(str(audio))
        page.locator("#audio time").first.wait_for()


def ask(page: Any, name: str = "Find what sounds") -> None:
    """Ask, and wait for the answer or for what is said in its place."""
    page.get_by_role("button", name=name, exact=True).click()
    page.locator("#picture figcaption, #message .zs-error").first.wait_for()


def labels(page: Any) -> list[str]:
    """What is marked: the words of the regions' buttons."""
    return [str(text) for text in page.locator(".zs-regions button").all_inner_texts()]


def slide(page: Any, name: str, value: float) -> None:
    """Move a slider, by the id of it."""
    slider = page.locator(f"#{name} input[type=range]")
    slider.evaluate("(e, to) => { e.value = to; e.dispatchEvent(new Event('input', {bubbles: true})); }", value)


def strategies(page: Any, *names: str) -> None:
    """Choose further strategies."""
    if not page.locator("#strategies").is_visible():
        page.get_by_role("button", name="Strategies: how it listens and looks").click()
    for name in names:
        page.get_by_role("checkbox", name=f"{name}:").check()

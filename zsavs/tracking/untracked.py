"""No tracker, by its name."""

from __future__ import annotations

__all__ = ["untracked"]


def untracked() -> None:
    """None, in place of a tracker: every frame of a video is answered by itself."""

"""``zsavs doctor``: whether zsavs can run here."""

from __future__ import annotations

from zsavs.cli import console, options

__all__ = ["doctor"]

#: The colour of a line by the mark that it begins with.
_STYLES = {"ok": "", "--": "yellow", "!!": "bold red"}


def doctor(verbose: options.Verbose = 0) -> int:
    """Check the installation: versions, devices, cache, presets."""
    from zsavs.cli.doctor import examine

    healthy, lines = examine()
    if console.is_terminal():
        rows = [(line[:2], line[4:]) for line in lines]
        console.table({"": "green", "what was found": ""}, rows, row_styles=[_STYLES[mark] for mark, _ in rows])
    else:
        for line in lines:
            console.answer(line)
    return 0 if healthy else 1

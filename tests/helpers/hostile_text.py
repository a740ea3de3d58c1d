"""A text that would do harm wherever it is taken for more than a text."""

from __future__ import annotations

HOSTILE = (
    '<script>alert("x")</script>\n| `a` | **b** _c_ & &amp; [c](javascript:d) $x$ {{ 7 * 7 }} # '
    "\u202egnp.\udc80\x1b[31m '>"
)
#: What of it is to be read on the page: line breaks and control characters are spaces, direction characters go.
READ = " ".join(HOSTILE.replace("\u202e", "").replace("\x1b", " ").replace("\udc80", "?").split())

"""Tells griffe, which reads the docstrings for the site, to have them rewritten as Markdown."""

from __future__ import annotations

from typing import Any

import griffe

from tools.site.docstrings import rewritten


class Roles(griffe.Extension):
    """Rewrites every docstring once it was read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Of any object."""
        if obj.docstring:
            module = obj if obj.is_module else obj.module
            obj.docstring.value = rewritten(obj.docstring.value, module.path)

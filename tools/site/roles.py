"""Docstrings name others as Sphinx does, ``:func:`zsavs.segment```; here these become links where there is a page."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:func|class|mod|meth|data|attr|exc|obj):`(?P<tilde>~?)(?P<name>[\w.]+)`")
_CITED = re.compile(r"::\n\n(?=\s)")
#: Lines as typed at the prompt, with what is answered.
_TYPED = re.compile(r"^(?P<indent>[ ]*)>>> .*(?:\n(?P=indent)\S.*)*", re.M)
#: "As build_pipeline.", under Raises, where an error's name stands elsewhere.
_REFERS = re.compile(r"(?<=Raises:\n)(?P<indent> +)(?=(?:[Aa]s|What) )")


class Roles(griffe.Extension):
    """Rewrites every docstring once it was read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Of any object."""
        if obj.docstring:
            module = obj if obj.is_module else obj.module
            obj.docstring.value = rewritten(obj.docstring.value, module)


def rewritten(text: str, module: Any) -> str:
    """A docstring in Markdown: roles are links, literal blocks are code."""

    def link(found: re.Match[str]) -> str:
        name = found["name"]
        shown = name.rpartition(".")[2] if found["tilde"] else name.removeprefix("zsavs.")
        whole = name if name.startswith("zsavs") else f"{module.path}.{name}"
        return f'<autoref optional identifier="{whole}"><code>{shown}</code></autoref>'

    text = _REFERS.sub(r"\g<indent>ZsavsError: ", text)
    text = _CITED.sub(":\n\n", _ROLE.sub(link, text)).replace("``", "`")
    return _TYPED.sub(lambda typed: f"{typed['indent']}```pycon\n{typed[0]}\n{typed['indent']}```", text)

"""Docstrings name others as Sphinx does, ``:func:`zsavs.segment```; in Markdown these are links to their pages."""

from __future__ import annotations

import re

_ROLE = re.compile(r":(?:func|class|mod|meth|data|attr|exc|obj):`(?P<tilde>~?)(?P<name>[\w.]+)`")
_CITED = re.compile(r"::\n\n(?=\s)")
#: Lines as typed at the prompt, with what is answered.
_TYPED = re.compile(r"^(?P<indent>[ ]*)>>> .*(?:\n(?P=indent)\S.*)*", re.M)
#: "As build_pipeline.", under Raises, where an error's name stands elsewhere.
_REFERS = re.compile(r"(?<=Raises:\n)(?P<indent> +)(?=(?:[Aa]s|What) )")


def rewritten(text: str, module: str) -> str:
    """A docstring in Markdown: roles are links, literal blocks and what is typed at the prompt are code.

    Args:
        text: the docstring.
        module: where it stands, "zsavs.wing.module".
    """

    def link(found: re.Match[str]) -> str:
        name = found["name"]
        shown = name.rpartition(".")[2] if found["tilde"] else name.removeprefix("zsavs.")
        whole = name if name.startswith("zsavs") else f"{module}.{name}"
        return f'<autoref optional identifier="{whole}"><code>{shown}</code></autoref>'

    text = _REFERS.sub(r"\g<indent>ZsavsError: ", text)
    text = _CITED.sub(":\n\n", _ROLE.sub(link, text)).replace("``", "`")
    return _TYPED.sub(lambda typed: f"{typed['indent']}```pycon\n{typed[0]}\n{typed['indent']}```", text)

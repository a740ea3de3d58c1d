"""Labels out of a text, in the forms in which people keep lists: lines, bullets, one line, JSON, tables.

What is none of these, or may be two of them, is refused with what was expected: a whole list that is taken for a single
strange label hears nothing, and nobody is told.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Sequence
from typing import Any

from zsavs.errors import VocabularyError

__all__ = ["is_inline_list", "labels_in"]

_EXPECTED = "give one label a line, labels with commas between them, a JSON list, or a CSV with a column 'label'"
#: Columns of a table, and keys of a JSON object, that hold the labels; the first that is there counts.
_NAMES: tuple[str, ...] = (
    *("label", "labels", "display_name", "name", "names", "class", "classes", "class_name", "category", "categories"),
    *("phrase", "phrases", "vocabulary", "word", "words", "sound", "sounds"),
)
_FILES = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".md")

_BULLET = re.compile(r"[-*+•·‣◦▪–—]\s+(?:\[[ xX]\]\s+)?")  # with a box to tick, or without
_NUMBER = re.compile(r"\(?\d+[.):]\s+|\d+\t")
#: A dot that ends a label, as detectors are prompted: "dog . cat ." or "dog. cat."
_DOT = re.compile(r"\s*\.(?:\s+|$)")


def is_inline_list(text: str) -> bool:
    """Whether a text is labels and not the name of a file or of a vocabulary."""
    if text.rstrip().lower().endswith(_FILES):
        return False
    return any(mark in text for mark in ",;|\n\t") or text.lstrip().startswith(("[", "{")) or " . " in f"{text} "


def labels_in(text: str, where: str, suffix: str = "") -> list[str]:
    """The labels of a list.

    Args:
        text: lines, of which blank ones and those that begin with # count nothing, with bullets, numbers or quotes or
            without; one line with commas, semicolons, tabs, bars or dots between labels; a JSON list of texts, or of
            objects with a name, or an object of names and numbers; a table with a header that names the column.
        where: what it is, for messages.
        suffix: of its file, ".csv" and the like, which decides where several forms are possible.

    Returns:
        The labels as they are written there, in order; of numbers and names, in the order of the numbers.

    Raises:
        VocabularyError: it is of no such form; says what was found and what was expected.
    """
    body = text.strip()
    if suffix in (".json", ".jsonl") or body.startswith(("[", "{")):
        return _of_json(body, where)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if suffix in (".csv", ".tsv") or _has_header(lines):
        return _of_table(lines, where, "\t" if suffix == ".tsv" else "")
    if not lines:
        return []
    lines = _without_marks(lines, where)
    if len(lines) == 1:
        return _of_one_line(lines[0], where)
    if all(line.endswith((",", ";")) for line in lines[:-1]):  # one line, wrapped
        return _of_one_line(" ".join(lines), where)
    if all("," in line and ", " not in line for line in lines):
        raise VocabularyError(
            f"{where}: looks like a table without a header, its first line is {lines[0]!r:.60}; {_EXPECTED}."
        )
    return lines


def _without_marks(lines: Sequence[str], where: str) -> list[str]:
    """Lines without bullets and numbers in front, and quotes around.

    Raises:
        VocabularyError: some lines have numbers and others do not.
    """
    lines = [line[found.end() :] if (found := _BULLET.match(line)) else line for line in lines]
    numbered = [_NUMBER.match(line) for line in lines]
    if all(numbered):
        lines = [line[found.end() :] for line, found in zip(lines, numbered, strict=True) if found]
    elif sum(map(bool, numbered)) > 1:
        odd = next(line for line, found in zip(lines, numbered, strict=True) if not found)
        raise VocabularyError(f"{where}: some lines have a number in front, and {odd!r:.60} has none; {_EXPECTED}.")
    if len(lines) > 1 and all(re.fullmatch(r"(['\"]).*\1[,;]?", line) for line in lines):
        return [line.rstrip(",;")[1:-1] for line in lines]
    return lines


def _of_one_line(line: str, where: str) -> list[str]:
    """The labels of a line that has several of them, or of one that is a label."""
    for mark in (";", "|", "\t", ","):
        if mark in line:
            labels = [label.strip().strip("'\"") for label in line.removesuffix(".").split(mark)]
            return [label for label in labels if label]
    if len(_DOT.findall(line)) > 1 or (_DOT.search(line) and not line.endswith(".")):
        labels = [label for label in _DOT.split(line) if label]
        if any(len(label) < 3 for label in labels):
            raise VocabularyError(
                f"{where}: cannot tell whether the dots in {line!r:.60} end labels or words; {_EXPECTED}."
            )
        return labels
    return [line.strip("'\"")]


def _has_header(lines: Sequence[str]) -> bool:
    """Whether the first line names the columns of a table, one of them that of the labels."""
    if len(lines) < 2 or not any(mark in lines[0] for mark in ",;\t"):
        return False
    mark = _delimiter(lines[0])
    cells = [cell.strip().strip('"').casefold() for cell in lines[0].split(mark)]
    rows = list(csv.reader(lines, delimiter=mark))
    return bool(set(cells) & set(_NAMES)) and all(len(row) == len(cells) for row in rows)


def _delimiter(line: str) -> str:
    return max("\t;,", key=line.count)


def _of_table(lines: Sequence[str], where: str, mark: str) -> list[str]:
    """The labels of a table: the column that its header names, or the only one, or all cells of the only row."""
    if not lines:
        return []
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark or _delimiter(lines[0]))]
    except csv.Error as error:
        raise VocabularyError(f"{where}: cannot be read as a table ({error}); {_EXPECTED}.") from error
    header = [cell.casefold() for cell in rows[0]]
    named = [name for name in _NAMES if name in header]
    if named and len(rows) > 1:
        place = header.index(named[0])
        return [row[place] for row in rows[1:] if len(row) > place]
    if all(len(row) == 1 for row in rows):
        return [row[0] for row in rows]
    if len(rows) == 1:
        return rows[0]
    raise VocabularyError(
        f"{where}: expected a column named {', '.join(_NAMES[:4])} or the like; the first row is "
        f"{', '.join(rows[0])!r:.80}. Name the column, or {_EXPECTED}."
    )


def _of_json(text: str, where: str) -> list[str]:
    """The labels of a JSON value, of one on each line, or of a list as Python writes it.

    Raises:
        VocabularyError: it is no JSON, or no list of labels is in it.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            value = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            try:
                value = ast.literal_eval(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                raise VocabularyError(f"{where}: is no JSON ({error}); {_EXPECTED}.") from error
    labels = _of_value(value)
    if labels is None:
        raise VocabularyError(
            f'{where}: no list of labels in this JSON, which begins {text[:40]!r}; give ["dog", "cat"], or an object '
            f"of names and numbers."
        )
    return labels


def _of_value(value: Any) -> list[str] | None:
    """The labels of a JSON value; None where it holds none."""
    if isinstance(value, list | tuple):
        labels = [_name_of(entry) for entry in value]
        return None if None in labels else [label for label in labels if label is not None]
    if not isinstance(value, dict):
        return None
    known = {str(key).casefold(): inner for key, inner in value.items()}
    for name in _NAMES:
        if isinstance(known.get(name), list | dict):
            return _of_value(known[name])
    if value and all(type(number) is int for number in value.values()):  # {"dog": 0, "cat": 1}
        return sorted(map(str, value), key=lambda label: value[label])
    if value and all(str(key).isdecimal() for key in value) and all(isinstance(name, str) for name in value.values()):
        return [str(value[key]) for key in sorted(value, key=int)]
    return None


def _name_of(entry: Any) -> str | None:
    """The label of an entry of a list: itself, or what it calls its name."""
    if isinstance(entry, str):
        return entry
    if isinstance(entry, dict):
        known = {str(key).casefold(): inner for key, inner in entry.items()}
        return next((known[name] for name in _NAMES if isinstance(known.get(name), str)), None)
    return None

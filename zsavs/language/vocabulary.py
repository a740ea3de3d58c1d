"""Lists of labels: shipped ones by name, yours by path or as a sequence of strings."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path

from zsavs.errors import UnknownName, VocabularyError
from zsavs.language.label_lists import is_inline_list, labels_in
from zsavs.language.word_forms import key_of
from zsavs.storage.files import is_there, read_text

__all__ = ["clean", "load_vocabulary", "vocabulary_names"]

log = logging.getLogger(__name__)

#: Longer than any label; a longer line is a sentence in the wrong file.
_MAX_CHARACTERS = 200
#: More labels than any label set we know; every one costs a text embedding.
_MAX_LABELS = 100_000


def vocabulary_names() -> list[str]:
    """Names of the vocabularies that ship with zsavs."""
    folder = resources.files("zsavs") / "data" / "vocabularies"
    return sorted(path.name.removesuffix(".txt") for path in folder.iterdir() if path.name.endswith(".txt"))


def load_vocabulary(vocabulary: str | Path | Sequence[str]) -> tuple[str, ...]:
    """Read a list of labels.

    Args:
        vocabulary: a shipped name ("everyday", "avsbench", "vpo"); the path of a UTF-8 file with one label a line
            (blank lines and lines that start with # are skipped), or in another of the forms of
            :func:`zsavs.language.label_lists.labels_in`; the labels in one text ("maracas, trumpet"); or the labels
            themselves.

    Returns:
        The labels in order, white space folded, each once: of labels that are the same words in another case, number
        or spelling, or with an article ("maracas", "maraca", "the maracas"), the first one.

    Raises:
        UnknownName: a name that is neither shipped nor a file.
        VocabularyError: the file is not there or cannot be read, is of no form that is known, or no label is left.

    >>> load_vocabulary("maracas, trumpet")
    ('maracas', 'trumpet')
    """
    if not isinstance(vocabulary, (str, Path)):
        labels = list(vocabulary) if isinstance(vocabulary, Iterable) else [vocabulary]
        if any(not isinstance(label, str) for label in labels):
            raise VocabularyError("the vocabulary holds something that is not a string; give a list of strings.")
        return clean(labels, "the vocabulary")
    if str(vocabulary) in vocabulary_names():
        text = (resources.files("zsavs") / "data" / "vocabularies" / f"{vocabulary}.txt").read_text(encoding="utf-8")
        return clean(labels_in(text, str(vocabulary)), str(vocabulary))
    path = Path(vocabulary)
    if isinstance(vocabulary, str) and is_inline_list(vocabulary) and not is_there(path):
        return clean(labels_in(vocabulary, "the vocabulary"), "the vocabulary")
    try:
        text = read_text(path.expanduser())
    except FileNotFoundError as error:
        if path.suffix or "/" in str(vocabulary):
            raise VocabularyError(f"{path}: no such file; give a text file with one label a line.") from error
        raise UnknownName(
            "vocabulary", str(vocabulary), vocabulary_names(), 'Or give the path of a text file, or labels: "dog, cat".'
        ) from error
    except UnicodeDecodeError as error:
        raise VocabularyError(f"{path}: not UTF-8 text; save the list as UTF-8, one label a line.") from error
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a ~ without a home; ValueError: a NUL
        reason = getattr(error, "strerror", None) or error
        raise VocabularyError(
            f"{str(path)[:60]}: cannot be read ({reason}); give a text file, one label a line."
        ) from error
    return clean(labels_in(text, str(path), path.suffix.lower()), str(path))


def clean(labels: Iterable[str], where: str) -> tuple[str, ...]:
    """Fold white space, drop blanks and repetitions (:func:`.word_forms.key_of`), and check what is left.

    Raises:
        VocabularyError: no label is left, a label is absurdly long, or there are too many.
    """
    kept: dict[str, str] = {}
    repeated = 0
    for label in labels:
        folded = " ".join(unicodedata.normalize("NFC", label).split())
        if not folded:
            continue
        if len(folded) > _MAX_CHARACTERS:
            raise VocabularyError(
                f"{where}: a label of {len(folded)} characters ({folded[:30]!r}...); one label a line."
            )
        key = key_of(folded)
        repeated += key in kept
        kept.setdefault(key, folded)
    if not kept:
        raise VocabularyError(f"{where}: no labels in it; give at least one, one label a line.")
    if len(kept) > _MAX_LABELS:
        raise VocabularyError(f"{where}: {len(kept)} labels; at most {_MAX_LABELS} are supported.")
    if repeated:
        log.info("%s: left out %d repeated labels", where, repeated)
    return tuple(kept.values())

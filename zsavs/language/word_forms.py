"""Words in one form: whatever the case, the hyphens, the article and the number that somebody wrote."""

from __future__ import annotations

import functools
import unicodedata

__all__ = ["as_words", "in_singular", "key_of"]

_ARTICLES = frozenset({"a", "an", "the"})
#: Plurals that no rule below makes, and singulars that end like a plural.
_IRREGULAR = {"men": "man", "women": "woman", "children": "child", "people": "person", "oxen": "ox", "dice": "die"}
_IRREGULAR |= {"mice": "mouse", "dormice": "dormouse", "lice": "louse", "geese": "goose", "feet": "foot"}
_IRREGULAR |= {"teeth": "tooth", "cacti": "cactus", "fungi": "fungus", "quizzes": "quiz", "tvs": "tv"}
_IRREGULAR |= {f"{stem}ves": f"{stem}f" for stem in ("wol", "cal", "hal", "shel", "el", "lea", "loa", "thie", "hoo")}
_IRREGULAR |= {f"{stem}ves": f"{stem}fe" for stem in ("kni", "wi", "li")}
_IRREGULAR |= {"scarves": "scarf", "lens": "lens", "canvas": "canvas", "christmas": "christmas", "atlas": "atlas"}
_IRREGULAR |= {"news": "news", "taxis": "taxi", "skis": "ski", "kiwis": "kiwi"}


def as_words(text: str) -> str:
    """A text without case, its hyphens, underscores and white space as single blanks.

    >>> as_words("Hair-Dryer")
    'hair dryer'
    """
    return " ".join(text.casefold().replace("-", " ").replace("_", " ").split())


@functools.lru_cache(maxsize=65_536)
def key_of(label: str) -> str:
    """What two labels share exactly if they are the same words in another case, number or spelling, or with an article.

    >>> key_of("The Maracas") == key_of("maraca")
    True
    """
    words = as_words(unicodedata.normalize("NFC", label)).split()
    while len(words) > 1 and words[0] in _ARTICLES:
        del words[0]
    return in_singular(" ".join(words))


def in_singular(words: str) -> str:
    """Every word as its singular and its plural both come out, which need not be a word ("axe" and "axes" are "ax").

    >>> in_singular("maracas"), in_singular("wine glasses"), in_singular("bus"), in_singular("mice")
    ('maraca', 'wine glass', 'bus', 'mous')
    """
    return " ".join(map(_one_of, words.split()))


@functools.lru_cache(maxsize=65_536)
def _one_of(word: str) -> str:
    one = _IRREGULAR.get(word, word)
    if word not in _IRREGULAR and len(one) > 3 and one.endswith("s") and not one.endswith(("ss", "us", "is")):
        one = one[:-1]
    if len(one) > 4 and one.endswith("men"):  # firemen; no word is told from another one by it
        one = f"{one[:-3]}man"
    if len(one) > 3 and one.endswith(("ie", "y")):  # cookie, cookies; baby, babies
        return f"{one.removesuffix('ie').removesuffix('y')}y"
    if len(one) > 4 and one.endswith("oe"):  # potatoes; shoe, shoes
        return one[:-1]
    return one.removesuffix("e") if one.endswith(("se", "xe", "ze", "che", "she")) else one

"""Guess which of Comprehend's languages texts are in, by their most frequent words."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nightsort.comprehend.limits import Language

_FREQUENT: Final[dict[Language, str]] = {
    "en": """
        the and to of is in that it for you was with on are this not have be as but they his her
        from my we what there an or your which at can i would has how do does been will when why""",
    "es": """
        el la los las de que y en un una por con para es no se lo su al del como pero más este
        esta son ya muy mi me hay cuando donde sin sobre también porque está qué ha fue""",
    "de": """
        der die das und ist nicht ein eine zu den mit auf für von sich des dem im es ich sie wir
        auch als an werden wird aus bei nach wie oder nur noch über sind war aber mein kann""",
    "it": """
        il lo la gli le di che e è un una per con non si del della dei nel sono come ma anche
        più questo questa al alla ho mi mio ha molto quando dove perché dal ci loro""",
    "fr": """
        le la les de des et est un une que qui dans pour pas ne sur avec ce il elle au du en se
        sont plus par je mais vous nous cette mon ma être fait comme aux leur ou j'ai c'est""",
    "pt": """
        o os as de que e é um uma para com não no na nos nas do da dos das em se por mais como
        mas ao foi muito meu minha está são você eu isso quando também já pelo pela ser""",
}
_WORDS: Final = {language: frozenset(words.split()) for language, words in _FREQUENT.items()}
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_LEAST_SHARE: Final = 0.08
_LEAST_LEAD: Final = 1.25


def guess_language(texts: Iterable[str]) -> Language | None:
    """Return the language of texts, or ``None`` if their frequent words do not tell.

    :param texts: a sample; a few hundred words are enough.
    """
    found: Counter[Language] = Counter()
    words = 0
    for text in texts:
        for word in _WORD.findall(text.casefold().replace("\u2019", "'")):
            words += 1
            found.update(language for language, frequent in _WORDS.items() if word in frequent)
    if not found:
        return None
    (first, most), *others = found.most_common(2)
    second = others[0][1] if others else 0
    return first if most >= _LEAST_SHARE * words and most >= _LEAST_LEAD * second else None

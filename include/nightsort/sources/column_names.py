"""The names that people give to columns of texts, labels and ids, in the languages of Comprehend."""

from __future__ import annotations

import re
from typing import Final

_TEXT = """
    text texts txt document documents doc body comment comments content contents message messages msg review
    reviews sentence sentences title headline tweet tweets utterance question query description desc subject
    abstract summary snippet feedback input phrase post article verbatim
    texto textos testo testi texte textes nachricht beschreibung inhalt kommentar satz frage titel betreff
    mensaje mensagem comentario comentário commentaire commento descripción descrição descrizione titre titolo
    título"""
_LABEL = """
    label labels class classes category categories target targets topic topics intent intents sentiment tag
    tags type output rating score emotion y
    kategorie kategorien klasse klassen thema etikett categoría categoria catégorie classe clase etiqueta
    étiquette etichetta rótulo tema sujet"""
_ID = """
    id ids uuid guid key identifier nr nummer number ticket"""

TEXT_WORDS: Final = frozenset(_TEXT.split())
LABEL_WORDS: Final = frozenset(_LABEL.split())
ID_WORDS: Final = frozenset(_ID.split())

_WORD: Final = re.compile(r"[^\W\d_]+")
_NEW_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def words_of(name: str) -> frozenset[str]:
    """Return the words of a column's name in lower case: ``commentText`` has two."""
    return frozenset(word.casefold() for word in _WORD.findall(_NEW_WORD.sub(" ", name)))

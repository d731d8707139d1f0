"""The language of texts is guessed from their frequent words, or it is said that they do not tell."""

from __future__ import annotations

import pytest

from nightsort.comprehend.limits import LANGUAGES
from nightsort.sources.languages import guess_language

TEXTS = {
    "en": "I still have not received my card, what should I do?",
    "de": "Wo ist meine Karte? Ich habe sie noch nicht bekommen.",
    "pt": "Ainda não recebi o meu cartão, o que devo fazer?",
    "es": "No he recibido mi tarjeta todavía, ¿qué hago?",
    "it": "Non ho ancora ricevuto la mia carta, cosa devo fare?",
    "fr": "Je n\u2019ai pas encore reçu ma carte, que dois-je faire ?",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_of_comprehend_is_recognised(language: str) -> None:
    assert guess_language([TEXTS[language]]) == language
    assert guess_language([TEXTS[language].upper()] * 3) == language


@pytest.mark.parametrize("texts", [[], [""], ["card payment 123"], ["こんにちは"], ["12 34"]])
def test_texts_that_do_not_tell_are_not_guessed(texts: list[str]) -> None:
    assert guess_language(texts) is None

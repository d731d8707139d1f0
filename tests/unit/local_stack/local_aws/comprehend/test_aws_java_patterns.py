"""Java's Unicode properties mean the same in Python."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from include.local_stack.local_aws.comprehend.java_patterns import python_pattern

JOB_NAME = r"^([\p{L}\p{Z}\p{N}_.:/=+\-%@]*)$"


@given(st.characters(codec="utf-8"))
def test_a_property_within_brackets_is_the_unicode_category(character: str) -> None:
    expected = unicodedata.category(character)[0] in "LZN" or character in "_.:/=+-%@"
    assert bool(python_pattern(JOB_NAME).fullmatch(character)) == expected


@given(st.characters(codec="utf-8"))
def test_properties_stand_alone_and_negated_too(character: str) -> None:
    assert bool(python_pattern(r"^\p{ASCII}+$").fullmatch(character)) == character.isascii()
    is_other = unicodedata.category(character)[0] == "C"
    assert bool(python_pattern(r"^\P{C}*$").fullmatch(character)) == (not is_other)

"""A spec and its values without what may be a secret, for pages and messages.

Secrets belong into connections. Whoever writes one into a spec all the same does not show it to those who
read its page, whatever YAML it stands in. In doubt too much is hidden.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN: Final = "***"

_WORD: Final = (
    r"pass(?:w|phrase|code|\b|_)|pwd|secret|token|credential|authorization|auth(?:\b|_)|bearer|webhook|cookie|"
    r"signature|dsn|connection[_\-. ]?string|(?:api|access|account|private|client)[_\-. ]?key|\w[_-]key(?!\w)"
)
_NAME: Final = re.compile(rf"{_WORD}|key$", re.IGNORECASE)
# Such a word with a colon or an equals sign behind it; what stands before the @ of an address; known shapes.
_IN_TEXT: Final = (
    rf"(?:{_WORD}).*[:=]|key[\"']?\s*[:=]|:[^@]*@|bearer\s|//hooks\.|-----BEGIN|AKIA[A-Z0-9]{{16}}"
)
_VALUE: Final = re.compile(_IN_TEXT, re.IGNORECASE | re.DOTALL)
# Of a file that is no YAML: an anchor may be the value of a key further down, an escape may write a word.
_DOUBTFUL: Final = re.compile(rf"{_WORD}|(?<![a-z] )key\b|{_IN_TEXT}|[&\\]", re.IGNORECASE | re.DOTALL)
_COMMENTS: Final = re.compile(r"#[^\n]*(?:\n[ \t]*#[^\n]*)*")
_LINE: Final = re.compile(r"\S[^\n]*")
_NAMING: Final = ("name", "key", "variable")
"""Keys whose value may name what the key ``value`` beside them holds."""


def is_secret(name: object) -> bool:
    """Return whether a key's name says that its value is a secret.

    :param name: the key.
    """
    return isinstance(name, str) and _NAME.search(name) is not None


def masked_value(value: Any) -> Any:
    """Return a value of a spec with ``***`` for what may be a secret.

    :param value: as YAML gives it; it is not changed.
    """
    if isinstance(value, str):
        return HIDDEN if _VALUE.search(value) else value
    if isinstance(value, dict):
        named = any(is_secret(value.get(naming)) for naming in _NAMING)
        return {
            key: HIDDEN if is_secret(key) or (named and key == "value") else masked_value(inner)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [masked_value(inner) for inner in value]
    return value


def masked_text(text: str, keys: Iterable[str]) -> str:
    """Return the text of a spec with ``***`` for what may be a secret. Each line stays where it is.

    :param text: of a file, whether or not it is YAML.
    :param keys: those of a spec's top level: where the text is no YAML, each begins a block, which is hidden
        whole if anything in it is in doubt.
    """
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError):
        return "\n".join(_masked_blocks(text, keys))
    parts, end = [], 0
    for (start, stop), secret in sorted(_scalars(documents).items()):
        parts += [_masked_comments(text[end:start]), _hide(text[start:stop]) if secret else text[start:stop]]
        end = stop
    return "".join([*parts, _masked_comments(text[end:])])


def _scalars(documents: Iterable[yaml.Node]) -> dict[tuple[int, int], bool]:
    """Return where each scalar stands in the text, and whether it may be a secret."""
    found: dict[tuple[int, int], bool] = {}
    seen: set[tuple[int, bool]] = set()
    open_ends = [(node, False) for node in documents]
    while open_ends:
        node, secret = open_ends.pop()
        # An alias leads to the same node again, where its anchor stands.
        if (id(node), secret) in seen:
            continue
        seen.add((id(node), secret))
        if isinstance(node, yaml.ScalarNode):
            place = (node.start_mark.index, node.end_mark.index)
            found[place] = found.get(place, False) or secret or _VALUE.search(node.value) is not None
        elif isinstance(node, yaml.MappingNode):
            open_ends += _of_mapping(node, secret)
        elif isinstance(node, yaml.SequenceNode):
            open_ends += [(inner, secret) for inner in node.value]
    return found


def _of_mapping(mapping: yaml.MappingNode, secret: bool) -> Iterator[tuple[yaml.Node, bool]]:
    named = any(key.value in _NAMING and is_secret(value.value) for key, value in mapping.value)
    for key, value in mapping.value:
        # A key that is no text is none of a spec.
        own = not isinstance(key, yaml.ScalarNode) or is_secret(key.value) or (named and key.value == "value")
        yield key, secret
        yield value, secret or own


def _masked_blocks(text: str, keys: Iterable[str]) -> Iterator[str]:
    begins = re.compile(rf"(?:{'|'.join(map(re.escape, keys))})[ \t]*:")
    blocks: list[list[str]] = [[]]
    for line in text.split("\n"):
        if begins.match(line):
            blocks.append([])
        blocks[-1].append(line)
    for block in blocks:
        if not _DOUBTFUL.search("\n".join(block)):
            yield from block
            continue
        for line in block:
            key = begins.match(line)
            yield f"{key[0]} {HIDDEN}" if key else _hide(line)


def _masked_comments(text: str) -> str:
    """Return what stands between scalars, without the comments that may hold a secret."""
    return _COMMENTS.sub(lambda found: _hide(found[0], "# ") if _VALUE.search(found[0]) else found[0], text)


def _hide(text: str, before: str = "") -> str:
    return _LINE.sub(f"{before}{HIDDEN}", text)

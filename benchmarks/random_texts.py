"""Texts of 50 to 5,000 characters by the million, in seconds, the same on every machine.

What they are made of is what costs time: most are plain, some have quotes, some letters and marks beyond
ASCII, some line ends and tabs inside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

SHORTEST, TYPICAL, LONGEST = 50, 300, 5_000
"""Characters; the middle one is the median. The mean is about 480."""

_SPREAD = 1.0

_KINDS = (
    # How many texts, and what stands behind their words, how often.
    (0.80, {" ": 0.88, ", ": 0.06, ". ": 0.06}),
    (0.08, {" ": 0.86, ", ": 0.06, ". ": 0.04, ' "': 0.02, '" ': 0.02}),
    (0.10, {" ": 0.86, ", ": 0.06, "é ": 0.04, " \u2013 ": 0.02, "\u201d ": 0.02}),
    (0.02, {" ": 0.86, ", ": 0.06, ".\n": 0.06, "\t": 0.02}),
)
_LETTERS = b"eeeeeettttaaaaooooiiinnnssshhhrrddllcumwfgypbvkjxqz"
_WORDS, _LONGEST_WORD = 20_000, 10
_POOL = 400_000
_PIECE = 6.9
"""Characters of a word and what stands behind it, in the mean."""


class RandomTexts:
    """Texts that are cut out of a few megabytes of random words, at whole words.

    :param seed: the same seed gives the same words.
    """

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        words = _words(random)
        pieces: list[str] = []
        self._kind_starts = []
        for _, marks in _KINDS:
            self._kind_starts.append(len(pieces))
            # Word frequencies as in a language: the second word half as often as the first, and so on.
            picked = words[(random.zipf(1.2, _POOL) - 1) % len(words)]
            behind = random.choice(np.array(list(marks), dtype=object), _POOL, p=list(marks.values()))
            pieces += (picked + behind).tolist()
        encoded = [piece.encode() for piece in pieces]
        self._starts = np.concatenate(([0], np.cumsum([len(piece) for piece in encoded])))
        self._bytes = np.frombuffer(b"".join(encoded), dtype=np.uint8)

    def column(self, random: np.random.Generator, count: int) -> Any:
        """Return some texts, as an Arrow column."""
        characters = np.clip(random.lognormal(np.log(TYPICAL), _SPREAD, count), SHORTEST, LONGEST)
        words = np.maximum(SHORTEST / _PIECE, characters / _PIECE).astype(np.intp)
        kinds = random.choice(len(_KINDS), count, p=[share for share, _ in _KINDS])
        first = np.array(self._kind_starts)[kinds] + (random.random(count) * (_POOL - words)).astype(np.intp)
        begins, lengths = self._starts[first], self._starts[first + words] - self._starts[first]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        places = np.repeat(begins - offsets[:-1], lengths) + np.arange(offsets[-1])
        data: Any = self._bytes[places]
        ends: Any = offsets.astype(np.int32)
        return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(data))


def _words(random: np.random.Generator) -> Any:
    lengths = random.integers(1, _LONGEST_WORD + 1, _WORDS)
    ends = np.cumsum(lengths)
    letters = random.choice(np.frombuffer(_LETTERS, dtype=np.uint8), int(ends[-1])).tobytes().decode()
    spans = zip(ends.tolist(), lengths.tolist(), strict=True)
    return np.array([letters[end - length : end] for end, length in spans], dtype=object)

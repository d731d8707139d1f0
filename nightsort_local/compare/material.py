"""The generated documents of the comparison, and the trainings and jobs over them."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nightsort.comprehend.limits import MIN_UNITS, UNIT_CHARACTERS
from nightsort.comprehend.prices import classification_cost, forecast_training

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS: Final = {
    "BILLING": "invoice payment refund charge card balance receipt tax",
    "BUG": "crash error broken freeze exception trace restart failure",
    "DELIVERY": "parcel courier van address doorstep tracking late shipment",
    "RÜCKGABE": "return exchange size label postage unopened warranty swap",
    "PRAISE": "great love thanks wonderful happy perfect friendly superb",
}
FILLER: Final = ("the", "a", "my", "was", "for", "with", "it", "and", "this", "very", "on", "at")
HEADER: Final = ("label", "text")
CLASS_SIZES: Final = {"BILLING": 65, "BUG": 57, "DELIVERY": 48, "RÜCKGABE": 35, "PRAISE": 3}
"""Uneven, so that the sizes of the test say how a tenth is rounded; one label has three documents."""

MULTI_LABELS: Final = ("BILLING", "BUG", "DELIVERY", "PRAISE")


@dataclass(frozen=True)
class Training:
    """A training over generated documents.

    :param name: its part of the classifier's name.
    :param mode: MULTI_CLASS or MULTI_LABEL.
    :param data: the training data.
    :param test: test data of its own.
    :param documents: the number of its rows, for the price.
    """

    name: str
    mode: str
    data: bytes
    test: bytes | None = None

    @property
    def documents(self) -> int:
        """The number of its rows."""
        return self.data.count(b"\n")

    @property
    def most_usd(self) -> float:
        """The upper end of its price."""
        return forecast_training(self.documents).most_usd


@dataclass(frozen=True)
class Job:
    """A classification job over generated documents.

    :param name: its part of the job's name.
    :param training: the training whose classifier it uses.
    :param files: its input, by the end of the key.
    :param one_per_line: one document per line, or per file.
    :param options: further members of the request.
    """

    name: str
    training: str
    files: Mapping[str, bytes]
    one_per_line: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def most_usd(self) -> float:
        """The price, if every line, blank or not, is a document."""
        lines = sum(content.count(b"\n") + 1 for content in self.files.values())
        characters = sum(map(len, self.files.values()))
        return classification_cost(lines * MIN_UNITS + characters // UNIT_CHARACTERS)


def text_of(label: str, seed: int) -> str:
    """Return a document that carries a label; the same for the same seed."""
    chosen = random.Random(f"{label} {seed}")
    words = chosen.choices(WORDS[label].split(), k=5) + chosen.choices(FILLER, k=6)
    return " ".join(chosen.sample(words, len(words)))


def _csv(rows: list[tuple[str, str]], end: str = "\n") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows(rows)
    return text.getvalue().encode()


def _classes() -> bytes:
    """Return classes with a header row, a label of three documents, commas, quotes and CRLF."""
    rows = [(label, text_of(label, seed)) for label, size in CLASS_SIZES.items() for seed in range(size)]
    random.Random(0).shuffle(rows)
    quoted = [
        (label, f'{text}, "as said"' if number % 5 == 0 else text)
        for number, (label, text) in enumerate(rows)
    ]
    return _csv([HEADER, *quoted], "\r\n")


def _label_sets(number: int = 120, delimiter: str = "|") -> bytes:
    rows = []
    for seed in range(number):
        labels = sorted(random.Random(seed).sample(MULTI_LABELS, 1 + seed % 2))
        rows.append((delimiter.join(labels), " ".join(text_of(label, seed) for label in labels)))
    return _csv(rows)


def _two_labels(first: int = 0, number: int = 30) -> list[tuple[str, str]]:
    return [
        (label, text_of(label, seed)) for seed in range(first, first + number) for label in ("BILLING", "BUG")
    ]


def _untidy() -> bytes:
    """Return a byte order mark, blank lines, labels in two cases and with a space, a space after a comma."""
    rows = [*_two_labels(), *[("bug", text_of("BUG", seed)) for seed in range(100, 130)]]
    rows += [("BUG ", text_of("BUG", seed)) for seed in range(200, 230)]
    return b"\xef\xbb\xbf" + _csv(rows) + b"\n\nBILLING, an invoice with a space before it\n"


def _by_name(*items: Any) -> dict[str, Any]:
    return {item.name: item for item in items}


TRAININGS: Final[dict[str, Training]] = _by_name(
    Training("classes", "MULTI_CLASS", _classes()),
    Training("label-sets", "MULTI_LABEL", _label_sets()),
    Training("skipped", "MULTI_CLASS", _csv(_two_labels()) + b"one cell\nBUG,\n"),
    Training("empty-label", "MULTI_CLASS", _csv(_two_labels()) + b",no label at all\n"),
    Training(
        "unknown-label",
        "MULTI_CLASS",
        _csv(_two_labels()),
        test=_csv([*_two_labels(100, 10), ("NEW", "a label that no training has")]),
    ),
    Training("untidy", "MULTI_CLASS", _untidy()),
)

LINE_FILES: Final = {
    "a-line-feeds.txt": "".join(f"{text_of('BILLING', seed)}\n" for seed in range(900, 904)).encode(),
    "b-crlf.txt": "".join(f"{text_of('BUG', seed)}\r\n" for seed in range(900, 903)).encode(),
    "c-blank-line.txt": f"{text_of('BUG', 910)}\n\n{text_of('BUG', 911)}\n".encode(),
    "d-line-separator.txt": f"{text_of('BUG', 920)}\u2028{text_of('BUG', 921)}\n".encode(),
    "e-no-last-line-feed.txt": f"{text_of('BILLING', 930)}\n{text_of('BILLING', 931)}".encode(),
    "f-quotes.txt": f'"{text_of("BUG", 940)}, as ""said""\n{text_of("BUG", 941)}"\n'.encode(),
    "g-other-script.txt": f"{text_of('RÜCKGABE', 950)} größe 尺寸\n".encode(),
    "deeper/h-below.txt": f"{text_of('DELIVERY', 960)}\n".encode(),
}
ONE_DOCUMENT: Final = {"one.txt": text_of("BUG", 980).encode()}

JOBS: Final[dict[str, Job]] = _by_name(
    # What matters most uses the classifier that certainly trains: the other one has a label of one document.
    Job("lines", "label-sets", LINE_FILES),
    Job(
        "files",
        "classes",
        {
            "other-script.txt": text_of("RÜCKGABE", 951).encode(),
            **{f"{letter}.txt": text_of("BUG", ord(letter)).encode() for letter in "abcdef"},
            "several-lines.txt": LINE_FILES["b-crlf.txt"],
            "one/same.txt": text_of("BILLING", 970).encode(),
            "two/same.txt": text_of("DELIVERY", 971).encode(),
        },
        one_per_line=False,
    ),
    Job(
        "broken",
        "label-sets",
        {
            "latin-1.txt": b"a fine invoice\na caf\xe9 with an error\na third line\n",
            "empty.txt": b"",
            "good.txt": b"one more crash\n",
        },
    ),
    Job("no-input", "label-sets", {}),
    Job("token", "label-sets", ONE_DOCUMENT),
)

"""What kind of file it is, by its first bytes, asked before its rows are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from nightsort.classifier_spec.source import Format

LOOK_BYTES: Final = 4_096
"""The first bytes of a file that tell what kind it is."""


@dataclass(frozen=True)
class Kind:
    """A kind of file that is not what a spec declares.

    :param name: with its article, for a sentence.
    :param remedy: what to do about it.
    """

    name: str
    remedy: str

    def __str__(self) -> str:
        return f"looks like {self.name}; {self.remedy}"


_SAVE_AS_CSV: Final = "save its table as CSV in UTF-8"
_EXPORT: Final = "export its rows as CSV, JSON Lines or Parquet"
_EXTRACT: Final = "extract its text, and store that"
_UNPACK: Final = "unpack it, and store the files in it"
_NO_TEXT: Final = "it holds no text; move it out of the source"
_PACKED: Final = "unpack it, or pack it with gzip or zstd"
_TWICE: Final = "pack it once only"
_DECRYPT: Final = "decrypt it first"

# More precise patterns come first. What could begin a text needs a byte behind it that no text has.
_SIGNATURES: Final[tuple[tuple[bytes, str, str], ...]] = (
    (rb"PK\x03\x04.*xl/", "an Excel workbook (xlsx)", _SAVE_AS_CSV),
    (rb"PK\x03\x04.*word/", "a Word document (docx)", _EXTRACT),
    (rb"PK\x03\x04.*ppt/", "a PowerPoint file (pptx)", _EXTRACT),
    (rb"PK\x03\x04.*\[Content_Types\]", "a Microsoft Office file", "save it as CSV or plain text"),
    (rb"PK\x03\x04.*opendocument\.spreadsheet", "a LibreOffice spreadsheet", _SAVE_AS_CSV),
    (rb"PK\x03\x04.*opendocument", "a LibreOffice document", _EXTRACT),
    (rb"PK(\x03\x04|\x05\x06|\x07\x08)", "a zip archive", _UNPACK),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office file", "save it as CSV or plain text"),
    (rb"\s{0,16}%PDF-\d", "a PDF file", _EXTRACT),
    (rb"\s{0,16}\{\\rtf\d", "an RTF document", _EXTRACT),
    (rb"%!PS-Adobe", "a PostScript file", _EXTRACT),
    (rb"\x89PNG\r\n\x1a\n", "a PNG image", _NO_TEXT),
    (rb"\xff\xd8\xff", "a JPEG image", _NO_TEXT),
    (rb"GIF8[79]a(?=.{0,60}\x00)", "a GIF image", _NO_TEXT),
    (rb"II\*\x00|MM\x00[*+]", "a TIFF image", _NO_TEXT),
    (rb"RIFF.{4}WEBP", "a WebP image", _NO_TEXT),
    (rb"BM.{4}\x00{4}", "a BMP image", _NO_TEXT),
    (rb"\x00\x00.{2}ftyp(heic|heix|mif1|avif)", "a HEIF or AVIF image", _NO_TEXT),
    (rb"\x00\x00.{2}ftyp", "a video or sound file", _NO_TEXT),
    (rb"RIFF.{4}(WAVE|AVI )|OggS\x00|ID3[\x02-\x04]\x00|fLaC\x00", "a video or sound file", _NO_TEXT),
    (rb".{257}ustar(\x00|  \x00)", "a tar archive", _UNPACK),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (rb"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (rb"\x1f\x8b", "a file that was packed twice (gzip)", _TWICE),
    (rb"\x28\xb5\x2f\xfd", "a file that was packed twice (zstd)", _TWICE),
    (rb"\xfd7zXZ\x00", "a file that was packed twice (xz)", _TWICE),
    (rb"BZh[1-9]1AY&SY", "a file that was packed twice (bzip2)", _TWICE),
    (rb"\x04\x22\x4d\x18", "LZ4 data", _PACKED),
    (rb"\xff\x06\x00\x00sNaPpY", "Snappy data", _PACKED),
    (rb"\x1f\x9d", "compress data (.Z)", _PACKED),
    (rb"PAR1[\x00-\x1f]", "a Parquet file", "say  format: parquet  in the spec"),
    (rb"PARE[\x00-\x1f]", "an encrypted Parquet file", _DECRYPT),
    (rb"ORC(?=.{0,60}[\x00-\x08\x80-\xff])", "an ORC file", "store it as Parquet"),
    (rb"Obj\x01", "an Avro file", "store it as Parquet or JSON Lines"),
    (rb"ARROW1\x00|FEA1\x00", "an Arrow (Feather) file", "store it as Parquet"),
    (rb"\x89HDF\r\n", "an HDF5 file", "store it as Parquet"),
    (rb"SQLite format 3\x00", "an SQLite database", _EXPORT),
    (rb"\x93NUMPY", "a NumPy array", _EXPORT),
    (rb"\x80[\x02-\x05][\x80-\xff}\](c]", "a Python pickle", _EXPORT),
    (rb"\x7fELF|MZ.{0,60}\x00", "a program", _NO_TEXT),
    (rb"\s{0,16}-----BEGIN PGP MESSAGE-----", "an encrypted file (PGP)", _DECRYPT),
    (rb"age-encryption\.org/v1\n|Salted__(?=.{0,8}[\x00-\x08\x80-\xff])", "an encrypted file", _DECRYPT),
    (rb"version https://git-lfs\.github\.com/spec/", "a pointer of Git LFS", "store the file itself"),
)
_KINDS: Final = tuple(
    (re.compile(signature, re.DOTALL), Kind(name, remedy)) for signature, name, remedy in _SIGNATURES
)

_BINARY: Final = Kind(
    "a binary file or text in another encoding (many bytes are NUL)",
    "store plain text, or say which encoding it has (encoding: utf-16-le for text from Windows)",
)
_MOST_NULS: Final = 8
"""Fewer zero bytes among the first ones may be padding in a text."""

_JSON: Final = Kind("JSON", "say  format: jsonl  in the spec")
_NO_JSON: Final = Kind(
    "text without a JSON object",
    "say which format it has (format: csv, tsv or lines), or leave it out with a glob as *.jsonl in uri",
)
_MARKUP: Final = Kind(
    "a page of HTML or XML (an error page in place of the data?)", "look into it, and store the data itself"
)
_EMPTY_ARRAYS: Final = b"[], \t\r\n"
_MARKUP_BEGINNING: Final = re.compile(rb"\s*<(!doctype|html|\?xml)[\s>]", re.IGNORECASE)
_JSON_BEGINNING: Final = re.compile(rb'\s*(\[\s*)?\{\s*("[^"]*"\s*:|$)')


def kind_of(beginning: bytes) -> Kind | None:
    """Return the kind of a file that is no plain text, or ``None``.

    :param beginning: its first bytes, unpacked, at most :data:`LOOK_BYTES` of them.
    """
    return next((kind for signature, kind in _KINDS if signature.match(beginning)), None)


def binary_kind(beginning: bytes) -> Kind | None:
    """Return the kind of a file with too many zero bytes for a text, or ``None``.

    :param beginning: the first bytes of the text, in UTF-8.
    """
    zeros = beginning.count(0)
    return _BINARY if zeros >= _MOST_NULS and zeros * 20 > len(beginning) else None


def unlike_format(beginning: bytes, declared: Format) -> Kind | None:
    """Return the kind of a text that is plainly not of the declared format, or ``None``.

    :param beginning: the first bytes of the text, in UTF-8.
    :param declared: the spec's format.
    """
    if declared == "files":
        return None
    first_line, line_end, _ = beginning.lstrip().partition(b"\n")
    # A line that closes its elements is a document of its own.
    if _MARKUP_BEGINNING.match(beginning) and b"</" not in first_line:
        return _MARKUP
    if declared in ("csv", "tsv") and _is_json(first_line.strip(), cut_off=not line_end):
        return _JSON
    if declared in ("jsonl", "augmented_manifest") and b"{" not in beginning:
        # A single line may be a damaged row, which costs only itself.
        return _NO_JSON if len(beginning.strip(_EMPTY_ARRAYS).splitlines()) > 1 else None
    return None


def text_kind(beginning: bytes) -> Kind | None:
    """Return what a file is called where it is text and Parquet was declared."""
    try:
        # The last character may be cut off.
        beginning[:-3].decode()
    except UnicodeDecodeError as error:
        if error.start < len(beginning) - 6:
            return None
    if 0 in beginning:
        return None
    if _JSON_BEGINNING.match(beginning):
        return _JSON
    if _MARKUP_BEGINNING.match(beginning):
        return _MARKUP
    return Kind("text", "say which format it has (format: csv, tsv, jsonl, lines or files)")


def _is_json(line: bytes, *, cut_off: bool) -> bool:
    if line in (b"[", b"{", b"[{"):
        return True
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return cut_off and _JSON_BEGINNING.match(line) is not None
    return isinstance(value, dict) or (
        isinstance(value, list) and all(isinstance(item, dict) for item in value)
    )

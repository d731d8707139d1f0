"""The input of ClassifyDocument: a text, or the bytes of a document of one page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nightsort_local.local_aws.comprehend.errors import ApiError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TEXT_BYTES: Final = 10_000
"""UTF-8 bytes of a text, "10 KB" (guide, idp-inputs-sync). Decimal, the smaller of the two meanings."""

MAX_TEXTRACT_BYTES: Final = 1_000_000
"""Bytes of Textract's output, 1 MB (guide, idp-inputs-sync)."""

MAX_PAGE_CHARACTERS: Final = 10_000
"""Characters of a page (guide, idp-inputs-sync)."""

_FORMATS: Final = (
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "Word"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)

_TEXTRACT: Final = (
    ("AnalyzeDocumentModelVersion", "TEXTRACT_ANALYZE_DOCUMENT_JSON"),
    ("DetectDocumentTextModelVersion", "TEXTRACT_DETECT_DOCUMENT_TEXT_JSON"),
)


@dataclass(frozen=True)
class Document:
    """A document of one page.

    :param text: its text.
    :param document_type: its DocumentType; None for a document sent as Text.
    """

    text: str
    document_type: str | None = None


def read_document(request: Mapping[str, Any]) -> Document:
    """Return the document of a ClassifyDocument request.

    :raises ApiError: there is not exactly one document, or it is too large or of an unsupported type.
    """
    if ("Text" in request) == ("Bytes" in request):
        raise invalid_request("INVALID_REQUEST: Give either Text or Bytes.")
    check_reader_config(request.get("DocumentReaderConfig"))
    if "Bytes" in request:
        return _from_bytes(request["Bytes"])
    text: str = request["Text"]
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise invalid_request("INVALID_REQUEST: The Text is not UTF-8.") from error
    if size > MAX_TEXT_BYTES:
        raise ApiError(
            "TextSizeLimitExceededException",
            f"Input text size exceeds limit. Max length of request text allowed is {MAX_TEXT_BYTES} bytes "
            f"while in this request the text size is {size} bytes",
        )
    return Document(text)


def check_reader_config(config: Mapping[str, Any] | None) -> None:
    """Refuse an invalid DocumentReaderConfig, by the text of the service model; plain text needs none."""
    if (
        config
        and config["DocumentReadAction"] == "TEXTRACT_ANALYZE_DOCUMENT"
        and not config.get("FeatureTypes")
    ):
        raise invalid_request(
            "INVALID_REQUEST: DocumentReaderConfig.FeatureTypes is required with TEXTRACT_ANALYZE_DOCUMENT."
        )


def _from_bytes(content: bytes) -> Document:
    for start, name in _FORMATS:
        if content.startswith(start):
            raise _invalid(
                "UNSUPPORTED_DOC_TYPE",
                f"The local Comprehend cannot read {name} documents, only plain text and Textract's JSON.",
            )
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _invalid(
            "UNSUPPORTED_DOC_TYPE", "The document is neither of a known type nor UTF-8."
        ) from error
    for version, document_type in _TEXTRACT:
        if f'"{version}"' in text:
            if len(content) > MAX_TEXTRACT_BYTES:
                raise _too_large(content, MAX_TEXTRACT_BYTES)
            return Document(_textract_text(text), document_type)
    if len(content) > MAX_TEXT_BYTES:
        raise _too_large(content, MAX_TEXT_BYTES)
    return Document(text, "PLAIN_TEXT")


def _textract_text(content: str) -> str:
    """Return the text lines of Textract's output."""
    try:
        answer = json.loads(content)
        pages = int(answer["DocumentMetadata"]["Pages"])
        lines = [str(block["Text"]) for block in answer["Blocks"] if block["BlockType"] == "LINE"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _invalid(
            "UNSUPPORTED_DOC_TYPE", "The document is not a complete output of Textract."
        ) from error
    if pages > 1:
        raise _invalid("PAGE_LIMIT_EXCEEDED", f"The document has {pages} pages; the maximum is one.")
    return "\n".join(lines)


def _too_large(content: bytes, limit: int) -> ApiError:
    return _invalid(
        "DOCUMENT_SIZE_EXCEEDED", f"The document has {len(content)} bytes; the maximum is {limit} bytes."
    )


def _invalid(reason: str, message: str) -> ApiError:
    return invalid_request(message, Reason="INVALID_DOCUMENT", Detail={"Reason": reason})

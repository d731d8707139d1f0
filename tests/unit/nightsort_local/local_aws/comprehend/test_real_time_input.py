"""ClassifyDocument takes a text or the bytes of one page, and says what is wrong with anything else."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.real_time_input import Document, read_document


def textract(*lines: str, pages: int = 1, version: str = "DetectDocumentTextModelVersion") -> bytes:
    blocks = [{"BlockType": "PAGE"}, *({"BlockType": "LINE", "Text": line} for line in lines)]
    answer = {"DocumentMetadata": {"Pages": pages}, "Blocks": blocks, version: "1.0"}
    return json.dumps(answer).encode()


json_values = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))
textract_like = st.dictionaries(st.sampled_from(["DocumentMetadata", "Blocks"]), json_values).map(
    lambda content: json.dumps({**content, "DetectDocumentTextModelVersion": "1.0"}).encode()
)


def refusal(**request: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read_document(request)
    return caught.value


class TestText:
    def test_a_text_is_a_document_without_a_type(self) -> None:
        assert read_document({"Text": "été"}) == Document("été")

    @given(st.text(min_size=1, max_size=100))
    def test_every_text_of_unicode_scalars_is_taken_as_it_is(self, text: str) -> None:
        assert read_document({"Text": text}).text == text

    def test_its_utf8_bytes_are_limited(self) -> None:
        assert read_document({"Text": "é" * 5_000})
        error = refusal(Text="é" * 5_000 + "x")
        assert (error.code, error.status) == ("TextSizeLimitExceededException", 400)
        assert "10000 bytes" in error.message
        assert "10001 bytes" in error.message

    def test_half_a_character_is_no_text(self) -> None:
        assert refusal(Text="\ud800").code == "InvalidRequestException"


class TestBytes:
    def test_text_is_plain_text(self) -> None:
        assert read_document({"Bytes": "é".encode()}) == Document("é", "PLAIN_TEXT")

    @pytest.mark.parametrize(
        ("version", "document_type"),
        [
            ("DetectDocumentTextModelVersion", "TEXTRACT_DETECT_DOCUMENT_TEXT_JSON"),
            ("AnalyzeDocumentModelVersion", "TEXTRACT_ANALYZE_DOCUMENT_JSON"),
        ],
    )
    def test_of_textracts_answer_the_lines_are_the_text(self, version: str, document_type: str) -> None:
        content = textract("a refund", "of my payment", version=version)
        assert read_document({"Bytes": content}) == Document("a refund\nof my payment", document_type)

    @pytest.mark.parametrize(
        ("content", "reason", "told"),
        [
            (b"%PDF-1.7 ...", "UNSUPPORTED_DOC_TYPE", "PDF"),
            (b"PK\x03\x04...", "UNSUPPORTED_DOC_TYPE", "Word"),
            (b"\x89PNG\r\n", "UNSUPPORTED_DOC_TYPE", "PNG"),
            (b"\xff\xd8\xff\xe0", "UNSUPPORTED_DOC_TYPE", "JPEG"),
            (b"II*\x00", "UNSUPPORTED_DOC_TYPE", "TIFF"),
            (b"caf\xe9", "UNSUPPORTED_DOC_TYPE", "UTF-8"),
            (b'{"DetectDocumentTextModelVersion": 1}', "UNSUPPORTED_DOC_TYPE", "Textract"),
            (b'"DetectDocumentTextModelVersion"' + b"[" * 9_000, "UNSUPPORTED_DOC_TYPE", "Textract"),
            (b"[" * 200_000 + b'"DetectDocumentTextModelVersion"', "UNSUPPORTED_DOC_TYPE", "Textract"),
            (b'["DetectDocumentTextModelVersion"]', "UNSUPPORTED_DOC_TYPE", "Textract"),
            (textract("a", pages=2), "PAGE_LIMIT_EXCEEDED", "2 pages"),
            (b"x" * 10_001, "DOCUMENT_SIZE_EXCEEDED", "10001 bytes"),
            (textract("x" * 1_000_000), "DOCUMENT_SIZE_EXCEEDED", "1000000 bytes"),
        ],
    )
    def test_what_cannot_be_read_says_why(self, content: bytes, reason: str, told: str) -> None:
        error = refusal(Bytes=content)
        assert (error.code, error.status) == ("InvalidRequestException", 400)
        assert error.members == {"Reason": "INVALID_DOCUMENT", "Detail": {"Reason": reason}}
        assert told in error.message

    @given(st.binary(min_size=1, max_size=200) | textract_like)
    def test_any_bytes_are_read_or_refused(self, content: bytes) -> None:
        with contextlib.suppress(ApiError):
            assert read_document({"Bytes": content}).document_type


class TestTogether:
    @pytest.mark.parametrize("request_", [{}, {"Text": "a", "Bytes": b"a"}])
    def test_it_is_either_a_text_or_bytes(self, request_: dict[str, Any]) -> None:
        assert refusal(**request_).code == "InvalidRequestException"

    def test_to_analyze_a_document_features_must_be_named(self) -> None:
        config = {"DocumentReadAction": "TEXTRACT_ANALYZE_DOCUMENT"}
        assert "FeatureTypes" in refusal(Text="a", DocumentReaderConfig=config).message
        assert read_document({"Text": "a", "DocumentReaderConfig": {**config, "FeatureTypes": ["FORMS"]}})
        detect = {"DocumentReadAction": "TEXTRACT_DETECT_DOCUMENT_TEXT"}
        assert read_document({"Text": "a", "DocumentReaderConfig": detect}) == Document("a")

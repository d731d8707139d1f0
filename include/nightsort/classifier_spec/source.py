"""The part of a classifier spec that names the source of documents."""

from __future__ import annotations

import codecs
import string
from typing import Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from typing_extensions import Self

from nightsort.classifier_spec.day_template import template_problem
from nightsort.classifier_spec.problems import Problem, refuse, refuse_keys, shown
from nightsort.classifier_spec.uris import fixed_prefix_problem, source_uri_problem
from nightsort.layout import S3

Format = Literal["csv", "tsv", "jsonl", "parquet", "augmented_manifest", "lines", "files"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

_DELIMITED: Final[tuple[Format, ...]] = ("csv", "tsv")
_WITH_COLUMNS: Final[tuple[Format, ...]] = (*_DELIMITED, "jsonl", "parquet")

_KEYS_OF_FORMAT: Final[dict[str, tuple[Format, ...]]] = {
    "header": _DELIMITED,
    "columns": _DELIMITED,
    "delimiter": ("csv",),
    "escape": _DELIMITED,
    "encoding": (*_DELIMITED, "jsonl", "lines", "files"),
    "id_column": (*_WITH_COLUMNS, "augmented_manifest"),
    "text_column": _WITH_COLUMNS,
    "label_column": _WITH_COLUMNS,
}
_DELIMITER_OF: Final = {"csv": ",", "tsv": "\t"}
_WHY_NOT = {
    "tsv": "its delimiter is a tab; use format csv for another",
    "jsonl": "the keys of each line are its columns",
    "parquet": "the file itself says what it holds",
    "augmented_manifest": "its text is source or source-ref; attribute names its labels",
    "lines": "a line is a document and nothing else",
    "files": "a file is a document; its name is the id, its folder the label",
}
_SIGNS: Final = string.punctuation.replace('"', "")
_DELIMITERS: Final = _SIGNS + " \t\x01\x1c\x1d\x1e\x1f"
_NOT_OF_FILES: Final = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}


class SpecPart(BaseModel):
    """The base of all parts of a spec: frozen, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class Source(SpecPart):
    """Where documents come from: objects in S3 or a folder (``uri``), or a query (``sql``, ``conn_id``)."""

    uri: str | None = Field(None, description='A file, a prefix that ends in "/", or a glob; may have a day.')
    sql: str | None = Field(None, description="A query; may have a day.")
    conn_id: str | None = Field(None, min_length=1, description="The connection of `sql`.")
    format: Format | None = Field(None, description="What the objects of `uri` hold.")
    header: bool = Field(True, description="csv, tsv: the first row names the columns.")
    columns: tuple[str, ...] | None = Field(None, description="csv, tsv without header: names by position.")
    delimiter: str | None = Field(
        None, description="csv: the character between two fields; a comma if empty."
    )
    escape: str | None = Field(None, description="csv, tsv: escapes a quote; without it quotes are doubled.")
    encoding: str = Field("utf-8", description="How the files write characters; not for parquet.")
    id_column: str | None = Field(None, min_length=1, description="The id; without it `<file>:<row from 0>`.")
    text_column: str = Field("text", min_length=1, description="The text; not for lines and files.")

    @field_validator("uri")
    @classmethod
    def _check_uri(cls, uri: str | None) -> str | None:
        if uri is None:
            return None
        if message := source_uri_problem(uri):
            raise refuse(message)
        return uri

    @field_validator("sql")
    @classmethod
    def _check_sql(cls, sql: str | None) -> str | None:
        if sql is None:
            return None
        if not sql.strip():
            raise refuse("is empty; write a SELECT that returns the documents")
        if message := template_problem(sql):
            raise refuse(message)
        return sql.strip().rstrip(";")

    @field_validator("delimiter")
    @classmethod
    def _check_delimiter(cls, delimiter: str | None) -> str | None:
        if delimiter is None or (len(delimiter) == 1 and delimiter in _DELIMITERS):
            return delimiter
        raise refuse(
            f"{shown(delimiter)} cannot separate fields; write one sign in double quotes, "
            r'for instance  delimiter: ";"  or  delimiter: "\t"'
        )

    @field_validator("escape")
    @classmethod
    def _check_escape(cls, escape: str | None) -> str | None:
        if escape is None or (len(escape) == 1 and escape in _SIGNS):
            return escape
        raise refuse(
            f"{shown(escape)} cannot escape quotes; write one sign in double quotes, for instance  "
            r'escape: "\\"  (and no escape where quotes are doubled)'
        )

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, encoding: str) -> str:
        """Check that it is an encoding of text, and return the name that Python has for it."""
        try:
            codec = codecs.lookup(encoding)
        except (LookupError, ValueError):
            codec = None
        if codec is None or not _is_of_files(codec):
            raise refuse(
                f"{shown(encoding)} is not an encoding of text; write for instance utf-8, cp1252 (Windows), "
                "latin-1 or utf-16"
            )
        return codec.name

    @model_validator(mode="after")
    def _check_keys_fit(self) -> Self:
        problems = [*self._uri_or_sql(), *self._keys_of_format(), *self._column_names()]
        if problems:
            raise refuse_keys(problems)
        return self

    def _uri_or_sql(self) -> list[Problem]:
        if self.uri is None and self.sql is None:
            return [Problem("uri", "is missing; give a uri (with its format) or sql (with its conn_id)")]
        if self.uri is not None and self.sql is not None:
            return [Problem("sql", "uri and sql are both given; remove one of them")]
        if self.uri is not None:
            problems = []
            if self.format is None:
                choices = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
                problems.append(Problem("format", f"is missing; say what the files hold: {choices}"))
            if self.conn_id is not None:
                problems.append(
                    Problem("conn_id", "belongs to sql; remove it (files use the spec's aws_conn_id)")
                )
            return problems
        unfit = [
            key
            for key in ("format", "header", "columns", "delimiter", "escape", "encoding")
            if key in self.model_fields_set
        ]
        problems = [Problem(key, "belongs to uri; remove it (a query names its columns)") for key in unfit]
        if self.conn_id is None:
            problems.append(Problem("conn_id", "is missing; sql needs the id of an Airflow connection"))
        return problems

    def _keys_of_format(self) -> list[Problem]:
        if self.uri is None or self.format is None:
            return []
        if self.format == "augmented_manifest" and not self.labelled:
            remedy = "use jsonl with text_column: source"
            return [Problem("format", f"augmented_manifest is for labelled documents; {remedy}")]
        problems = [
            Problem(key, f"does not go with format {self.format} ({_WHY_NOT[self.format]}); remove it")
            for key, formats in _KEYS_OF_FORMAT.items()
            if key in self.model_fields_set and self.format not in formats and getattr(self, key) is not None
        ]
        if self.format in _DELIMITED:
            if self.header and self.columns is not None:
                remedy = "remove it, or say header: false if the files have no header row"
                problems.append(Problem("columns", f"the header row already names the columns; {remedy}"))
            if not self.header and self.columns is None:
                remedy = "name the columns by position, for instance  columns: [label, text]"
                problems.append(Problem("columns", f"is missing: there is no header row; {remedy}"))
            if self.escape is not None and self.escape == (self.delimiter or _DELIMITER_OF[self.format]):
                problems.append(Problem("escape", "is also the delimiter; correct one of them"))
        return problems

    def _column_names(self) -> list[Problem]:
        roles = self._roles()
        problems = []
        for key, name in roles.items():
            if self.columns is not None and not self.header and name not in self.columns:
                problems.append(
                    Problem(
                        key, f'"{name}" is not among columns ({", ".join(self.columns)}); use one of them'
                    )
                )
            if other := [k for k, n in roles.items() if n == name and k != key and k < key]:
                problems.append(Problem(key, f'"{name}" is also {other[0]}; each needs its own column'))
        if self.columns is not None and len(set(self.columns)) < len(self.columns):
            twice = next(name for name in self.columns if self.columns.count(name) > 1)
            problems.append(Problem("columns", f'"{twice}" occurs twice; give every column its own name'))
        if self.columns is not None and not all(self.columns):
            problems.append(Problem("columns", "has an empty name; name every column, also an unused one"))
        return problems

    def _roles(self) -> dict[str, str]:
        if self.format is not None and self.format not in _WITH_COLUMNS:
            return {}
        roles = {"text_column": self.text_column}
        if self.id_column is not None:
            roles["id_column"] = self.id_column
        return roles

    @property
    def template(self) -> str:
        """The URI or the query, in which a day may stand."""
        return (self.uri if self.uri is not None else self.sql) or ""

    @property
    def labelled(self) -> bool:
        """Whether the documents have labels."""
        return False


class IncomingSource(Source):
    """A source of new documents."""

    by_hand: tuple[str, ...] = Field((), description="Prefixes that a run by hand may read, too.")

    @model_validator(mode="after")
    def _check_by_hand(self) -> Self:
        problems = []
        for position, prefix in enumerate(self.by_hand):
            key = f"by_hand.{position}"
            if self.uri is None:
                problems.append(Problem("by_hand", "belongs to uri; remove it (a query cannot be replaced)"))
                break
            if message := fixed_prefix_problem(prefix):
                problems.append(Problem(key, message))
            elif prefix.startswith(S3) != self.uri.startswith(S3):
                problems.append(Problem(key, f"{shown(prefix)} or uri is not on S3; use s3:// for both"))
        if problems:
            raise refuse_keys(problems)
        return self


class LabelledSource(Source):
    """A source whose documents have labels."""

    label_column: str = Field("label", min_length=1, description="The label(s); not for format files.")
    attribute: str | None = Field(
        None, min_length=1, description="augmented_manifest: the attribute of the labelling job."
    )

    @model_validator(mode="after")
    def _check_can_have_labels(self) -> Self:
        if self.format == "lines":
            use = f"{', '.join(_WITH_COLUMNS)}, or files (the folder is the label)"
            raise refuse_keys([Problem("format", f"lines cannot have labels; use {use}")])
        return self

    @model_validator(mode="after")
    def _check_attribute(self) -> Self:
        if problem := self._attribute_problem():
            raise refuse_keys([Problem("attribute", problem)])
        return self

    def _attribute_problem(self) -> str | None:
        if self.format != "augmented_manifest":
            remedy = "remove it (label_column names the label's column)"
            return None if self.attribute is None else f"belongs to format augmented_manifest; {remedy}"
        if self.attribute is None:
            return "is missing; lines with the key topic-metadata, for instance, have  attribute: topic"
        if self.attribute.endswith("-metadata"):
            return f'is {shown(self.attribute)}; name the attribute itself, without "-metadata"'
        return None

    def _roles(self) -> dict[str, str]:
        roles = super()._roles()
        return {**roles, "label_column": self.label_column} if roles else roles

    @property
    def labelled(self) -> bool:
        """Whether the documents have labels."""
        return True


def _is_of_files(codec: codecs.CodecInfo) -> bool:
    """Return whether files are written in an encoding, and can be read in parts."""
    is_text = getattr(codec, "_is_text_encoding", True)
    return is_text and codec.incrementaldecoder is not None and codec.name not in _NOT_OF_FILES

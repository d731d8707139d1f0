"""Documents that a person names for one run: only what the spec allows is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nightsort.classifier_spec.uris import fixed_folder, overlap, source_uri_problem
from nightsort.layout import S3, local_path
from nightsort.sources.source_files import SourceError, list_files, source_of_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.storage import Access


def check_source_uri(
    spec: ClassifierSpec, uri: str, day: date | None, access: Access, *, others: Iterable[ClassifierSpec] = ()
) -> None:
    """Check that a run may read these documents in place of the day's.

    They have to be below the folder of the spec's incoming documents, or below a prefix of
    ``incoming.by_hand``, and not below anything that Nightsort or Comprehend writes.

    :param spec: the classifier spec.
    :param uri: a file, a prefix or a glob, as in a spec.
    :param day: stands in it, where it has a day.
    :param access: storage.
    :param others: the other specs; what they write is not read either.
    :raises SourceError: they may not be read; the message says what may be.
    """
    if message := source_uri_problem(uri):
        raise SourceError(f"the source {message}")
    rendered = source_of_day(spec.incoming, day, uri).uri or ""
    if ".." in rendered.split("/"):
        raise SourceError(f"the source {uri} has a folder ..; write the path without it")
    incoming = spec.incoming.uri or ""
    allowed = [fixed_folder(incoming), *(f"{prefix.rstrip('/')}/" for prefix in spec.incoming.by_hand)]
    places = " or ".join(dict.fromkeys(allowed))
    remedy = f"this run may read what is below {places}; incoming.by_hand in the spec adds prefixes"
    if uri.startswith(S3) != incoming.startswith(S3):
        raise SourceError(f"the source {uri} is not of the kind of incoming.uri; {remedy}")
    if not any(_absolute(fixed_folder(uri)).startswith(_absolute(folder)) for folder in allowed):
        raise SourceError(f"the source {uri} is not below incoming.uri or incoming.by_hand; {remedy}")
    _check_results(uri, uri, (spec, *others))
    if not uri.startswith(S3):
        folders = [os.path.realpath(local_path(folder)) for folder in allowed]
        for real in _real_paths(rendered, folders, access):
            _check_results(uri, real, (spec, *others))


def _check_results(uri: str, reads: str, specs: Iterable[ClassifierSpec]) -> None:
    for spec in specs:
        for key, written in (("work_uri", spec.work_uri), ("export.uri", spec.export_uri)):
            if written is not None and overlap(reads, written):
                raise SourceError(
                    f"the source {uri} would read below {key} of {spec.name} ({written}), where results "
                    "lie; name a source beside it"
                )


def _absolute(folder: str) -> str:
    return folder if folder.startswith(S3) else local_path(folder or "./")


def _real_paths(uri: str, allowed: list[str], access: Access) -> Iterator[str]:
    """Yield the paths to which the files lead, all of them below the allowed folders."""
    for file in list_files(uri, access):
        real = os.path.realpath(local_path(file.uri))
        if not any(os.path.commonpath((real, folder)) == folder for folder in allowed):
            raise SourceError(
                f"the source {uri} holds {file.name}, a link to a place outside; copy the file instead"
            )
        yield real

"""The command that writes a first spec from a look at a user's files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nightsort.cli.command import app
from nightsort.cli.output import out, print_rejects, print_table, progress_shown, user_errors, warn
from nightsort.errors import NightsortError
from nightsort.wording import number_of

if TYPE_CHECKING:
    from nightsort.sources.drafts import Draft

MOST_LABELS = 20


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The name of the classifier: a-z, 0-9 and hyphens.")],
    labelled: Annotated[
        str | None,
        typer.Argument(
            help="Labelled documents: a file, a folder or prefix that ends in /, or a glob; local or s3://.",
            show_default=False,
        ),
    ] = None,
    incoming: Annotated[
        str | None,
        typer.Option(help="Where each day's new documents arrive, with {day}.", show_default=False),
    ] = None,
    work_uri: Annotated[
        str | None, typer.Option(help="The S3 prefix that Nightsort writes to.", show_default=False)
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="The ARN of Comprehend's data access role.", show_default=False)
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(help="MULTI_CLASS or MULTI_LABEL; left out: as it looks.", show_default=False),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="en, es, de, it, fr or pt; left out: guessed.", show_default=False)
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="The column of the text.", show_default=False)
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="The column of the label.", show_default=False)
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="The column of the id.", show_default=False)] = None,
    schedule: Annotated[
        str | None, typer.Option(help='When a night runs, for instance "0 2 * * *".', show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="The file to write. Default: NAME.yaml in the folder of specs.", show_default=False
        ),
    ] = None,
) -> None:
    """Write a spec from a look at labelled documents, and say what was seen.

    On a terminal, it asks for what is not given. Otherwise what is missing gets a value that passes
    validate-spec, with a comment that asks for another one. No file is overwritten.
    """
    with user_errors(), progress_shown() as progress:
        from nightsort.cli.spec_text import spec_text
        from nightsort.sources.column_roles import ColumnRoles
        from nightsort.sources.drafts import draft_source
        from nightsort.storage import plain_access

        file = output or _default_file(name)
        if file.exists():
            raise NightsortError(f"{file} exists already; remove it, or name another file with --output")
        labelled = labelled or _asked("Labelled documents (a file, a folder that ends in /, or s3://…)")
        if labelled is None:
            raise NightsortError("name the labelled documents: nightsort init NAME LABELLED")
        draft = draft_source(
            _full(labelled),
            plain_access(),
            given=ColumnRoles(text_column, label_column, id_column),
            mode=mode,  # type: ignore[arg-type]  # the spec refuses another one
            progress=progress,
        )
    _print_draft(draft)
    with user_errors():
        text, open_ends = spec_text(
            name,
            draft,
            incoming=incoming or _asked("New documents of a day (s3://…/{day}/)"),
            work_uri=work_uri or _asked("S3 prefix that Nightsort writes to (s3://…)"),
            role=role or _asked("ARN of Comprehend's data access role"),
            language=language,
            schedule=schedule,
        )
        _write(file, text)
    out.print(f"Wrote {file}.", soft_wrap=True)
    if open_ends:
        out.print(f"Change in it: {', '.join(open_ends)}.", soft_wrap=True)
    out.print(f"Then:  nightsort validate-spec {file}", soft_wrap=True)
    out.print(f"       nightsort prepare-training {file}", soft_wrap=True)


def _default_file(name: str) -> Path:
    from nightsort.classifier_spec.loading import spec_folders

    return spec_folders(os.environ)[0] / f"{name}.yaml"


def _asked(question: str) -> str | None:
    """Return a person's answer; ``None`` without a terminal, or for an empty answer."""
    if not sys.stdin.isatty():
        return None
    return str(typer.prompt(question, default="", show_default=False)).strip() or None


def _full(uri: str) -> str:
    """Return a local path in full, with a slash at the end of a folder."""
    if "://" in uri:
        return uri
    path = Path(uri).expanduser().absolute()
    return f"{path}/" if path.is_dir() else str(path)


def _write(file: Path, text: str) -> None:
    """Write a spec if it is valid.

    :raises SpecError: it is not.
    """
    from nightsort.classifier_spec.model import load_spec

    file.parent.mkdir(parents=True, exist_ok=True)
    # Under the same name, so that an error names the file; it goes if it is refused.
    file.write_text(text, encoding="utf-8")
    try:
        load_spec(file)
    except NightsortError:
        file.unlink()
        raise


def _print_draft(draft: Draft) -> None:
    from nightsort.sources.drafts import MAX_DOCUMENTS
    from nightsort.training.checks import label_text

    out.print(f"{number_of(draft.files, 'file')}: {', '.join(draft.seen)}.", soft_wrap=True)
    columns = {
        role: draft.keys.get(f"{role}_column", role if role != "id" else None)
        for role in ("text", "label", "id")
    }
    if draft.keys["format"] not in ("files", "augmented_manifest"):
        listed = ", ".join(f"{role} = {column}" for role, column in columns.items() if column is not None)
        out.print(f"Columns: {listed}.", soft_wrap=True)
    more = " (the first ones)" if draft.documents >= MAX_DOCUMENTS else ""
    several = f", several joined by {draft.label_delimiter!r}" if draft.label_delimiter else ""
    out.print(
        f"{number_of(draft.documents, 'document')}{more} with {number_of(len(draft.labels), 'label')}"
        f"{several}: {draft.mode}. Language: {draft.language or 'not recognised'}.",
        soft_wrap=True,
    )
    weakest = sorted(draft.labels.items(), key=lambda item: (item[1], item[0]))
    rows = [(label_text(label), count) for label, count in weakest[:MOST_LABELS]]
    print_table(("label, weakest first", "documents"), rows)
    if len(weakest) > MOST_LABELS:
        out.print(f"and {number_of(len(weakest) - MOST_LABELS, 'more label')}")
    print_rejects(draft.rejects.counts, draft.rejects.examples)
    if draft.rejects.total > draft.documents:
        warn("most documents were rejected: look at the reasons before you use this spec")

"""The command that removes documents from everything that Nightsort holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nightsort.cli.command import Spec, app, named_spec
from nightsort.cli.output import err, out, print_table, progress_shown, user_errors, warn
from nightsort.errors import NightsortError
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nightsort.forgetting.holdings import Holdings
    from nightsort.forgetting.unreached import Unreached

NOT_ALL = 3
"""Exit code: what was found is forgotten, but something was not found or could not be done."""

MOST_SHOWN = 20


class NoIdsError(NightsortError):
    """No id was given, or one that cannot be one."""


@app.command()
def forget(
    classifier: Spec,
    document_id: Annotated[
        list[str] | None,
        typer.Option(
            help="The id of a document, as in the tables. May be given several times.", show_default=False
        ),
    ] = None,
    document_ids: Annotated[
        str | None,
        typer.Option(help="A file with an id in each line; - for standard input.", show_default=False),
    ] = None,
    dsn: Annotated[
        str,
        typer.Option(
            help="PostgreSQL connection string of the tables. Default: PGHOST, PGDATABASE and so on."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what holds the documents.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Forget without asking.")] = False,
) -> None:
    """Remove documents from tables, batches, outputs, kept results, rejects, training data and exports.

    Nothing is paid for again: all other documents keep their batches, their jobs and their rows. If the
    command is interrupted, call it again. It says what it cannot reach: models, sources, old versions of
    objects.

    Exit code 0: all are forgotten; 3: the rest is, but an id was found nowhere or something could not be
    done; 2: it did not begin, or not end, and the message says why.
    """
    import psycopg

    with user_errors(psycopg.OperationalError):
        from nightsort.forgetting import unreached
        from nightsort.forgetting.forget import Forgetting
        from nightsort.storage import plain_access
        from nightsort.tables.schema import ensure_schema

        ids = _ids(document_id or (), document_ids)
        spec, access = named_spec(classifier), plain_access()
        with psycopg.connect(dsn, autocommit=True) as connection:
            ensure_schema(connection)
            with progress_shown() as progress:
                forgetting = Forgetting(spec, access, connection, ids, progress)
                found = forgetting.find()
            _print_holdings(found)
            forgets = not (found.empty or dry_run)
            if forgets and not yes:
                number = number_of(len(found.ids), "document")
                typer.confirm(f"Forget {number}?" if found.ids else "Remove these?", abort=True)
            with progress_shown() as progress:
                left = found.left + (forgetting.erase(found, progress) if forgets else [])
                each = (
                    *unreached.models(connection, spec, found.learned_from),
                    *unreached.sources(spec, access, found, ids, progress),
                    *unreached.old_versions(spec, access),
                )
                # Two runs of a day may have the same source.
                not_reached = list(dict.fromkeys(each))
    _print_end(ids, found, left, not_reached, dry_run=dry_run)


def _ids(given: Iterable[str], file: str | None) -> list[str]:
    """Return the ids of both options, each once.

    :raises NoIdsError: there is none.
    """
    ids = list(given)
    if file is not None:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        try:
            ids += content.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise NoIdsError(f"{file} is not UTF-8; save the ids as UTF-8, one in each line") from None
    ids = list(dict.fromkeys(each for each in ids if each.strip()))
    if not ids:
        raise NoIdsError("name the documents with --document-id, or a file of ids with --document-ids")
    return ids


def _print_holdings(found: Holdings) -> None:
    rows: list[Sequence[str | int]] = [
        (
            f"run {key}",
            sum(each.ids.total() for each in run.files.batches.values()) if run.files else 0,
            sum(ids.total() for ids in run.files.reused.values()) if run.files else 0,
            run.files.rejects.ids.total() if run.files else 0,
            run.rows.total(),
            sum(ids.total() for ids in run.exported.values()),
            0,
        )
        for key, run in found.runs.items()
    ]
    rows += [
        (
            f"training {version}",
            0,
            0,
            training.rejects.ids.total(),
            0,
            0,
            training.documents.ids.total() if training.documents else 0,
        )
        for version, training in found.trainings.items()
    ]
    print_table(
        ("held by", "in batches", "reused", "in rejects", "in tables", "exported", "in training data"), rows
    )
    if found.strays:
        inputs = number_of(found.strays, "input")
        out.print(f"{inputs} without a manifest, left by crashed attempts, will be removed whole.")
    if found.lost:
        texts = number_of(found.lost, "text whose document", "texts whose documents")
        out.print(f"{texts} the source no longer has will be removed: nothing says whose they were.")


def _print_end(
    ids: Sequence[str],
    found: Holdings,
    left: Sequence[str],
    not_reached: Sequence[Unreached],
    *,
    dry_run: bool,
) -> None:
    there = found.ids
    nowhere = [each for each in ids if each not in there]
    number = number_of(len(ids) - len(nowhere), "document")
    runs = sum(bool(run.ids) for run in found.runs.values())
    where = f"{number_of(runs, 'run')} and {number_of(len(found.trainings), 'training')}"
    if there:
        out.print(f"{f'Would forget {number}' if dry_run else f'Forgot {number}'} in {where}.")
    print_table(
        ("not reached", "where", "what to do"),
        [(each.what, each.where, each.remedy) for each in not_reached[:MOST_SHOWN]],
    )
    if len(not_reached) > MOST_SHOWN:
        out.print(f"and {number_of(len(not_reached) - MOST_SHOWN, 'more place')}.")
    for problem in left:
        warn(problem)
    if nowhere:
        shown = ", ".join(nowhere[:MOST_SHOWN])
        more = f" and {len(nowhere) - MOST_SHOWN:,} more" if len(nowhere) > MOST_SHOWN else ""
        err.print(f"Found nowhere: {shown}{more}.", style="red", markup=False, soft_wrap=True)
    if nowhere or left:
        raise typer.Exit(NOT_ALL)

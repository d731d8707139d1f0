"""What the routes work with: tables, specs, Airflow's own state and rights, for one reader at a time."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import psycopg
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from nightsort.tables.overview import classifier_names
from nightsort.tables.schema import SCHEMA_VERSION, schema_version
from nightsort_airflow.hooks.database import NightsortDatabaseHook
from nightsort_airflow.ui import rights
from nightsort_airflow.ui.airflow_state import AirflowState
from nightsort_airflow.ui.database import Tables
from nightsort_airflow.ui.specs import SpecFiles, named_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nightsort.classifier_spec.loading import LoadedSpecs
    from nightsort.classifier_spec.model import ClassifierSpec, SpecError

log = logging.getLogger(__name__)

DEFAULT_CONNECTION = NightsortDatabaseHook.default_conn_name


class NotFoundError(Exception):
    """
    There is no such classifier, night or version, or the reader may not see it: both look the same.

    :param what: ``page``, or what a classifier does not have: ``night`` or ``version``.
    :param classifier: that classifier, if it is there and the reader may see it.
    """

    def __init__(self, what: str = "page", classifier: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.classifier = classifier


class TablesError(Exception):
    """
    The tables of an Airflow connection cannot be read.

    :param conn_id: the connection.
    :param kind: why: ``unknown_connection``, ``unreachable``, ``old_tables``, ``no_rights``, ``slow`` or
        ``busy``.
    """

    def __init__(self, conn_id: str, kind: str) -> None:
        super().__init__(f"{conn_id}: {kind}")
        self.conn_id = conn_id
        self.kind = kind

    @property
    def is_new(self) -> bool:
        """Whether it is what a new installation has: the first task makes the tables."""
        return self.kind == "old_tables"

    @property
    def passes(self) -> bool:
        """Whether it may be gone when the page is loaded again."""
        return self.kind in ("slow", "busy")


@contextmanager
def noting_trouble(found: dict[str, TablesError]) -> Iterator[None]:
    """
    Note that the tables of a connection cannot be read, and go on.

    :param found: receives the error under the connection's id.
    """
    try:
        yield
    except TablesError as error:
        found[error.conn_id] = error


@dataclass
class Site:
    """
    What the pages are made of.

    :param tables: Nightsort's tables.
    :param specs: the classifier specs.
    :param airflow: Airflow's own database.
    :param clock: the time.
    """

    tables: Tables = field(default_factory=Tables)
    specs: SpecFiles = field(default_factory=SpecFiles)
    airflow: AirflowState = field(default_factory=AirflowState)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(timezone.utc))

    def loaded(self) -> LoadedSpecs[ClassifierSpec]:
        """Return the specs as they are now."""
        return self.specs.load()

    @contextmanager
    def reading(self, conn_id: str) -> Iterator[psycopg.Connection[Any]]:
        """
        Yield a connection to tables that this code understands.

        :param conn_id: the Airflow connection.
        :raises TablesError: they cannot be read, and why.
        """
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(self.tables.reading(conn_id))
            except Exception as error:  # Whatever Airflow, its hook or the driver raises.
                raise _as_tables_error(conn_id, error, otherwise="unreachable") from None
            try:
                if schema_version(connection) < SCHEMA_VERSION:
                    raise TablesError(conn_id, "old_tables")
                yield connection
            except psycopg.Error as error:
                raise _as_tables_error(conn_id, error) from error

    def open(self, conn_id: str, seconds: int) -> psycopg.Connection[Any]:
        """
        Open a connection for a download, which closes it.

        :param conn_id: the Airflow connection.
        :param seconds: how long a statement may take.
        :raises TablesError: it cannot be opened, and why.
        """
        try:
            return self.tables.open(conn_id, seconds)
        except Exception as error:  # Whatever Airflow, its hook or the driver raises.
            raise _as_tables_error(conn_id, error, otherwise="unreachable") from None

    def connections(self) -> list[str]:
        """Return the Airflow connections in whose databases there may be tables."""
        named = {spec.db_conn_id for spec in self.loaded().specs.values()}
        return sorted(named or {DEFAULT_CONNECTION})

    def may_be_in(self, conn_id: str, classifier: str) -> bool:
        """
        Return whether the tables of a connection are those of a classifier.

        :param conn_id: the Airflow connection.
        :param classifier: its name; without a valid spec its rows may be in any tables.
        """
        spec = self.loaded().specs.get(classifier)
        return spec is None or spec.db_conn_id == conn_id

    def connection_of(self, classifier: str) -> str:
        """
        Return the Airflow connection of a classifier's tables.

        :param classifier: its name.
        :raises TablesError: it has no spec, and may be in tables that cannot be read.
        """
        spec = self.loaded().specs.get(classifier)
        if spec is not None:
            return spec.db_conn_id
        # A classifier whose spec is gone or broken may have its rows in any of them.
        unread: dict[str, TablesError] = {}
        for conn_id in self.connections():
            with noting_trouble(unread), self.reading(conn_id) as connection:
                if classifier in classifier_names(connection):
                    return conn_id
        for error in unread.values():
            raise error
        return self.connections()[0]

    def broken(self) -> dict[str, SpecError]:
        """Return the broken specs by the name of the classifier that they are about."""
        return {named_in(error.file): error for error in self.loaded().errors}

    def require(self, user: Any, classifier: str) -> None:
        """
        Refuse a classifier that a reader may not see.

        :param user: who is asking.
        :param classifier: its name.
        :raises NotFoundError: the reader may not see it.
        """
        if not rights.readable(user, [classifier]):
            raise NotFoundError

    def missing(self, what: str, classifier: str) -> NotFoundError:
        """
        Return the error that says what a classifier does not have.

        :param what: ``night`` or ``version``.
        :param classifier: its name; the reader may see it, but it need not be there.
        """
        return NotFoundError(what, classifier) if self.knows(classifier) else NotFoundError()

    def knows(self, classifier: str) -> bool:
        """
        Return whether there is such a classifier: a spec, or rows in the tables.

        :param classifier: its name.
        """
        if classifier in self.loaded().specs or classifier in self.broken():
            return True
        with self.reading(self.connection_of(classifier)) as connection:
            return classifier in classifier_names(connection)


def _as_tables_error(conn_id: str, error: Exception, otherwise: str = "") -> Exception:
    """
    Return why tables cannot be read.

    The log has the kind of the error, not its message: a database may quote values in it.

    :param conn_id: the Airflow connection.
    :param error: what was raised.
    :param otherwise: the kind of all other errors. (default: they stay as they are)
    """
    kinds: dict[str, tuple[type[Exception], ...]] = {
        "unknown_connection": (AirflowNotFoundException,),
        "busy": (PoolTimeoutError,),
        "slow": (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable),
        "unreachable": (psycopg.OperationalError,),
        "no_rights": (psycopg.errors.InsufficientPrivilege,),
    }
    kind = next((kind for kind, types in kinds.items() if isinstance(error, types)), otherwise)
    if not kind:
        return error
    log.warning("The tables of the connection %s cannot be read: %s", conn_id, type(error).__name__)
    return TablesError(conn_id, kind)

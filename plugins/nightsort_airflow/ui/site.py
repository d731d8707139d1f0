"""What the routes work with: tables, specs, Airflow's own state and rights, for one reader at a time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from nightsort.tables.overview import classifier_names
from nightsort.tables.schema import SCHEMA_VERSION, schema_version
from nightsort_airflow.hooks.database import NightsortDatabaseHook
from nightsort_airflow.ui import rights
from nightsort_airflow.ui.airflow_state import AirflowState
from nightsort_airflow.ui.database import Tables
from nightsort_airflow.ui.specs import SpecFiles, named_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from nightsort.classifier_spec.loading import LoadedSpecs
    from nightsort.classifier_spec.model import ClassifierSpec, SpecError

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


class OldTablesError(Exception):
    """The tables are of an earlier version than this code, or not there yet."""


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
        :raises OldTablesError: the tables are older than this code, or not there.
        """
        with self.tables.reading(conn_id) as connection:
            if schema_version(connection) < SCHEMA_VERSION:
                raise OldTablesError(conn_id)
            yield connection

    def connections(self) -> list[str]:
        """Return the Airflow connections in whose databases there may be tables."""
        named = {spec.db_conn_id for spec in self.loaded().specs.values()}
        return sorted(named or {DEFAULT_CONNECTION})

    def connection_of(self, classifier: str) -> str:
        """
        Return the Airflow connection of a classifier's tables.

        :param classifier: its name.
        """
        spec = self.loaded().specs.get(classifier)
        if spec is not None:
            return spec.db_conn_id
        # A classifier whose spec is gone or broken may have its rows in any of them.
        for conn_id in self.connections():
            with self.reading(conn_id) as connection:
                if classifier in classifier_names(connection):
                    return conn_id
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

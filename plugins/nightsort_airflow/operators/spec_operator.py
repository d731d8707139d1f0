"""The base of the operators of a classifier's DAGs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Asset, BaseOperator

from nightsort.errors import NightsortError
from nightsort.storage import MissingObjectError
from nightsort.wording import number_of
from nightsort_airflow.aws_errors import fail_on_permanent_aws_errors
from nightsort_airflow.exceptions import RUN_AGAIN, BadInputError, BudgetExceededError, logged
from nightsort_airflow.lineage.extraction import WithLineage

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from airflow.sdk import Context

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.comprehend.prices import Forecast, TrainingForecast
    from nightsort.storage import Access

# The domain, its libraries and the database driver are imported where they are used: the DAG files are parsed
# every few seconds and need none of them.

PROGRESS_SECONDS = 10


class SpecOperator(WithLineage, BaseOperator):
    """
    An operator of a DAG that is made from a classifier spec. Not for use by itself.

    :param spec: The classifier spec.
    """

    ui_color = "#d7e8f7"
    when_gone: ClassVar[str] = RUN_AGAIN
    """What to do where an object that the task reads is gone."""
    endpoint_policy: ClassVar[str | None] = None
    """The file in ``docs/iam`` that grants what the task asks of endpoints."""

    def __init__(self, *, spec: ClassifierSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec = spec
        # What the task learns while it runs, for lineage.
        self.database_place: tuple[str, int, str] | None = None
        self.written_to: str | None = None
        self.written_rows: int | None = None
        self._last_progress: float | None = None

    @cached_property
    def access(self) -> Access:
        """Files through the spec's AWS connection, SQL sources through their own."""
        from nightsort_airflow.hooks.storage import task_access

        return task_access(self.spec.aws_conn_id, local=self.spec.local)

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a connection to the tables; create them if they do not exist."""
        from nightsort.tables.schema import ensure_schema
        from nightsort_airflow.hooks.database import NightsortDatabaseHook

        with NightsortDatabaseHook(postgres_conn_id=self.spec.db_conn_id).connect() as connection:
            self.database_place = (connection.info.host, connection.info.port, connection.info.dbname)
            ensure_schema(connection)
            yield connection

    def log_progress(self, doing: str, documents: int) -> None:
        """
        Log the progress of the domain, at most every ten seconds.

        :param doing: what is being done.
        :param documents: the number of documents that are done.
        """
        now = time.monotonic()
        if self._last_progress is None:
            self._last_progress = now
        elif now - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress = now
            self.log.info("%s: %s so far", doing, number_of(documents, "document"))

    def add_outlet_extra(self, context: Context, extra: dict[str, Any]) -> None:
        """
        Add values to the events of those outlets that are assets.

        :param context: the task's context.
        :param extra: JSON-safe values.
        """
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra.update(extra)

    def refuse_over_budget(self, forecast: Forecast | TrainingForecast, budget_usd: float | None) -> None:
        """
        Refuse a forecast above the budget, unless a person decides about it.

        :param forecast: the forecast.
        :param budget_usd: the budget; None: no limit.
        :raises nightsort.comprehend.prices.OverBudgetError: when the forecast is above the budget.
        """
        from nightsort.comprehend.prices import check_budget

        if self.spec.budget.when_over == "fail":
            check_budget(forecast, budget_usd)

    @contextmanager
    def fail_on_input_errors(self, doing: str) -> Iterator[None]:
        """
        Fail the task without a retry on input that cannot be used and on permanent AWS errors.

        :param doing: what is attempted, for the message.
        """
        from nightsort.comprehend.prices import OverBudgetError

        try:
            with fail_on_permanent_aws_errors(doing, self.endpoint_policy):
                yield
        except OverBudgetError as error:
            raise logged(BudgetExceededError(f"Will not {doing}: {error}")) from None
        except MissingObjectError as error:
            raise logged(BadInputError(f"Cannot {doing}: {error}. {self.when_gone}")) from None
        except NightsortError as error:
            if error.retryable:
                raise
            raise logged(BadInputError(f"Cannot {doing}: {error}")) from None
        except PermissionError as error:
            and_export = " and, for the export, airflow-export-policy.json" if self.spec.export else ""
            message = (
                f"Cannot {doing}: {error}. Grant the identity of the connection {self.spec.aws_conn_id} this "
                f"permission: docs/iam/airflow-policy.json{and_export} lists them all."
            )
            raise logged(BadInputError(message)) from None

"""The doctor as a task: in a worker and, deferred briefly, in the triggerer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout

from nightsort_airflow.exceptions import DeploymentBrokenError
from nightsort_airflow.run_day import refuse_unknown_keys
from nightsort_airflow.spec_loading import read_specs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from nightsort_airflow.doctor.findings import Finding

# The doctor is imported where it is used: DAG files are parsed every few seconds and need no AWS or database.

TRIGGERER_SECONDS: Final = 120


class CheckDeploymentOperator(BaseOperator):
    """
    Check the deployment, write the report to the log, and fail if a line of it failed.

    The task defers first, so that the triggerer is checked from inside; then the worker checks the rest. The
    return value is the number of lines in each state.

    :param spec_name: Check only this spec. (default: all specs) (templated)
    """

    template_fields: Sequence[str] = ("spec_name",)
    ui_color = "#d7e8f7"

    def __init__(self, *, spec_name: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec_name = spec_name

    def execute(self, context: Context) -> None:
        """Hand over to the triggerer, for a few seconds."""
        from nightsort_airflow.doctor.triggerer import TriggererCheckTrigger

        refuse_unknown_keys(context)
        specs = read_specs().specs
        wanted = [spec for name, spec in specs.items() if self.spec_name in ("", name)]
        self.defer(
            trigger=TriggererCheckTrigger(sorted({spec.aws_conn_id for spec in wanted})),
            method_name="examine",
            timeout=timedelta(seconds=TRIGGERER_SECONDS),
        )

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after the triggerer. That it did not answer is a finding too."""
        from nightsort_airflow.doctor.findings import Finding, State

        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            says = f"does not answer within {TRIGGERER_SECONDS} s"
            remedy = "start one: airflow triggerer"
        except TaskDeferralError as error:
            says = f"cannot run Nightsort's triggers: {error}"
            remedy = "install there what the workers have; see its log"
        silent = Finding("triggerer", "answers", State.FAILED, says, remedy)
        return self.examine(context, {"findings": [silent.to_dict()]})

    def examine(self, context: Context, event: Mapping[str, Any]) -> dict[str, int]:
        """
        Check the rest and write the report; return the number of lines in each state.

        :param event: the triggerer's findings.
        :raises DeploymentBrokenError: when a line failed.
        """
        from nightsort_airflow.doctor.all_checks import deployment_checks
        from nightsort_airflow.doctor.findings import Finding, State, counted
        from nightsort_airflow.doctor.run_checks import examine

        self.log.info("The report follows. Tables created during the check are rolled back.")
        names = [self.spec_name] if self.spec_name else []
        findings = [
            *examine(deployment_checks(names, in_a_task=True)),
            *map(Finding.from_dict, event["findings"]),
        ]
        self._write(findings)
        counts = counted(findings)
        if broken := [found.subject for found in findings if found.state is State.FAILED]:
            raise DeploymentBrokenError(
                f"{len(broken)} of {len(findings)} checks failed: {'; '.join(broken)}. "
                "The log above says what to do about each."
            )
        return counts

    def _write(self, findings: Sequence[Finding]) -> None:
        from nightsort_airflow.doctor.findings import State, report_lines

        levels = {State.FAILED: self.log.error, State.WARNING: self.log.warning}
        for state, line in report_lines(findings):
            write = self.log.info if state is None else levels.get(state, self.log.info)
            write("%s", line)

"""The part of a classifier spec that says what a night and a training may cost, and who may approve more."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from nightsort.classifier_spec.problems import Problem, refuse, refuse_keys, shown
from nightsort.classifier_spec.source import SpecPart

MAX_USER: Final = 512
"""As long as the name of a user may be in Airflow's tables (``dag_run.triggering_user_name``)."""


class Approver(SpecPart):
    """A user of Airflow who may approve a cost; in YAML the name alone, where it is the id too.

    :param name: the user's name, as Airflow writes it for who triggered a run.
    :param id: the user's id, which Airflow compares when the user answers. The simple auth manager's is the
        name; that of FAB is a number, that of Keycloak or of AWS a UUID.
    """

    name: str
    id: str

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"name": data, "id": data}
        if isinstance(data, dict) and "name" in data:
            return {"id": data["name"], **data}
        if not isinstance(data, dict):
            raise refuse(f"must be a user's name, but YAML reads {shown(data)}; put it in quotes")
        return data

    @field_validator("name", "id")
    @classmethod
    def _check_user(cls, value: str) -> str:
        if not value or value != value.strip() or not value.isprintable() or len(value) > MAX_USER:
            raise refuse(
                f"{shown(value)} cannot be a user of Airflow; write the name or the id as Airflow shows it, "
                f"up to {MAX_USER} characters, without blanks around it"
            )
        return value


class Budget(SpecPart):
    """What a night and a training may cost, in USD, by their forecasts; ``None``: no limit.

    :param run_usd: limit of a night. Its forecast is exact.
    :param training_usd: limit of a training, for the upper end of its forecast.
    :param when_over: fail, or ask a person in Airflow's UI.
    :param answer_hours: how long a person has for the answer; without an answer the run fails.
    :param approvers: the users who may answer, and none of them about a run that they triggered; ``None``:
        everybody who may answer questions of the DAG.
    """

    run_usd: float | None = Field(100.0, gt=0, allow_inf_nan=False, strict=True)
    training_usd: float | None = Field(100.0, gt=0, allow_inf_nan=False, strict=True)
    when_over: Literal["fail", "ask"] = "fail"
    answer_hours: float = Field(12.0, gt=0, le=24 * 7, strict=True)
    approvers: tuple[Approver, ...] | None = None

    @field_validator("approvers")
    @classmethod
    def _check_approvers(cls, approvers: tuple[Approver, ...] | None) -> tuple[Approver, ...] | None:
        if approvers is None:
            return None
        if not approvers:
            raise refuse("names nobody, so no cost could be approved; name a user, or remove the key")
        for what in ("name", "id"):
            (most, times), *_ = Counter(getattr(user, what) for user in approvers).most_common(1)
            if times > 1:
                raise refuse(f"has the {what} {shown(most)} {times} times; name each user once")
        return approvers

    @model_validator(mode="after")
    def _check_somebody_is_asked(self) -> Self:
        if self.approvers is not None and self.when_over != "ask":
            message = (
                "is only for when_over: ask, since otherwise nobody is asked; add that, or remove the key"
            )
            raise refuse_keys([Problem("approvers", message)])
        return self

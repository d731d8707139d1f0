"""
What Airflow's UI shows of each DAG: its title, and a page on what to do when it is red and what it costs.

The pages are the Markdown templates in ``doc_templates/``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from nightsort.classifier_spec.schedule import one_run_per_day
from nightsort.comprehend import limits
from nightsort.naming import endpoint_name
from nightsort.wording import number_of

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec, Source
    from nightsort.classifier_spec.real_time import RealTime

PRICE = (
    f"{limits.UNIT_USD} USD per {limits.UNIT_CHARACTERS} characters, at least {limits.MIN_UNITS} such units "
    f"({limits.UNIT_USD * limits.MIN_UNITS:.4f} USD) per document"
)


def dag_title(what: str, classifier: str) -> str:
    """
    Return the name of a DAG in the UI. It begins with the classifier, so its DAGs are neighbours there.

    :param what: ``train``, ``classify`` or ``serve``.
    :param classifier: the name of the spec.
    """
    return f"{classifier}: {what}"


_NO_FILES = {"ok": "is a success", "warn": "is a success and calls the notifiers", "fail": "fails"}


def train_doc(spec: ClassifierSpec) -> str:
    """Return the page of the DAG ``train_<name>``, as Markdown."""
    hours, least_gain = spec.training_time_limit_hours, spec.promotion.least_gain
    return _render(
        "train",
        spec,
        documents=_source(spec.labelled),
        budget=_budget(spec, "training_usd", spec.budget.training_usd),
        time_limit=f"`training_time_limit_hours` ({hours:g})" if hours else "its limit (none is set)",
        gain=f"by at least {least_gain}" if least_gain else "any improvement is enough",
        warnings="is accepted (`training_warnings: accept`)"
        if spec.training_warnings == "accept"
        else "fails the run (`training_warnings: fail`)",
        killed="stops the training"
        if spec.stop_training_on_kill
        else "does not stop the training: it continues and is billed, and the next run takes it over",
    )


def classify_doc(spec: ClassifierSpec) -> str:
    """Return the page of the DAG ``classify_<name>``, as Markdown."""
    return _render(
        "classify",
        spec,
        documents=_source(spec.incoming),
        budget=_budget(spec, "run_usd", spec.budget.run_usd),
        when=f"at `{spec.schedule}` ({spec.timezone})" if spec.schedule else "only by hand",
        every_day=bool(spec.schedule) and one_run_per_day(spec.schedule or "", spec.incoming.template),
        no_files=_NO_FILES[spec.no_files],
    )


def serve_doc(spec: ClassifierSpec, real_time: RealTime) -> str:
    """Return the page of the DAG ``serve_<name>``, as Markdown."""
    return _render(
        "serve",
        spec,
        real_time=real_time,
        endpoint=endpoint_name(spec.name),
        hours=str(real_time.opening_hours(spec.timezone)),
        forecast=real_time.forecast(),
        idle=f"when nobody asked for {number_of(real_time.idle_minutes, 'minute')}, "
        if real_time.idle_minutes is not None
        else "",
        limit=f"when its day cost {real_time.budget_usd_day:,.2f} USD, "
        if real_time.budget_usd_day is not None
        else "",
    )


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("doc_templates")),
        autoescape=False,  # noqa: S701 - Markdown, from our own templates
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _render(name: str, spec: ClassifierSpec, **values: Any) -> str:
    template = _templates().get_template(f"{name}.md.jinja")
    asks = spec.budget.when_over == "ask"
    return template.render(
        spec=spec,
        limits=limits,
        price=PRICE,
        headline=_headline(spec),
        asks=asks,
        train_title=dag_title("train", spec.name),
        **values,
    )


def _headline(spec: ClassifierSpec) -> str:
    labels = "One label per document" if spec.mode == "MULTI_CLASS" else "Any number of labels per document"
    description = " ".join((spec.description or "").split())
    if description and description[-1] not in ".!?":
        description += "."
    return f"{description} {labels}, language `{spec.language}`.".strip()


def _source(source: Source) -> str:
    if source.uri is not None:
        return f"`{source.uri}` ({source.format})"
    return f"the rows of a query on the connection `{source.conn_id}`"


def _budget(spec: ClassifierSpec, key: str, usd: float | None) -> str:
    if usd is None:
        return f"No limit is set (`budget.{key}`)"
    over = f"Above {usd:,.2f} USD (`budget.{key}`) "
    if spec.budget.when_over == "fail":
        return f"{over}a run starts nothing and fails"
    hours = number_of(spec.budget.answer_hours, "hour")
    names = " or ".join(user.name for user in spec.budget.approvers or ())
    who = f"{names}, but not who triggered the run, is asked" if names else "a person is asked"
    return f"{over}{who} under *Required Actions* and has {hours} for the answer"

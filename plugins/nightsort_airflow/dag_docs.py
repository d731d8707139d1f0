"""The page that each DAG shows in Airflow's UI: what it does, what it costs, what to do when it is red."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nightsort.comprehend import limits

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec, Source

PRICE = (
    f"{limits.UNIT_USD} USD per {limits.UNIT_CHARACTERS} characters, at least {limits.MIN_UNITS} such units "
    f"({limits.UNIT_USD * limits.MIN_UNITS:.4f} USD) a document"
)


def train_doc(spec: ClassifierSpec) -> str:
    """Describe the DAG ``train_<name>`` of a spec, as Markdown."""
    killed = (
        "is stopped" if spec.stop_training_on_kill else "runs on and is billed; the next run takes it over"
    )
    least = spec.promotion.least_gain
    gain = f"by at least {least}" if least else "any gain counts"
    warnings = "may be used" if spec.training_warnings == "accept" else "fails the run"
    return _page(
        f"# Train `{spec.name}`",
        _headline(spec),
        "**What it does.** "
        f"Reads {_source(spec.labelled)}, writes training and test data to `{spec.layout.trainings}`, "
        "trains a "
        f"version of the Comprehend classifier `{spec.name}`, measures it, and makes it the active one if "
        "its "
        f"`{spec.promotion.metric}` is better than the active version's on the same test set ({gain}). The "
        "first "
        "version becomes active by itself. The same data and settings are the same version: another run "
        "trains "
        f"nothing. A version that was trained with warnings {warnings}.",
        "**What it costs.** "
        f"{limits.TRAINING_USD_PER_HOUR:.2f} USD per hour of training (30 to 60 minutes for some thousand "
        "documents), "
        f"{limits.MODEL_USD_PER_MONTH:.2f} USD per month for each version that is kept. If the active "
        "version was "
        f"measured on another test set, it classifies the new one first: {PRICE}. "
        f"{_budget(spec, 'training_usd', spec.budget.training_usd)}.",
        "**When it is red.**",
        _table(
            (
                "prepare_training_data",
                "The message names the labels, the documents or the key of the spec. Nothing was paid. "
                "Correct them "
                "and clear the task.",
            ),
            *_approval(spec),
            (
                "create_classifier",
                "Comprehend refused the request: a right (`docs/iam/`), a key or a name. Correct it, clear "
                "the task.",
            ),
            (
                "wait_for_training",
                f"The message is Comprehend's, or that it took longer than {_limit(spec)}. "
                "Correct the cause, then clear `create_classifier` and what is "
                "downstream: it trains again, as the next generation of the version.",
            ),
            (
                "evaluate_classifier",
                "Database or S3 was not there. Clear the task; nothing is trained again. The same for "
                "`promote_classifier`.",
            ),
            (
                "score_active_version",
                "Its job failed twice; the message says why. Clear the task for another try.",
            ),
        ),
        "To mark `wait_for_training` failed or successful, or to clear it, while it waits, is a kill: the "
        "training "
        f"{killed}. Every decision is a row of `nightsort.promotion_decisions`.",
    )


def classify_doc(spec: ClassifierSpec) -> str:
    """Describe the DAG ``classify_<name>`` of a spec, as Markdown."""
    when = f"`{spec.schedule}` ({spec.timezone})" if spec.schedule else "by hand only"
    budget = _budget(spec, "run_usd", spec.budget.run_usd)
    return _page(
        f"# Classify documents with `{spec.name}`",
        _headline(spec),
        "**What it does.** "
        f"Runs {when}. Reads {_source(spec.incoming)} of the day on which its data interval starts (or of "
        "the Param "
        "`day`, or from the Param `source_uri`), sends them to Comprehend in batches, with the classifier's "
        "active "
        "version, and loads one row per document into `nightsort.predictions` (connection "
        f"`{spec.db_conn_id}`). Documents in = classified + failed + rejected, or the run is red. A day "
        "without "
        f"documents is a success.{_export(spec)}",
        f"**What it costs.** {PRICE}. {budget}. The same day again starts no job again, unless documents or "
        "the "
        "active version changed.",
        "**When it is red.**",
        _table(
            (
                "prepare_batches",
                f"*No active version*: run the DAG `train_{spec.name}` first. *Budget*: raise it in the "
                "spec, or send "
                "fewer documents. Else the message names file and remedy. Nothing was paid. Clear the task.",
            ),
            *_approval(spec),
            (
                "start_job",
                "The job failed, and so did a second one; the message is Comprehend's. Correct the cause, "
                "then clear "
                "this one and what is downstream: only this batch is done again.",
            ),
            (
                "load_predictions",
                "Database or S3 was not there, or the output is not this batch's. Clear it; no job is "
                "started again.",
            ),
            (
                "reconcile_run",
                "It names the batches and how many documents are missing. Clear those batches' tasks.",
            ),
            *_export_failed(spec),
        ),
        "A job cannot be stopped: AWS has no call for that. A killed `start_job` finds its job when it runs "
        f"again. If `start_job` does not begin, see whether the pool `{limits.POOL}` exists and has free "
        "slots.",
    )


def _budget(spec: ClassifierSpec, key: str, usd: float | None) -> str:
    if usd is None:
        return f"No limit is set (`budget.{key}`)"
    over = f"Above {usd:,.2f} USD (`budget.{key}`) "
    if spec.budget.when_over == "fail":
        return f"{over}a run starts nothing and fails"
    hours = spec.budget.answer_hours
    return f"{over}a person is asked, in *Required Actions*, and has {hours:g} hours for the answer"


def _limit(spec: ClassifierSpec) -> str:
    hours = spec.training_time_limit_hours
    return f"`training_time_limit_hours` ({hours:g})" if hours else "it may (no limit is set)"


def _approval(spec: ClassifierSpec) -> tuple[tuple[str, str], ...]:
    if spec.budget.when_over == "fail":
        return ()
    told = "The cost was rejected, or nobody answered. Nothing was paid. Clear it to be asked again."
    return (("approve_cost", told),)


def _export(spec: ClassifierSpec) -> str:
    if spec.export_uri is None:
        return ""
    place = f"{spec.export_uri}/classifier={spec.name}/"
    return f" A complete run is also written as Parquet files, to `{place}`."


def _export_failed(spec: ClassifierSpec) -> tuple[tuple[str, str], ...]:
    if spec.export is None:
        return ()
    told = "Database or S3 was not there, or a right is missing. Clear it; the table is complete without it."
    return (("export_predictions", told),)


def _page(*paragraphs: str) -> str:
    return "\n\n".join(paragraphs) + "\n"


def _table(*rows: tuple[str, str]) -> str:
    return "\n".join(
        ("| task | what to do |", "|---|---|", *(f"| `{task}` | {text} |" for task, text in rows))
    )


def _headline(spec: ClassifierSpec) -> str:
    kind = "one label per document" if spec.mode == "MULTI_CLASS" else "any number of labels per document"
    text = " ".join((spec.description or "").split())
    return f"{text} ({kind}; language `{spec.language}`)".strip()


def _source(source: Source) -> str:
    if source.uri is not None:
        return f"`{source.uri}` ({source.format})"
    return f"the rows of a query on the connection `{source.conn_id}`"

"""Read the classifier specs of the DAGs, and check them against what is installed here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow.sdk import get_parsing_context

from nightsort.classifier_spec.loading import LoadedSpecs
from nightsort.classifier_spec.model import Problem, SpecError, load_specs, spec_folders
from nightsort.classifier_spec.warnings import dag_problems
from nightsort_airflow.alerts import notifier_problem

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec


def dag_specs() -> LoadedSpecs[ClassifierSpec]:
    """
    Read the specs for which a DAG file makes DAGs.

    A task parses its DAG file again before it runs. Then only the specs that name its DAG are read.
    """
    dag_id = get_parsing_context().dag_id or ""
    return read_specs(naming=dag_id.partition("_")[2])


def read_specs(naming: str = "") -> LoadedSpecs[ClassifierSpec]:
    """
    Read the specs of the folders that the environment names.

    A spec with a notifier that Airflow could not call is an error: otherwise a failed night would notify
    nobody. So is one whose ``work_uri`` is a folder, which Comprehend could not read.

    :param naming: read only specs whose files contain this text; empty: all.
    """
    loaded = load_specs(spec_folders(os.environ), containing=naming)
    specs, errors = {}, list(loaded.errors)
    for name, spec in loaded.specs.items():
        problems = dag_problems(spec)
        problems += [
            Problem(f"notifiers.{position}", problem)
            for position, notifier in enumerate(spec.notifiers)
            if (problem := notifier_problem(notifier))
        ]
        if problems:
            errors.append(SpecError(loaded.files[name], problems))
        else:
            specs[name] = spec
    return LoadedSpecs(specs, errors, loaded.files)

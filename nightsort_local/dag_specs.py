"""Which spec makes a DAG, and what is wrong with it, without asking Airflow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from nightsort.classifier_spec.model import load_specs
from nightsort.classifier_spec.problems import Problem, SpecError
from nightsort.classifier_spec.warnings import dag_problems
from nightsort.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

FILES_OF_KINDS = {
    "train": "train_classifier.py",
    "classify": "classify_documents.py",
    "serve": "serve_classifier.py",
}
"""The DAG file of each kind of DAG that a spec makes."""
SPEC_CHECK = "check_specs.py"
"""The DAG file that has no DAG, and whose import errors are the broken specs."""


def spec_problem(dag_id: str, folders: Sequence[str]) -> str | None:
    """Return why no spec makes this DAG; None if one does, or if the id has nothing to do with a spec.

    :param dag_id: the DAG.
    :param folders: the folders of specs.
    """
    kind, _, name = dag_id.partition("_")
    paths = [Path(folder) for folder in folders]
    if kind not in FILES_OF_KINDS:
        named = load_specs(paths, containing=dag_id).specs.get(dag_id)
        if named is None:
            return None
        made = " and ".join(named.dag_ids)
        return f"{dag_id} is the name of a spec, not of a DAG. Its DAGs are {made}."
    naming = load_specs(paths, containing=name)
    if name in naming.specs:
        problems = dag_problems(naming.specs[name])
        if dag_id not in naming.specs[name].dag_ids:
            problems = [Problem("real_time", f"is missing, so there is no DAG {dag_id}; add it")]
        return str(SpecError(naming.files[name], problems)) if problems else None
    if errors := [error for error in naming.errors if _is_about(error.file, name)]:
        return "\n".join(map(str, errors))
    names = load_specs(paths).specs
    return (
        f'no spec has the name "{name}", so there is no DAG {dag_id}. {meant_or_known(name, names)} '
        f"The folders of specs are {' and '.join(folders)}."
    )


def _is_about(file: Path, name: str) -> bool:
    """Return whether a broken spec is that of a name, as far as its text shows."""
    if not file.is_file() or file.stem == name:
        return True
    text = file.read_text(encoding="utf-8", errors="replace")
    return re.search(rf"""^name:\s*["']?{re.escape(name)}["']?\s*(#|$)""", text, re.MULTILINE) is not None


def meant_or_known(given: str, known: Collection[str]) -> str:
    """Return a question with the known name that is most like the given one, or a sentence with all."""
    return did_you_mean(given, known) or (f"There is: {', '.join(sorted(known))}." if known else "")


def unknown_params(given: Iterable[str], known: Collection[str], dag_id: str, file: str) -> str | None:
    """Return what is wrong with the keys of a run's conf; None if each is a Param of the DAG.

    :param given: the keys of the conf.
    :param known: the Params of the DAG. A user's own DAG without Params may read any key.
    :param dag_id: the DAG.
    :param file: the name of its file.
    """
    unknown = [name for name in given if name not in known]
    if unknown and not known:
        of_a_spec = file in FILES_OF_KINDS.values()
        return f"{dag_id} has no Params: leave out --conf." if of_a_spec else None
    if not unknown:
        return None
    return " ".join(
        f'{dag_id} has no Param "{name}". {meant_or_known(name, known)}'.strip() for name in unknown
    )

"""Every error of the domain says whether a user has to mend it, and whether another try may help."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest
import typer

import nightsort
from nightsort.cli.output import user_errors
from nightsort.errors import NightsortError

# By name: whether another try may help. Who adds an error decides here.
RETRYABLE = {
    "ActiveVersionChangedError": True,
    "ArchiveError": True,
    "CountsDoNotAddUp": False,
    "DamagedArchiveError": True,
    "DatabaseEncodingError": False,
    "EndpointNotInServiceError": True,
    "EvaluationError": False,
    "ExportError": False,
    "ExportedFileError": False,
    "LineMissingError": False,
    "ManifestError": False,
    "MissingObjectError": False,
    "ModelChangedError": True,
    "NightsortError": False,
    "NoFilesError": False,
    "NoIdsError": False,
    "NoListOfDocumentsError": False,
    "OverBudgetError": False,
    "QualityLimitError": False,
    "RunProblemError": False,
    "RunningError": False,
    "SchemaError": False,
    "SchemaRightsError": False,
    "SchemaVersionError": False,
    "SourceError": False,
    "SourceGoneError": False,
    "SpecError": False,
    "StoppedError": True,
    "StorageError": False,
    "TooManyBatchesError": False,
    "TrainingDataError": False,
    "UnknownClassifierError": False,
    "UnknownFileTypeError": False,
    "VersionNotRecordedError": True,
    "WrongOutputError": False,
}
# Caught by whoever calls, so no user meets them.
INTERNAL = {
    "BusyError",
    "DamagedArrayError",
    "DamagedResultsError",
    "JsonError",
    "OddObjectError",
    "RefusedDocumentError",
    "UnknownConditionError",
}


def domain_errors() -> set[type[Exception]]:
    """List the exceptions that the domain defines for its users."""
    names = [module.name for module in pkgutil.walk_packages(nightsort.__path__, "nightsort.")]
    modules = [import_module(name) for name in names if not name.endswith("__main__")]
    return {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Exception)
        and value.__module__.startswith("nightsort.")
        and value.__name__ not in INTERNAL
    }


def test_each_error_says_whether_another_try_may_help() -> None:
    retryable = {
        kind.__name__: kind.retryable if issubclass(kind, NightsortError) else "is no NightsortError"
        for kind in domain_errors()
    }

    assert retryable == RETRYABLE


@pytest.mark.parametrize(
    "kind",
    [*sorted(domain_errors(), key=lambda kind: kind.__name__), PermissionError],
    ids=lambda kind: kind.__name__,
)
def test_the_command_line_shows_what_a_user_has_to_mend(
    kind: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    error = kind.__new__(kind, "this and that")
    with pytest.raises(typer.Exit) as ended, user_errors():
        raise error

    assert ended.value.exit_code == 2
    assert capsys.readouterr().err.strip() == "this and that"


def test_the_command_line_hides_no_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="ours"), user_errors():
        raise ValueError("ours")

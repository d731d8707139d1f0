"""An error of the AWS SDK names no remedy by itself, so the commands add one."""

from __future__ import annotations

import pytest
import typer
from botocore.exceptions import NoCredentialsError, ProfileNotFound

from nightsort.cli.output import user_errors


@pytest.mark.parametrize("error", [NoCredentialsError(), ProfileNotFound(profile="nope")])
def test_an_error_of_the_aws_sdk_says_how_s3_is_reached(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit), user_errors():
        raise error
    said = capsys.readouterr().err
    assert said.startswith(f"{error}. S3 is reached with the settings of this shell: set AWS_PROFILE")
    assert 'eval "$(nightsort-local env)"' in said


def test_other_errors_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), user_errors():
        raise PermissionError("s3://b/x (work_uri in the spec): Access Denied")
    assert capsys.readouterr().err == "s3://b/x (work_uri in the spec): Access Denied\n"

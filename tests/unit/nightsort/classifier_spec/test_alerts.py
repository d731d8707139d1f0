from __future__ import annotations

import pytest
from pydantic import ValidationError

from nightsort.classifier_spec.alerts import Notifier, alert_problems

MAILER = Notifier(import_path="airflow.providers.smtp.notifications.smtp.SmtpNotifier")


def test_a_night_with_a_schedule_and_somebody_to_tell_may_be_late() -> None:
    assert alert_problems("06:30", "0 2 * * *", (MAILER,)) == []
    assert alert_problems(None, None, ()) == []


def test_all_that_is_missing_is_said_at_once() -> None:
    told = [problem.message for problem in alert_problems("24:00", None, ())]
    assert len(told) == 3
    assert 'write for instance "06:30"' in told[0]


@pytest.mark.parametrize("name", ["password", "slack_token", "apiKey", "API_KEY", "client_secret"])
def test_a_secret_in_the_spec_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Notifier(import_path=MAILER.import_path, arguments={name: "hunter2"})
    (error,) = refused.value.errors()
    assert "put it into an Airflow connection" in error["msg"]
    assert "hunter2" not in error["msg"]


def test_arguments_that_are_no_secrets_pass() -> None:
    given = {"to": "night@example.org", "subject": "{{ nightsort.message }}", "smtp_conn_id": "mail"}
    assert Notifier(import_path=MAILER.import_path, arguments=given).arguments == given

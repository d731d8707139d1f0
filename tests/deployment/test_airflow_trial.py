"""`make try-airflow` says which packages another Airflow moves."""

from __future__ import annotations

from deployment.airflow_trial import moved

OURS = """\
apache-airflow==3.3.2 \\
    --hash=sha256:00
numpy==2.2.6 ; python_full_version < '3.11' \\
    --hash=sha256:00
numpy==2.4.0 ; python_full_version >= '3.11' \\
    --hash=sha256:00
pyarrow==21.0.0
"""


def test_only_what_differs_has_moved() -> None:
    trial = "apache-airflow==3.3.1\nnumpy==2.4.0\npyarrow==21.0.0\nnewcomer==1.0\n"
    assert moved(OURS, trial) == ["apache-airflow 3.3.2 -> 3.3.1", "newcomer new -> 1.0"]


def test_a_version_for_another_python_is_none_of_ours() -> None:
    assert moved(OURS, "numpy==2.3.0\n") == ["numpy 2.2.6 or 2.4.0 -> 2.3.0"]

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook


@pytest.fixture(autouse=True)
def scaling(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    """Application Auto Scaling, which does not know the endpoint."""
    client = boto3.client("application-autoscaling", "eu-west-1")
    monkeypatch.setattr(ComprehendClassificationHook, "scaling", client)
    stub = Stubber(client)
    stub.activate()
    for _ in range(2):
        stub.add_client_error("deregister_scalable_target", "ObjectNotFoundException")
    return stub

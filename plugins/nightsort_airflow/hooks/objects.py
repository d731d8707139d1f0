"""Whether objects on S3 are still there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from nightsort.layout import S3

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook


def is_gone(uri: str, hook: AwsBaseHook) -> bool:
    """
    Return whether no object has a key that begins with a URI's key.

    :param uri: a full key, or a prefix that ends in ``/``.
    :param hook: of any service; its connection is used.
    :returns: False, too, where S3 cannot be asked: then the caller goes on as if the object were there.
    """
    bucket, _, key = uri.removeprefix(S3).partition("/")
    if not uri.startswith(S3) or not key:
        return False
    # Imported here: a triggerer that waits for jobs needs no S3.
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    quick = Config(retries={"total_max_attempts": 2}, connect_timeout=5)
    try:
        client: Any = S3Hook(
            aws_conn_id=hook.aws_conn_id, region_name=hook.region_name, verify=hook.verify, config=quick
        ).conn
        return not client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)["KeyCount"]
    except ClientError as error:
        return error.response.get("Error", {}).get("Code") == "NoSuchBucket"
    except BotoCoreError:
        return False

"""S3 for trainings and jobs: with the data access role, over the server's own port."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from nightsort_local.local_aws.s3.location import S3Location
from nightsort_local.local_aws.task_errors import TaskError, TransientError
from nightsort_local.local_aws.work.tasks import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from botocore.response import StreamingBody


_FIRST_SERVER_ERROR = 500
_ATTEMPTS = 3
_ANONYMOUS = Credentials("nightsort", "nightsort", "")


def no_read_access(reason: str) -> TaskError:
    """Return the error for unreadable input; its first sentence is the real service's."""
    return TaskError(
        "NO_READ_ACCESS_TO_INPUT: The provided data access role does not have proper access to the input "
        f"data. {reason}"
    )


def no_write_access(reason: str) -> TaskError:
    """Return the error for unwritable output; its first sentence is the real service's."""
    return TaskError(
        "NO_WRITE_ACCESS_TO_OUTPUT: The provided data access role does not have write access to the output "
        f"S3 URI or it does not have access to the output S3 KMS Key. {reason}"
    )


class ObjectStore:
    """Read input and write output.

    :param endpoint: the server's URL.
    :param region: the region of the Comprehend call.
    :param credentials: those of the data access role; None where IAM is not enforced.
    """

    def __init__(self, endpoint: str, region: str, credentials: Credentials | None = None) -> None:
        access = credentials or _ANONYMOUS
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=access.access_key_id,
            aws_secret_access_key=access.secret_access_key,
            aws_session_token=access.session_token or None,
            config=Config(
                s3={"addressing_style": "path"}, retries={"mode": "standard", "total_max_attempts": _ATTEMPTS}
            ),
        )

    def list(self, uri: str) -> list[tuple[S3Location, int]]:
        """Return the objects whose key begins with the URI's key, with their sizes in bytes.

        As in the service, the prefix is a plain string: ``s3://b/day1`` also finds ``day10.txt``. Empty
        objects whose key ends in ``/`` are folders of the S3 console; they are no input (assumed).

        :raises TaskError: no object is found, or listing is denied.
        """
        prefix = S3Location.parse(uri)
        found: list[tuple[S3Location, int]] = []
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=prefix.bucket, Prefix=prefix.key
            ):
                found += [
                    (S3Location(prefix.bucket, item["Key"]), item["Size"])
                    for item in page.get("Contents", ())
                    if item["Size"] > 0 or not item["Key"].endswith("/")
                ]
        except (ClientError, BotoCoreError) as error:
            raise _task_error(error, no_read_access, uri) from error
        if not found:
            raise no_read_access(f"No object's key begins with {uri}.")
        return found

    @contextmanager
    def open(self, location: S3Location) -> Iterator[BinaryIO]:
        """Open an object for sequential reading."""
        try:
            body = self._client.get_object(Bucket=location.bucket, Key=location.key)["Body"]
        except (ClientError, BotoCoreError) as error:
            raise _task_error(error, no_read_access, location.uri) from error
        with io.BufferedReader(_Body(body), buffer_size=1 << 20) as stream:
            yield cast("BinaryIO", stream)

    def upload(self, path: Path, uri: str) -> None:
        """Upload a local file to an object."""
        location = S3Location.parse(uri)
        try:
            with path.open("rb") as file:
                self._client.upload_fileobj(file, location.bucket, location.key)
        except (ClientError, BotoCoreError) as error:
            raise _task_error(error, no_write_access, uri) from error


class _Body(io.RawIOBase):
    """A botocore body as a raw stream of the standard library."""

    def __init__(self, body: StreamingBody) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._body.read(len(buffer))
        except BotoCoreError as error:
            raise TransientError(f"the connection to S3 was lost ({type(error).__name__})") from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._body.close()
        super().close()


def _task_error(error: Exception, no_access: Callable[[str], TaskError], uri: str) -> Exception:
    """Return the task's error for an error of S3: no access, or a transient failure."""
    if not isinstance(error, ClientError):
        return TransientError(f"S3 did not answer for {uri} ({type(error).__name__})")
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if error.response["ResponseMetadata"]["HTTPStatusCode"] >= _FIRST_SERVER_ERROR:
        return TransientError(f"S3 answered {code} for {uri}")
    return no_access(f"{uri}: {code}: {message}")

"""The command ``nightsort-local aws``: start the local AWS."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from nightsort.wording import one_line


class _Parser(argparse.ArgumentParser):
    """Shows arguments as text in its errors."""

    def error(self, message: str) -> NoReturn:
        super().error(one_line(message))


def main(arguments: list[str] | None = None) -> int:
    """Start the server with the options of the command line; return the exit code."""
    parser = _Parser(
        prog="nightsort-local aws",
        description="S3, IAM and STS by moto, and an Amazon Comprehend whose custom classifiers learn.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=4566, help="port; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--data", type=Path, help="folder that keeps buckets and classifiers across restarts")
    parser.add_argument(
        "--enforce-iam", action="store_true", help="check IAM policies for calls of S3 and Comprehend"
    )
    parser.add_argument(
        "--check-keys",
        action="store_true",
        help="check signatures; clients sign with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of this "
        "environment (default: take any access key)",
    )
    chosen = parser.parse_args(arguments)

    # Imported after the help is printed: moto takes half a second to import. The workers' imports run beside.
    from nightsort_local.local_aws.work.processes import begin_imports

    begin_imports()
    from nightsort_local.local_aws.server import serve
    from nightsort_local.local_aws.settings import SettingError

    try:
        serve(
            chosen.host,
            chosen.port,
            chosen.data,
            enforce_iam=chosen.enforce_iam,
            check_keys=chosen.check_keys,
        )
    except SettingError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: cannot serve on {chosen.host}:{chosen.port}: {one_line(str(error))}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

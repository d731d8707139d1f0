"""
``make images``: pin the public images of the compose file and the Dockerfile by the digests of their tags.

A tag may be moved to other content; a digest may not. The registry is asked through ``docker buildx
imagetools``. The tag stays in front of the digest, for people; for a newer version, write its tag and run it
again.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REPOSITORY: Final = Path(__file__).resolve().parents[1]
FILES: Final = ("docker-compose.yaml", "Dockerfile")
IMAGE: Final = re.compile(
    r"(?P<tag>\b(?P<name>apache/airflow|postgres|redis):[\w][\w.-]*)(?P<digest>@sha256:[0-9a-f]{64})?"
)
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class RegistryError(Exception):
    """The registry did not tell a digest: of which image, and why."""


def pinned(texts: Sequence[str]) -> dict[str, str]:
    """
    Return the public images as they are written, by name.

    :param texts: the texts of :data:`FILES`.
    """
    return {found["name"]: found[0] for text in texts for found in IMAGE.finditer(text)}


def registry_digest(image: str) -> str:
    """
    Ask the registry which digest a tag has now.

    :param image: name and tag.
    :returns: ``sha256:`` and 64 digits, that of the list of all platforms.
    :raises RegistryError: it could not be asked, or its answer is no digest.
    """
    command = ["docker", "buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise RegistryError(f"{image}: docker cannot be run ({error.strerror}); install it") from None
    answer = done.stdout.strip().strip("'")
    if done.returncode != 0 or not DIGEST.fullmatch(answer):
        said = (done.stderr.strip() or answer or "no answer").splitlines()[-1]
        raise RegistryError(f"{image}: the registry told no digest ({said})")
    return answer


def with_digests(text: str, digest_of: Callable[[str], str]) -> str:
    """
    Return a file's text with the current digest after each tag.

    :param text: the text.
    :param digest_of: gives the digest of an image with a tag.
    """
    return IMAGE.sub(lambda found: f"{found['tag']}@{digest_of(found['tag'])}", text)


def main(arguments: list[str] | None = None) -> int:
    """Pin the images, or print them; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deployment.image_pins", description=__doc__)
    parser.add_argument("--print", action="store_true", help="print name=image, and change nothing")
    parser.add_argument("--folder", type=Path, default=REPOSITORY, help="where the two files are")
    options = parser.parse_args(arguments)
    files = [options.folder / name for name in FILES]
    before = [file.read_text(encoding="utf-8") for file in files]
    if options.print:
        for name, image in pinned(before).items():
            print(f"{name.rpartition('/')[2]}={image}")
        return 0
    known: dict[str, str] = {}

    def digest_of(image: str) -> str:
        if image not in known:
            known[image] = registry_digest(image)
        return known[image]

    try:
        after = [with_digests(text, digest_of) for text in before]
    except RegistryError as error:
        print(f"{error}. Nothing was changed.", file=sys.stderr)
        return 1
    for file, old, new in zip(files, before, after, strict=True):
        if new != old:
            file.write_text(new, encoding="utf-8")
    for image, digest in known.items():
        print(f"{image} is {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The public images get the digests that a registry tells, and only all of them together."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deployment.image_pins import FILES, pinned

REPOSITORY = Path(__file__).parents[2]
IMAGES = ("apache/airflow", "postgres", "redis")

# Stands for a docker whose registry is out of reach here; it is asked as Docker's own program is.
DOCKER = """#!{python}
import hashlib, sys
*command, image, option, template = sys.argv[1:]
assert (command, option) == (["buildx", "imagetools", "inspect"], "--format")
assert template == "{{{{.Manifest.Digest}}}}"
if "{broken}" and image.startswith("{broken}"):
    sys.exit("ERROR: failed to resolve reference")
print("sha256:" + hashlib.sha256(("{salt}" + image).encode()).hexdigest())
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copy(REPOSITORY / name, tmp_path)
    return tmp_path


def refresh(folder: Path, salt: str = "", broken: str = "") -> subprocess.CompletedProcess[str]:
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    docker = programs / "docker"
    docker.write_text(DOCKER.format(python=sys.executable, salt=salt, broken=broken), encoding="utf-8")
    docker.chmod(0o755)
    return subprocess.run(
        [sys.executable, "-m", "deployment.image_pins", "--folder", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def texts(folder: Path) -> list[str]:
    return [(folder / name).read_text(encoding="utf-8") for name in FILES]


def test_each_image_gets_its_digest_in_every_place_and_nothing_else_changes(copy: Path) -> None:
    before = texts(copy)
    done = refresh(copy)
    assert done.returncode == 0, done.stderr
    images = pinned(texts(copy))
    assert tuple(sorted(images)) == IMAGES
    for image in images.values():
        tag, _, digest = image.partition("@sha256:")
        assert digest == hashlib.sha256(tag.encode()).hexdigest()
        assert f"{tag} is sha256:{digest}" in done.stdout
    bare = [re.sub(r"@sha256:[0-9a-f]{64}", "", text) for text in (*before, *texts(copy))]
    assert bare[:2] == bare[2:]
    # The compose file and the Dockerfile name one base.
    (base,) = {found for text in texts(copy) for found in re.findall(r"apache/airflow:[^\s}]+", text)}
    assert base == images["apache/airflow"]


def test_a_digest_that_is_there_is_replaced(copy: Path) -> None:
    refresh(copy, salt="old")
    old = texts(copy)
    refresh(copy, salt="new")
    assert [text.count("@sha256:") for text in texts(copy)] == [text.count("@sha256:") for text in old]
    assert not {*pinned(old).values()} & {*pinned(texts(copy)).values()}


@pytest.mark.parametrize("broken", IMAGES)
def test_where_the_registry_does_not_answer_nothing_is_changed(copy: Path, broken: str) -> None:
    before = texts(copy)
    done = refresh(copy, broken=broken)
    assert done.returncode == 1
    assert f"{broken}:" in done.stderr
    assert "failed to resolve reference). Nothing was changed." in done.stderr
    assert texts(copy) == before


def test_the_scan_of_ci_gets_the_images_of_the_files() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deployment.image_pins", "--print"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    printed = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert printed == {
        "airflow": pinned(texts(REPOSITORY))["apache/airflow"],
        "postgres": pinned(texts(REPOSITORY))["postgres"],
        "redis": pinned(texts(REPOSITORY))["redis"],
    }
    workflow = (REPOSITORY / ".github" / "workflows" / "checks.yaml").read_text(encoding="utf-8")
    assert {*re.findall(r"steps\.images\.outputs\.(\w+)", workflow)} == {"postgres", "redis"}
    assert "image-ref: nightsort:ci" in workflow
    assert not re.findall(r"uses: \S+@(?![0-9a-f]{40} # v)", workflow)

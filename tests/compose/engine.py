"""A Docker engine, and stand-ins for the public images: what `make compose-test` needs of the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from deployment.image_pins import pinned

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
STAND_INS = Path(__file__).parent / "stand_ins"
DEBIAN = "nightsort-stand-in-debian"
PACKAGES = "python3,python3-venv,ca-certificates,postgresql,redis-server,netbase"
START_SECONDS = 60
NEEDED = {"dockerd": "docker.io", "docker-compose": "docker-compose", "debootstrap": "debootstrap"}


def run(*command: str, **options: str | Path) -> str:
    """Run a program; return what it printed, or fail with all of it."""
    done = subprocess.run(
        command, cwd=options.get("cwd", REPOSITORY), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{(done.stdout + done.stderr)[-6000:]}"
    return done.stdout


def require_programs() -> None:
    """Say what to install where something is missing."""
    missing = sorted({package for program, package in NEEDED.items() if shutil.which(program) is None})
    assert not missing, f"install first, as root: apt-get install {' '.join(missing)}"
    assert os.geteuid() == 0, "debootstrap and dockerd need root"


def running_engine() -> Iterator[None]:
    """Use the engine that runs, or start one and stop it at the end."""
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        yield
        return
    engine = subprocess.Popen(["dockerd"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
            assert engine.poll() is None, "dockerd ended: start it by hand to see why"
            assert time.monotonic() < deadline, f"dockerd does not answer after {START_SECONDS} s"
            time.sleep(0.5)
        yield
    finally:
        engine.terminate()
        engine.wait(60)


def image_names() -> dict[str, str]:
    """The public images of the compose file, without digests, by the name of the stand-in for each."""
    images = pinned([(REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")])
    return {name.rpartition("/")[2]: image.partition("@")[0] for name, image in images.items()}


def build_stand_ins(folder: Path) -> None:
    """
    Build the stand-ins, under the names of the public images, which cannot be pulled everywhere.

    :param folder: an empty one, for a Debian that takes 700 MB.
    """
    if not run("docker", "images", "--quiet", DEBIAN).strip():
        root = folder / "debian"
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root), _mirror())
        # How this machine reaches its package index is how its containers do.
        for file in ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt"):
            if Path(file).exists():
                shutil.copyfile(file, root / file.lstrip("/"))
        archive = folder / "debian.tar"
        run("tar", "--directory", str(root), "--create", "--file", str(archive), ".")
        run("docker", "import", str(archive), DEBIAN)
    for stand_in, name in image_names().items():
        run("docker", "build", "--file", f"{stand_in}.Dockerfile", "--tag", name, ".", cwd=STAND_INS)


def _mirror() -> str:
    """This machine's own mirror of Debian, as `apt-get` knows it."""
    sites = run(
        "apt-get", "indextargets", "--format", "$(SITE)", "Codename: bookworm", "Component: main"
    ).split()
    assert sites, "apt-get knows no mirror of Debian 12 (bookworm)"
    return sites[0]

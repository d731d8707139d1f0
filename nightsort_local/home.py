"""The state folder of a local stack: data, logs, secrets and the running processes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nightsort_local.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_SHIPPED = Path(__file__).resolve().parent / "shipped"
INSTALLED = _SHIPPED.is_dir()
"""Whether this is no checkout but a wheel, which brings its own ``dags/``."""
REPOSITORY = _SHIPPED if INSTALLED else Path(__file__).resolve().parents[1]
SAMPLES = Path(__file__).resolve().parent / "samples"
"""The specs of the samples. They are no part of a deployment."""
OWN_SPECS = REPOSITORY / "include" / "classifiers"
"""The user's own specs. A wheel has no such folder."""

# Bytes of a socket's path: 107 on Linux, 103 on macOS (sun_path in sys/un.h without the final NUL).
MAX_SOCKET_PATH = 103
# The longest name of a socket: supervisord binds `<socket>.<pid>` before it renames it.
LONGEST_SOCKET_NAME = "supervisor.sock.4194304"
SHARED_FOLDER = f"/tmp/nightsort-{os.getuid()}"  # noqa: S108 - its owner and its mode are verified


def home_from_environment(environment: Mapping[str, str]) -> Path:
    """Return the state folder that ``NIGHTSORT_HOME`` names, or ``.nightsort``.

    ``.nightsort`` lies in this checkout; where a wheel is installed, in the working folder.
    """
    named = environment.get("NIGHTSORT_HOME")
    if named:
        return Path(named).expanduser().resolve()
    return (Path.cwd() if INSTALLED else REPOSITORY) / ".nightsort"


def write_private(path: Path, content: str) -> None:
    """Replace the file atomically by one that only its owner can read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    draft.replace(path)


def shared_folder() -> Path:
    """Return the short folder in ``/tmp`` that all stacks of this user share; create it if missing.

    It has the port claims, and the sockets of stacks whose own path is too long for a socket. ``TMPDIR`` is
    not used: the path must be short, and the same in every shell of the user.

    :raises StackError: the folder belongs to another user, or others can write to it.
    """
    folder = Path(SHARED_FOLDER)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise StackError(
            f"{folder} is not a folder that only you can write to: remove it, or ask its owner to remove it."
        )
    return folder


@dataclass(frozen=True)
class Secrets:
    """The passwords and keys of one home, generated once."""

    admin_password: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    fernet_key: str = field(repr=False)
    api_secret_key: str = field(repr=False)
    aws_access_key_id: str
    aws_secret_access_key: str = field(repr=False)

    @classmethod
    def generate(cls) -> Secrets:
        """Generate new secrets. The JWT secret has more than the 64 characters that HS512 needs."""
        return cls(
            admin_password=secrets.token_urlsafe(12),
            jwt_secret=secrets.token_hex(48),
            fernet_key=urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii"),
            api_secret_key=secrets.token_hex(32),
            aws_access_key_id=f"LOCAL{secrets.token_hex(8).upper()}",
            aws_secret_access_key=secrets.token_urlsafe(30),
        )


@dataclass
class State:
    """The state that `up` saves for later commands."""

    slot: int | None = None
    api_port: int | None = None
    aws_port: int | None = None
    supervisor_pid: int | None = None
    supervisor_started: float | None = None
    """Creation time of the supervisor, in epoch seconds: pid and time together identify the process."""
    migrated_to: str | None = None
    """The Airflow version whose migrations were applied to the metadata database."""
    specs: list[str] | None = None
    dags: str | None = None
    schedules: bool | None = None


class Home:
    """Paths, state and secrets of one local stack.

    :param root: the state folder; :meth:`prepare` creates it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.logs = self.root / "logs"
        self.airflow_home = self.root / "airflow"
        self.airflow_logs = self.logs / "airflow"
        self.postgres_data = self.root / "postgres"
        self.local_aws_data = self.root / "local_aws"
        self.supervisor_configuration = self.root / "supervisord.conf"
        self.passwords_file = self.airflow_home / "passwords.json"
        self._state_file = self.root / "state.json"
        self._secrets_file = self.root / "secrets.json"

    @property
    def sockets(self) -> Path:
        """The folder of the sockets: inside the home if its path is short enough, otherwise in ``/tmp``."""
        inside = self.root / "run"
        longest = inside / "postgres" / LONGEST_SOCKET_NAME
        # PostgreSQL's clients split a host at commas into several hosts.
        if len(os.fsencode(longest)) <= MAX_SOCKET_PATH and "," not in str(inside):
            return inside
        return shared_folder() / hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]

    @property
    def postgres_socket_folder(self) -> Path:
        """The socket folder, which PostgreSQL's clients take as the host."""
        return self.sockets / "postgres"

    @property
    def supervisor_socket(self) -> Path:
        """The socket of the supervisor's commands."""
        return self.sockets / "supervisor.sock"

    def prepare(self) -> None:
        """Create the folders, readable only by their owner."""
        folders = (
            self.root,
            self.logs,
            self.airflow_home,
            self.airflow_logs,
            self.local_aws_data,
            self.sockets,
            self.postgres_socket_folder,
        )
        try:
            for folder in folders:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"Cannot create {error.filename} ({error.strerror}): "
                "set NIGHTSORT_HOME to a folder that you can write to."
            ) from error

    def exists(self) -> bool:
        """Return whether a stack was ever started here."""
        return self._state_file.exists()

    @contextlib.contextmanager
    def locked(self, report: Callable[[str], None]) -> Iterator[None]:
        """Lock this home against other commands. The kernel releases the lock when its holder dies.

        :param report: receives a text if another command has the lock.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report("waiting for another command that starts or stops this stack")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def read_state(self) -> State:
        """Return the saved state; an unreadable one counts as empty."""
        try:
            raw = json.loads(self._state_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return State()
        known = State.__dataclass_fields__
        return State(**{key: value for key, value in raw.items() if key in known})

    def write_state(self, state: State) -> None:
        """Save the state for later commands."""
        write_private(self._state_file, json.dumps(asdict(state), indent=2) + "\n")

    def secrets(self) -> Secrets:
        """Return this home's secrets; generate those that it lacks. Update Airflow's password file."""
        try:
            text = self._secrets_file.read_text(encoding="utf-8") if self._secrets_file.exists() else "{}"
            found = json.loads(text)
            stored = Secrets(**{**asdict(Secrets.generate()), **found})
            if asdict(stored) != found:
                write_private(self._secrets_file, json.dumps(asdict(stored), indent=2) + "\n")
        except (TypeError, ValueError) as error:
            raise StackError(
                f"{self._secrets_file} cannot be read: run `make clean`, then start again."
            ) from error
        passwords = json.dumps({"admin": stored.admin_password}) + "\n"
        if not self.passwords_file.exists() or self.passwords_file.read_text(encoding="utf-8") != passwords:
            write_private(self.passwords_file, passwords)
        return stored

    def remove(self) -> None:
        """Delete everything, including the data; the stack must be down."""
        for folder in (self.sockets, self.root):
            if folder.exists():
                shutil.rmtree(folder)

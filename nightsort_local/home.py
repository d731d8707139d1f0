"""The folder that holds all that one local stack keeps: data, logs, secrets and what is running now."""

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
    from collections.abc import Iterator, Mapping

_SHIPPED = Path(__file__).resolve().parent / "shipped"
INSTALLED = _SHIPPED.is_dir()
"""Whether this is no checkout but a wheel, which brings its own ``dags/`` and ``include/classifiers/``."""
REPOSITORY = _SHIPPED if INSTALLED else Path(__file__).resolve().parents[1]
SPECS = REPOSITORY / "include" / "classifiers"
"""The specs of the samples."""

# A socket's path may have 107 bytes on Linux and 103 on macOS (sun_path in sys/un.h, less the closing NUL).
MAX_SOCKET_PATH = 103
# The longest name that is ever bound: supervisord binds `<socket>.<pid>` before it renames it.
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
    """Replace the file at once by one that nobody but its owner may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    draft.replace(path)


def shared_folder() -> Path:
    """Return the short folder in ``/tmp`` that all stacks of this user share; it is created when missing.

    It holds the port claims, and the sockets of stacks whose own path is too long for a socket.
    ``TMPDIR`` is not asked: the folder has to be short, and the same for every shell of the user.
    """
    folder = Path(SHARED_FOLDER)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise StackError(f"{folder} is not a folder of yours alone: remove it, or have its owner remove it.")
    return folder


@dataclass(frozen=True)
class Secrets:
    """The passwords and keys of one home, generated once."""

    admin_password: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    fernet_key: str = field(repr=False)
    api_secret_key: str = field(repr=False)

    @classmethod
    def generate(cls) -> Secrets:
        """Draw new ones; the JWT secret has the 64 characters that HS512 asks for."""
        return cls(
            admin_password=secrets.token_urlsafe(12),
            jwt_secret=secrets.token_hex(48),
            fernet_key=urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii"),
            api_secret_key=secrets.token_hex(32),
        )


@dataclass
class State:
    """What one `up` leaves for the next command."""

    slot: int | None = None
    api_port: int | None = None
    aws_port: int | None = None
    supervisor_pid: int | None = None
    supervisor_started: float | None = None
    """Creation time of the supervisor, seconds since the epoch: pid and time together name one process."""
    migrated_to: str | None = None
    """The Airflow version whose migrations the metadata database has had."""
    specs: list[str] | None = None
    dags: str | None = None
    schedules: bool | None = None


class Home:
    """Paths, state and secrets of one local stack.

    :param root: the state folder; it is created by :meth:`prepare`, not before.
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
        """The folder of the sockets: inside the home where its path will do, else in ``/tmp``."""
        inside = self.root / "run"
        longest = inside / "postgres" / LONGEST_SOCKET_NAME
        # PostgreSQL's clients read a comma in a host as the end of the first of several.
        if len(os.fsencode(longest)) <= MAX_SOCKET_PATH and "," not in str(inside):
            return inside
        return shared_folder() / hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]

    @property
    def postgres_socket_folder(self) -> Path:
        """The folder that PostgreSQL's clients call the host."""
        return self.sockets / "postgres"

    @property
    def supervisor_socket(self) -> Path:
        """The socket on which the supervisor takes commands."""
        return self.sockets / "supervisor.sock"

    def prepare(self) -> None:
        """Create the folders, readable by their owner alone."""
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
                "set NIGHTSORT_HOME to a folder that you may write to."
            ) from error

    def exists(self) -> bool:
        """Whether a stack was ever brought up here."""
        return self._state_file.exists()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other command off this home; the kernel lets go of the lock when its holder dies."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def read_state(self) -> State:
        """Return what the last command left; a state that cannot be read counts as none."""
        try:
            raw = json.loads(self._state_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return State()
        known = State.__dataclass_fields__
        return State(**{key: value for key, value in raw.items() if key in known})

    def write_state(self, state: State) -> None:
        """Leave the state for the next command."""
        write_private(self._state_file, json.dumps(asdict(state), indent=2) + "\n")

    def secrets(self) -> Secrets:
        """Return this home's secrets, drawn the first time, and keep Airflow's password file in step."""
        try:
            kept = Secrets(**json.loads(self._secrets_file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            kept = Secrets.generate()
            write_private(self._secrets_file, json.dumps(asdict(kept), indent=2) + "\n")
        except (TypeError, ValueError) as error:
            raise StackError(
                f"{self._secrets_file} cannot be read: run `make clean`, then start anew."
            ) from error
        passwords = json.dumps({"admin": kept.admin_password}) + "\n"
        if not self.passwords_file.exists() or self.passwords_file.read_text(encoding="utf-8") != passwords:
            write_private(self.passwords_file, passwords)
        return kept

    def remove(self) -> None:
        """Delete everything, data included; the stack must be down."""
        for folder in (self.sockets, self.root):
            if folder.exists():
                shutil.rmtree(folder)

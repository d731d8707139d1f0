"""The server: assemble the parts, run until a signal, shut down in order."""

from __future__ import annotations

import ipaddress
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.serving import make_server

from nightsort_local.local_aws import settings as settings_module
from nightsort_local.local_aws.account import ACCOUNT_ID
from nightsort_local.local_aws.account_quotas import add_comprehend_quotas
from nightsort_local.local_aws.application import Application
from nightsort_local.local_aws.autoscaling.service import AutoScaling
from nightsort_local.local_aws.browser_guard import BrowserGuard
from nightsort_local.local_aws.cloudwatch import provide_metrics
from nightsort_local.local_aws.comprehend.behaviour import Behaviour
from nightsort_local.local_aws.comprehend.endpoint_metrics import EndpointMetrics
from nightsort_local.local_aws.comprehend.service import Comprehend
from nightsort_local.local_aws.comprehend.store import Store
from nightsort_local.local_aws.control.control_pages import ControlPages
from nightsort_local.local_aws.control.request_faults import RequestFaults
from nightsort_local.local_aws.faults.fault_plan import FaultPlan
from nightsort_local.local_aws.http_handler import PersistentConnectionHandler
from nightsort_local.local_aws.older_state import take_over
from nightsort_local.local_aws.permissions.authentication import Authentication
from nightsort_local.local_aws.permissions.data_access import assume_data_access_role, create_sample_role
from nightsort_local.local_aws.permissions.enforcement import Enforcement, enforced_by
from nightsort_local.local_aws.permissions.kept_identities import KeptIdentities
from nightsort_local.local_aws.permissions.simulator import complete_iam
from nightsort_local.local_aws.s3.kept_buckets import KeptBuckets
from nightsort_local.local_aws.s3.moto_s3 import keep_bodies_in
from nightsort_local.local_aws.s3.object_bodies import BodyFolder
from nightsort_local.local_aws.settings import Settings
from nightsort_local.local_aws.state_file import StateFile
from nightsort_local.local_aws.work.tasks import Credentials
from nightsort_local.local_aws.work.workers import WorkerPool

if TYPE_CHECKING:
    from nightsort_local.local_aws.work.tasks import Task

log = logging.getLogger(__name__)

READY = "The local AWS is ready: "
"""Start of the line that is printed when the server is ready; its URL follows."""

LARGE_OBJECT = 1 << 20
"""Bytes. Without a data folder, only objects of at least this size are kept in files."""


class LocalAws:
    """One server with its workers and its folder.

    :param host: the address to listen on.
    :param port: the port; 0 takes a free one.
    :param data: the folder for everything that survives a restart; None uses a temporary folder.
    :param enforce_iam: whether to check IAM policies; the environment can switch this on, too.
    :param check_keys: whether to check signatures; the environment can switch this on, too.
    """

    def __init__(
        self,
        host: str,
        port: int,
        data: Path | None = None,
        *,
        enforce_iam: bool = False,
        check_keys: bool = False,
    ) -> None:
        # Settings are read first: an invalid one must leave no folder and no process behind.
        number_of_workers = settings_module.workers(os.environ)
        min_documents = settings_module.min_documents_per_label(os.environ)
        hosts = [*settings_module.hosts(os.environ), *([host.lower()] if host else [])]
        behaviour = Behaviour.from_environment(os.environ)
        faults = FaultPlan.from_environment(os.environ)
        self._enforces_iam = enforce_iam or enforced_by(os.environ)
        self._key = settings_module.own_key(os.environ, checked=check_keys)
        self._is_open = self._key is None and not _is_loopback(host)
        listener = socket.create_server((host, port), backlog=128)
        if data is not None:
            data.mkdir(parents=True, exist_ok=True)
        self._state = StateFile(None if data is None else data / "state.sqlite")
        folder = data if data is not None else Path(tempfile.mkdtemp(prefix="nightsort-aws-"))
        # Without a data folder, everything is temporary.
        self._temporary = folder if data is None else data / "temporary"
        if data is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
        models, objects = folder / "models", folder / "objects"
        for path in (models, objects, self._temporary):
            path.mkdir(parents=True, exist_ok=True)
        bodies = BodyFolder(objects, min_file_size=0 if data is not None else LARGE_OBJECT)
        keep_bodies_in(bodies)
        complete_iam(enforced=self._enforces_iam)
        add_comprehend_quotas()
        buckets, identities = KeptBuckets(self._state, bodies), KeptIdentities(self._state)
        buckets.restore()
        identities.restore()
        take_over(folder, self._state, bodies, buckets)
        bodies.remove_unused()
        if not self._enforces_iam:
            create_sample_role()
        self._store = Store(self._state)
        self._faults = faults
        self._workers = WorkerPool(number_of_workers, self._temporary, self._prepare, faults.has)
        self.url = f"http://{_reachable(host)}:{listener.getsockname()[1]}"
        settings = Settings(self.url, models, min_documents)
        metrics = EndpointMetrics(self._state)
        provide_metrics(metrics, self._store)
        self._comprehend = Comprehend(self._store, self._workers, settings, behaviour, metrics)
        self._scaling = AutoScaling(self._state, self._store, self._comprehend, metrics, behaviour)
        control = ControlPages(self._health, behaviour, faults, on_clear=self._workers.release)
        application = Application(
            self._comprehend,
            self._scaling,
            bodies,
            control,
            buckets,
            identities,
            Authentication(*self._key) if self._key else None,
            Enforcement(self._key[0] if self._key else None) if self._enforces_iam else None,
        )
        with listener:
            self._server = make_server(
                host,
                port,
                BrowserGuard(RequestFaults(application, faults), hosts),
                threaded=True,
                request_handler=PersistentConnectionHandler,
                fd=listener.fileno(),
            )
        self._ended = threading.Event()

    def run(self) -> None:
        """Serve until :meth:`stop` is called."""
        server = threading.Thread(target=self._server.serve_forever, name="server", daemon=True)
        server.start()
        self._comprehend.resume()
        self._scaling.resume()
        keys = "checks signatures" if self._key else "takes any access key"
        print(f"{READY}{self.url} (account {ACCOUNT_ID}; {keys})", flush=True)
        if self._is_open:
            log.warning("Whoever reaches this address can read and change everything here: --check-keys.")
        self._ended.wait()
        self._server.shutdown()
        self._workers.close()
        self._comprehend.close()
        # Timers hold this lock while they change a resource.
        with self._store.lock:
            self._state.close()
            shutil.rmtree(self._temporary, ignore_errors=True)

    def stop(self) -> None:
        """Make :meth:`run` end."""
        self._ended.set()

    def _prepare(self, arn: str, task: Task) -> Task:
        task = replace(task, faults=self._faults.strike_work(task.resource, task.name))
        if not self._enforces_iam:
            return task if self._key is None else replace(task, credentials=Credentials(*self._key, ""))
        with self._store.lock:
            properties = self._store.get(arn, task.region).shown()
        return replace(task, credentials=assume_data_access_role(properties, arn))

    def _health(self) -> dict[str, Any]:
        return {"status": "ok", "account": ACCOUNT_ID, "workers": self._workers.size, "pid": os.getpid()}


def serve(
    host: str, port: int, data: Path | None, *, enforce_iam: bool = False, check_keys: bool = False
) -> None:
    """Run a server until SIGTERM or SIGINT."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    server = LocalAws(host, port, data, enforce_iam=enforce_iam, check_keys=check_keys)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    server.run()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reachable(host: str) -> str:
    # A client cannot connect to the wildcard address.
    return "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104

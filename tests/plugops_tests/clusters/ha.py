# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three app servers and nginx before them on real hosts, and a client that asks through nginx without pause."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from plugops_tests.hosts import cluster, names
from plugops_tests.support import compiling
from plugops_tests.support.playbooks import REPOSITORY, Run, clean_environment, program, run_playbook

APPS = ("app1", "app2", "app3")
BALANCER = "lb1"
PORT = 8080
SHARED = "/srv/shared"
PACE = 0.01  # seconds between two requests of one thread: the app servers share this machine
HOOKS = REPOSITORY / "molecule" / "resources" / "hooks"


@dataclass(frozen=True)
class HaCluster:
    """The hosts app1 to app3 and lb1; :meth:`install` puts servers on them.

    :param place: a directory for bundles and releases
    """

    place: Path
    state_dir: Path
    addresses: Dict[str, str]

    @property
    def inventory(self) -> Path:
        return self.place / "inventory"

    @property
    def controller(self) -> str:
        """The address of this machine in the hosts' network."""
        return ".".join([*self.addresses[BALANCER].split(".")[:3], "1"])

    @property
    def control_path_dir(self) -> Path:
        """Where Ansible keeps its connections open."""
        return names.control_path_dir(names.cluster_id(self.state_dir))

    def veth(self, host: str) -> str:
        """This machine's end of the cable to a host."""
        return names.veth(names.cluster_id(self.state_dir), list(self.addresses).index(host) + 1)

    def install(self, release: Path, shared: bool, data_source: str = "", local_mode: bool = True) -> None:
        """Servers of a release, whatever was there before, in front of an empty filestore."""
        variables = {
            "ha_release": str(release),
            "ha_filestore": f"{SHARED}/{release.stem}-{time.time_ns()}" if shared else "/opt/mattermost/data",
            "ha_data_source": data_source,
            "ha_local_mode": local_mode,
        }
        run_playbook("molecule/resources/ha.yml", self.inventory, variables)
        for host in APPS:
            self.wait_answer(host)

    def site(self, plugins: Sequence[Dict[str, Any]], *options: str, may_fail: bool = False, **variables: Any) -> Run:
        """site.yml with the hooks of the load balancer."""
        wanted = self.wanted(plugins, **variables)
        return run_playbook("playbooks/site.yml", self.inventory, wanted, options, may_fail)

    def rollback(self) -> Run:
        """rollback.yml with the hooks of the load balancer."""
        return run_playbook("playbooks/rollback.yml", self.inventory, self.wanted([]))

    def sent(self, host: str) -> int:
        """Bytes that this machine has sent to a host, as the kernel counts them at the cable."""
        return int(Path(f"/sys/class/net/{self.veth(host)}/statistics/tx_bytes").read_text())

    def wanted(self, plugins: Sequence[Dict[str, Any]], **variables: Any) -> Dict[str, Any]:
        return {
            "mattermost_plugins": list(plugins),
            "mattermost_drain_tasks": str(HOOKS / "drain.yml"),
            "mattermost_undrain_tasks": str(HOOKS / "undrain.yml"),
            **variables,
        }

    def start_site(self, plugins: Sequence[Dict[str, Any]], output: Path, **variables: Any) -> subprocess.Popen[bytes]:
        """site.yml as a process, for tests that do something to it meanwhile."""
        given = output.with_suffix(".json")
        given.write_text(json.dumps(self.wanted(plugins, **variables)))
        command = [program("ansible-playbook"), "-i", str(self.inventory), "-e", f"@{given}", "playbooks/site.yml"]
        with output.open("wb") as out:
            return subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ssh(self, host: str, command: str, check: bool = True) -> str:
        """As root, outside of all modules."""
        argv = ["ssh", "-F", str(self.state_dir / "ssh_config"), "-l", "root", host, command]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{host}: {command}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def get(self, host: str, path: str, port: int = 8065) -> Tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.addresses[host], port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def wait_answer(self, host: str, timeout: float = 120) -> None:
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get(host, "/api/v4/system/ping")[0] == 200:
                    return
            if time.monotonic() > deadline:
                raise AssertionError(f"{host} does not answer\n{self.ssh(host, 'journalctl -u mattermost -n 30')}")
            time.sleep(0.1)

    def running(self, host: str) -> Dict[str, str]:
        """Id -> version of the plugins that a host's server hands to browsers, as a browser asks."""
        status, body = self.get(host, "/api/v4/plugins/webapp")
        return {item["id"]: item["version"] for item in json.loads(body)} if status == 200 else {}


@contextlib.contextmanager
def ha_cluster() -> Iterator[HaCluster]:
    """Start the hosts, take them down afterwards."""
    with tempfile.TemporaryDirectory(prefix="plugops-ha-") as directory:
        place = Path(directory)
        place.chmod(0o755)
        shared = place / "shared"
        shared.mkdir()
        shared.chmod(0o777)
        state_dir = place / "cluster"
        bind = (f"{shared}:{SHARED}", *compiling.on_hosts())
        wanted = cluster.Wanted((*APPS, BALANCER), "bookworm", "test_hosts", "deploy", (), bind)
        try:
            state, _ = cluster.up(state_dir, wanted)
            _write_inventory(place / "inventory", state_dir)
            yield HaCluster(place, state_dir, state.addresses)
        finally:
            cluster.down(state_dir)


def _write_inventory(directory: Path, state_dir: Path) -> None:
    directory.mkdir()
    (directory / "hosts.yml").symlink_to(state_dir / "inventory.yml")
    groups = {"mattermost_app_servers": {"hosts": dict.fromkeys(APPS)}, "load_balancers": {"hosts": {BALANCER: None}}}
    (directory / "groups.yml").write_text(json.dumps(groups))


@dataclass
class Client:
    """Asks through the load balancer from several threads, all the time, while a block runs.

    A request has failed when no Mattermost has answered it, or one with a status of its own distress.
    """

    address: str
    failures: List[str] = field(default_factory=list)
    requests: int = 0
    slowest: float = 0.0
    _threads: List[threading.Thread] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    KINDS = (
        ("GET", "/api/v4/system/ping", None, {200}),
        ("GET", "/api/v4/plugins/webapp", None, {200}),
        # Not to be sent twice: nginx does not try another app server with it.
        ("POST", "/api/v4/users/login", b'{"login_id": "nobody", "password": "none"}', {400, 401}),
    )

    def __enter__(self) -> Client:
        for kind in self.KINDS:
            thread = threading.Thread(target=self._ask, args=kind)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, method: str, path: str, body: Optional[bytes], good: Any) -> None:
        while not self._end.wait(PACE):
            started = time.monotonic()
            found = self._one(method, path, body)
            seconds = time.monotonic() - started
            with self._lock:
                self.requests += 1
                self.slowest = max(self.slowest, seconds)
                if found not in {f"{status} by Mattermost" for status in good}:
                    self.failures.append(f"{method} {path}: {found} after {seconds:.2f} s")

    def _one(self, method: str, path: str, body: Optional[bytes]) -> str:
        connection = http.client.HTTPConnection(self.address, PORT, timeout=30)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            answer.read()
            return f"{answer.status} by {'Mattermost' if answer.headers.get('X-Version-Id') else 'another'}"
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        finally:
            connection.close()

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml over app servers that are plain directories: in which batches, and what it does where a hook fails."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from plugops_tests.sandbox.app_server import NAMES, NEW, PLUGIN_ID, VERSION, AppServer, make_sandbox, remove_sandbox
from plugops_tests.support.playbooks import REPOSITORY, Run, clean_environment, program, run_playbook

PLAY = "PLAY [Change one app server after another]"
PUT_BACK = "PLAY [Undo the change on all app servers after a failure]"
SUMS = "find . -type f -path '*/plugins/*' -printf '%p %m ' -exec sha256sum {} ';' | sort"


@dataclass(frozen=True)
class Cluster:
    """App servers that are not as wanted."""

    place: Path
    servers: List[AppServer]

    def site(self, in_inventory: Dict[str, Any], *options: str, may_fail: bool = False) -> Run:
        return run_playbook("playbooks/site.yml", self.inventory(in_inventory), {}, options, may_fail)

    def start_site(self, in_inventory: Dict[str, Any], output: Path) -> subprocess.Popen[bytes]:
        """As a process, for what is done meanwhile."""
        command = [program("ansible-playbook"), "-i", str(self.inventory(in_inventory)), "playbooks/site.yml"]
        with output.open("wb") as out:
            return subprocess.Popen(
                command, cwd=REPOSITORY, env=clean_environment(), stdout=out, stderr=out, start_new_session=True
            )

    def inventory(self, more: Dict[str, Any]) -> Path:
        group = {
            "hosts": {server.name: {"mattermost_root": str(server.root)} for server in self.servers},
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                "ansible_remote_tmp": str(self.place / "tmp"),
                "mattermost_become": False,
                "mattermost_server_version": VERSION,
                "mattermost_plugins": [{"src": str(self.place / f"sandbox/bundles/{PLUGIN_ID}-{NEW}.tar.gz")}],
                **more,
            },
        }
        inventory = self.place / f"inventory-{time.monotonic_ns()}.json"
        inventory.write_text(json.dumps({"mattermost_app_servers": group}))
        return inventory

    def locks(self) -> List[Path]:
        """The records of run locks on the app servers."""
        return [path for server in self.servers for path in server.root.rglob("run-lock.json")]

    def sums(self) -> Dict[str, str]:
        """Path, mode and SHA-256 of every file of every plugin, by app server, as other programs see them."""
        return {
            server.name: subprocess.run(
                SUMS, shell=True, cwd=server.install_dir, capture_output=True, text=True, check=True
            ).stdout
            for server in self.servers
        }


two_app_servers = pytest.mark.parametrize("cluster", [("app1", "app2")], indirect=True, ids=["two"])


@pytest.fixture
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """Of three app servers, or of those that a test names."""
    tmp_path.chmod(0o755)
    sandbox = tmp_path / "sandbox"
    try:
        yield Cluster(tmp_path, make_sandbox(sandbox, names=getattr(request, "param", NAMES)))
    finally:
        remove_sandbox(sandbox)


@pytest.mark.parametrize(
    ("in_inventory", "options", "batches"),
    [
        ({"mattermost_rolling_batch": 2}, [], 2),
        pytest.param({"mattermost_rolling_batch": "100%"}, [], 1, marks=pytest.mark.matrix),
        pytest.param(
            {"mattermost_rolling_batch": 1}, ["-e", "mattermost_rolling_batch=3"], 1, marks=pytest.mark.matrix
        ),
        pytest.param({"mattermost_rolling_batch": 3}, ["--limit", "app2"], 1, marks=pytest.mark.matrix),
    ],
)
def test_the_inventory_says_how_many_at_a_time(
    cluster: Cluster, in_inventory: Dict[str, Any], options: List[str], batches: int
) -> None:
    run = cluster.site(in_inventory, "--check", *options)
    assert run.output.count(PLAY) == batches


def test_all_are_restored_where_the_operator_says_so(cluster: Cluster) -> None:
    before = cluster.sums()
    drain = cluster.place / "drain.yml"
    fails = {"name": "Not this one", "ansible.builtin.assert": {"that": "inventory_hostname != 'app3'"}}
    drain.write_text(json.dumps([fails]))
    run = cluster.site({"mattermost_drain_tasks": str(drain), "mattermost_rollback_on_failure": "all"}, may_fail=True)
    assert run.returncode == 2
    assert run.output.count(PLAY) == 3, "by default one app server is changed after another"
    assert run.output.count(PUT_BACK) == 2
    last = run.tasks[-1]
    assert last["host"] == "app3"
    for words in ("(task: Not this one)", "Nothing was changed", "Had the change and were restored: app1, app2."):
        assert words in last["result"]["msg"]
    assert cluster.sums() == before
    assert cluster.locks() == []


@two_app_servers
def test_one_that_stayed_out_of_service_is_put_into_it_by_the_next_run(cluster: Cluster) -> None:
    undrain, seen = cluster.place / "undrain.yml", cluster.place / "seen"
    place = f"{seen}-{{{{ inventory_hostname }}}}"
    note = {"name": "It is used", "ansible.builtin.file": {"path": place, "state": "directory", "mode": "0755"}}
    undrain.write_text(json.dumps([{"name": "The load balancer is away", "ansible.builtin.fail": {}}]))
    hook = {"mattermost_undrain_tasks": str(undrain)}
    run = cluster.site(hook, may_fail=True)
    assert run.returncode == 2
    assert "It is still out of service." in run.tasks[-1]["result"]["msg"]
    assert len(cluster.locks()) == 1
    undrain.write_text(json.dumps([note]))
    refused = cluster.site({**hook, "mattermost_drain_tasks": "/no/such/file"}, may_fail=True)
    assert refused.returncode == 2
    assert len(cluster.locks()) == 1, "what the first run has left to do is forgotten"
    again = cluster.site(hook)
    assert sorted(path.name for path in cluster.place.glob("seen-*")) == ["seen-app1", "seen-app2"]
    assert cluster.locks() == []
    assert not [line for line in again.changed() if "app1" in line and "Ensure the plugins" in line]
    assert cluster.site(hook).changed() == []


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.02)


@two_app_servers
def test_two_runs_at_once(cluster: Cluster) -> None:
    """The second is refused and told who is at work; or it waits, looks again and finds nothing left to do."""
    end, begun, drain = cluster.place / "end", cluster.place / "begun", cluster.place / "drain.yml"
    begin = {"name": "It has begun", "ansible.builtin.file": {"path": str(begun), "state": "directory", "mode": "0755"}}
    wait = {"name": "Until the test says so", "ansible.builtin.wait_for": {"path": str(end), "sleep": 1}}
    drain.write_text(json.dumps([begin, wait]))
    hook = {"mattermost_drain_tasks": str(drain)}
    outputs = [cluster.place / "first.log", cluster.place / "second.log"]
    started = [cluster.start_site(hook, outputs[0])]
    try:
        wait_until(begun.exists, started[0], outputs[0])
        refused = cluster.site(hook, may_fail=True)
        assert refused.returncode == 2
        message = refused.tasks[-1]["result"]["msg"]
        for words in (
            "No app server was changed",
            f"(process {started[0].pid})",
            "since 20",
            "mattermost_lock_timeout",
        ):
            assert words in message, message
        started.append(cluster.start_site({**hook, "mattermost_lock_timeout": 300}, outputs[1]))
        task = "TASK [plugops.mattermost.app_server : Acquire the run lock]"
        wait_until(lambda: task in outputs[1].read_text(), started[1], outputs[1])
        end.touch()
        assert [process.wait(timeout=300) for process in started] == [0, 0], outputs[1].read_text()
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    second = outputs[1].read_text()
    assert "changed: [app1]" not in second.partition(PLAY)[2].partition("PLAY [Release the run locks]")[0], second
    assert cluster.locks() == []

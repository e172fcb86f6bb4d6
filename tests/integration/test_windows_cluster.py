# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One inventory, one site.yml: Linux app servers and a Windows one whose service runs in the wrong directory.

The Windows one is the official NSSM under wine behind a real sshd, and what NSSM starts there is the stand-in server,
in the directory that NSSM says: its plugin system fails to start in the wrong one, as Mattermost's does.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from plugops_tests.clusters import broken as cluster
from plugops_tests.clusters.artifacts import plugin_ids
from plugops_tests.clusters.broken import TestCluster
from plugops_tests.sandbox.app_server import NEW, PLUGIN_ID, VERSION, make_sandbox, remove_sandbox
from plugops_tests.standin.release import build_release
from plugops_tests.support.playbooks import Run, run_playbook
from plugops_tests.windows import machine as machines
from plugops_tests.windows.machine import INSTALL_DIR, MATTERMOST, Machine
from plugops_tests.windows.server import WindowsServer, install
from plugops_tests.windows.wine import wait_for

pytestmark = pytest.mark.slow

WRONG = rf"{INSTALL_DIR}\bin"
PLUGINS_RUN = {PLUGIN_ID: NEW}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    missing = machines.missing()
    if missing:
        pytest.skip(f"no Windows machines here: {'; '.join(missing)}")
    with machines.running(machines.template()) as found:
        yield found


@dataclass(frozen=True)
class Mixed:
    """A sandbox app1, and win1."""

    inventory: Path
    server: WindowsServer
    bundle: Path

    def play(self, playbook: str, *options: str, may_fail: bool = False, **variables: Any) -> Run:
        given = {"mattermost_plugins": [{"src": str(self.bundle)}], **variables}
        return run_playbook(f"playbooks/{playbook}.yml", self.inventory, given, options, may_fail)


@pytest.fixture(scope="module")
def mixed(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixed]:
    directory = tmp_path_factory.mktemp("mixed")
    directory.chmod(0o755)
    sandbox = directory / "sandbox"
    try:
        (app1,) = make_sandbox(sandbox, names=["app1"])
        server = install(machine, build_release(VERSION, directory))
        linux = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "mattermost_root": str(app1.root),
            "mattermost_server_version": VERSION,
            "mattermost_become": False,
        }
        windows = {**server.variables(), "mattermost_install_dir": INSTALL_DIR}
        inventory = {
            "mattermost_app_servers": {
                "hosts": {"app1": linux},
                "children": {"mattermost_windows_servers": {"hosts": {"win1": windows}}},
                "vars": {
                    "ansible_remote_tmp": str(directory / "tmp"),
                    "mattermost_controller_state_dir": str(directory / "state"),
                    "mattermost_plugin_settings": {"EnableUploads": True},
                    "mattermost_health_timeout": 30,
                },
            }
        }
        path = directory / "inventory.json"
        path.write_text(json.dumps(inventory))
        yield Mixed(path, server, sandbox / "bundles" / f"{PLUGIN_ID}-{NEW}.tar.gz")
    finally:
        remove_sandbox(sandbox)


def changed_on(run: Run, host: str) -> List[str]:
    return [change.rpartition(" : ")[2] for change in run.changed() if change.startswith(f"{host}:")]


def test_a_mixed_cluster_converges(mixed: Mixed) -> None:
    """site.yml mends the service, and the plugins after it; then there is nothing to do."""
    machine, server = mixed.server.machine, mixed.server
    assert (machine.runs_in(), server.plugins()) == (WRONG, 501)

    done = mixed.play("site")
    assert {change.partition(":")[0] for change in done.changed()} == {"app1", "win1"}
    assert (machine.app_directory(MATTERMOST), machine.runs_in()) == (INSTALL_DIR, INSTALL_DIR)
    assert server.plugins() == PLUGINS_RUN
    assert mixed.play("site").changed() == []


def test_the_audit_tells_what_is_wrong_there(mixed: Mixed, tmp_path: Path) -> None:
    """Of the service by NSSM, of the plugin by the API; site.yml has made it right before."""
    machine = mixed.server.machine
    machine.stop_service()
    machine.write_app_directory(MATTERMOST, WRONG)
    try:
        run = mixed.play("audit", "--limit=win1", may_fail=True, mattermost_audit_directory=str(tmp_path))
    finally:
        machine.write_app_directory(MATTERMOST, INSTALL_DIR)
        machine.start_service()
        wait_for(mixed.server.answers, "the server")
    found = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert [item["code"] for item in found["findings"]] == ["service-not-running", "working-directory-wrong"], (
        run.output
    )
    assert (run.returncode, run.changed()) == (2, [])
    assert mixed.play("rollback", "--limit=win1", may_fail=True).returncode == 2


def test_a_host_that_cannot_be_reached_stops_the_run_although_its_api_answers(mixed: Mixed) -> None:
    run = mixed.play("site", "--limit=win1", may_fail=True, ansible_port=1)
    assert "it cannot be reached" in run.tasks[-1]["result"]["msg"], run.output
    assert (run.returncode, run.changed()) == (2, [])


def test_wanted_plugins_without_an_address_are_refused(mixed: Mixed) -> None:
    """Before anything changes. Nothing else of such an app server is known but its service."""
    run = mixed.play("site", "--limit=win1", may_fail=True, mattermost_api_url="")
    assert "mattermost_api_url is not set" in run.tasks[-1]["result"]["msg"], run.output
    assert (run.returncode, run.changed()) == (2, [])


@pytest.mark.matrix
def test_a_setting_that_needs_a_restart_gets_it_from_nssm(mixed: Mixed) -> None:
    """The settings go through the API; the plugin then lies, and runs, in the new directory."""
    machine = mixed.server.machine
    before = machine.server()
    assert before is not None
    wanted = {"EnableUploads": True, "Directory": "./more-plugins"}
    run = mixed.play("site", "--limit=win1", mattermost_plugin_settings=wanted)
    after = machine.server()
    assert after is not None
    assert after.pid != before.pid, run.output
    assert mixed.server.settings()["Directory"] == "./more-plugins"
    assert (mixed.server.place / "more-plugins" / PLUGIN_ID).is_dir()
    assert mixed.server.plugins() == PLUGINS_RUN


def ssh(hosts: TestCluster, name: str, command: str) -> str:
    argv = ["ssh", "-F", str(hosts.ssh_config), "-l", "root", name, command]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout.strip()


ASK = (
    'python3 -c "import urllib.request as u; '
    "print(u.urlopen('http://127.0.0.1:8065/api/v4/plugins/webapp').read().decode())\""
)


@pytest.mark.matrix
@pytest.mark.hosts
def test_two_linux_hosts_and_a_windows_host_converge_in_one_run(tmp_path: Path) -> None:
    """Real ones: systemd and NSSM each start a server in the wrong directory, and one site.yml mends all three."""
    missing = [*machines.missing(), *cluster.missing()]
    if missing:
        pytest.skip(f"no such hosts here: {'; '.join(missing)}")
    names = ("app1", "app2")
    with machines.running(machines.template()) as machine, cluster.broken_cluster(2, names=names) as hosts:
        server = install(machine, hosts.artifacts / f"mattermost-{cluster.VERSION}.tar.gz")
        windows = {**server.variables(), "ansible_become": False, "mattermost_install_dir": INSTALL_DIR}
        inventory = tmp_path / "windows.json"
        group = {"children": {"mattermost_windows_servers": {"hosts": {"win1": windows}}}}
        inventory.write_text(json.dumps({"mattermost_app_servers": group}))
        wanted = {**hosts.wanted(2), "mattermost_controller_state_dir": str(tmp_path / "state")}

        def play(playbook: str, *options: str) -> Run:
            given = ["-i", str(inventory), *options]
            return run_playbook(f"playbooks/{playbook}.yml", hosts.inventory, wanted, given)

        before = machine.registry(MATTERMOST)
        assert (machine.runs_in(), server.plugins()) == (WRONG, 501)
        plan = play("plan")
        assert "win1: 3 to change, and a restart" in plan.output
        assert "service.AppDirectory:" in plan.output
        assert rf"directories.{INSTALL_DIR}\client\plugins" in plan.output.replace("\\\\", "\\")
        assert "known once the service runs (plugins): the server's plugin system is off" in plan.output
        checked = play("site", "--check")
        assert changed_on(checked, "win1") == [
            "Ensure the plugin directories",
            "Ensure the AppDirectory of the service",
            "Restart or start the service",
        ]
        assert (machine.registry(MATTERMOST), machine.runs_in()) == (before, WRONG)

        done = play("site")
        order = [task["host"] for task in done.tasks if task["task"].endswith(" : Mark the change as started")]
        assert order == [*names, "win1"]
        assert (machine.app_directory(MATTERMOST), machine.runs_in()) == (INSTALL_DIR, INSTALL_DIR)
        running = dict.fromkeys(plugin_ids(2), NEW)
        assert server.plugins() == running
        for name in names:
            assert {item["id"]: item["version"] for item in json.loads(ssh(hosts, name, ASK))} == running
        pids = [ssh(hosts, name, "systemctl show -p MainPID --value mattermost") for name in names]
        program = machine.server()
        assert play("site").changed() == []
        assert [ssh(hosts, name, "systemctl show -p MainPID --value mattermost") for name in names] == pids
        assert machine.server() == program

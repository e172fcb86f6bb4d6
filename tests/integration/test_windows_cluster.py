"""One inventory, one site.yml: Linux app servers and a Windows one whose service runs in the wrong directory.

The Windows one is the official NSSM under wine behind a real sshd, and what NSSM starts there is the stand-in server,
in the directory that NSSM says: its plugin system fails to start in the wrong one, as Mattermost's does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from sandbox.app_server import NEW, PLUGIN_ID, VERSION, make_sandbox, remove_sandbox
from standin.release import build_release
from support.playbooks import Run, run_playbook
from support.windows_server import WindowsServer, install
from windows import machine as machines
from windows.machine import INSTALL_DIR, MATTERMOST, Machine
from windows.wine import wait_for

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
    """The plan says what is wrong, site.yml mends it, and then there is nothing to do."""
    machine, server = mixed.server.machine, mixed.server
    assert (machine.runs_in(), server.plugins()) == (WRONG, 501)

    plan = mixed.play("plan")
    assert "win1: 3 to change, and a restart" in plan.output
    assert "service.AppDirectory:" in plan.output
    assert rf"directories.{INSTALL_DIR}\client\plugins" in plan.output.replace("\\\\", "\\")
    assert "to be seen when the service runs (plugins): the server's plugin system is off" in plan.output

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

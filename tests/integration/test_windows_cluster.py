"""One inventory, one site.yml: two Linux app servers and a Windows one whose service runs in the wrong directory.

The Linux app servers are sandboxes, the Windows one is the official NSSM under wine behind a real sshd; the program
that NSSM runs there stays and does nothing else, since no Mattermost server for Windows is at hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

import pytest
import yaml

from sandbox.app_server import NEW, PLUGIN_ID, VERSION, make_sandbox, remove_sandbox
from support.playbooks import REPOSITORY, run_playbook
from windows import machine as machines
from windows.machine import INSTALL_DIR, MATTERMOST, Machine

pytestmark = pytest.mark.slow

ROLE = REPOSITORY / "roles" / "windows_service"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    missing = machines.missing()
    if missing:
        pytest.skip(f"no Windows machines here: {'; '.join(missing)}")
    with machines.running(machines.template()) as found:
        yield found


def test_a_mixed_cluster_converges(machine: Machine, tmp_path: Path) -> None:
    """The plan says what is wrong, check mode changes nothing, site.yml mends it, and then there is nothing to do."""
    tmp_path.chmod(0o755)
    sandbox = tmp_path / "sandbox"
    wrong = rf"{INSTALL_DIR}\bin"
    try:
        servers = make_sandbox(sandbox, names=["app1", "app2"])
        linux = {
            "hosts": {server.name: {"mattermost_root": str(server.root)} for server in servers},
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                "ansible_remote_tmp": str(tmp_path / "tmp"),
                "mattermost_become": False,
                "mattermost_server_version": VERSION,
                "mattermost_plugin_settings": {"EnableUploads": True},
                "mattermost_plugins": [{"src": str(sandbox / "bundles" / f"{PLUGIN_ID}-{NEW}.tar.gz")}],
            },
        }
        windows = {"hosts": {"win1": machine.variables()}, "vars": {"mattermost_install_dir": INSTALL_DIR}}
        inventory = tmp_path / "inventory.json"
        inventory.write_text(json.dumps({"mattermost_app_servers": linux, "mattermost_windows_servers": windows}))
        before = machine.registry(MATTERMOST)
        assert machine.runs_in() == wrong

        plan = run_playbook("playbooks/plan.yml", inventory, {})
        assert "win1: 3 to change, and a restart" in plan.output
        assert "service.AppDirectory:" in plan.output
        assert rf"directories.{INSTALL_DIR}\client\plugins" in plan.output.replace("\\\\", "\\")
        checked = run_playbook("playbooks/site.yml", inventory, {}, ["--check"])
        said = [change.rpartition(" : ")[2] for change in checked.changed() if change.startswith("win1")]
        assert said == [
            "The plugin directories exist and the service's account can write them",
            "The service runs in the right directory",
            "Restart the service, or start it",
        ]
        assert (machine.registry(MATTERMOST), machine.runs_in()) == (before, wrong)

        done = run_playbook("playbooks/site.yml", inventory, {})
        assert {change.partition(":")[0] for change in done.changed()} == {"app1", "app2", "win1"}
        assert (machine.app_directory(MATTERMOST), machine.runs_in()) == (INSTALL_DIR, INSTALL_DIR)
        assert run_playbook("playbooks/site.yml", inventory, {}).changed() == []
        assert "win1: nothing to do" in run_playbook("playbooks/plan.yml", inventory, {}).output
    finally:
        remove_sandbox(sandbox)


def test_the_roles_options_are_its_defaults() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    readme = (ROLE / "README.md").read_text(encoding="utf-8")
    for spec in specs.values():
        assert {name: option["default"] for name, option in spec["options"].items()} == defaults
    for name in defaults:
        assert f"`{name}`" in readme, name

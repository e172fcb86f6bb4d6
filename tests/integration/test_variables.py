# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A misspelt variable has no effect, so every playbook stops at it before it does anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from plugops_tests.sandbox.app_server import VERSION, AppServer, make_sandbox, remove_sandbox
from plugops_tests.support.playbooks import Run, run_playbook

pytestmark = pytest.mark.slow

PLAYBOOKS = ("site", "plan", "audit", "rollback", "parity", "lock")
ACCEPTED = {f"ansible.builtin.{name}" for name in ("assert", "include_role", "validate_argument_spec")}
MISSPELT = {"mattermost_plugin_setings": {"EnableUploads": True}}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[List[AppServer]]:
    """Two app servers; the tests change neither."""
    place = tmp_path_factory.mktemp("variables") / "sandbox"
    try:
        yield make_sandbox(place, names=["app1", "app2"])
    finally:
        remove_sandbox(place)


def inventory(place: Path, servers: List[AppServer], **of_the_second: Any) -> Path:
    hosts: Dict[str, Dict[str, Any]] = {server.name: {"mattermost_root": str(server.root)} for server in servers}
    hosts["app2"].update(of_the_second)
    common = {
        "ansible_connection": "local",
        "ansible_pipelining": True,
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "mattermost_become": False,
        "mattermost_server_version": VERSION,
    }
    path = place / "inventory.json"
    path.write_text(json.dumps({"mattermost_app_servers": {"hosts": hosts, "vars": common}}), encoding="utf-8")
    return path


def run(name: str, path: Path, variables: Dict[str, Any], may_fail: bool = False) -> Run:
    return run_playbook(name, path, variables, may_fail=may_fail)


def words(output: str) -> str:
    """The output without the line breaks of Ansible's warnings."""
    return " ".join(output.split())


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_misspelt_variable_of_one_host_stops_the_playbook(
    playbook: str, servers: List[AppServer], tmp_path: Path
) -> None:
    files = {"mattermost_audit_directory": str(tmp_path / "audit")}
    if playbook == "lock":
        files["mattermost_plugin_lock"] = str(tmp_path / "plugins.lock.yml")
    done = run(f"playbooks/{playbook}.yml", inventory(tmp_path, servers, **MISSPELT), files, may_fail=True)
    assert done.returncode != 0
    (failed,) = {task["result"]["msg"] for task in done.tasks if task["status"] == "failed"}
    assert (
        "unknown variable mattermost_plugin_setings on app2: did you mean mattermost_plugin_settings? What to do:"
        in failed
    )
    assert {task["action"] for task in done.tasks} <= ACCEPTED, "nothing was done on any app server"
    assert not (tmp_path / "plugins.lock.yml").exists()
    assert not (tmp_path / "audit").exists()


def test_a_misspelt_variable_of_the_command_line_is_found_on_every_host(
    servers: List[AppServer], tmp_path: Path
) -> None:
    done = run("playbooks/plan.yml", inventory(tmp_path, servers), {"mattermost_plugni_states": {}}, may_fail=True)
    assert "mattermost_plugni_states on app1, app2: did you mean mattermost_plugin_states?" in words(done.output)


def test_a_wrong_entry_of_the_plugins_is_found_before_anything_is_done(
    servers: List[AppServer], tmp_path: Path
) -> None:
    entries = [{"src": "x.tar.gz", "shasum": "x"}, {"id": "com.example.gone", "state": "gone"}]
    done = run("playbooks/site.yml", inventory(tmp_path, servers, mattermost_plugins=entries), {}, may_fail=True)
    assert "mattermost_plugins.shasum. Supported parameters include: enabled, id, sha256" in words(done.output)
    assert "value of state must be one of: present, absent, got: gone found in mattermost_plugins" in words(done.output)
    assert not [task for task in done.tasks if task["result"].get("changed")]


def test_a_name_that_resembles_none_is_worth_one_warning(servers: List[AppServer], tmp_path: Path) -> None:
    done = run("playbooks/plan.yml", inventory(tmp_path, servers), {"mattermost_edition": "team"})
    assert words(done.output).count("has a variable mattermost_edition.") == 1


def test_the_operator_may_have_variables_of_other_roles(servers: List[AppServer], tmp_path: Path) -> None:
    others = {"mattermost_users": [], "mattermost_edition": "team"}
    known = {"mattermost_known_variables": list(others)}
    done = run("playbooks/plan.yml", inventory(tmp_path, servers, **others, **known), {})
    assert "WARNING" not in done.output
    without = run("playbooks/plan.yml", inventory(tmp_path, servers, **others), {}, may_fail=True)
    assert "mattermost_users on app2: did you mean mattermost_user?" in words(without.output)


def test_results_of_tasks_may_have_any_name(servers: List[AppServer], tmp_path: Path) -> None:
    role = {"name": "plugops.mattermost.app_server", "tasks_from": "plan"}
    tasks = [
        {"ansible.builtin.command": "true", "register": "mattermost_plugin", "changed_when": False},
        {"ansible.builtin.command": "true", "register": "mattermost_usr", "loop": [1, 2], "changed_when": False},
        {"ansible.builtin.command": "true", "register": "mattermost_socke", "when": False},
        {"ansible.builtin.include_role": role},
    ]
    play = tmp_path / "play.yml"
    play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    done = run(str(play), inventory(tmp_path, servers), {})
    assert len([task for task in done.tasks if task["action"].endswith("mattermost_plugin_info")]) == 2
    assert "WARNING" not in done.output


def test_a_misspelt_variable_of_a_play_of_the_operators_is_found(servers: List[AppServer], tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    roles = ["plugops.mattermost.app_server"]
    play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "vars": MISSPELT, "roles": roles}]))
    done = run(str(play), inventory(tmp_path, servers), {}, may_fail=True)
    assert "mattermost_plugin_setings on app1, app2: did you mean mattermost_plugin_settings?" in words(done.output)
    assert {task["action"] for task in done.tasks} <= ACCEPTED

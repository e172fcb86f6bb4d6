"""Faults on a real host, alone and in pairs: an audit names what was broken, all of it, and nothing else.

All of it is one play on one host, since a start of Ansible for each fault would take longer than the faults.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._finding_codes import CODES

from hosts import cluster as hosts
from support import cluster
from support.artifacts import make_artifacts
from support.faults import BY_NAME, FAULTS, FUNCTIONS, MENDED_TOGETHER, PAIRS, Fault
from support.playbooks import Run, run_playbook

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.matrix]

INFO = "plugops.mattermost.mattermost_plugin_info"
PLUGINS = 4
HEALTHY = "healthy"


@dataclass(frozen=True)
class Host:
    """One host with a healthy app server."""

    inventory: Path
    wanted: Dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What an audit found, and what it said of it."""

    codes: FrozenSet[str]
    notes: FrozenSet[str]
    text: str


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    missing = cluster.missing()
    if missing:
        pytest.skip(f"no test hosts on this machine: {'; '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="plugops-faults-") as place:
        artifacts, state_dir = Path(place) / "artifacts", Path(place) / "cluster"
        make_artifacts(artifacts, cluster.VERSION, PLUGINS, 3)
        try:
            hosts.up(state_dir, hosts.Wanted(("app1",), "bookworm", "mattermost_app_servers", "deploy", ()))
            inventory = state_dir / "inventory.yml"
            release = str(artifacts / f"mattermost-{cluster.VERSION}.tar.gz")
            broken = {
                "broken_release": release,
                "broken_bundles": str(artifacts),
                "broken_working_directory": "",
                "broken_drop_in": "",
                "broken_local_mode": True,
                "broken_plugins": [],
            }
            run_playbook("molecule/resources/break.yml", inventory, broken)
            found = cluster.TestCluster(artifacts, inventory, state_dir / "ssh_config", PLUGINS)
            run_playbook("playbooks/site.yml", inventory, found.wanted(PLUGINS))
            yield Host(inventory, found.wanted(PLUGINS))
        finally:
            hosts.down(state_dir)


def audit_task(host: Host, name: str) -> Dict[str, Any]:
    arguments = {
        "settings": host.wanted["mattermost_plugin_settings"],
        "plugins": host.wanted["mattermost_plugins"],
        "findings": True,
    }
    return {"name": name, INFO: arguments, "check_mode": True}


def shell_task(name: str, script: str) -> Dict[str, Any]:
    text = f"{FUNCTIONS.read_text(encoding='utf-8')}\n{script}"
    return {"name": name, "ansible.builtin.shell": {"cmd": text, "executable": "/bin/bash"}, "check_mode": False}


def injected(host: Host, cases: Dict[str, str]) -> Run:
    """Each script in turn, an audit after each, all put back before the next."""
    tasks = [shell_task("keep", "keep"), audit_task(host, HEALTHY)]
    for name, script in cases.items():
        tasks += [shell_task(f"make {name}", f"{script}"), audit_task(host, name), shell_task(f"mend {name}", "reset")]
    tasks.append(audit_task(host, f"{HEALTHY} again"))
    play = {"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}
    with tempfile.TemporaryDirectory() as place:
        playbook = Path(place) / "faults.json"
        playbook.write_text(json.dumps([play]), encoding="utf-8")
        return run_playbook(str(playbook), host.inventory, {})


def found_by(run: Run) -> Dict[str, Found]:
    found = {}
    for task in run.tasks:
        if task["action"] == INFO:
            findings = task["result"]["findings"]
            codes = frozenset(item["code"] for item in findings if item["severity"] != "note")
            notes = frozenset(item["code"] for item in findings if item["severity"] == "note")
            text = "\n".join(f"{item['code']} {item['subject']}: {item['evidence']}" for item in findings)
            found[task["task"]] = Found(codes, notes, text)
    return found


@pytest.fixture(scope="module")
def matrix(host: Host) -> Dict[str, Found]:
    """What was found for each fault, and each pair."""
    cases = {fault.name: fault.script for fault in FAULTS}
    cases.update({f"{one}+{other}": f"{BY_NAME[one].script}\n{BY_NAME[other].script}" for one, other in PAIRS})
    return found_by(injected(host, cases))


def test_nothing_is_found_on_a_healthy_node(matrix: Dict[str, Found]) -> None:
    for name in (HEALTHY, f"{HEALTHY} again"):
        assert (matrix[name].codes, matrix[name].notes) == (frozenset(), frozenset()), matrix[name].text


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_named_and_no_other(fault: Fault, matrix: Dict[str, Found]) -> None:
    found = matrix[fault.name]
    assert (found.codes, found.notes) == (fault.codes, fault.notes), found.text


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_faults_are_both_named(one: str, other: str, matrix: Dict[str, Found]) -> None:
    found = matrix[f"{one}+{other}"]
    assert found.codes == BY_NAME[one].codes | BY_NAME[other].codes, found.text


def test_site_mends_what_it_says_it_mends(host: Host, matrix: Dict[str, Found]) -> None:
    """As many at once as fit on one host; then the audit is clean."""
    faults = [BY_NAME[name] for name in MENDED_TOGETHER]
    assert all(CODES[code].mends for fault in faults for code in fault.codes)
    script = "\n".join(["keep", *(fault.script for fault in faults)])
    play = {"hosts": "all", "gather_facts": False, "become": True}
    with tempfile.TemporaryDirectory() as place:
        playbook = Path(place) / "break.json"
        playbook.write_text(json.dumps([{**play, "tasks": [shell_task("break", script), audit_task(host, "broken")]}]))
        broken = found_by(run_playbook(str(playbook), host.inventory, {}))["broken"]
        assert broken.codes == frozenset().union(*(fault.codes for fault in faults)), broken.text
        run_playbook("playbooks/site.yml", host.inventory, host.wanted)
        playbook.write_text(json.dumps([{**play, "tasks": [audit_task(host, "mended")]}]))
        mended = found_by(run_playbook(str(playbook), host.inventory, {}))["mended"]
    assert mended.codes == frozenset(), mended.text

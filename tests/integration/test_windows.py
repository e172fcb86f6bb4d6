# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for Windows on the official NSSM under wine, behind a real sshd.

Real are NSSM, the registry, the service manager's protocol, cmd.exe's language as wine has it, the program's start in
its directory, sshd, and Ansible. Not Windows' own are reg, sc and cmd.exe; wine writes no event log and its sc tells
no pid, so what hangs on these is tested on texts alone (tests/unit/test_nssm.py). The oracle is wine's own `reg export`
and /proc, never a module of this collection.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
import yaml

from plugops_tests.modules.harness import documented_options
from plugops_tests.support.playbooks import REPOSITORY, run_playbook
from plugops_tests.windows import machine as machines
from plugops_tests.windows.cases import CASES
from plugops_tests.windows.machine import INSTALL_DIR, MATTERMOST, NSSM, ODD, ODD_DIR, SECRET, Machine
from plugops_tests.windows.play import play

pytestmark = pytest.mark.slow

CALLS = ["check1", "run1", "check2", "run2"]
WRONG = rf"{INSTALL_DIR}\bin"


@pytest.fixture(scope="module", params=["cmd", "powershell"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    missing = machines.missing()
    if missing:
        pytest.skip(f"no Windows machines here: {'; '.join(missing)}")
    if request.param == "powershell" and not shutil.which("pwsh"):
        pytest.skip("the host's shell is not PowerShell in any test: this machine has no pwsh")
    with machines.running(machines.template(), request.param == "powershell") as found:
        yield found


def essence(result: Dict[str, Any]) -> Dict[str, Any]:
    return {name: result.get(name) for name in ("changed", "differences", "diff", "actions", "restart_required")}


def cases() -> List[Any]:
    return [(module, option) for module, found in CASES.items() for option in found]


@pytest.mark.parametrize("module", sorted(CASES))
def test_every_option_and_choice_has_a_case(module: str) -> None:
    wanted = {
        case
        for name, option in documented_options(module).items()
        for case in [f"{name}={choice}" for choice in option.get("choices", [])] or [name]
    }
    assert wanted == set(CASES[module])


@pytest.mark.parametrize("module", sorted(CASES))
def test_check_predicts_and_a_second_run_changes_nothing(module: str, machine: Machine, tmp_path: Path) -> None:
    """All options of a module in one playbook, since each start of Ansible takes a second."""
    machine.write_app_directory(MATTERMOST, INSTALL_DIR)
    tasks: List[Dict[str, Any]] = []
    for case in CASES[module].values():
        tasks.append({"ansible.builtin.raw": case.before, "when": f"inventory_hostname == '{CALLS[0]}'"})
        check = "{{ inventory_hostname is match('check') }}"
        tasks.append({f"plugops.mattermost.{module}": case.arguments, "check_mode": check})
    run = play(machine, tmp_path, tasks, CALLS, "--forks=1")
    own = [task for task in run.tasks if task["action"] == f"plugops.mattermost.{module}"]
    assert [task["status"] for task in own] == ["ok"] * 4 * len(CASES[module]), run.output
    for number, (option, case) in enumerate(CASES[module].items()):
        results = [task["result"] for task in own[4 * number : 4 * number + 4]]
        predicted, done, predicted_again, done_again = map(essence, results)
        assert (predicted, predicted_again) == (done, done_again), option
        assert done["changed"], option
        assert done_again["changed"] == case.again, option
        assert set(results[1]["diff"]["before"]) == set(results[1]["diff"]["after"]) != set()
    assert SECRET not in run.output + "".join(map(str, run.tasks)) + "".join(machine.commands())


def settings(machine: Machine, service: str) -> str:
    """All of a service but its AppDirectory."""
    return re.sub(r'"AppDirectory"=(.*\\\n)*.*\n', "", machine.registry(service).replace("\r", ""))


def app_directory(**arguments: Any) -> Dict[str, Any]:
    return {"plugops.mattermost.nssm_app_directory": {"path": INSTALL_DIR, **arguments}, "register": "found"}


RESTART = {"plugops.mattermost.nssm_service": {"state": "restarted"}, "when": "found.restart_required"}


@pytest.mark.parametrize(("service", "directory"), [(MATTERMOST, INSTALL_DIR), (ODD, ODD_DIR)], ids=["plain", "odd"])
def test_the_wrong_directory_becomes_the_right_one(
    machine: Machine, tmp_path: Path, service: str, directory: str
) -> None:
    """Registry, process, and every other parameter; the second time nothing, in one round trip a module."""
    machine.stop_service(service)
    machine.write_app_directory(service, rf"{directory}\bin")
    machine.start_service(service)
    assert machine.runs_in(directory) == rf"{directory}\bin"
    before = settings(machine, service)
    restart = {**RESTART, "plugops.mattermost.nssm_service": {"state": "restarted", "service": service}}
    tasks = [app_directory(service=service, path=directory), restart]
    first = play(machine, tmp_path, tasks, ["win1"])
    assert [task["result"]["changed"] for task in first.tasks] == [True, True], first.output
    assert machine.app_directory(service) == directory
    assert machine.runs_in(directory) == directory
    assert settings(machine, service) == before
    assert '"AppEnvironmentExtra"=' in before
    asked = len(machine.commands())
    again = play(machine, tmp_path, tasks, ["win1"])
    assert again.changed() == []
    assert [task["status"] for task in again.tasks] == ["ok", "skipped"]
    # Two where the registry has a percent sign: it may be a variable.
    assert len(machine.commands()) - asked <= 2
    assert settings(machine, service) == before


SPELLINGS = [
    "c:/Mattermost/",
    '"C:\\mattermost"',
    r"%SystemDrive%\mattermost",
    r"\\?\C:\mattermost",
    r"C:\windows\..\mattermost",
]


def test_spellings_of_one_directory_are_no_difference(machine: Machine, tmp_path: Path) -> None:
    machine.write_app_directory(MATTERMOST, INSTALL_DIR)
    there = play(machine, tmp_path, [app_directory(path=spelling) for spelling in SPELLINGS], ["win1"])
    assert there.changed() == []
    assert [task["status"] for task in there.tasks] == ["ok"] * len(SPELLINGS), there.output
    for spelling in (SPELLINGS[0], SPELLINGS[2]):
        machine.write_app_directory(MATTERMOST, spelling)
        here = play(machine, tmp_path, [app_directory()], ["win1"])
        assert (here.changed(), here.tasks[0]["status"]) == ([], "ok"), here.output
        assert machine.app_directory(MATTERMOST) == spelling


def test_no_value_at_all(machine: Machine, tmp_path: Path) -> None:
    machine.write_app_directory(MATTERMOST, None)
    run = play(machine, tmp_path, [app_directory()], ["win1"])
    assert run.tasks[0]["result"]["differences"][0]["found"] is None
    assert machine.app_directory(MATTERMOST) == INSTALL_DIR


FAILURES = {
    "the service nope does not exist": {"service": "nope"},
    "the service Spooler is not managed by NSSM": {"service": machines.FOREIGN},
    "the service legacy is not managed by NSSM": {"service": machines.SRVANY},
    r"does not exist (C:\nope)": {"path": r"C:\nope"},
    r"does not exist (C:\nssm\nssm.exe)": {"path": NSSM},  # a file
    "there is no nssm.exe": {"path": r"C:\windows", "nssm": r"C:\nope.exe"},
    "path is not the path of a directory": {"path": "mattermost"},
    "cannot be the name of a Windows service": {"service": 'a"b'},
}


def test_what_cannot_be_done_is_said_before_anything_changes(machine: Machine, tmp_path: Path) -> None:
    machine.write_app_directory(MATTERMOST, WRONG)
    before = machine.registry(MATTERMOST)
    tasks = [{**app_directory(**arguments), "ignore_errors": True} for arguments in FAILURES.values()]
    run = play(machine, tmp_path, tasks, ["win1"])
    for expected, task in zip(FAILURES, run.tasks):
        assert task["status"] == "failed"
        assert expected in task["result"]["msg"]
    assert machine.registry(MATTERMOST) == before


def test_an_account_without_rights(machine: Machine, tmp_path: Path) -> None:
    """Windows tells it by a key that administrators alone may read; in wine it is taken away."""
    machine.write_app_directory(MATTERMOST, WRONG)
    machine.allow(False)
    try:
        run = play(machine, tmp_path, [{**app_directory(), "ignore_errors": True}, app_directory(path=WRONG)], ["win1"])
    finally:
        machine.allow(True)
    assert "access denied" in run.tasks[0]["result"]["msg"]
    assert "Administrators" in run.tasks[0]["result"]["msg"]
    assert run.tasks[1]["status"] == "ok", run.output
    assert machine.app_directory(MATTERMOST) == WRONG


def test_nssm_that_the_account_of_the_service_could_replace_is_not_started(machine: Machine, tmp_path: Path) -> None:
    """As any account may in a directory that somebody has made below the root of a drive."""
    machine.set_account(MATTERMOST, r"NT AUTHORITY\NetworkService")
    machine.write_app_directory(MATTERMOST, WRONG)
    machine.icacls(NSSM, "/grant", "*S-1-5-11:M")
    before = machine.server()
    try:
        tasks = [app_directory(), {"plugops.mattermost.nssm_service": {"state": "restarted"}}]
        run = play(machine, tmp_path, [{**task, "ignore_errors": True} for task in tasks], ["win1"])
    finally:
        machine.icacls(NSSM, "/grant:r", "*S-1-5-11:RX")
        machine.set_account(MATTERMOST, "LocalSystem")
    for task in run.tasks:
        assert "the account of the service could replace it" in task["result"]["msg"]
        assert '/grant:r "*S-1-5-18' in task["result"]["msg"]
    assert (machine.app_directory(MATTERMOST), machine.server()) == (WRONG, before)


def test_a_program_that_does_not_stay_up(machine: Machine, tmp_path: Path) -> None:
    program = machine.wine.real(rf"{INSTALL_DIR}\bin\mattermost.exe")
    machine.stop_service()
    program.rename(program.with_suffix(".away"))
    try:
        task = {"plugops.mattermost.nssm_service": {"timeout": 1}}
        run = play(machine, tmp_path, [task], ["win1"])
    finally:
        program.with_suffix(".away").rename(program)
        machine.stop_service()
        machine.start_service()
    assert run.tasks[0]["status"] == "failed", run.output
    assert re.search(
        "does not run 1 s after nssm start.*found: state (PAUSED|START_PENDING|STOPPED)", run.tasks[0]["result"]["msg"]
    )


def test_a_host_that_is_no_windows(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"app1": {"ansible_connection": "local"}}}}))
    path = tmp_path / "play.json"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [app_directory()]}]))
    run = run_playbook(str(path), inventory, {}, may_fail=True)
    assert "not a Windows host" in run.tasks[0]["result"]["msg"]
    assert "app1" in run.tasks[0]["result"]["msg"]


@pytest.mark.parametrize("module", sorted(CASES))
def test_examples_run_and_results_are_as_documented(module: str, machine: Machine, tmp_path: Path) -> None:
    text = (REPOSITORY / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8")
    found = dict(re.findall(r'^(\w+) = r"""(.*?)"""', text, re.DOTALL | re.MULTILINE))
    replaced = {"Team Chat'": f"{ODD}'", "Team Chat": ODD, r"c:\tools\nssm\win64\nssm.exe": NSSM}
    tasks = json.loads(json.dumps(yaml.safe_load(found["EXAMPLES"])))
    for task in tasks:
        arguments = task.get(f"plugops.mattermost.{module}") or {}
        for name, value in arguments.items():
            arguments[name] = ODD_DIR if "%ProgramFiles%" in value else replaced.get(value, value)
    run = play(machine, tmp_path, tasks, ["win1"])
    assert run.returncode == 0, run.output
    documented = yaml.safe_load(found["RETURN"])
    own = run.results(f"plugops.mattermost.{module}", "win1")
    returned = {name for result in own for name in result if not name.startswith("_ansible_")}
    assert returned - {"changed", "diff", "failed", "warnings"} == set(documented)
    for result in own:
        for name, said in documented.items():
            assert isinstance(
                result[name], {"list": list, "dict": dict, "str": str, "int": int, "bool": bool}[said["type"]]
            )
            if said.get("contains") and isinstance(result[name], dict):
                assert set(result[name]) == set(said["contains"])

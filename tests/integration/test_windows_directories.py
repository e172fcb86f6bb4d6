# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugin directories of a Windows app server: rights by icacls, NSSM under wine behind a real sshd.

Real are NSSM, sshd, Ansible, and how a line of cmd.exe becomes the arguments of a program. icacls is a stand-in
(plugops_tests/windows/icacls.py, written after Microsoft's description, sharing no code with the collection): wine
keeps no lists of access rights. The oracle is that stand-in's own store, and the directories as Linux sees them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from plugops_tests.support.playbooks import Run
from plugops_tests.windows import machine as machines
from plugops_tests.windows.cases import set_account
from plugops_tests.windows.machine import INSTALL_DIR, MATTERMOST, ODD, ODD_DIR, Machine
from plugops_tests.windows.play import play

pytestmark = pytest.mark.slow

NETWORK_SERVICE = r"NT AUTHORITY\NetworkService"
# Name of the account as a service has it -> identifier.
ACCOUNTS = {
    r"NT SERVICE\TrustedInstaller": "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
    r".\MM & Söhne": "S-1-5-21-11-22-33-1001",
    r"corp\gmsa-mm$": "S-1-5-21-44-55-66-1103",
}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    missing = machines.missing()
    if missing:
        pytest.skip(f"no Windows machines here: {'; '.join(missing)}")
    with machines.running(machines.template()) as found:
        yield found


def directories(**arguments: Any) -> Dict[str, Any]:
    return {"plugops.mattermost.windows_plugin_directories": {"path": INSTALL_DIR, **arguments}}


def names(run: Run, number: int = 0) -> List[str]:
    return [difference["name"] for difference in run.tasks[number]["result"]["differences"]]


def test_the_service_gets_what_it_needs_and_no_more(machine: Machine, tmp_path: Path) -> None:
    """Below C:\\Program Files nobody but administrators may write; a second run changes nothing in one round trip."""
    machine.set_account(ODD, NETWORK_SERVICE)
    plugins = rf"{ODD_DIR}\plugins"
    before = machine.entries(ODD_DIR)
    tasks = [directories(service=ODD, path=ODD_DIR)]
    predicted = play(machine, tmp_path, tasks, ["win1"], "--check")
    assert not machine.wine.real(plugins).exists()
    done = play(machine, tmp_path, tasks, ["win1"])
    assert names(predicted) == names(done) != []
    assert predicted.tasks[0]["result"]["diff"] == done.tasks[0]["result"]["diff"]
    assert done.tasks[0]["result"]["restart_required"] is predicted.tasks[0]["result"]["restart_required"] is True
    assert done.tasks[0]["result"]["directories"]["Directory"]["writable"]
    assert machine.entries(plugins) == [["A", "OICI", "0x1301bf", "NS"]]
    assert machine.entries(rf"{ODD_DIR}\client\plugins") == [["A", "OICI", "0x1301bf", "NS"]]
    assert machine.entries(ODD_DIR) == before
    asked = len(machine.commands())
    again = play(machine, tmp_path, tasks, ["win1"])
    assert (again.changed(), again.tasks[0]["status"]) == ([], "ok"), again.output
    assert again.tasks[0]["result"]["restart_required"]  # until it was
    assert len(machine.commands()) - asked == 1
    restart = {"plugops.mattermost.nssm_service": {"service": ODD, "state": "restarted"}}
    after = play(machine, tmp_path, [restart, *tasks], ["win1"])
    assert after.tasks[1]["result"]["restart_required"] is False
    assert machine.entries(plugins) == [["A", "OICI", "0x1301bf", "NS"]]


def test_an_inherited_right_is_enough(machine: Machine, tmp_path: Path) -> None:
    """In C:\\mattermost, made by hand, authenticated users may modify: directories are made, nothing is granted."""
    machine.set_account(MATTERMOST, NETWORK_SERVICE)
    run = play(machine, tmp_path, [directories(), directories()], ["win1"])
    assert names(run) == [rf"directories.{INSTALL_DIR}\{name}" for name in ("plugins", r"client\plugins")]
    assert machine.wine.real(rf"{INSTALL_DIR}\client\plugins").is_dir()
    assert machine.entries(rf"{INSTALL_DIR}\plugins") == []
    assert run.tasks[1]["result"]["changed"] is False


@pytest.mark.matrix
def test_every_kind_of_account(machine: Machine, tmp_path: Path) -> None:
    """By its identifier, asked of the host where it is none of Windows' own: at most two round trips."""
    machine.icacls(INSTALL_DIR, "/inheritance:r")
    tasks: List[Dict[str, Any]] = []
    places = [rf"{INSTALL_DIR}\of {number}" for number in range(len(ACCOUNTS))]
    for account, place in zip(ACCOUNTS, places):
        task = directories(directory=rf"{place}\plugins", client_directory=rf"{place}\client")
        tasks += [{"ansible.builtin.raw": set_account(MATTERMOST, account)}, task, task]
    asked = len(machine.commands())
    run = play(machine, tmp_path, tasks, ["win1"])
    machine.icacls(INSTALL_DIR, "/inheritance:e")
    assert [task["result"].get("changed") for task in run.tasks] == [True, True, False] * len(ACCOUNTS), run.output
    for number, (sid, place) in enumerate(zip(ACCOUNTS.values(), places)):
        assert run.tasks[3 * number + 1]["result"]["directories"]["Directory"]["sid"] == sid
        assert machine.may_modify(rf"{place}\plugins", sid)
    # Set; found, two levels made, rights given, proved; found again. Twice one more to ask who the account is, but for
    # the virtual one.
    assert len(machine.commands()) - asked == 7 * 3 + 2 * 2
    assert list(machine.wine.real(machine.temporary()).glob("plugops-*")) == []


def test_a_plugin_that_was_moved_in_with_rights_of_its_own(machine: Machine, tmp_path: Path) -> None:
    machine.set_account(MATTERMOST, r".\MM & Söhne")
    plugin = rf"{INSTALL_DIR}\plugins\com.example.moved, (100) Chät"
    machine.wine.real(plugin).mkdir(parents=True)
    (machine.wine.real(plugin) / "plugin.json").write_text("{}")
    machine.icacls(plugin, "/inheritance:r")
    run = play(machine, tmp_path, [directories(), directories()], ["win1"])
    assert rf"directories.{INSTALL_DIR}\plugins\com.example.moved, (100) Chät.rights" in names(run)
    assert machine.may_modify(plugin, "S-1-5-21-11-22-33-1001")
    assert run.tasks[1]["status"] == "ok", run.output


def test_a_name_that_cmd_could_misread_and_a_link_are_refused(machine: Machine, tmp_path: Path) -> None:
    """Whoever may write in the directories chooses both."""
    machine.set_account(MATTERMOST, r".\MM & Söhne")
    base = rf"{INSTALL_DIR}\strangers"
    names = {"named": rf"{base}\named\%CMDCMDLINE% & x", "led": rf"{base}\led"}
    machine.wine.real(names["named"]).mkdir(parents=True)
    machine.icacls(names["named"], "/inheritance:r")
    elsewhere = machine.wine.real(r"C:\elsewhere")
    elsewhere.mkdir()
    machine.icacls(r"C:\elsewhere", "/inheritance:r")
    machine.wine.real(names["led"]).symlink_to(elsewhere)
    try:
        tasks = [
            {**directories(directory=directory, client_directory=rf"{base}\web"), "ignore_errors": True}
            for directory in (rf"{base}\named", rf"{base}\led", r"%SystemRoot%\Temp")
        ]
        run = play(machine, tmp_path, tasks, ["win1"])
    finally:
        machine.wine.real(names["led"]).unlink()
    messages = [task["result"]["msg"] for task in run.tasks]
    assert "has a name that no command can take safely" in messages[0]
    assert "%CMDCMDLINE% & x" in messages[0]
    assert "a link or junction is in the path" in messages[1]
    assert rf"{base}\led" in messages[1]
    assert "would be in a directory of Windows itself" in messages[2]
    assert not machine.wine.real(rf"{base}\web").exists()
    assert machine.entries(r"C:\elsewhere") == machine.entries(names["named"]) == []


def test_a_link_that_comes_between_look_and_change_gets_no_right(machine: Machine, tmp_path: Path) -> None:
    """The line that changes looks again, standing in the directory."""
    machine.set_account(MATTERMOST, r".\MM & Söhne")
    place, elsewhere = rf"{INSTALL_DIR}\raced", r"C:\elsewhere too"
    for path in (rf"{place}\plugins", rf"{place}\web", elsewhere):
        machine.wine.real(path).mkdir(parents=True)
        machine.icacls(path, "/inheritance:r")
    asked = len(machine.commands())
    task = directories(directory=rf"{place}\plugins", client_directory=rf"{place}\web")
    play(machine, tmp_path, [{**task, "check_mode": True}], ["win1"])
    lines = machine.commands()[asked:]
    assert play(machine, tmp_path, [task], ["win1"]).changed() != []
    line = next(line for line in machine.commands()[asked + len(lines) :] if "/grant" in line and "pushd" in line)
    real = machine.wine.real(rf"{place}\plugins")
    real.rename(real.with_name("away"))
    real.symlink_to(machine.wine.real(elsewhere))
    again = play(machine, tmp_path, [{"ansible.builtin.raw": line}], ["win1"])
    assert "a link is in its path" in again.tasks[0]["result"]["stdout"]
    assert machine.entries(elsewhere) == []
    real.unlink()


def test_what_cannot_be_done_is_said_before_anything_changes(machine: Machine, tmp_path: Path) -> None:
    machine.set_account(MATTERMOST, NETWORK_SERVICE)
    denied = rf"{INSTALL_DIR}\denied"
    machine.wine.real(denied).mkdir()
    machine.wine.real(rf"{INSTALL_DIR}\a file").write_text("")
    machine.icacls(denied, "/deny", "*S-1-5-11:(OI)(CI)W")
    failures = {
        r"is denied write access to Directory.*S-1-5-11.*/remove:d": {"directory": "denied"},
        r"Directory is not a directory.*a file.*move it away": {"directory": "a file"},
        r"what should hold ClientDirectory does not exist": {"client_directory": r"C:\nope\nope\client"},
        r"are the same directory": {"directory": "./x", "client_directory": r"%SystemDrive%\mattermost\X"},
        r"the service nope does not exist": {"service": "nope"},
        r"not managed by NSSM": {"service": machines.FOREIGN},
        r"path is not the path of a directory": {"path": "mattermost"},
    }
    before = sorted(machine.wine.real(INSTALL_DIR).rglob("*"))
    tasks = [{**directories(**arguments), "ignore_errors": True} for arguments in failures.values()]
    run = play(machine, tmp_path, tasks, ["win1"])
    for (expected, _), task in zip(failures.items(), run.tasks):
        assert task["status"] == "failed", run.output
        assert re.search(expected, task["result"]["msg"]), task["result"]["msg"]
    assert sorted(machine.wine.real(INSTALL_DIR).rglob("*")) == before


def test_accounts_and_connections_without_rights(machine: Machine, tmp_path: Path) -> None:
    machine.set_account(MATTERMOST, r"CORP\gone")
    unknown = play(machine, tmp_path, [{**directories(), "ignore_errors": True}], ["win1"])
    assert "does not know the account" in unknown.tasks[0]["result"]["msg"]
    assert "domain controller" in unknown.tasks[0]["result"]["msg"]
    machine.set_account(MATTERMOST, NETWORK_SERVICE)
    machine.allow(False)
    try:
        refused = play(machine, tmp_path, [{**directories(directory="new"), "ignore_errors": True}], ["win1"])
    finally:
        machine.allow(True)
    assert "access denied" in refused.tasks[0]["result"]["msg"]
    assert not machine.wine.real(rf"{INSTALL_DIR}\new").exists()

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Windows machine with services under the official NSSM: made once, cloned for each test."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator, Optional

from plugops_tests.hosts.commands import locked
from plugops_tests.hosts.rootfs import DEFAULT_CACHE

from . import nssm_release, requirements
from .sshd import Sshd
from .wine import Process, Wine, wait_for

MATTERMOST = "mattermost"
INSTALL_DIR = r"C:\mattermost"
# What a command line can trip over, as far as a service and a directory may be called so.
ODD = "Team Chät & Co (100%) ^x"
ODD_DIR = r"C:\Program Files\Team Chät & Co (x86) 100% ^a% ☃"
FOREIGN = "Spooler"  # a service that NSSM has nothing to do with
SRVANY = "legacy"
SECRET = "p4ssword-of-the-database"
NSSM = r"C:\nssm\nssm.exe"
SERVER = r"C:\standin\mattermost.exe"  # starts the stand-in server, for machines that shall have one
# What the template is made by; the rest serves a running machine.
_RECIPE = ("machine.py", "wine.py", "nssm_release.py", "icacls.c", "mattermost.c")
_SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"


def missing() -> list[str]:
    """What this machine lacks for Windows machines, NSSM included."""
    found = requirements.missing()
    if not found:
        try:
            nssm_release.nssm_exe(DEFAULT_CACHE)
        except (nssm_release.NssmError, OSError) as error:
            found.append(str(error))
    return found


def template(cache: Path = DEFAULT_CACHE) -> Wine:
    """A Windows with NSSM and services; made once for as long as what makes it stays the same."""
    recipe = hashlib.sha256(nssm_release.SHA256.encode())
    for name in _RECIPE:
        recipe.update(Path(__file__).with_name(name).read_bytes())
    directory = cache / f"windows-{recipe.hexdigest()[:12]}"
    with locked(cache / "windows.lock"):
        if not directory.exists():
            for old in cache.glob("windows-*"):
                shutil.rmtree(old)
            with tempfile.TemporaryDirectory(prefix="making-", dir=cache) as place:
                made = _make_template(Path(place) / "machine")
                made.directory.rename(directory)
    return Wine(directory)


def _make_template(directory: Path) -> Wine:
    """All made by NSSM's own commands; shut down."""
    directory.mkdir(parents=True)
    wine = Wine(directory)
    wine.create()
    wine.real(NSSM).parent.mkdir()
    shutil.copy2(nssm_release.nssm_exe(DEFAULT_CACHE), wine.real(NSSM))
    (wine.drive_c / "lines").mkdir()
    wine.real(r"C:\windows\system32\icacls.exe").unlink()  # wine's own does nothing
    _build(wine, "icacls.c", r"C:\windows\system32\icacls.exe")
    _build(wine, "mattermost.c", SERVER)
    services = ((MATTERMOST, INSTALL_DIR), (ODD, ODD_DIR))
    for name, install_dir in services:
        _install(wine, name, install_dir)
    wine.restart()  # wine's service manager sees what NSSM has made only then
    for name, install_dir in services:
        _set_up(wine, name, install_dir)
    # What another service wrapper leaves in the registry.
    wine.run("reg.exe", "add", rf"{_SERVICES}\{SRVANY}", "/v", "ImagePath", "/d", r"C:\tools\srvany.exe", "/f")
    wine.run("reg.exe", "add", rf"{_SERVICES}\{SRVANY}\Parameters", "/v", "Application", "/d", r"C:\x.exe", "/f")
    said = wine.run("cmd.exe", "/c", "set").stdout.decode("utf-8")
    variables = {name.upper(): value for name, value in re.findall(r"^([^=\r\n]+)=(.*?)\r?$", said, re.MULTILINE)}
    (directory / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
    wine.shut_down()
    return wine


def _build(wine: Wine, source: str, place: str) -> None:
    """A program of wine that may do as programs of Linux do."""
    built = wine.directory / "built"
    command = [requirements.program("winegcc-stable"), "-o", str(built), str(Path(__file__).with_name(source))]
    subprocess.run([*command, "-lshell32"], check=True)
    wine.real(place).parent.mkdir(exist_ok=True)
    shutil.move(f"{built}.exe.so", wine.real(place))
    for rest in wine.directory.glob("built*"):
        rest.unlink()


def _install(wine: Wine, name: str, install_dir: str) -> None:
    """A service as an operator makes it; nssm takes the program's directory."""
    program = rf"{install_dir}\bin\mattermost.exe"
    wine.real(program).parent.mkdir(parents=True)
    # A program that stays until it is ended.
    shutil.copy2(wine.drive_c / "windows" / "system32" / "cmd.exe", wine.real(program))
    wine.real(rf"{install_dir}\logs").mkdir()
    wine.run(NSSM, "install", name, program)


def _set_up(wine: Wine, name: str, install_dir: str) -> None:
    """More settings than AppDirectory."""
    for setting in (
        ("AppParameters", "/k echo 100% & (x86)"),
        ("AppEnvironmentExtra", f"MM_SQLSETTINGS_DATASOURCE=postgres://mmuser:{SECRET}@db/mattermost"),
        ("Description", "Mattermöst - team chat, self-hosted"),
        ("AppStdout", rf"{install_dir}\logs\out.log"),
        ("AppExit", "Default", "Restart"),
        ("AppThrottle", "500"),
    ):
        wine.run(NSSM, "set", name, *setting)


class Machine:
    """A running clone, reached over ssh.

    :param directory: not there yet
    """

    def __init__(self, template: Wine, directory: Path) -> None:
        self.wine = template.clone(directory)
        shutil.copy2(template.directory / "variables.json", directory)
        script = Path(__file__).with_name("icacls.py").read_text(encoding="utf-8")
        (directory / "icacls").write_text(f"#!{sys.executable} -IS\n{script}", encoding="utf-8")
        (directory / "icacls").chmod(0o755)
        (directory / "environment.json").write_text(json.dumps(self.wine.environment()), encoding="utf-8")
        self.directory = directory
        self._sshd: Optional[Sshd] = None

    @classmethod
    def attach(cls, directory: Path) -> Machine:
        """One that another process runs, to look at it."""
        found = cls.__new__(cls)
        found.wine, found.directory, found._sshd = Wine(directory), directory, None
        return found

    def start(self, powershell: bool = False) -> None:
        """Boot, services included, and answer to ssh."""
        self.wine.boot()
        self.allow(True)
        shell = [sys.executable, "-I", str(Path(__file__).with_name("shell.py")), str(self.directory)]
        self._sshd = Sshd(self.directory / "ssh", _through_pwsh(self.directory, shell) if powershell else shell)
        self._sshd.start()

    def stop(self) -> None:
        if self._sshd is not None:
            self._sshd.stop()
            self._sshd = None
        self.wine.shut_down()

    def variables(self) -> dict[str, Any]:
        """How Ansible reaches it; the shell has to be said besides."""
        assert self._sshd is not None
        return {**self._sshd.variables(), "ansible_shell_type": "cmd"}

    def commands(self) -> list[str]:
        """The lines that came over ssh so far: one a round trip."""
        log = self.directory / "commands.log"
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []

    # The oracle: wine's own tools and /proc, never the collection.

    def registry(self, service: str) -> str:
        """All that the registry has of a service, as `reg export` writes it."""
        path = r"C:\export.reg"
        self.wine.run("reg.exe", "export", rf"{_SERVICES}\{service}", path, "/y")
        text = self.wine.real(path).read_bytes().decode("utf-16")
        self.wine.real(path).unlink()
        return text

    def app_directory(self, service: str) -> Optional[str]:
        """The value in the registry; None where there is none."""
        match = re.search(r'^"AppDirectory"=hex\(2\):([0-9a-f,\\\s]*)', self.registry(service), re.MULTILINE)
        if match is None:
            return None
        return bytes.fromhex(re.sub(r"[^0-9a-f]", "", match[1])).decode("utf-16-le").rstrip("\0")

    def write_app_directory(self, service: str, value: Optional[str]) -> None:
        """As somebody does it by hand."""
        key = rf"{_SERVICES}\{service}\Parameters"
        if value is None:
            self.wine.run("reg.exe", "delete", key, "/v", "AppDirectory", "/f")
        else:
            self.wine.run("reg.exe", "add", key, "/v", "AppDirectory", "/t", "REG_EXPAND_SZ", "/d", value, "/f")

    def set_account(self, service: str, account: str) -> None:
        """As the service manager has it; wine runs every service as the same user."""
        self.wine.run("reg.exe", "add", rf"{_SERVICES}\{service}", "/v", "ObjectName", "/d", account, "/f")

    def icacls(self, *words: str) -> None:
        self.wine.run("icacls.exe", *words)

    def entries(self, path: str) -> list[list[str]]:
        """A path's own entries in the stand-in's store, none that it inherits: kind, flags, rights, account."""
        store = self.directory / "acl.json"
        lists = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
        return list(lists.get(path.upper(), {"entries": []})["entries"])

    def may_modify(self, path: str, sid: str) -> bool:
        """By an entry of the path, or by one that was given to all administrators' own system."""
        short = {"S-1-5-18": "SY", "S-1-5-20": "NS"}.get(sid, sid)
        return ["A", "OICI", "0x1301bf", short] in self.entries(path)

    def temporary(self) -> str:
        variables = json.loads((self.directory / "variables.json").read_text(encoding="utf-8"))
        return str(variables["TEMP"])

    def server(self, install_dir: str = INSTALL_DIR) -> Optional[Process]:
        """The process of the program that NSSM runs, None if there is none."""
        return next(self.wine.processes(rf"{install_dir}\bin\mattermost.exe"), None)

    def runs_in(self, install_dir: str = INSTALL_DIR) -> str:
        """The directory that the program really runs in, waited for."""
        found = wait_for(lambda: self.server(install_dir), "the service's program")
        assert found is not None
        return self.wine.windows(found.directory)

    def start_service(self, service: str = MATTERMOST) -> None:
        self.wine.run(NSSM, "start", service, check=False)  # it complains where the start takes its time

    def stop_service(self, service: str = MATTERMOST) -> None:
        self.wine.run(NSSM, "stop", service, check=False)

    def allow(self, administrator: bool) -> None:
        """Windows tells an administrator by a key that nobody else may read; wine has no such key."""
        self.wine.run("reg.exe", "add" if administrator else "delete", r"HKU\S-1-5-19\Environment", "/f")


def _through_pwsh(directory: Path, shell: list[str]) -> list[str]:
    """A default shell that is PowerShell: what the host's cmd.exe is, PowerShell finds in PATH."""
    programs = directory / "programs"
    programs.mkdir()
    cmd = programs / "cmd.exe"
    cmd.write_text(f'#!/bin/sh\nexec {" ".join(shell)} "$@"\n', encoding="utf-8")
    powershell = programs / "PowerShell"
    powershell.write_text(f'#!/bin/sh\nexec {requirements.program("pwsh")} "$@"\n', encoding="utf-8")
    entry = programs / "entry"
    entry.write_text(f'#!/bin/sh\nPATH={programs}:$PATH\nexec pwsh -c "$SSH_ORIGINAL_COMMAND"\n', encoding="utf-8")
    for path in (cmd, powershell, entry):
        path.chmod(0o755)
    return [str(entry)]


@contextlib.contextmanager
def running(template: Wine, powershell: bool = False) -> Iterator[Machine]:
    """A clone of the template while a block runs."""
    with tempfile.TemporaryDirectory(prefix="plugops-windows-") as place:
        machine = Machine(template, Path(place) / "machine")
        try:
            machine.start(powershell)
            yield machine
        finally:
            machine.stop()

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services: from a recorded ``systemctl show`` and from unit files, the latter against systemd's own reading."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
from ansible_collections.plugops.mattermost.plugins.module_utils._services import systemd_unit
from ansible_collections.plugops.mattermost.plugins.module_utils._services.systemd_unit import (
    Service,
    declared_working_directory,
    observe_service,
    systemd_is_running,
    why_not_running,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugops_tests.support import systemd_oracle

NAME = "mattermost.service"
ETC = "etc/systemd/system"

# What systemd 252 answered for such a unit (Debian 12, mattermost installed as its documentation says).
SHOWN = {
    "MainPID": "0",
    "WorkingDirectory": "/opt/mattermost",
    "UMask": "0022",
    "User": "mattermost",
    "Group": "mattermost",
    "DynamicUser": "no",
    "SupplementaryGroups": "",
    "PrivateTmp": "no",
    "ProtectHome": "no",
    "ProtectSystem": "no",
    "RootDirectory": "",
    "Id": NAME,
    "LoadState": "loaded",
    "ActiveState": "inactive",
    "FragmentPath": "/etc/systemd/system/mattermost.service",
    "DropInPaths": "",
    "NeedDaemonReload": "no",
}


class Systemctl:
    """Answers as systemctl does, and remembers what it was asked."""

    def __init__(self, **properties: str) -> None:
        self.properties = {**SHOWN, **properties}
        self.asked: List[List[str]] = []
        self.code, self.error = 0, ""

    def __call__(self, argv: Sequence[str]) -> Tuple[int, str, str]:
        self.asked.append(list(argv))
        asked_for = next(word for word in argv if word.startswith("--property=")).partition("=")[2].split(",")
        lines = [f"{name}={value}" for name, value in self.properties.items() if name in asked_for]
        return self.code, "" if self.code else "\n".join(lines) + "\n", self.error


def refuse(argv: Sequence[str]) -> Tuple[int, str, str]:
    raise AssertionError(f"nothing may be run here: {argv}")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ETC).mkdir(parents=True)
    return tmp_path


@pytest.fixture(scope="session")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> None:
    reason = systemd_oracle.missing(tmp_path_factory.mktemp("oracle"))
    if reason:
        pytest.skip(reason)


def write(root: Path, path: str, *lines: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text("\n".join(lines) + "\n")


def unit(root: Path, *lines: str) -> None:
    write(root, f"{ETC}/{NAME}", "[Service]", "ExecStart=/opt/mattermost/bin/mattermost", *lines)


def from_files(root: Path) -> Service:
    return observe_service(NAME, Root(str(root)), refuse, live=False)


def from_systemd(root: Path, systemctl: Systemctl) -> Service:
    return observe_service(NAME, Root(str(root)), systemctl, live=True)


# ---- from systemd


def test_one_call_asks_for_everything(root: Path) -> None:
    unit(root, "WorkingDirectory=/opt/mattermost", "User=mattermost", "Group=mattermost")
    systemctl = Systemctl()
    found = from_systemd(root, systemctl)
    assert [(call[:3], call[4:]) for call in systemctl.asked] == [
        (["systemctl", "show", "--no-pager"], ["--", "mattermost.service"])
    ]
    assert (found.name, found.load_state, found.active_state, found.stale) == (NAME, "loaded", "inactive", False)
    assert (found.working_directory, found.working_directory_optional) == ("/opt/mattermost", False)
    assert found.working_directory_origin == found.fragment == f"/{ETC}/{NAME}"
    assert (found.user, found.group, found.process) == ("mattermost", "mattermost", None)
    assert found.exec_start == ("/opt/mattermost/bin/mattermost",)
    assert found.sandbox["ProtectSystem"] == "no"


def test_process_is_the_main_process(root: Path) -> None:
    unit(root)
    found = from_systemd(root, Systemctl(ActiveState="active", MainPID=str(os.getpid())))
    assert found.process is not None
    assert (found.main_pid, found.process.cwd) == (os.getpid(), os.getcwd())


@pytest.mark.parametrize(
    ("active", "sub", "restarts", "runs"),
    [
        ("active", "running", 0, True),
        ("active", "running", 3, True),  # it has ended, and then did not any more
        ("activating", "start", 0, True),
        ("reloading", "reload", 0, True),
        ("deactivating", "stop-sigterm", 0, True),
        ("activating", "start-pre", 0, False),
    ],
)
def test_a_service_that_runs_or_starts(root: Path, active: str, sub: str, restarts: int, runs: bool) -> None:
    unit(root)
    pid = os.getpid() if runs else 0
    systemctl = Systemctl(ActiveState=active, SubState=sub, NRestarts=str(restarts), MainPID=str(pid))
    assert why_not_running(from_systemd(root, systemctl)) == ""


@pytest.mark.parametrize(
    ("active", "sub", "restarts", "runs", "why"),
    [
        ("inactive", "dead", 0, False, "ActiveState=inactive (dead), no main process"),
        ("failed", "failed", 5, False, "ActiveState=failed (failed), no main process"),
        ("active", "exited", 0, False, "ActiveState=active (exited), no main process"),
        ("activating", "auto-restart", 0, False, "ActiveState=activating (auto-restart), no main process"),
        (
            "activating",
            "auto-restart-queued",
            1,
            False,
            "ActiveState=activating (auto-restart-queued), no main process",
        ),
        (
            *("activating", "start", 2, True),
            "ActiveState=activating (start), NRestarts=2: it has ended and is started again",
        ),
        (
            *("activating", "start-pre", 2, False),
            "ActiveState=activating (start-pre), NRestarts=2: it has ended and is started again",
        ),
    ],
)
def test_a_service_that_does_not_run(root: Path, active: str, sub: str, restarts: int, runs: bool, why: str) -> None:
    unit(root)
    pid = os.getpid() if runs else 0
    systemctl = Systemctl(ActiveState=active, SubState=sub, NRestarts=str(restarts), MainPID=str(pid))
    assert why_not_running(from_systemd(root, systemctl)) == why


@pytest.mark.parametrize(
    ("shown", "path", "optional"),
    [("", "", False), ("!/opt/mattermost", "/opt/mattermost", True), ("~", "~", False), ("!~", "~", True)],
)
def test_ways_of_showing_the_directory(root: Path, shown: str, path: str, optional: bool) -> None:
    unit(root)
    found = from_systemd(root, Systemctl(WorkingDirectory=shown))
    assert (found.working_directory, found.working_directory_optional) == (path, optional)
    assert found.working_directory_origin == ""


def test_drop_ins_are_those_that_systemd_loaded(root: Path) -> None:
    unit(root)
    write(root, "run/somewhere else/a.conf", "[Service]", "WorkingDirectory=/opt/mattermost")
    write(root, f"{ETC}/{NAME}.d/never-loaded.conf", "[Service]", "WorkingDirectory=/elsewhere")
    found = from_systemd(root, Systemctl(DropInPaths='"/run/somewhere else/a.conf"'))
    assert found.drop_ins == ("/run/somewhere else/a.conf",)
    assert found.working_directory_origin == "/run/somewhere else/a.conf"


def test_stale_unit_has_both_what_is_loaded_and_what_the_files_say(root: Path) -> None:
    unit(root, "WorkingDirectory=/opt/mattermost/bin")
    write(root, f"{ETC}/{NAME}.d/a.conf", "[Service]", "WorkingDirectory=/opt/mattermost")
    found = from_systemd(root, Systemctl(NeedDaemonReload="yes", WorkingDirectory="/opt/mattermost/bin"))
    assert (found.stale, found.working_directory, found.working_directory_origin) == (True, "/opt/mattermost/bin", "")
    assert declared_working_directory(found.files).path == "/opt/mattermost"


def test_unit_that_systemd_does_not_know(root: Path) -> None:
    shown = Systemctl(LoadState="not-found", FragmentPath="", WorkingDirectory="", User="", Group="")
    found = from_systemd(root, shown)
    assert (found.load_state, found.fragment, found.exec_start) == ("not-found", "", ())


def test_masked_unit(root: Path) -> None:
    found = from_systemd(root, Systemctl(LoadState="masked", FragmentPath="/dev/null"))
    assert (found.load_state, found.fragment) == ("masked", "/dev/null")


@pytest.mark.parametrize(("code", "error"), [(1, "Failed to connect to bus: Host is down"), (0, "")])
def test_systemd_that_does_not_answer(root: Path, code: int, error: str) -> None:
    systemctl = Systemctl()
    systemctl.code, systemctl.error = code, error
    systemctl.properties = {}
    with pytest.raises(OperatorError, match=error or "exit code 0"):
        from_systemd(root, systemctl)


def test_systemd_is_asked_only_where_it_runs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = root / "bin/systemctl"
    write(root, "bin/systemctl", "#!/bin/sh")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(systemd_unit, "_BOOTED", str(root))
    assert systemd_is_running(Root())
    assert not systemd_is_running(Root(str(root))), "the systemd of an image"
    program.unlink()
    assert not systemd_is_running(Root()), "no systemctl"
    write(root, "bin/systemctl", "#!/bin/sh")
    monkeypatch.setattr(systemd_unit, "_BOOTED", str(root / "run/systemd/system"))
    assert not systemd_is_running(Root()), "not booted with systemd"


# ---- from files


def test_everything_from_files(root: Path) -> None:
    unit(root, "WorkingDirectory=-/opt/%p/", "User=mm", "Group=%i%i", "ReadWritePaths=/a /b", "ReadWritePaths=/c")
    write(root, f"{ETC}/{NAME}.d/a.conf", "[Service]", "ProtectSystem=strict", "ReadWritePaths=/%p", "UMask=0027")
    found = from_files(root)
    assert (found.working_directory, found.working_directory_optional) == ("/opt/mattermost", True)
    assert found.working_directory_origin == found.fragment
    assert (found.user, found.group, found.active_state) == ("mm", "", "unknown")
    assert found.sandbox == {"ProtectSystem": "strict", "ReadWritePaths": "/a /b /c /mattermost", "UMask": "0027"}
    assert found.drop_ins == (f"/{ETC}/{NAME}.d/a.conf",)


@pytest.mark.parametrize(
    "lines",
    [
        ["/a"], ["-/a//b/./c/"], ["//a"], ["/"], [" /a b "], ["/a", ""], ["/a", "-b"], ["/a", "-/b/../c"],
        ["/a", "-%Q"], ["b"], ["/a", "b"], ["/a/../b"], ['"/a"'], ["/%Q"], ["/%p/%n"], ["/a\\", "/b"],
    ],
)  # fmt: skip
def test_working_directory_as_systemd_reads_it(root: Path, oracle: None, lines: List[str]) -> None:
    unit(root, *[f"WorkingDirectory={line}" for line in lines])
    theirs = systemd_oracle.load(root, NAME)
    found = from_files(root)
    if theirs.unit is None:
        assert found.load_state == "bad-setting", theirs.log
        refused = declared_working_directory(found.files).refused
        assert refused is not None
        assert f"{refused.where}: " in theirs.log
    else:
        assert (found.load_state, found.working_directory or "/") == ("loaded", theirs.unit.one("WorkingDirectory"))


@pytest.mark.parametrize("lines", [["b"], ["/c", "b"], ["b", "/c"], ["/a/../b", "/c"], ["-b", "/c"], ['"/b"', "-/c"]])
def test_a_drop_in_of_which_systemd_reads_no_further(root: Path, oracle: None, lines: List[str]) -> None:
    unit(root, "WorkingDirectory=/a")
    write(root, f"{ETC}/{NAME}.d/a.conf", "[Service]", *[f"WorkingDirectory={line}" for line in lines])
    theirs = systemd_oracle.load(root, NAME)
    assert theirs.unit is not None, "the unit stays usable"
    found = from_files(root)
    assert (found.load_state, found.working_directory) == ("loaded", theirs.unit.one("WorkingDirectory"))
    ignored = declared_working_directory(found.files).ignored
    assert len(ignored) == (0 if lines[0].startswith("-") else 1)
    assert all(f"{line.where}: " in theirs.log for line in ignored)


def test_home_of_the_user(root: Path) -> None:
    unit(root, "User=mattermost", "WorkingDirectory=-~")
    found = from_files(root)
    assert (found.working_directory, found.working_directory_optional) == ("~", True)


def test_environment_files_win_and_the_origin_is_known(root: Path) -> None:
    unit(
        root,
        "EnvironmentFile=/etc/default/mattermost",
        "EnvironmentFile=-/etc/default/missing",
        "EnvironmentFile=/etc/%p.d/*.env",
        "Environment=A=unit B=unit C=unit 'D=a b' bad",
    )
    write(root, f"{ETC}/{NAME}.d/a.conf", "[Service]", "Environment=C=drop-in E=%n", "UnsetEnvironment=F G=2")
    write(root, "etc/default/mattermost", "A=default", "F=1", "G=1")
    write(root, "etc/mattermost.d/2.env", "B=second")
    write(root, "etc/mattermost.d/1.env", "B=first")
    found = from_files(root)
    assert found.environment == {"A": "default", "B": "second", "C": "drop-in", "D": "a b", "E": NAME, "G": "1"}
    assert found.environment_origin == {
        "A": "/etc/default/mattermost",
        "B": "/etc/mattermost.d/2.env",
        "C": f"/{ETC}/{NAME}.d/a.conf",
        "D": f"/{ETC}/{NAME}",
        "E": f"/{ETC}/{NAME}.d/a.conf",
        "G": "/etc/default/mattermost",
    }


def test_link_in_a_root_stays_inside(root: Path) -> None:
    unit(root, "EnvironmentFile=/etc/default/mattermost")
    write(root, "opt/mattermost.env", "MM_CONFIG=/inside.json")
    (root / "etc/default").mkdir()
    (root / "etc/default/mattermost").symlink_to("/opt/mattermost.env")
    assert from_files(root).environment == {"MM_CONFIG": "/inside.json"}


def test_unreadable_environment_file_is_named(root: Path) -> None:
    unit(root, "EnvironmentFile=/etc/default")
    (root / "etc/default").mkdir()
    with pytest.raises(OperatorError, match=r"environment file .* \(/etc/default\)"):
        from_files(root)


def test_command_of_the_last_drop_in_with_its_variables(root: Path) -> None:
    unit(root, "Environment=CONFIG=/etc/mm.json MORE='-a -b'")
    assert from_files(root).exec_start == ("/opt/mattermost/bin/mattermost",)
    command = 'ExecStart=-/usr/bin/env "X=a b" /opt/mattermost/bin/mattermost -c ${CONFIG} $MORE --unit=%n'
    write(root, f"{ETC}/{NAME}.d/a.conf", "[Service]", "ExecStart=", command)
    words = [
        "/usr/bin/env",
        "X=a b",
        "/opt/mattermost/bin/mattermost",
        "-c",
        "/etc/mm.json",
        "-a",
        "-b",
        f"--unit={NAME}",
    ]
    assert from_files(root).exec_start == tuple(words)


# ---- any merge of any drop-ins

SETTINGS = st.sampled_from(
    [
        ("Environment", "A=1"), ("Environment", "A=2 B=1"), ("Environment", ""), ("Environment", '"C=x y" A=3'),
        ("WorkingDirectory", "/a"), ("WorkingDirectory", "-/b/"), ("WorkingDirectory", ""), ("WorkingDirectory", "-x"),
        ("ProtectSystem", "strict"), ("ProtectSystem", "full"), ("UMask", "0027"), ("ReadWritePaths", "/a /b"),
        ("ReadWritePaths", ""), ("ReadWritePaths", "-/c"), ("User", "mm"), ("User", ""), ("PrivateTmp", "yes"),
    ]
)  # fmt: skip
FILES = st.lists(st.lists(SETTINGS, max_size=5), max_size=4)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES)
def test_any_drop_ins_merge_as_systemd_merges_them(oracle: None, files: List[List[Tuple[str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        unit(root)
        for number, lines in enumerate(files):
            text = [f"{key}={value}" for key, value in lines]
            write(root, f"{ETC}/{NAME}.d/{number}.conf", "[Service]", *text)
        ours, theirs = from_files(root), systemd_oracle.load(root, NAME).unit
    assert theirs is not None
    assert sorted(f"{name}={value}" for name, value in ours.environment.items()) == sorted(theirs.every("Environment"))
    assert (ours.working_directory or "/") == theirs.one("WorkingDirectory")
    shown: Dict[str, Any] = {key: theirs.one(key) for key in ("ProtectSystem", "UMask", "PrivateTmp")}
    assert {"ProtectSystem": "no", "UMask": "0022", "PrivateTmp": "no", **_scalars(ours)} == shown
    assert ours.sandbox.get("ReadWritePaths", "").split() == theirs.one("ReadWritePaths").split()
    assert ours.user == theirs.one("User")


def _scalars(service: Service) -> Dict[str, str]:
    return {key: value for key, value in service.sandbox.items() if key != "ReadWritePaths"}

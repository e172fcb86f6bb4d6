# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The working directory of the service. Where a systemd is needed, systemd's own reader of unit files plays it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, cast

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import ensure, inspect
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
from ansible_collections.plugops.mattermost.plugins.module_utils._install import (
    working_directory as working_directory_module,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._install.working_directory import (
    DROP_IN,
    ServiceDirectory,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._node.node import Node
from ansible_collections.plugops.mattermost.plugins.module_utils._services.systemd_unit import Service, observe_service
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugops_tests.support import systemd_oracle
from plugops_tests.support.playbooks import REPOSITORY

NAME = "mattermost.service"
ETC = "etc/systemd/system"
WANTED = "/opt/mattermost"
OURS = f"/{ETC}/{NAME}.d/{DROP_IN}"


class Systemd:
    """``systemctl``, its unit loaded by systemd's own code from the files below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.reloads = 0
        self.refuses_reload = False
        self.main_pid = 0
        self.loaded = systemd_oracle.load(root, NAME)

    def __call__(self, argv: Sequence[str]) -> Tuple[int, str, str]:
        if list(argv) == ["systemctl", "daemon-reload"]:
            if self.refuses_reload:
                return 1, "", "Failed to reload daemon: Access denied"
            self.reloads += 1
            self.loaded = systemd_oracle.load(self.root, NAME)
            return 0, "", ""
        assert argv[:2] == ["systemctl", "show"], argv
        return 0, "".join(f"{key}={value}\n" for key, value in self._show().items()), ""

    def _show(self) -> Dict[str, str]:
        unit = self.loaded.unit
        if unit is None:
            return {"Id": NAME, "LoadState": "masked" if self.loaded.masked else "not-found"}
        now = systemd_oracle.load(self.root, NAME).unit
        return {
            "Id": unit.names[0],
            "LoadState": "loaded",
            "ActiveState": "active" if self.main_pid else "inactive",
            "MainPID": str(self.main_pid),
            "FragmentPath": unit.one("Fragment Path"),
            "DropInPaths": " ".join(unit.every("DropIn Path")),
            "NeedDaemonReload": "yes" if now is None or now.fields != unit.fields else "no",
            "WorkingDirectory": unit.one("WorkingDirectory").replace("/", "", int(unit.one("WorkingDirectory") == "/")),
        }


class Host:
    """A node below a directory, with or without a systemd."""

    def __init__(self, path: Path, systemd: Optional[Systemd] = None, name: str = NAME) -> None:
        self.root = Root(str(path))
        self._name = name
        self.run = systemd or self._nothing_runs_here
        self._systemd = systemd

    @staticmethod
    def _nothing_runs_here(argv: Sequence[str]) -> Tuple[int, str, str]:
        raise AssertionError(f"nothing may be run here: {argv}")

    @property
    def service(self) -> Service:
        return observe_service(self._name, self.root, self.run, live=self._systemd is not None)

    def forget(self) -> None:
        pass


def resource(path: Path, systemd: Optional[Systemd] = None, wanted: str = WANTED) -> ServiceDirectory:
    return ServiceDirectory(cast(Node, Host(path, systemd)), wanted)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "opt/mattermost/bin").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def live(root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with a systemd."""
    reason = systemd_oracle.missing(tmp_path_factory.mktemp("oracle"))
    if reason:
        pytest.skip(reason)
    monkeypatch.setattr(working_directory_module, "systemd_is_running", lambda root: True)
    return root


def write(root: Path, path: str, *lines: str) -> None:
    (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    (root / path.lstrip("/")).write_text("\n".join(("[Service]", *lines)) + "\n")


def unit(root: Path, *lines: str) -> None:
    write(root, f"{ETC}/{NAME}", "ExecStart=/opt/mattermost/bin/mattermost", *lines)


Stamp = Tuple[int, int, int, int, Optional[bytes]]


def snapshot(root: Path) -> Dict[str, Stamp]:
    """Bytes, mode, owner and times of everything below a directory."""
    found = {}
    for path in sorted(root.rglob("*")):
        state = path.lstat()
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        found[str(path)] = (state.st_mode, state.st_uid, state.st_mtime_ns, state.st_ctime_ns, data)
    return found


# ---- files alone


def test_check_run_check_run(root: Path) -> None:
    unit(root)
    before = snapshot(root)
    predicted = ensure(resource(root), check_mode=True)
    assert snapshot(root) == before
    done = ensure(resource(root), check_mode=False)
    assert (
        predicted.differences.as_list()
        == done.differences.as_list()
        == [{"name": "service.WorkingDirectory", "found": None, "wanted": WANTED, "action": f"write {OURS}"}]
    )
    after = snapshot(root)
    for check_mode in (True, False):
        again = ensure(resource(root), check_mode=check_mode)
        assert again.result()["changed"] is False
        assert snapshot(root) == after
    assert done.facts == {**predicted.facts, **again.facts}
    assert again.facts["working_directory_origin"] == OURS


def test_what_systemd_makes_of_it(live: Path) -> None:
    unit(live, "WorkingDirectory=/opt/mattermost/bin")
    ensure(resource(live, None), check_mode=True)
    write(live, f"{ETC}/service.d/50-all.conf", "WorkingDirectory=/elsewhere")
    write(live, f"run/systemd/system/{NAME}.d/override.conf", "WorkingDirectory=/elsewhere")
    systemd = Systemd(live)
    ensure(resource(live, systemd), check_mode=False)
    loaded = systemd_oracle.load(live, NAME).unit
    assert loaded is not None
    assert loaded.one("WorkingDirectory") == WANTED


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_mode_and_owner_under_every_umask(root: Path, umask: int) -> None:
    unit(root)
    old = os.umask(umask)
    try:
        ensure(resource(root), check_mode=False)
    finally:
        os.umask(old)
    file, directory = root / OURS[1:], (root / OURS[1:]).parent
    assert (file.stat().st_mode & 0o7777, directory.stat().st_mode & 0o7777) == (0o644, 0o755)
    assert (file.stat().st_uid, file.stat().st_gid) == (os.geteuid(), os.getegid())
    assert [path.name for path in directory.iterdir()] == [DROP_IN]


@pytest.mark.parametrize("value", [WANTED, f"-{WANTED}", f"{WANTED}/", "//opt/./mattermost", "/opt/%p"])
def test_what_is_right_already_is_left_alone(root: Path, value: str) -> None:
    unit(root, f"WorkingDirectory={value}")
    before = snapshot(root)
    assert ensure(resource(root), check_mode=False).result()["changed"] is False
    assert snapshot(root) == before


def test_another_drop_in_that_is_right_is_left_alone(root: Path) -> None:
    unit(root, "WorkingDirectory=/opt/mattermost/bin")
    write(root, f"{ETC}/{NAME}.d/zzz-admin.conf", f"WorkingDirectory={WANTED}")
    outcome = ensure(resource(root), check_mode=False)
    assert outcome.result()["changed"] is False
    assert outcome.facts["working_directory_origin"] == f"/{ETC}/{NAME}.d/zzz-admin.conf"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], None),
        (["WorkingDirectory="], None),
        (["WorkingDirectory=/opt/mattermost", "WorkingDirectory="], None),
        (["WorkingDirectory=-/srv"], "-/srv"),
        (["WorkingDirectory=-relative"], None),
        (["WorkingDirectory=~"], "~"),
        (["WorkingDirectory=~", "User=mattermost"], "~"),
        (["WorkingDirectory=/opt/%i"], "/opt"),
    ],
)
def test_what_is_found(root: Path, lines: List[str], found: Optional[str]) -> None:
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("mattermost:x:991:991::/home/mattermost:/bin/false\n")
    unit(root, *lines)
    assert [item.found for item in inspect(resource(root)).differences] == [found]
    ensure(resource(root), check_mode=False)


@pytest.mark.parametrize("user", ["mattermost", "991"])
def test_home_that_is_the_wanted_directory(root: Path, user: str) -> None:
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text(f"root:x:0:0::/root:/bin/sh\nmattermost:x:991:991::{WANTED}:/bin/false\n")
    unit(root, "WorkingDirectory=~", f"User={user}")
    assert not len(inspect(resource(root)).differences)


def test_percent_signs_are_no_specifiers(live: Path) -> None:
    (live / "opt/100%p").mkdir()
    unit(live)
    ensure(resource(live, Systemd(live), wanted="/opt/100%p"), check_mode=False)
    loaded = systemd_oracle.load(live, NAME).unit
    assert loaded is not None
    assert loaded.one("WorkingDirectory") == "/opt/100%p"


@pytest.mark.parametrize("wanted", ["opt", "~", "", "/opt/a\nb", "/opt/a ", "/opt/a\\", "/opt/\x7f", "/opt/\udcff"])
def test_paths_that_no_unit_can_hold(root: Path, wanted: str) -> None:
    with pytest.raises(OperatorError, match=r"cannot be a service's working directory"):
        resource(root, wanted=wanted)


def test_alias_is_followed_to_the_unit_itself(root: Path) -> None:
    write(root, f"{ETC}/mattermost-server.service", "ExecStart=/bin/true")
    (root / ETC / NAME).symlink_to("mattermost-server.service")
    ensure(resource(root), check_mode=False)
    assert (root / ETC / "mattermost-server.service.d" / DROP_IN).is_file()


# ---- what another file may do to ours


@pytest.mark.parametrize(
    "path",
    [
        f"/{ETC}/{NAME}.d/zzz.conf",
        f"/run/systemd/system/{NAME}.d/zzz.conf",
        f"/run/systemd/system.control/{NAME}.d/zzz.conf",
        f"/usr/lib/systemd/system/{NAME}.d/zzz.conf",
        f"/{ETC}/service.d/zzz.conf",
        f"/{ETC}/{NAME}.d/zz-plugops-x.conf",
    ],
)
@pytest.mark.parametrize("value", ["/elsewhere", ""])
def test_drop_in_that_would_win_is_named(live: Path, path: str, value: str) -> None:
    unit(live)
    write(live, path, "UMask=0027", f"WorkingDirectory={value}")
    before = snapshot(live)
    for check_mode in (True, False):
        with pytest.raises(OperatorError, match=f"read after ours.*{path}:3.*sorts before {DROP_IN}"):
            ensure(resource(live), check_mode=check_mode)
    assert snapshot(live) == before
    # and systemd does let it win
    write(live, OURS, f"WorkingDirectory={WANTED}")
    loaded = systemd_oracle.load(live, NAME).unit
    assert loaded is not None
    assert loaded.one("WorkingDirectory") == (value or "/")


def test_prefix_drop_in_that_would_win_is_named(root: Path) -> None:
    write(root, f"{ETC}/matter-most.service", "ExecStart=/bin/true")
    write(root, f"{ETC}/matter-.service.d/zzz.conf", "WorkingDirectory=/elsewhere")
    node = cast(Node, Host(root, name="matter-most.service"))
    with pytest.raises(OperatorError, match=r"/etc/systemd/system/matter-\.service\.d/zzz\.conf:2"):
        ensure(ServiceDirectory(node, WANTED), check_mode=True)


def test_file_of_our_name_that_hides_ours(live: Path) -> None:
    unit(live)
    hiding = f"/run/systemd/system.control/{NAME}.d/{DROP_IN}"
    write(live, hiding, "UMask=0027")
    with pytest.raises(OperatorError, match=f"hides ours.*{hiding}"):
        ensure(resource(live), check_mode=True)
    write(live, OURS, f"WorkingDirectory={WANTED}")
    loaded = systemd_oracle.load(live, NAME).unit
    assert loaded is not None
    assert loaded.one("WorkingDirectory") == "/"


def test_file_of_our_name_further_down_is_hidden_by_ours(root: Path) -> None:
    unit(root)
    write(root, f"usr/lib/systemd/system/{NAME}.d/{DROP_IN}", "WorkingDirectory=/elsewhere")
    assert ensure(resource(root), check_mode=False).facts["working_directory_origin"] == OURS


@pytest.mark.parametrize("target", ["/dev/null", "/opt/admin.conf"])
def test_link_in_our_place_is_not_followed(root: Path, target: str) -> None:
    unit(root)
    write(root, "/opt/admin.conf", "UMask=0027")
    (root / OURS[1:]).parent.mkdir()
    (root / OURS[1:]).symlink_to(os.path.relpath(f"{root}{target}", (root / OURS[1:]).parent))
    with pytest.raises(OperatorError, match=r"something else has its place.*a link to .*" + target):
        ensure(resource(root), check_mode=True)


def test_file_in_place_of_the_directory(root: Path) -> None:
    unit(root)
    (root / ETC / f"{NAME}.d").write_text("")
    (root / ETC / f"{NAME}.d").chmod(0o755)
    with pytest.raises(OperatorError, match=f"/{ETC}/{NAME}.d.* found: not a directory"):
        ensure(resource(root), check_mode=True)


def test_our_old_drop_in_is_rewritten(root: Path) -> None:
    unit(root)
    write(root, OURS, "WorkingDirectory=/opt/mattermost/bin")
    (root / OURS[1:]).chmod(0o600)
    outcome = ensure(resource(root), check_mode=False)
    assert [item.found for item in outcome.differences] == ["/opt/mattermost/bin"]
    assert (root / OURS[1:]).stat().st_mode & 0o7777 == 0o644


# ---- units and directories that cannot be


def test_no_such_unit(root: Path) -> None:
    write(root, "usr/lib/systemd/system/mattermost-server.service", "ExecStart=/bin/true")
    with pytest.raises(
        OperatorError, match=r"does not exist.*looked in .*/etc/systemd/system.*mattermost-server\.service"
    ):
        inspect(resource(root))


def test_masked_unit(root: Path) -> None:
    (root / ETC).mkdir(parents=True)
    (root / ETC / NAME).symlink_to("/dev/null")
    with pytest.raises(OperatorError, match=f"masked.*/{ETC}/{NAME}.*systemctl unmask {NAME}"):
        inspect(resource(root))


@pytest.mark.parametrize("value", ["opt/mattermost", "/opt/../opt/mattermost", '"/opt/mattermost"', "/opt/%Q"])
def test_line_that_systemd_refuses(root: Path, value: str) -> None:
    unit(root, f"WorkingDirectory={value}")
    write(root, f"{ETC}/{NAME}.d/a.conf", f"WorkingDirectory={WANTED}")
    with pytest.raises(OperatorError, match=f"/{ETC}/{NAME}:3"):
        inspect(resource(root))


def test_a_drop_in_that_systemd_cannot_read_is_no_stronger_one(root: Path) -> None:
    unit(root, "WorkingDirectory=/srv")
    write(root, f"{ETC}/{NAME}.d/zzz.conf", "WorkingDirectory=srv", "WorkingDirectory=/elsewhere")
    assert ensure(resource(root), check_mode=False).facts["working_directory"] == WANTED


def test_directory_that_is_missing_or_none(root: Path) -> None:
    unit(root, "WorkingDirectory=-/opt/gone")
    (root / "opt/file").write_text("")
    with pytest.raises(OperatorError, match=r"does not exist.*/opt/gone.*install_dir"):
        inspect(resource(root, wanted="/opt/gone"))
    with pytest.raises(OperatorError, match=r"is not a directory.*/opt/file"):
        inspect(resource(root, wanted="/opt/file"))
    (root / "opt/link").symlink_to("/opt/mattermost")
    (root / "opt/dangling").symlink_to(root / "opt/mattermost")  # leads outside, as the host sees it
    assert len(inspect(resource(root, wanted="/opt/link")).differences) == 1
    with pytest.raises(OperatorError, match=r"does not exist.*/opt/dangling|not a directory.*/opt/dangling"):
        inspect(resource(root, wanted="/opt/dangling"))


def test_root_directory_of_the_unit(root: Path) -> None:
    unit(root, "RootDirectory=/srv/jail")
    (root / "srv/jail").mkdir(parents=True)
    with pytest.raises(OperatorError, match=r"/opt/mattermost inside RootDirectory=/srv/jail"):
        inspect(resource(root))
    (root / "srv/jail/opt/mattermost").mkdir(parents=True)
    assert ensure(resource(root), check_mode=False).facts["working_directory"] == WANTED
    unit(root, "RootDirectory=/srv/empty", "BindPaths=/opt/mattermost")
    assert inspect(resource(root)).result()["changed"] is False


# ---- with a systemd


def test_systemd_reads_the_change(live: Path) -> None:
    unit(live, "WorkingDirectory=/opt/mattermost/bin")
    systemd = Systemd(live)
    predicted = ensure(resource(live, systemd), check_mode=True)
    assert systemd.reloads == 0
    done = ensure(resource(live, systemd), check_mode=False)
    assert [item.as_dict() for item in done.differences] == [
        {
            "name": "service.WorkingDirectory",
            "found": "/opt/mattermost/bin",
            "wanted": WANTED,
            "action": f"write {OURS}, systemctl daemon-reload",
        }
    ]
    assert predicted.differences.as_list() == done.differences.as_list()
    assert systemd.reloads == 1
    assert systemd.loaded.unit is not None
    assert systemd.loaded.unit.one("WorkingDirectory") == WANTED
    again = ensure(resource(live, systemd), check_mode=False)
    assert (again.result()["changed"], systemd.reloads) == (False, 1)


def test_files_that_are_right_and_not_yet_read(live: Path) -> None:
    unit(live, "WorkingDirectory=/opt/mattermost/bin")
    systemd = Systemd(live)
    unit(live, f"WorkingDirectory={WANTED}")
    outcome = ensure(resource(live, systemd), check_mode=False)
    assert [(item.found, item.action) for item in outcome.differences] == [
        ("/opt/mattermost/bin", "systemctl daemon-reload")
    ]
    assert systemd.reloads == 1
    assert not (live / OURS[1:]).exists()


def test_files_that_went_wrong_and_are_not_yet_read(live: Path) -> None:
    unit(live, f"WorkingDirectory={WANTED}")
    systemd = Systemd(live)
    unit(live, "WorkingDirectory=/opt/mattermost/bin")
    outcome = ensure(resource(live, systemd), check_mode=False)
    assert [item.found for item in outcome.differences] == ["/opt/mattermost/bin"]
    assert (live / OURS[1:]).is_file()


def test_other_changes_that_are_not_yet_read_are_not_ours(live: Path) -> None:
    unit(live, f"WorkingDirectory={WANTED}")
    systemd = Systemd(live)
    unit(live, f"WorkingDirectory={WANTED}", "UMask=0027")
    outcome = ensure(resource(live, systemd), check_mode=False)
    assert (outcome.result()["changed"], systemd.reloads) == (False, 0)
    assert outcome.facts["needs_daemon_reload"] is True


def test_systemd_that_cannot_reload(live: Path) -> None:
    unit(live)
    systemd = Systemd(live)
    systemd.refuses_reload = True
    with pytest.raises(OperatorError, match=r"daemon-reload.*Access denied"):
        ensure(resource(live, systemd), check_mode=False)
    systemd.refuses_reload = False  # the next run fixes what is left
    assert [item.action for item in ensure(resource(live, systemd), check_mode=False).differences] == [
        "systemctl daemon-reload"
    ]


# ---- with a process


@pytest.fixture
def running(live: Path) -> Iterator[Tuple[Systemd, subprocess.Popen[bytes]]]:
    """A service whose process runs in bin/ although its unit is right."""
    unit(live, f"WorkingDirectory={WANTED}")
    systemd = Systemd(live)
    with subprocess.Popen(["sleep", "60"], cwd=live / "opt/mattermost/bin") as process:
        systemd.main_pid = process.pid
        yield systemd, process
        process.kill()


def test_process_in_the_wrong_directory(live: Path, running: Tuple[Systemd, Any]) -> None:
    systemd, process = running
    outcome = ensure(resource(live, systemd), check_mode=False)
    assert outcome.result()["changed"] is False
    assert outcome.result()["restart_required"] is True
    assert outcome.pending.restart == [
        f"mattermost.service (pid {process.pid}) runs in {live}/opt/mattermost/bin, wanted {WANTED}: restart it"
    ]
    assert outcome.facts["running_directory"] == f"{live}/opt/mattermost/bin"


def test_process_in_the_right_directory_by_another_name(live: Path) -> None:
    (live / "opt/current").symlink_to("mattermost")
    unit(live, "WorkingDirectory=/opt/current")
    systemd = Systemd(live)
    with subprocess.Popen(["sleep", "60"], cwd=live / "opt/current") as process:
        systemd.main_pid = process.pid
        outcome = ensure(resource(live, systemd, wanted="/opt/current"), check_mode=False)
        process.kill()
    assert (outcome.result()["restart_required"], outcome.facts["pid"]) == (False, process.pid)


def test_process_in_a_directory_that_was_replaced(live: Path) -> None:
    unit(live, f"WorkingDirectory={WANTED}")
    systemd = Systemd(live)
    with subprocess.Popen(["sleep", "60"], cwd=live / "opt/mattermost") as process:
        systemd.main_pid = process.pid
        (live / "opt/mattermost/bin").rmdir()
        (live / "opt/mattermost").rmdir()
        (live / "opt/mattermost").mkdir()
        outcome = inspect(resource(live, systemd))
        process.kill()
    assert "(deleted)" in outcome.pending.restart[0]


def test_process_that_we_may_not_look_at(live: Path, running: Tuple[Systemd, Any], monkeypatch: Any) -> None:
    def forbidden(path: str) -> str:
        raise PermissionError(path)

    monkeypatch.setattr(os, "readlink", forbidden)
    outcome = inspect(resource(live, running[0]))
    assert outcome.pending.restart == []
    assert "run as root" in outcome.warnings[0]


# ---- any files


PLACES = [f"{ETC}/{NAME}.d", f"run/systemd/system/{NAME}.d", f"run/systemd/system.control/{NAME}.d", f"{ETC}/service.d"]
DROP_INS = st.dictionaries(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(["a.conf", "z.conf", DROP_IN, "zzz.conf"])),
    st.sampled_from(["UMask=0077", f"WorkingDirectory={WANTED}", "WorkingDirectory=/b", "WorkingDirectory=-/b/", "X="]),
    max_size=5,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(own=st.sampled_from(["X=", f"WorkingDirectory={WANTED}", "WorkingDirectory=/b"]), drop_ins=DROP_INS)
def test_systemd_agrees_or_nothing_was_changed(live: Path, own: str, drop_ins: Dict[Tuple[str, str], str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "opt/mattermost").mkdir(parents=True)
        unit(root, own)
        for (place, name), line in drop_ins.items():
            write(root, f"{place}/{name}", line)
        before = snapshot(root)
        was_right = _loaded_directory(root) == WANTED
        systemd = Systemd(root)
        outcome, error = None, ""
        try:
            outcome = ensure(resource(root, systemd), check_mode=False)
        except OperatorError as raised:
            error = str(raised)
        if outcome is None:
            assert not was_right, error
            assert snapshot(root) == before
            return
        assert outcome.result()["changed"] is not was_right
        assert (snapshot(root) == before) is was_right
        assert _loaded_directory(root) == WANTED


def _loaded_directory(root: Path) -> str:
    loaded = systemd_oracle.load(root, NAME).unit
    assert loaded is not None
    return loaded.one("WorkingDirectory")


# ---- the module itself


def run_module(root: Path, check_mode: bool, **options: Any) -> Dict[str, Any]:
    arguments = {"root": str(root), "_ansible_check_mode": check_mode, "_ansible_diff": True, **options}
    done = subprocess.run(
        [sys.executable, "-m", "ansible_collections.plugops.mattermost.plugins.modules.mattermost_service_directory"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode(),
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "collections")},
        capture_output=True,
        timeout=60,
        check=False,
    )
    result: Dict[str, Any] = json.loads(done.stdout)
    return result


def test_module_check_run_check_run(root: Path) -> None:
    unit(root, "User=mattermost", "WorkingDirectory=/opt/mattermost/bin")
    before = snapshot(root)
    predicted = run_module(root, check_mode=True)
    assert snapshot(root) == before
    done = run_module(root, check_mode=False)
    after = snapshot(root)
    for key in ("changed", "differences", "diff", "restart_required", "reload_required", "pending"):
        assert predicted[key] == done[key]
    assert done["diff"] == {
        "before": {"service.WorkingDirectory": "/opt/mattermost/bin"},
        "after": {"service.WorkingDirectory": "/opt/mattermost"},
    }
    assert done["service"]["working_directory_origin"] == OURS
    again = [run_module(root, check_mode=check_mode) for check_mode in (True, False)]
    assert [result["changed"] for result in again] == [False, False]
    assert snapshot(root) == after


@pytest.mark.parametrize("option", ["install_dir", "working_directory"])
def test_module_options_of_the_directory(root: Path, option: str) -> None:
    unit(root)
    (root / "srv/mm").mkdir(parents=True)
    assert run_module(root, False, **{option: "/srv/mm/"})["service"]["working_directory"] == "/srv/mm"


def test_module_names_another_service(root: Path) -> None:
    unit(root)
    failed = run_module(root, False, service="mattermost-team")
    assert failed["failed"] is True
    assert "mattermost-team.service does not exist" in failed["msg"]
    assert "similar: mattermost.service" in failed["msg"]

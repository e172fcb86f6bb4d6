# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mattermost_plugin_directories as Ansible runs it: as a program, on this machine and on a host below a directory."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import pytest

COLLECTIONS = Path(__file__).parents[2] / "collections"
MODULE = "ansible_collections.plugops.mattermost.plugins.modules.mattermost_plugin_directories"
ROOT = os.geteuid() == 0
USER = "nobody" if ROOT else str(os.geteuid())
needs_root = pytest.mark.skipif(not ROOT, reason="needs root, to act as another user and to mount")


@pytest.fixture
def top() -> Iterator[Path]:
    """A directory that the service user can reach, other than pytest's own."""
    with tempfile.TemporaryDirectory(prefix="plugops-module-") as name:
        path = Path(name)
        path.chmod(0o755)
        install = path / "opt/mattermost"
        for directory in (path / "opt", install, install / "client", install / "config"):
            directory.mkdir()
            directory.chmod(0o755)
        (install / "config/config.json").write_text('{"PluginSettings": {}}')
        yield path


def run_module(arguments: Dict[str, Any], check: bool = False, wrapper: Sequence[str] = ()) -> Dict[str, Any]:
    given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
    done = subprocess.run(
        [*wrapper, sys.executable, "-m", MODULE],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": given}),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    if wrapper and "unshare" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.strip()}")
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert isinstance(result, dict)
    return result


def state(top: Path) -> Dict[str, Tuple[Any, ...]]:
    found: Dict[str, Tuple[Any, ...]] = {}
    for path in sorted([top, *top.rglob("*")]):
        now = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(now.st_mode) else b""
        found[str(path)] = (now.st_uid, now.st_gid, now.st_mode, now.st_mtime_ns, now.st_ctime_ns, content)
    return found


def host_options(top: Path, live: bool) -> Dict[str, Any]:
    if live:
        return {"install_dir": f"{top}/opt/mattermost", "service": "plugops-none.service", "service_user": USER}
    return {"root": str(top), "service_user": USER}


@pytest.mark.parametrize("live", [True, False], ids=["live", "root"])
def test_check_run_check_run(top: Path, live: bool) -> None:
    options = {**host_options(top, live), "mode": "0750"}
    before = state(top)
    predicted = run_module(options, check=True)
    assert state(top) == before, "check mode leaves everything alone"
    done = run_module(options)
    install = top / "opt/mattermost"
    prefix = str(install) if live else "/opt/mattermost"
    names = [f"directories.{prefix}/plugins", f"directories.{prefix}/client/plugins"]
    assert [difference["name"] for difference in done["differences"]] == names
    for key in ("changed", "differences", "diff", "restart_required", "reload_required", "pending"):
        assert predicted[key] == done[key]
    assert done["changed"] is True
    assert done["diff"] == {"before": dict.fromkeys(names), "after": dict.fromkeys(names, "directory")}
    assert done["directories"]["Directory"] == {
        "path": f"{prefix}/plugins",
        "target": f"{prefix}/plugins",
        "exists": True,
        "owner": done["directories"]["ClientDirectory"]["owner"],
        "mode": "0750",
        "writable": True,
        "obstacles": [],
    }
    for path in (install / "plugins", install / "client/plugins"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o750
        assert list(path.iterdir()) == []
        assert path.stat().st_uid == (65534 if ROOT else os.geteuid())
    after = state(top)
    assert run_module(options, check=True)["changed"] is False
    assert state(top) == after
    again = run_module(options)
    assert (again["changed"], again["differences"]) == (False, [])


@needs_root
def test_foreign_content_and_mode_of_a_server(top: Path) -> None:
    plugins = top / "opt/mattermost/plugins"
    (plugins / "com.example/server").mkdir(parents=True)
    plugins.chmod(0o744)
    options = host_options(top, live=True)
    predicted = run_module(options, check=True)
    done = run_module(options)
    assert predicted["differences"] == done["differences"]
    assert {path.stat().st_uid for path in [plugins, *plugins.rglob("*")]} == {65534}
    assert run_module(options)["changed"] is False


def on_mount(top: Path, options: str) -> List[str]:
    """A wrapper: the plugin directories' mount, in a namespace that ends with the program."""
    install = top / "opt/mattermost"
    script = 'mount --bind "$1" "$1"; mount -o "remount,bind,$2" "$1"; shift 2; exec "$@"'
    return ["unshare", "--mount", "--propagation=private", "sh", "-ec", script, "sh", str(install), options]


@needs_root
@pytest.mark.parametrize("ready", [True, False], ids=["ready", "missing"])
@pytest.mark.parametrize(("option", "words"), [("ro", "mounted read-only"), ("noexec", "mounted noexec")])
def test_mount_that_forbids_it(top: Path, ready: bool, option: str, words: str) -> None:
    options = host_options(top, live=True)
    if ready:
        assert run_module(options)["changed"] is True
    before = state(top)
    for check in (True, False):
        result = run_module(options, check, on_mount(top, option))
        assert result["failed"] is True
        assert words in result["msg"]
        assert "nothing was changed" in result["msg"]
    assert state(top) == before
    assert "failed" not in run_module(options, wrapper=on_mount(top, "rw,exec"))


@needs_root
def test_proof_is_an_attempt_also_where_nothing_differs(top: Path) -> None:
    options = host_options(top, live=True)
    run_module(options)
    plugins = top / "opt/mattermost/plugins"
    # A directory that is full to the last name lets nobody in, whatever its mode says.
    script = 'mount -t tmpfs -o "nr_inodes=1,uid=65534,gid=65534,mode=0755" full "$1"; shift; exec "$@"'
    wrapper = ["unshare", "--mount", "--propagation=private", "sh", "-ec", script, "sh", str(plugins)]
    assert run_module(options, check=True, wrapper=wrapper)["changed"] is False
    result = run_module(options, wrapper=wrapper)
    assert "user nobody cannot write in a directory that the server must write" in result["msg"]
    assert "No space left" in result["msg"]


def test_what_is_no_mode(top: Path) -> None:
    run_module({**host_options(top, live=False), "mode": 493})  # the lock file, which every run makes
    before = state(top)
    result = run_module({**host_options(top, live=False), "mode": 493})
    assert result["failed"] is True
    assert "must be octal and give the owner rwx" in result["msg"]
    assert state(top) == before

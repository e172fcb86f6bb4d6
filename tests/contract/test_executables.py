# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server part of a plugin: a child of the server; and every way in which it does not start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

from plugops_tests.servers.deployment import Deployment, Server
from plugops_tests.support.bundles import SERVER_EXECUTABLE, make_bundle

pytestmark = pytest.mark.contract


def _children(pid: int) -> List[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def _failure(
    server: Server,
    directory: Path,
    plugin_id: str,
    content: Optional[bytes] = None,
    extra_manifest: Optional[Dict[str, Any]] = None,
    executable_mode: int = 0o755,
) -> str:
    """Upload and enable a plugin that cannot start; the line of the log about it."""
    bundle = make_bundle(
        directory,
        plugin_id,
        "1.0.0",
        webapp=False,
        server=True,
        executable_mode=executable_mode,
        files=None if content is None else {SERVER_EXECUTABLE: content},
        extra_manifest=extra_manifest,
    )
    assert server.upload(bundle).status == 201
    assert server.enable(plugin_id).status == 200, "answers before it tries"
    line = server.wait_log(f"unable to start plugin: {plugin_id}")
    if server.version >= (5, 2):
        assert line.startswith("Unable to activate plugin")
        assert ("bundle_path" in line) == (server.version >= (9, 0))
    server.wait_listed_after_failure(plugin_id)
    assert server.disable(plugin_id).status == 200, "else each change of the configuration tries it again"
    return line


@pytest.fixture
def bundles(shared_deployment: Deployment) -> Path:
    return shared_deployment.bundles


def test_no_exec_bit(shared: Server, shared_deployment: Deployment, bundles: Path) -> None:
    line = _failure(shared, bundles, "no.exec", executable_mode=0o644)
    assert f"fork/exec plugins/no.exec/{SERVER_EXECUTABLE}: permission denied" in line
    assert (shared_deployment.plugins / "no.exec" / SERVER_EXECUTABLE).stat().st_mode & 0o111 == 0, "nobody adds it"


def test_executable_missing(shared: Server, bundles: Path) -> None:
    where = "server/missing"
    extra = {"server": {"executable": where}, "backend": {"executable": where}}
    line = _failure(shared, bundles, "is.missing", extra_manifest=extra)
    assert f"plugins/is.missing/{where}: no such file or directory" in line


def test_a_server_part_under_its_old_name_counts_before_6(shared: Server, bundles: Path) -> None:
    """A plugin of 4.x that 5.36 runs is lost with the upgrade."""
    old = {"server": None, "backend": {"executable": "server/missing"}}
    bundle = make_bundle(bundles, "old.name", "1.0.0", webapp=False, server=True, extra_manifest=old)
    assert shared.upload(bundle).status == 201
    assert shared.enable("old.name").status == 200
    words = "must at least have a web app or server component"
    line = shared.wait_log(words if shared.version >= (6, 0) else "plugins/old.name/server/missing")
    assert shared.version < (5, 2) or (words in line) == (shared.version >= (6, 0))
    shared.wait_listed_after_failure("old.name")
    assert shared.disable("old.name").status == 200


def test_not_for_this_machine(shared: Server, bundles: Path) -> None:
    line = _failure(shared, bundles, "exec.format", content=b"\x7fELF but nothing more")
    assert f"fork/exec plugins/exec.format/{SERVER_EXECUTABLE}: exec format error" in line


@pytest.mark.since(5, 2)
def test_manifest_names_none_for_this_machine(shared: Server, version: Tuple[int, ...], bundles: Path) -> None:
    extra = {"server": {"executables": {"plan9-mips": SERVER_EXECUTABLE}}, "backend": None}
    line = _failure(shared, bundles, "other.machine", extra_manifest=extra)
    if version >= (7, 10):
        assert "backend executable not found for environment: linux/" in line
    elif version < (7, 9):
        assert "fork/exec plugins/other.machine: permission denied" in line, "the path ends at the directory"


def test_ends_at_once(shared: Server, shared_deployment: Deployment, bundles: Path) -> None:
    script = b'#!/bin/sh\n(pwd -P; id -u; echo "$MATTERMOST_PLUGIN") >"$TMPDIR/ends.txt"\nexit 3\n'
    line = _failure(shared, bundles, "ends.atonce", content=script)
    directory, user, cookie = (shared_deployment.temporary / "ends.txt").read_text().splitlines()[:3]
    assert directory == os.path.realpath(shared_deployment.install), "in the server's own working directory"
    assert int(user) == shared_deployment.plugins.stat().st_uid, "as the server's own user"
    assert bool(cookie) == (shared.version >= (5, 2))
    if shared.version >= (5, 2):
        assert "Unrecognized remote plugin message" in line or "plugin exited before we could connect" in line


@pytest.mark.since(5, 2)
def test_says_something_else(shared: Server, bundles: Path) -> None:
    line = _failure(shared, bundles, "says.else", content=b"#!/bin/sh\necho hello\nexec cat >/dev/null\n")
    assert "Unrecognized remote plugin message: hello" in line


@pytest.mark.since(5, 2)
def test_says_nothing(shared: Server, bundles: Path) -> None:
    line = _failure(shared, bundles, "says.nothing", content=b"#!/bin/sh\nexec sleep 30\n")
    assert "timeout while waiting for plugin to start" in line, "after three seconds"


@pytest.mark.since(5, 2)
def test_runs_as_a_child_and_ends_with_the_server(deployment: Deployment, request: pytest.FixtureRequest) -> None:
    """A real server runs only a real plugin: MATTERMOST_PLUGIN_BUNDLE=<bundle with a server part for it>."""
    if "standin" in request.node.callspec.id:
        bundle = make_bundle(deployment.bundles, "run.ning", "1.0.0", server=True)
    elif os.environ.get("MATTERMOST_PLUGIN_BUNDLE"):
        bundle = Path(os.environ["MATTERMOST_PLUGIN_BUNDLE"])
    else:
        pytest.skip("MATTERMOST_PLUGIN_BUNDLE names no plugin that a real server can run")
    with deployment.running() as server:
        plugin_id = server.upload(bundle).json["id"]
        before = set(_children(server.pid))
        assert server.enable(plugin_id).status == 200
        server.wait_active(plugin_id)
        (child,) = set(_children(server.pid)) - before
        assert os.readlink(f"/proc/{child}/cwd") == os.path.realpath(deployment.install)
        assert Path(f"/proc/{child}").stat().st_uid == Path(f"/proc/{server.pid}").stat().st_uid
        assert server.disable(plugin_id).status == 200
        server.wait_for(lambda: child not in _children(server.pid), "the plugin's process to end")
        assert server.enable(plugin_id).status == 200
        server.wait_active(plugin_id)
        (child,) = set(_children(server.pid)) - before
        server.stop()
        assert not Path(f"/proc/{child}/cwd").exists()
    with deployment.running() as server:
        server.wait_active(plugin_id)

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start-up of the plugin system: which directories it makes, from where, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from pathlib import Path
from typing import Tuple

import pytest

from plugops_tests.servers.deployment import Deployment, Server
from plugops_tests.servers.server_process import parse_log
from plugops_tests.support.bundles import make_bundle

pytestmark = pytest.mark.contract


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _assert_plugin_system_is_off(server: Server) -> None:
    """The server serves on; everything about plugins is 501."""
    assert server.public("GET", "/system/ping").status == 200
    hint = " Please check your logs for details." if server.version >= (4, 8) else ""
    for answer in (server.admin("GET", "/plugins"), server.public("GET", "/plugins/webapp")):
        assert answer.status == 501
        assert answer.error_id == "app.plugin.disabled.app_error"
        assert answer.json["message"] == f"Plugins have been disabled.{hint}"


def _plugin_system_is_on(server: Server) -> bool:
    try:
        return server.public("GET", "/plugins/webapp").status == 200
    except ConnectionError:  # 4.6 drops a request that comes in the middle of the start
        return False


def _failed_to_start(server: Server, reason: str) -> None:
    if server.version < (4, 10):
        assert any(
            line.level == "error" and line.message == f"failed to start up plugins: {reason}"
            for line in server.log_lines()
        ), server.output()
        return
    found = [line for line in server.log_lines() if line.message == "Failed to start up plugins"]
    assert {(line.level, line.fields["error"]) for line in found} == {("error", reason)}, server.output()
    assert len(found) == 1 or server.version < (5, 14), "older servers try it three times"


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o744), (0o077, 0o700)])
def test_makes_both_directories_0744_before_umask(deployment: Deployment, umask: int, expected: int) -> None:
    assert not deployment.plugins.exists()
    assert not deployment.client_plugins.exists()
    with deployment.running(umask=umask) as server:
        assert server.find_log("Starting up plugins")
        assert server.public("GET", "/plugins/webapp").status == 200
    assert _mode(deployment.plugins) == expected
    assert _mode(deployment.client_plugins) == expected


def test_leaves_existing_directories_as_they_are(deployment: Deployment) -> None:
    for directory in (deployment.plugins, deployment.client_plugins):
        directory.mkdir()
        directory.chmod(0o750)
        deployment.own(directory)
    with deployment.running() as server:
        assert server.public("GET", "/plugins/webapp").status == 200
    assert (_mode(deployment.plugins), _mode(deployment.client_plugins)) == (0o750, 0o750)


def test_client_directory_not_writable(deployment: Deployment) -> None:
    (deployment.install / "client").chmod(0o555)
    with deployment.running() as server:
        _failed_to_start(server, "mkdir ./client/plugins: permission denied")
        _assert_plugin_system_is_off(server)
    assert deployment.plugins.is_dir()
    assert not deployment.client_plugins.exists()


def test_install_directory_not_writable(deployment: Deployment) -> None:
    deployment.own(_made(deployment.install / "data"))
    deployment.own(_made(deployment.install / "logs"))
    deployment.install.chmod(0o555)
    with deployment.running() as server:
        _failed_to_start(server, "mkdir ./plugins: permission denied")
        _assert_plugin_system_is_off(server)


def _made(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def test_uploads_are_refused_while_the_plugin_system_is_off(deployment: Deployment) -> None:
    (deployment.install / "client").chmod(0o555)
    with deployment.running() as server:
        answer = server.upload(make_bundle(deployment.bundles, "some.plugin", "1.0.0"))
        assert (answer.status, answer.error_id) == (501, "app.plugin.disabled.app_error")


def test_started_in_bin(deployment: Deployment) -> None:
    directory = deployment.install / "bin"
    with deployment.running(cwd=directory) as server:
        _failed_to_start(server, "mkdir ./client/plugins: no such file or directory")
        _assert_plugin_system_is_off(server)
    assert (directory / "plugins").is_dir()
    assert (directory / "data").is_dir(), "the relative file store moves with the working directory"
    assert not deployment.plugins.exists()


@pytest.mark.since(5, 8)
def test_started_in_an_unrelated_directory(deployment: Deployment) -> None:
    directory = deployment.own(_made(deployment.root / "elsewhere"))
    with deployment.running(cwd=directory) as server:
        _failed_to_start(server, "mkdir ./client/plugins: no such file or directory")
        _assert_plugin_system_is_off(server)
    assert (directory / "plugins").is_dir()
    assert (directory / "data").is_dir()


@pytest.mark.before(5, 8)
def test_does_not_start_in_an_unrelated_directory(deployment: Deployment) -> None:
    directory = deployment.own(_made(deployment.root / "elsewhere"))
    server = deployment.server(cwd=directory, arguments=["-c", str(deployment.config_path)])
    try:
        server.start()
        server.wait_ended()
        assert "nable to find i18n directory" in server.output()
    finally:
        server.clean_up()


@pytest.mark.since(5, 8)
def test_absolute_directories_work_from_anywhere(deployment: Deployment) -> None:
    directory = deployment.own(_made(deployment.root / "elsewhere"))
    settings = {"Directory": str(deployment.plugins), "ClientDirectory": str(deployment.client_plugins)}
    deployment.edit_plugin_settings(**settings)
    with deployment.running(cwd=directory) as server:
        assert server.public("GET", "/plugins/webapp").status == 200
    assert deployment.plugins.is_dir()
    assert deployment.client_plugins.is_dir()
    assert not (directory / "plugins").exists()


def test_working_directory_is_logged(deployment: Deployment) -> None:
    with deployment.running() as server:
        directory = os.path.realpath(deployment.install)
        if server.version >= (5, 36):
            found = [line for line in server.log_lines() if line.message == "Printing current working"]
            assert [line.fields["directory"] for line in found] == [directory]
        else:
            assert any(line.message == f"Current working directory is {directory}" for line in server.log_lines())


def test_log_file_has_the_format_of_its_era(deployment: Deployment) -> None:
    with deployment.running():
        pass
    lines = (deployment.install / "logs" / "mattermost.log").read_text().splitlines()
    line = next(line for line in lines if "Starting up plugins" in line)
    assert line.startswith("{") == (deployment.version >= (4, 10))
    assert [(found.level, found.message) for found in parse_log(line)] == [("info", "Starting up plugins")]


@pytest.mark.parametrize("blocker", ["file", "dangling link"])
def test_an_entry_of_another_kind_as_plugin_directory(deployment: Deployment, blocker: str) -> None:
    if blocker == "file":
        deployment.plugins.write_text("")
    else:
        deployment.plugins.symlink_to("nowhere")
    reason = "not a directory" if blocker == "file" else "no such file or directory"
    with deployment.running() as server:
        if server.version < (4, 10):
            assert server.wait_log(reason)
            return
        assert reason in server.wait_log("Unable to get available plugins")
        if server.version >= (5, 14):
            assert server.find_log("Failed to sync plugins from the file store")
        assert not server.find_log("Failed to start up plugins")


def test_plugin_directory_may_be_a_link(deployment: Deployment) -> None:
    real = deployment.own(_made(deployment.root / "real-plugins"))
    deployment.plugins.symlink_to(real)
    with deployment.running() as server:
        assert server.upload(make_bundle(deployment.bundles, "some.plugin", "1.0.0")).status == 201
    assert (real / "some.plugin" / "plugin.json").is_file()


def test_failed_start_is_retried_when_plugin_settings_change(deployment: Deployment) -> None:
    client = deployment.install / "client"
    client.chmod(0o555)
    with deployment.running() as server:
        assert server.public("GET", "/plugins/webapp").status == 501
        client.chmod(0o755)
        deployment.edit_plugin_settings(PluginStates={"some.plugin": {"Enable": True}})
        if server.version >= (5, 38):
            assert server.rest("POST", "/config/reload").status == 200
        server.wait_for(lambda: _plugin_system_is_on(server), "the plugin system")
    assert deployment.client_plugins.is_dir()


def test_plugins_switched_off_and_on(deployment: Deployment) -> None:
    deployment.write_config({"PluginSettings": {"Enable": False}})
    with deployment.running() as server:
        _assert_plugin_system_is_off(server)
        assert not deployment.plugins.exists()
        config = server.rest("GET", "/config").json
        config["PluginSettings"]["Enable"] = True
        assert server.rest("PUT", "/config", config).status == 200
        server.wait_for(lambda: _plugin_system_is_on(server), "the plugin system")
    assert deployment.plugins.is_dir()


def test_version_header(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running() as server:
        parts = server.public("GET", "/system/ping").headers["X-Version-Id"].split(".")
        assert tuple(int(part) for part in parts[:3]) == version
        assert parts[-1] == "false", "not licensed"
        if version >= (5, 24):
            assert server.local("GET", "/system/ping").headers["X-Version-Id"].split(".")[:3] == parts[:3]


def test_stops_cleanly(deployment: Deployment) -> None:
    with deployment.running() as server:
        if server.version >= (5, 24):
            server.wait_for(lambda: _mode(deployment.socket) == 0o600, "the socket to be of the owner alone")
            assert stat.S_ISSOCK(os.stat(deployment.socket).st_mode)
        server.stop()
        # Old servers answer before they listen for signals; one of 5.13 was also seen not to end in 20 s.
        late = {-signal.SIGTERM, -signal.SIGKILL} if server.version < (5, 14) else set()
        assert server.returncode in {0, *late}
    assert not deployment.socket.exists()


@pytest.mark.since(5, 24)
def test_socket_path_is_taken_over(deployment: Deployment) -> None:
    deployment.own(_written(deployment.socket, "stale"))
    with deployment.running() as server:
        assert server.local("GET", "/system/ping").status == 200


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.since(5, 0)
def test_tells_systemd_that_it_is_ready(deployment: Deployment) -> None:
    path = deployment.root / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.settimeout(30)
        with deployment.running(env={"NOTIFY_SOCKET": str(path)}):
            assert b"READY=1" in listener.recv(4096)


@pytest.mark.since(5, 20)
def test_log_is_json_that_a_program_can_read(deployment: Deployment) -> None:
    with deployment.running() as server:
        raw = [line.raw for line in server.log_lines() if "Starting up plugins" in line.raw]
    record = json.loads(raw[0])
    assert record["level"] == "info"
    assert record["msg"] == "Starting up plugins"
    assert "ts" in record or "timestamp" in record
    if not (5, 38) <= deployment.version < (6, 7):
        assert ("timestamp" in record) == (deployment.version >= (6, 7))

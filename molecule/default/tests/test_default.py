# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app servers after site.yml as seen from outside: stat, systemd, /proc, the server's own answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

PLUGINS = ("com.example.plugin01", "com.example.plugin02")
DIRECTORIES = ("/opt/mattermost/plugins", "/opt/mattermost/client/plugins")


def output(host: Any, command: str) -> str:
    with host.sudo():
        return str(host.check_output(command))


def test_the_process_runs_in_the_install_directory(host: Any) -> None:
    pid = output(host, "systemctl show -p MainPID --value mattermost")
    assert output(host, f"readlink /proc/{pid}/cwd") == "/opt/mattermost"
    assert output(host, "systemctl show -p WorkingDirectory --value mattermost") == "/opt/mattermost"


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_the_service_user_can_write(host: Any, directory: str) -> None:
    with host.sudo():
        found = host.file(directory)
        assert (found.user, found.group, found.mode) == ("mattermost", "mattermost", 0o755)
        host.run_expect([0], f"runuser -u mattermost -- sh -c 'touch {directory}/.probe && rm {directory}/.probe'")


def test_every_file_in_the_directories_belongs_to_the_service_user(host: Any) -> None:
    assert output(host, f"find {' '.join(DIRECTORIES)} -not -user mattermost") == ""


def test_the_server_runs_the_plugins(host: Any) -> None:
    script = (
        "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8065/api/v4/plugins/webapp').read().decode())"
    )
    running = {item["id"]: item["version"] for item in json.loads(output(host, f'python3 -c "{script}"'))}
    assert running == dict.fromkeys(PLUGINS, "1.1.0")


def test_nothing_is_left_behind(host: Any) -> None:
    assert output(host, "find /opt/mattermost /etc/systemd -name '.plugops*'") == ""


def test_system_directories_are_unchanged(host: Any) -> None:
    with host.sudo():
        for path in ("/etc", "/etc/systemd/system", "/opt"):
            found = host.file(path)
            assert (found.user, found.group) == ("root", "root")

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app servers and the load balancer after the upgrade, as seen from outside."""

from __future__ import annotations

import json
from typing import Any

import pytest

PLUGINS = ("com.example.plugin01", "com.example.plugin02")
APPS = ("app1", "app2", "app3")


def output(host: Any, command: str) -> str:
    with host.sudo():
        return str(host.check_output(command))


def is_app(host: Any) -> bool:
    return output(host, "hostname") in APPS


def test_the_server_runs_the_new_version(host: Any) -> None:
    if not is_app(host):
        pytest.skip("not an app server")
    script = (
        "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8065/api/v4/plugins/webapp').read().decode())"
    )
    running = {item["id"]: item["version"] for item in json.loads(output(host, f'python3 -c "{script}"'))}
    assert running == dict.fromkeys(PLUGINS, "1.1.0")


def test_the_load_balancer_uses_all_app_servers(host: Any) -> None:
    if is_app(host):
        pytest.skip("not a load balancer")
    lines = output(host, "grep 'server ' /etc/nginx/conf.d/mattermost.conf").splitlines()
    assert len([line for line in lines if ":8065" in line]) == len(APPS)
    assert not [line for line in lines if " down" in line]


def test_nobody_holds_the_run_lock(host: Any) -> None:
    assert output(host, "find /var/lib -name run-lock.json") == ""

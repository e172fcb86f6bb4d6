# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret shows in anything that a run prints, however talkative, nor in the list of processes."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from plugops_tests.modules.place import API_PASSWORD, ISSUED, broken_place, running_server
from plugops_tests.sandbox.app_server import PLUGIN_ID, VERSION, make_sandbox
from plugops_tests.support.playbooks import run_playbook

pytestmark = pytest.mark.slow

SECRETS = ("s3cr3t-Value-of-a-token", "0ld-s3cr3t-in-the-file")


@pytest.mark.parametrize("options", [["--check"], []], ids=["check", "run"])
@pytest.mark.parametrize("playbook", ["plan", "site"])
def test_no_secret_is_printed(tmp_path: Path, sandbox_place: Path, playbook: str, options: list[str]) -> None:
    server = make_sandbox(sandbox_place)[0]
    config = server.install_dir / "config" / "config.json"
    document = json.loads(config.read_text(encoding="utf-8"))
    document["PluginSettings"]["Plugins"] = {PLUGIN_ID: {"Token": SECRETS[1]}}
    config.write_text(json.dumps(document, indent=4), encoding="utf-8")
    inventory = tmp_path / "inventory.json"
    variables: Dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "mattermost_become": False,
        "mattermost_root": str(server.root),
        "mattermost_server_version": VERSION,
        "mattermost_plugin_configs": {PLUGIN_ID: {"token": SECRETS[0], "number": 7}},
    }
    inventory.write_text(json.dumps({"mattermost_app_servers": {"hosts": {"app1": variables}}}))
    run = run_playbook(f"playbooks/{playbook}.yml", inventory, {}, ["-vvv", "--diff", *options])
    assert f"settings.Plugins.{PLUGIN_ID}.token" in run.output
    assert "5.36.1" in run.output  # a short secret such as 7 must not blot out what is none
    for secret in SECRETS:
        assert secret not in run.output
        assert secret not in json.dumps(run.tasks)
    written = json.loads(config.read_text(encoding="utf-8"))["PluginSettings"]["Plugins"][PLUGIN_ID]
    assert written["Token"] == (SECRETS[0] if playbook == "site" and not options else SECRETS[1])


@contextlib.contextmanager
def command_lines() -> Iterator[List[str]]:
    """Those of all processes, as often as they can be read while a block runs."""
    seen: Dict[str, None] = {}
    lines: List[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    seen[Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")] = None

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lines
    finally:
        done.set()
        watcher.join()
        lines += seen


def test_no_account_of_the_api_is_printed_or_a_part_of_a_command(tmp_path: Path) -> None:
    """A token and a password, good ones and wrong ones, each on an app server of its own."""
    wrong = "wr0ng-s3cret-of-nobody"
    inventory = tmp_path / "inventory.json"
    with broken_place("9.10.0") as place, running_server(place):
        accounts = {
            "token": {"mattermost_api_token": ISSUED[-1]},
            "wrong-token": {"mattermost_api_token": wrong},
            "login": {"mattermost_api_username": "admin", "mattermost_api_password": API_PASSWORD},
            "wrong-login": {"mattermost_api_username": "admin", "mattermost_api_password": wrong},
        }
        common = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "mattermost_become": False,
            "mattermost_root": str(place.server.root),
            "mattermost_api_url": place.api()["api_url"],
            "mattermost_plugins": [{"src": place.bundle()}],
        }
        hosts = {name: {**common, **account} for name, account in accounts.items()}
        inventory.write_text(json.dumps({"mattermost_app_servers": {"hosts": hosts}}))
        with command_lines() as lines:
            run = run_playbook("playbooks/plan.yml", inventory, {}, ["-vvv", "--diff"], may_fail=True)
    info = {task["host"]: task["result"] for task in run.tasks if task["action"].endswith("mattermost_plugin_info")}
    assert {host: (info[host].get("plugins") or {}).get("server_version") for host in ("token", "login")} == {
        "token": "9.10.0",
        "login": "9.10.0",
    }
    assert all("401" in json.dumps(info[host]) for host in ("wrong-token", "wrong-login"))
    assert any("ansible-playbook" in line for line in lines)
    for secret in (ISSUED[-1], API_PASSWORD, wrong):
        assert secret not in run.output
        assert secret not in json.dumps(run.tasks)
        assert [line for line in lines if secret in line] == []

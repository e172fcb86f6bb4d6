"""How many app servers site.yml changes at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from sandbox.app_server import NEW, PLUGIN_ID, VERSION, make_sandbox, remove_sandbox
from support.playbooks import run_playbook

PLAY = "PLAY [Make it so, one app server after another]"


@pytest.mark.parametrize(
    ("in_inventory", "options", "batches"),
    [
        ({}, [], 3),
        ({"mattermost_rolling_batch": 2}, [], 2),
        ({"mattermost_rolling_batch": "100%"}, [], 1),
        ({"mattermost_rolling_batch": 1}, ["-e", "mattermost_rolling_batch=3"], 1),
        ({"mattermost_rolling_batch": 3}, ["--limit", "app2"], 1),
    ],
)
def test_the_inventory_says_it(tmp_path: Path, in_inventory: Dict[str, Any], options: List[str], batches: int) -> None:
    tmp_path.chmod(0o755)
    sandbox = tmp_path / "sandbox"
    try:
        servers = make_sandbox(sandbox)
        group = {
            "hosts": {server.name: {"mattermost_root": str(server.root)} for server in servers},
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                "ansible_remote_tmp": str(tmp_path / "tmp"),
                "mattermost_become": False,
                "mattermost_server_version": VERSION,
                "mattermost_plugins": [{"src": str(sandbox / "bundles" / f"{PLUGIN_ID}-{NEW}.tar.gz")}],
                **in_inventory,
            },
        }
        inventory = tmp_path / "inventory.json"
        inventory.write_text(json.dumps({"mattermost_app_servers": group}))
        run = run_playbook("playbooks/site.yml", inventory, {}, ["--check", *options])
    finally:
        remove_sandbox(sandbox)
    assert run.output.count(PLAY) == batches

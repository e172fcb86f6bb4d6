"""No secret of a plugin's settings shows in anything that a run prints, however talkative."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from sandbox.app_server import PLUGIN_ID, VERSION, make_sandbox
from support.playbooks import run_playbook

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

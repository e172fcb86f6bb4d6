# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mattermost_plugin_settings as Ansible runs it: options, prediction, and no secret anywhere."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest
import yaml
from ansible_collections.plugops.mattermost.plugins.module_utils._config.plugin_settings import KEYS
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NODE_ARGUMENTS

from plugops_tests.support.playbooks import REPOSITORY

MODULE = "plugops.mattermost.mattermost_plugin_settings"
# One that Ansible's own masking would catch, and one so short that only construction keeps it out.
NEW_SECRETS = ["Zm9vYmFyLW5ldy1zZWNyZXQ", "q7Xz4"]
OLD_SECRETS = ["b2xkLXNlY3JldC1pbi1maWxl", "w9Kd2"]

STORED: Dict[str, Any] = {
    "PluginSettings": {
        "Enable": True,
        "EnableUploads": False,
        "Directory": "./plugins",
        "PluginStates": {"com.mattermost.nps": {"Enable": True}},
        "Plugins": {"com.example.a": {"token": OLD_SECRETS[0], "pin": OLD_SECRETS[1], "kept": 1}},
    }
}


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """An app server as an image: a unit and a configuration file."""
    root = tmp_path / "host"
    unit = root / "etc/systemd/system/mattermost.service"
    config = root / "opt/mattermost/config/config.json"
    for file in (unit, config):
        file.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/opt/mattermost/bin/mattermost\nUser=nobody\n")
    config.write_text(json.dumps(STORED, indent=4))
    return root


def config_of(host: Path) -> Path:
    return host / "opt/mattermost/config/config.json"


def ansible(host: Path, options: Dict[str, Any], *flags: str) -> subprocess.CompletedProcess[str]:
    variables = host.parent / "variables.json"
    variables.write_text(json.dumps({"wanted_plugins": options.pop("plugins", {})}))
    arguments = {"root": str(host), "plugins": "{{ wanted_plugins }}", **options}
    command = [
        str(Path(sys.executable).parent / "ansible"),
        "localhost",
        *("-i", "localhost,", "-c", "local", "-m", MODULE, "-a", json.dumps(arguments), "-e", f"@{variables}"),
        *("-e", f"ansible_python_interpreter={sys.executable}"),
        *flags,
    ]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
        "ANSIBLE_LOG_PATH": str(host.parent / "ansible.log"),
        "ANSIBLE_LOCAL_TEMP": str(host.parent / "local"),
        "ANSIBLE_REMOTE_TEMP": str(host.parent / "remote"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_INJECT_INVOCATION": "true",
    }
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120)


def result_of(done: subprocess.CompletedProcess[str]) -> Dict[str, Any]:
    """The JSON that ``ansible`` prints after ``localhost | CHANGED => ``."""
    _, _, rest = done.stdout.partition("localhost | ")
    _, _, text = rest.partition("=> ")
    assert text, done.stdout + done.stderr
    return json.JSONDecoder().raw_decode(text)[0]


def everything(host: Path, done: subprocess.CompletedProcess[str]) -> str:
    log = host.parent / "ansible.log"
    return done.stdout + done.stderr + (log.read_text() if log.exists() else "")


def shown(text: str, secrets: List[str]) -> List[str]:
    return [secret for secret in secrets if secret in text]


@pytest.mark.parametrize("check", [True, False])
def test_no_secret_is_shown_at_any_verbosity(host: Path, check: bool) -> None:
    before = config_of(host).read_text()
    options = {
        "enable_uploads": True,
        "plugins": {
            "com.example.a": {"Token": NEW_SECRETS[0], "pin": NEW_SECRETS[1]},
            "com.example.b": {"list": [{"deep": NEW_SECRETS[0]}, NEW_SECRETS[1]]},
        },
    }
    done = ansible(host, options, "-vvv", "--diff", *(["--check"] if check else []))
    assert done.returncode == 0, done.stdout + done.stderr
    assert shown(everything(host, done), NEW_SECRETS + OLD_SECRETS) == []
    result = result_of(done)
    assert [difference["name"] for difference in result["differences"]] == [
        "settings.EnableUploads",
        "settings.Plugins.com.example.a.Token",
        "settings.Plugins.com.example.a.pin",
        "settings.Plugins.com.example.b.list",
    ]
    assert result["differences"][1]["wanted"] == "********"
    assert result["invocation"]["module_args"]["plugins"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    after = json.loads(config_of(host).read_text())["PluginSettings"]
    if check:
        assert config_of(host).read_text() == before
    else:
        assert after["Plugins"]["com.example.a"] == {"token": NEW_SECRETS[0], "pin": NEW_SECRETS[1], "kept": 1}
        again = result_of(ansible(host, {**options, "plugins": {"COM.example.a": {"token": NEW_SECRETS[0]}}}))
        assert (again["changed"], again["differences"]) == (False, [])


@pytest.mark.parametrize(
    ("plugins", "config", "message"),
    [
        ({"a": {"k": NEW_SECRETS[0]}}, json.dumps(STORED)[:-1] + ",}", "comma before a closing brace"),
        (
            {"com.example.a": {"token": NEW_SECRETS[0]}},
            json.dumps(STORED).replace('"pin"', '"TOKEN"'),
            "one and the same key",
        ),
    ],
)
def test_no_secret_is_shown_by_a_failure(host: Path, plugins: Any, config: Any, message: str) -> None:
    config_of(host).write_text(config)
    before = config_of(host).read_text()
    done = ansible(host, {"plugins": plugins}, "-vvv", "--diff")
    assert done.returncode != 0
    assert message in result_of(done)["msg"]
    assert shown(everything(host, done), NEW_SECRETS + OLD_SECRETS) == []
    assert config_of(host).read_text() == before


def test_a_file_that_the_server_does_not_read_is_refused(host: Path) -> None:
    drop_in = host / "etc/systemd/system/mattermost.service.d/config.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nEnvironment=MM_CONFIG=postgres://mmuser:Zm9vYmFyLW5ldy1zZWNyZXQ@db/mm\n")
    done = ansible(host, {"enable_uploads": True}, "-vvv")
    assert done.returncode != 0
    assert f"MM_CONFIG=postgres://… in {drop_in.relative_to(host)}" in result_of(done)["msg"].replace("in /", "in ")
    assert shown(everything(host, done), NEW_SECRETS) == []
    drop_in.write_text("[Service]\nEnvironment=MM_CONFIG=/etc/mm.json\n")
    message = result_of(ansible(host, {"enable_uploads": True, "config_path": "/opt/mattermost/config/config.json"}))
    assert "MM_CONFIG=/etc/mm.json" in message["msg"]
    assert json.loads(config_of(host).read_text()) == STORED


def test_ansibles_own_types_turn_texts_into_booleans(host: Path) -> None:
    result = result_of(ansible(host, {"enable_uploads": "yes", "signature_public_key_files": "a.asc,b.asc"}))
    assert [(item["name"], item["wanted"]) for item in result["differences"]] == [
        ("settings.EnableUploads", True),
        ("settings.SignaturePublicKeyFiles", ["a.asc", "b.asc"]),
    ]


def test_documentation_and_arguments_are_one() -> None:
    module = importlib.import_module(f"ansible_collections.{MODULE.rpartition('.')[0]}.plugins.modules.{MODULE[19:]}")
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    own = {name: spec for name, spec in module.ARGUMENTS.items() if name not in NODE_ARGUMENTS}
    assert set(documented) == set(own)
    assert {key.option for key in KEYS} <= set(own)
    for name, spec in own.items():
        for field in ("type", "elements", "default", "choices"):
            assert documented[name].get(field) == spec.get(field), (name, field)
    for block in (module.EXAMPLES, module.RETURN):
        assert yaml.safe_load(block)
    used = {option for task in yaml.safe_load(module.EXAMPLES) for option in task.get(MODULE, {})}
    assert used <= set(module.ARGUMENTS)

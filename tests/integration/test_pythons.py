# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules on every Python that an app server may have, as far as this machine has them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

from plugops_tests.sandbox.app_server import NEW, PLUGIN_ID, VERSION, make_sandbox, plugin_version
from plugops_tests.support.cores import interpreter
from plugops_tests.support.playbooks import run_playbook

pytestmark = pytest.mark.slow


# 3.8 is for ansible-core before 2.20: test_cores.py.
OLDEST, NEWEST = ("3.9" if sys.version_info >= (3, 12) else "3.8"), "3.13"
BETWEEN = [pytest.param(f"3.{minor}", marks=pytest.mark.matrix) for minor in range(10, 13)]


@pytest.mark.parametrize("version", [OLDEST, *BETWEEN, NEWEST])
def test_site_on_this_python(version: str, tmp_path: Path, sandbox_place: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    server = make_sandbox(sandbox_place)[2]
    variables: Dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": python,
        "mattermost_become": False,
        "mattermost_root": str(server.root),
        "mattermost_server_version": VERSION,
        "mattermost_plugin_settings": {"EnableUploads": True},
        "mattermost_plugins": [{"src": str(sandbox_place / "bundles" / f"{PLUGIN_ID}-{NEW}.tar.gz")}],
    }
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"mattermost_app_servers": {"hosts": {"app": variables}}}))
    assert run_playbook("playbooks/site.yml", inventory, {}).changed()
    assert plugin_version(server) == NEW
    assert not run_playbook("playbooks/site.yml", inventory, {}).changed()

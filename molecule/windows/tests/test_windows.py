# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine after site.yml as seen from outside: its registry, the processes as Linux sees them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from plugops_tests.windows.machine import INSTALL_DIR, MATTERMOST, ODD, ODD_DIR, Machine

testinfra_hosts = ["local://"]

SERVICES = {MATTERMOST: INSTALL_DIR, ODD: ODD_DIR}


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    path = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "windows" / "machine.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def machine(state: dict[str, Any]) -> Machine:
    return Machine.attach(Path(state["directory"]))


@pytest.mark.parametrize("service", SERVICES)
def test_the_registry_is_right(machine: Machine, service: str) -> None:
    assert machine.app_directory(service) == SERVICES[service]


@pytest.mark.parametrize("service", SERVICES)
def test_the_process_runs_there(machine: Machine, service: str) -> None:
    assert machine.runs_in(SERVICES[service]) == SERVICES[service]


@pytest.mark.parametrize("service", SERVICES)
def test_every_other_parameter_is_the_same_byte_for_byte(machine: Machine, state: dict[str, Any], service: str) -> None:
    def others(text: str) -> str:
        return re.sub(r'"AppDirectory"=(.*\\\n)*.*\n', "", text.replace("\r", ""))

    before, after = state["registry"][service], machine.registry(service)
    assert others(after) == others(before)
    assert before != after
    assert '"AppEnvironmentExtra"=' in before


@pytest.mark.parametrize("service", SERVICES)
def test_the_plugin_directories_are_there(machine: Machine, service: str) -> None:
    for name in ("plugins", r"client\plugins"):
        assert machine.wine.real(rf"{SERVICES[service]}\{name}").is_dir()

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks on a Windows machine, by a playbook of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

from plugops_tests.support.playbooks import Run, run_playbook
from plugops_tests.windows.machine import Machine


def play(machine: Machine, place: Path, tasks: List[Dict[str, Any]], hosts: List[str], *options: str) -> Run:
    """Run tasks on the machine, under one or several names; a task may fail."""
    inventory = place / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": dict.fromkeys(hosts), "vars": machine.variables()}}))
    path = place / "play.json"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}]))
    return run_playbook(str(path), inventory, {}, ["--diff", *options], may_fail=True)

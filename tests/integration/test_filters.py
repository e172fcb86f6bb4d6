# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the filters' pages, run by Ansible: each gives what the comment below it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
import yaml
from ansible_collections.plugops.mattermost.plugins.filter import reports, test_cluster

from plugops_tests.support.playbooks import REPOSITORY, run_playbook

PAGES = sorted((REPOSITORY / "plugins" / "filter").glob("*.yml"))
TYPES = {"list": list, "dict": dict, "str": str, "bool": bool}


def page(path: Path) -> Dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def promised(example: str) -> List[Any]:
    """What the comment at the end of an example says; nothing where there is none."""
    comment = "\n".join(line.strip().lstrip("#") for line in example.splitlines() if line.strip().startswith("#"))
    return [yaml.safe_load(comment)] if comment else []


def test_every_filter_has_a_page() -> None:
    filters = {**reports.FilterModule().filters(), **test_cluster.FilterModule().filters()}
    assert {path.stem for path in PAGES} == set(filters)
    assert all(page(path)["DOCUMENTATION"]["name"] == path.stem for path in PAGES)


def test_every_example_gives_what_it_says(tmp_path: Path) -> None:
    tasks: List[Dict[str, Any]] = []
    for number, path in enumerate(PAGES):
        (example,) = yaml.safe_load(page(path)["EXAMPLES"])
        tasks.append({**example, "register": f"example_{number}"})
    results = "{{ [" + ", ".join(f"example_{number}.msg" for number in range(len(PAGES))) + "] | to_json }}"
    written = tmp_path / "results.json"
    tasks.append({"name": "Write", "ansible.builtin.copy": {"content": results, "dest": str(written), "mode": "0600"}})
    playbook, inventory = tmp_path / "play.yml", tmp_path / "hosts"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    inventory.write_text(
        "localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n"
    )
    run_playbook(str(playbook), inventory, {})
    for path, found in zip(PAGES, json.loads(written.read_text(encoding="utf-8"))):
        text = page(path)
        said = promised(text["EXAMPLES"])
        assert found == (said[0] if said else found), path.stem
        assert isinstance(found, TYPES.get(text["RETURN"]["_value"]["type"], object)), path.stem


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_pages_are_complete(path: Path) -> None:
    text = page(path)
    options = text["DOCUMENTATION"]["options"]
    assert all(option["description"] and option["type"] for option in options.values())
    positional = text["DOCUMENTATION"].get("positional", "")
    assert [name.strip() for name in positional.split(",") if name] == [name for name in options if name != "_input"]

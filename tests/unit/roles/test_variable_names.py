# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No variable that roles and playbooks define for themselves hides one of the operator's.

An inventory that says ``mattermost_drain_tasks: "{{ hooks }}/drain.yml"`` means its own ``hooks``: a task's variable of
that name would be found first, and never end.

In roles a variable is public, and in an argument spec, or begins with the name of a role. ansible-lint's
var-naming[no-role-prefix] cannot tell these apart: it wants the name of one role on public variables, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Set

import pytest
import yaml

from plugops_tests.support.playbooks import REPOSITORY

FILES = [*REPOSITORY.glob("roles/*/tasks/*.yml"), *REPOSITORY.glob("playbooks/*.yml")]
OURS = ("app_server_", "test_cluster_", "windows_service_", "mattermost_", "ansible_")


def defined(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value.get("vars") or {}
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from defined(item)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_variable_has_the_name_of_its_role_in_front(path: Path) -> None:
    found = list(defined(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert [name for name in found if not name.startswith(OURS)] == []


ROLES = sorted(path for path in (REPOSITORY / "roles").iterdir() if path.is_dir())
SETTERS = ("set_fact", "ansible.builtin.set_fact")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def set_by(tasks: Any) -> Iterator[str]:
    """Names that tasks register, set as facts, or define for themselves, in blocks, too."""
    for task in tasks or []:
        for setter in SETTERS:
            yield from (name for name in task.get(setter, {}) if name != "cacheable")
        yield from task.get("vars", {})
        if "register" in task:
            yield task["register"]
        for part in ("block", "rescue", "always"):
            yield from set_by(task.get(part))


def names_of(role: Path) -> Set[str]:
    found: Set[str] = set()
    for folder in ("defaults", "vars"):
        for path in (role / folder).glob("*.yml"):
            found |= set(load(path) or {})
    for path in (role / "tasks").rglob("*.yml"):
        found |= set(set_by(load(path)))
    return found


def public() -> Set[str]:
    specs = (load(role / "meta" / "argument_specs.yml")["argument_specs"] for role in ROLES)
    return {name for spec in specs for entry in spec.values() for name in entry.get("options", {})}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_variable_is_public_or_has_the_name_of_a_role(role: Path) -> None:
    names = names_of(role)
    assert names, "the role sets variables"
    prefixes = tuple(f"{other.name}_" for other in ROLES)
    known = public()
    odd = {name for name in names if name not in known and not name.startswith(prefixes)}
    # What Ansible itself defines has names of its own.
    assert {name for name in odd if not name.startswith("ansible_")} == set()

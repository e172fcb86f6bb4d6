# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No variable that roles and playbooks define for themselves hides one of the operator's.

An inventory that says ``mattermost_drain_tasks: "{{ hooks }}/drain.yml"`` means its own ``hooks``: a task's variable of
that name would be found first, and never end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

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

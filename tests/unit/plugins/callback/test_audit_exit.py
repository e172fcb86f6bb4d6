# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback that ends ansible-playbook by what an audit found."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Optional

import pytest
from ansible_collections.plugops.mattermost.plugins.callback.audit_exit import CallbackModule


def ended_with(action: str, code: Optional[int]) -> Optional[int]:
    callback = CallbackModule()
    callback.v2_runner_on_ok(SimpleNamespace(_task=SimpleNamespace(action=action), _result={"exit_code": code}))
    try:
        callback.v2_playbook_on_stats(None)
    except SystemExit as end:
        return int(str(end.code))
    return None


@pytest.mark.parametrize("code", [10, 20])
@pytest.mark.parametrize("action", ["mattermost_audit_report", "plugops.mattermost.mattermost_audit_report"])
def test_what_was_found_is_the_exit_code(action: str, code: int) -> None:
    assert ended_with(action, code) == code


def test_after_a_clean_audit_ansible_says_how_the_rest_went() -> None:
    assert ended_with("mattermost_audit_report", 0) is None


def test_other_tasks_say_nothing() -> None:
    assert ended_with("ansible.builtin.command", 10) is None

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets ansible-playbook end with what an audit found: its own exit codes tell only whether a task failed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_exit
type: aggregate
short_description: Exit code of ansible-playbook by what an audit found
version_added: 0.1.0
description:
  - Where a run had an audit (M(plugops.mattermost.mattermost_audit_report)), C(ansible-playbook) ends with 0 if it is
    clean and nothing else failed, 10 if something drifted, 20 if something is broken, regardless of
    C(mattermost_audit_fail_on).
  - Other runs end as always. So does an audit that failed before it had a result.
requirements:
  - enable it, C(callbacks_enabled = plugops.mattermost.audit_exit) in C(ansible.cfg), or
    C(ANSIBLE_CALLBACKS_ENABLED=plugops.mattermost.audit_exit)
author:
  - plugops contributors (@plugops)
"""

from typing import Any, Optional

from ansible.plugins.callback import CallbackBase

_ACTION = "mattermost_audit_report"


class CallbackModule(CallbackBase):
    """Remembers the last audit, and ends the program with its code once everything else is done."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "plugops.mattermost.audit_exit"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._exit_code: Optional[int] = None

    def v2_runner_on_ok(self, result: Any) -> None:
        if str(result._task.action).endswith(_ACTION):
            self._exit_code = int(result._result["exit_code"])

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if self._exit_code:  # after a clean audit the rest of the run decides
            raise SystemExit(self._exit_code)

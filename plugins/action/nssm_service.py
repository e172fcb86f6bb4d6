# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nssm_service runs on the controller: a Windows host needs no Python, and its shell alone is spoken to."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible.plugins.action import ActionBase

from ..module_utils._core.errors import OperatorError
from ..module_utils._core.text import printable
from ..plugin_utils._windows.host import host_of
from ..plugin_utils._windows.service_run import ServiceRun

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "service": {"type": "str", "default": "mattermost"},
    "state": {"type": "str", "choices": ["started", "restarted"], "default": "started"},
    "nssm": {"type": "str"},
    "timeout": {"type": "int", "default": 60},
}


class ActionModule(ActionBase):
    """One round trip where the service runs and is to be left alone."""

    _requires_connection = True
    _VALID_ARGS = frozenset(ARGUMENTS)

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            host = host_of(self, str((task_vars or {}).get("inventory_hostname", "")))
            run = ServiceRun(host, args["service"], args["nssm"] or "", args["timeout"])
            answer = run.ensure(args["state"] == "restarted", self._task.check_mode)
        except OperatorError as error:
            return {**result, "failed": True, "msg": str(error)}
        before = {"state": answer["state_before"]} if answer["changed"] else {}
        after = {"state": "RUNNING, restarted"} if answer["changed"] else {}
        return {**result, **printable(answer), "diff": {"before": before, "after": after}}

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nssm_app_directory runs on the controller: a Windows host needs no Python, and its shell alone is spoken to."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible.plugins.action import ActionBase

from ..plugin_utils._windows.action import run_resource
from ..plugin_utils._windows.app_directory import AppDirectory

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "service": {"type": "str", "default": "mattermost"},
    "path": {"type": "str", "required": True},
    "nssm": {"type": "str"},
    "must_exist": {"type": "bool", "default": True},
}


class ActionModule(ActionBase):
    """One round trip where nothing differs, up to five where something does."""

    _requires_connection = True
    _VALID_ARGS = frozenset(ARGUMENTS)

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        return run_resource(
            self,
            result,
            task_vars or {},
            lambda host: AppDirectory(host, args["service"], args["path"], args["nssm"] or "", args["must_exist"]),
        )

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_plugin_directories runs on the controller: a Windows host needs no Python, its shell alone is spoken to."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible.plugins.action import ActionBase

from ..plugin_utils._windows.action import run_resource
from ..plugin_utils._windows.directories import PluginDirectories

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "service": {"type": "str", "default": "mattermost"},
    "path": {"type": "str", "required": True},
    "directory": {"type": "str"},
    "client_directory": {"type": "str"},
}


class ActionModule(ActionBase):
    """One round trip where nothing differs, a second one where the host must tell who the account is."""

    _requires_connection = True
    _VALID_ARGS = frozenset(ARGUMENTS)

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        return run_resource(
            self,
            result,
            task_vars or {},
            lambda host: PluginDirectories(
                host, args["service"], args["path"], args["directory"] or "", args["client_directory"] or ""
            ),
        )

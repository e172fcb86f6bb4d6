# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mattermost_plugin_parity runs on the controller alone: it compares reports that are there already."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible.plugins.action import ActionBase

from ..module_utils._parity import compare_nodes

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "reports": {"type": "dict", "required": True},
    "fail": {"type": "bool", "default": True},
}


class ActionModule(ActionBase):
    """Compares the reports of mattermost_plugin_info, and fails where they differ unless told not to."""

    _requires_connection = False
    _VALID_ARGS = frozenset(ARGUMENTS)

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        differences = compare_nodes(args["reports"])
        result.update(
            changed=False,
            consistent=not differences,
            nodes=sorted(args["reports"]),
            differences=[difference.as_dict() for difference in differences],
        )
        if differences and args["fail"]:
            lines = "; ".join(str(difference) for difference in differences)
            result.update(failed=True, msg=f"The app servers differ: {lines}. What to do: run site.yml on all of them.")
        return result

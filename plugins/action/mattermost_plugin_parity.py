# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mattermost_plugin_parity runs on the controller alone: it compares reports that are there already."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Optional

from ansible.plugins.action import ActionBase

from ..module_utils._core.errors import OperatorError
from ..module_utils._core.text import one_line
from ..module_utils._host.writing import write_atomic
from ..plugin_utils._reports.parity import NodeDifference, compare_nodes, compare_with_pins

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "reports": {"type": "dict", "required": True},
    "lock": {"type": "path"},
    "dest": {"type": "path"},
    "fail": {"type": "bool", "default": True},
}


class ActionModule(ActionBase):
    """Compares the reports of mattermost_plugin_info, and fails where they differ unless told not to."""

    _requires_connection = False
    _VALID_ARGS = frozenset(ARGUMENTS)

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            differences = self._differences(args)
            report = {
                "consistent": not differences,
                "nodes": sorted(args["reports"]),
                "differences": [difference.as_dict() for difference in differences],
            }
            result.update(changed=self._keep(args["dest"], report), **report)
        except OperatorError as error:
            return {**result, "failed": True, "msg": str(error)}
        if differences and args["fail"]:
            lines = one_line("; ".join(str(difference) for difference in differences))
            what = "are not what the lock file pins" if args["lock"] else "differ"
            result.update(failed=True, msg=f"The app servers {what}: {lines}. What to do: run site.yml on all of them.")
        return result

    @staticmethod
    def _differences(args: Dict[str, Any]) -> List[NodeDifference]:
        differences = compare_nodes(args["reports"])
        if args["lock"]:
            from ..plugin_utils._bundles.lock_file import read_lock

            lock = read_lock(args["lock"])
            pins = {
                plugin_id: {
                    "present": pin.present,
                    "version": pin.version,
                    "enabled": pin.enabled is not False,
                    "bundle": pin.sha256,
                    "files": pin.tree,
                }
                for plugin_id, pin in lock.pins.items()
            }
            differences += compare_with_pins(args["reports"], pins, os.path.basename(lock.path))
        return differences

    def _keep(self, dest: Optional[str], report: Dict[str, Any]) -> bool:
        """Write the report where it is another one than what is there."""
        if not dest:
            return False
        text = json.dumps(report, indent=2, sort_keys=True) + "\n"
        try:
            if os.path.exists(dest):
                with open(dest, encoding="utf-8", errors="replace") as source:
                    if source.read() == text:
                        return False
            if not self._task.check_mode:
                write_atomic(dest, text.encode("utf-8"), mode=0o600)
        except OSError as error:
            raise OperatorError(
                "the report cannot be written",
                where=dest,
                found=error.strerror or str(error),
                remedy="check that its directory exists and that you have write permission",
            ) from error
        return True

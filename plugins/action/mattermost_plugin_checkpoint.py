# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller part of mattermost_plugin_checkpoint: reads the bundles of the coming change, and sends none of them."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible.plugins.action import ActionBase

from ..module_utils._core.errors import OperatorError
from ..plugin_utils._bundles.coming import take_coming
from ..plugin_utils._play.misplaced_options import refuse_misplaced


class ActionModule(ActionBase):
    """One module call per host, regardless of the number of plugins."""

    _requires_connection = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        try:
            refuse_misplaced(args)
            take_coming(args, lambda src: self._find_needle("files", src))
        except OperatorError as error:
            return {**result, "failed": True, "msg": str(error)}
        answer = self._execute_module(
            module_name="plugops.mattermost.mattermost_plugin_checkpoint", module_args=args, task_vars=task_vars
        )
        return {**result, **answer}

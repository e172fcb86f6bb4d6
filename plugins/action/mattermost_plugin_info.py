# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller part of mattermost_plugin_info: reads the bundles, so that the node can compare without having them."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible.plugins.action import ActionBase

from ..module_utils._change.run_lock import Holder
from ..module_utils._core.errors import OperatorError
from ..plugin_utils._bundles.wanted import take_plugins
from ..plugin_utils._play.misplaced_options import refuse_misplaced
from ..plugin_utils._play.this_run import this_run


class ActionModule(ActionBase):
    """One module call per host, regardless of the number of plugins."""

    _requires_connection = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        try:
            refuse_misplaced(args)
            take_plugins(args, lambda src: self._find_needle("files", src))
        except OperatorError as error:
            return {**result, "failed": True, "msg": str(error)}
        answer = self._execute_module(
            module_name="plugops.mattermost.mattermost_plugin_info", module_args=args, task_vars=task_vars
        )
        return {**result, **_told(answer)}


def _told(answer: Dict[str, Any]) -> Dict[str, Any]:
    """The report, not healthy where another run has begun a change and not ended it: cut off, or at work still."""
    if not answer.get("unfinished"):
        return answer
    begun = Holder.from_dict(answer["unfinished"])
    if begun.run == this_run().run:
        return {**answer, "unfinished": None}
    why = f"a change was begun here and not ended: {begun.description()}"
    return {**answer, "healthy": False, "unhealthy": [*answer["unhealthy"], why]}

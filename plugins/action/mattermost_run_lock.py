# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller part of mattermost_run_lock: tells which run this is, and whether another one still runs."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Dict, Optional

from ansible.plugins.action import ActionBase

from ..module_utils._change.run_lock import Holder
from ..module_utils._core.errors import OperatorError
from ..plugin_utils._play.misplaced_options import refuse_misplaced
from ..plugin_utils._play.this_run import is_gone, this_run

# Seconds that the node waits in one call. In between the holder's process is looked at.
_WAIT = 5


class ActionModule(ActionBase):
    """One call where nobody else holds the lock."""

    _requires_connection = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        result = super().run(tmp, task_vars)
        try:
            refuse_misplaced(self._task.args)
        except OperatorError as error:
            return {**result, "failed": True, "msg": str(error)}
        args = {**self._task.args, "run": this_run().to_dict()}
        deadline = time.monotonic() + _seconds(args.get("timeout"))
        waited = False
        while True:
            answer = self._call(args, task_vars)
            if answer.get("failed") or "refused" not in answer:
                break
            holder = Holder.from_dict(answer["refused"])
            left = deadline - time.monotonic()
            if is_gone(holder):
                args.update(gone=holder.run, patience=0)
            elif left > 0:
                args.update(patience=max(1, min(_WAIT, int(left))))
                waited = True
            else:
                return {**result, "failed": True, "msg": str(_held(holder))}
        if not answer.get("failed") and not answer.get("unreachable"):
            answer["waited"] = waited
        return {**result, **answer}

    def _call(self, args: Dict[str, Any], task_vars: Optional[Dict[str, Any]]) -> Dict[str, Any]:
        return self._execute_module(
            module_name="plugops.mattermost.mattermost_run_lock", module_args=args, task_vars=task_vars
        )


def _seconds(timeout: Any) -> int:
    """As the module will read it; what is no number the module refuses."""
    with contextlib.suppress(TypeError, ValueError):
        return int(timeout or 0)
    return 0


def _held(holder: Holder) -> OperatorError:
    return OperatorError(
        "another run is changing this app server",
        found=holder.description(),
        remedy="wait until it has ended, or let this run wait for it (mattermost_lock_timeout). If you know that it "
        "does not run any more, break its lock: ansible mattermost_app_servers -b -m "
        "plugops.mattermost.mattermost_run_lock -a 'state=released force=true'",
    )

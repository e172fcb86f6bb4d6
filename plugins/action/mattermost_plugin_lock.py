# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mattermost_plugin_lock runs on the controller alone: that is where the bundles and the lock file lie."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible.plugins.action import ActionBase

from ..module_utils._core.errors import OperatorError
from ..module_utils._core.text import one_line
from ..module_utils._node.source_options import SOURCE_ARGUMENTS
from ..module_utils._plugins.arguments import PLUGINS_ARGUMENT
from ..plugin_utils._bundles.adoption import adopt
from ..plugin_utils._bundles.facts import BundleFacts, facts_path
from ..plugin_utils._bundles.lock_file import Lock, written
from ..plugin_utils._bundles.lock_file_update import differences_of, pins_of, present_lock, updated, write_lock
from ..plugin_utils._bundles.sources import SourceOptions
from ..plugin_utils._bundles.wanted import Wanted

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    **{name: option for name, option in SOURCE_ARGUMENTS.items() if name not in ("lock", "fetch")},
    "path": {"type": "path", "required": True},
    "plugins": {**PLUGINS_ARGUMENT, "default": []},
    "purge": {"type": "bool", "default": False},
    "adopt": {"type": "str"},
    "reports": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """Pins the given bundles, or what the app servers run, and writes the lock file only where it differs."""

    _requires_connection = False
    _VALID_ARGS = frozenset(ARGUMENTS)

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        written = self._task.args.get("plugins")
        if isinstance(written, list):  # as written: the validator made a text of a version that YAML read as a number
            args["plugins"] = written
        try:
            return {**result, **self._ensure(args)}
        except OperatorError as error:
            return {**result, "failed": True, "msg": str(error)}

    def _ensure(self, args: Dict[str, Any]) -> Dict[str, Any]:
        before = present_lock(args["path"])
        facts = BundleFacts(facts_path())
        try:
            after, notes = self._wanted(args, before, facts)
        finally:
            facts.save()
        differences = differences_of(before, after)
        if len(differences) and not self._task.check_mode:
            write_lock(after)
        result = {
            "changed": len(differences) > 0,
            "path": after.path,
            "differences": differences.as_list(),
            "plugins": {plugin_id: written(pin) for plugin_id, pin in after.pins.items()},
            **notes,
        }
        return {**result, "diff": differences.diff()} if self._task.diff else result

    def _wanted(self, args: Dict[str, Any], before: Lock, facts: BundleFacts) -> tuple[Lock, Dict[str, Any]]:
        """The lock file as it should be, and what else to report."""
        options = SourceOptions.take(dict(args))
        wanted = Wanted(lambda src: self._find_needle("files", src), facts, options, before)
        if not args["adopt"]:
            pins = pins_of(wanted.named(args["plugins"]), before)
            return updated(before, pins, args["purge"]), {"unknown": {}, "left_out": []}
        adoption = adopt(args["reports"], args["adopt"], before, wanted.offered())
        notes: Dict[str, Any] = {"unknown": adoption.unknown, "left_out": adoption.left_out}
        if adoption.unknown:
            notes["warnings"] = [
                one_line(f"{plugin_id} is not pinned: {why}.") for plugin_id, why in adoption.unknown.items()
            ]
        return updated(before, adoption.pins, args["purge"]), notes

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mattermost_audit_report runs on the controller alone: it makes one report of what the app servers returned."""

from __future__ import annotations

import json
import os
import time
from typing import Any, Dict, Optional

from ansible.plugins.action import ActionBase

from ..module_utils._core.errors import OperatorError
from ..module_utils._host.writing import write_atomic
from ..plugin_utils._reports.audit import BROKEN, DRIFT, audit_of
from ..plugin_utils._reports.audit_formats import junit, sarif, terminal_lines
from ..plugin_utils._reports.audit_page import page
from ..plugin_utils._reports.collection_version import collection_version

FORMATS = ("html", "json", "junit", "sarif")
# What fail_on may be -> the statuses that are as bad then.
FAILS = {"never": (), "broken": (BROKEN,), "drift": (DRIFT, BROKEN)}
ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "reports": {"type": "dict", "required": True},
    "directory": {"type": "str", "default": ""},
    "fail_on": {"type": "str", "choices": list(FAILS), "default": "never"},
    "formats": {"type": "list", "elements": "str", "choices": list(FORMATS), "default": list(FORMATS)},
}
_NAMES = {"html": "audit.html", "json": "audit.json", "junit": "audit.junit.xml", "sarif": "audit.sarif"}


class ActionModule(ActionBase):
    """Judges the reports and writes them where they are wanted."""

    _requires_connection = False
    _VALID_ARGS = frozenset(ARGUMENTS)

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        # Plain values, without Ansible's own kinds of text; a key that is none in JSON is left out.
        reports = json.loads(json.dumps(args["reports"], skipkeys=True))
        audit = audit_of(reports, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))
        files: Dict[str, str] = {}
        directory = args["directory"]
        if directory and args["formats"]:
            directory = os.path.abspath(os.path.expanduser(directory))
            files = {name: os.path.join(directory, _NAMES[name]) for name in args["formats"]}
            if not self._task.check_mode:
                try:
                    _write(audit, files)
                except (OSError, OperatorError) as error:
                    msg = f"The report cannot be written ({directory}): {error}. What to do: specify another directory."
                    return {**result, "failed": True, "msg": msg}
        written = [f"In full: {', '.join(files.values())}"] if files and not self._task.check_mode else []
        result.update(
            changed=False,
            status=audit["status"],
            exit_code=audit["exit_code"],
            bad=audit["status"] in FAILS[args["fail_on"]],
            counts=audit["counts"],
            nodes={name: node["status"] for name, node in audit["nodes"].items()},
            findings=audit["findings"],
            lines=[*terminal_lines(audit), *written],
            files=files,
        )
        return result


def _write(audit: Dict[str, Any], files: Dict[str, str]) -> None:
    contents = {
        "html": lambda: page(audit).encode("utf-8"),
        "json": lambda: json.dumps(audit, indent=2, ensure_ascii=False).encode("utf-8") + b"\n",
        "junit": lambda: junit(audit),
        "sarif": lambda: json.dumps(sarif(audit, collection_version()), indent=2).encode("utf-8") + b"\n",
    }
    for name, path in files.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_atomic(path, contents[name](), mode=0o600)

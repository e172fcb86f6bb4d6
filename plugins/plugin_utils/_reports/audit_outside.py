# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit finds of an app server whose files are out of reach: by its REST API, and on Windows by its service."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from ...module_utils._audit.findings import Findings
from .._windows.app_directory import DIFFERENCE

_DIRECTORIES, _RIGHTS = "directories.", ".rights"


def seen_from_outside(report: Mapping[str, Any]) -> Dict[str, Any]:
    """The report with its findings, as mattermost_plugin_info makes them of an app server that it runs on."""
    found = Findings()
    service = report.get("service") or {}
    if service:
        _of_service(report, service, found)
    elif not report.get("running"):
        found.add("service-not-running", "", "the server does not answer", remedy="Start it, or correct its address.")
    _of_plugins(report, found)
    # The commands of the table are for Linux.
    return {**report, "findings": [{**finding, "command": ""} for finding in found.as_list()]}


def _of_service(report: Mapping[str, Any], service: Mapping[str, Any], found: Findings) -> None:
    name = service["name"]
    pending = (report.get("pending") or {}).get("restart") or []
    fixable = [item for item in report["differences"] if item["name"].startswith((DIFFERENCE, _DIRECTORIES))]
    for difference in fixable:
        _of_difference(name, difference, found)
    for reason in [] if fixable else pending:
        found.add("process-elsewhere", "", str(reason))
    if service["state"] != "RUNNING":
        found.add("service-not-running", "", f"{name} is {service['state']}", remedy="Start it.")


def _of_difference(service: str, difference: Mapping[str, Any], found: Findings) -> None:
    then = "then restart the service."
    if difference["name"] == DIFFERENCE:
        text = f"AppDirectory of {service} is {difference['found']}, wanted {difference['wanted']}"
        found.add("working-directory-wrong", "", text, remedy=f"Run: {difference['action']}; {then}")
        return
    path = difference["name"][len(_DIRECTORIES) :]
    if path.endswith(_RIGHTS):
        text = f"the account of {service} may {difference['found'] or 'nothing'} there, it needs {difference['wanted']}"
        code, path = "directory-not-writable", path[: -len(_RIGHTS)]
    else:
        code, text = "directory-missing", f"{path} does not exist"
    found.add(code, path, text, remedy=f"Run: {difference['action']}; {then}")


def _of_plugins(report: Mapping[str, Any], found: Findings) -> None:
    settings = (report.get("settings") or {}).get("settings") or {}
    if report.get("plugin_system") == "off":
        disabled = settings.get("Enable") is False
        found.add("plugins-disabled" if disabled else "plugin-system-off", "", "the server reports it as off")
    for plugin_id, evidence in (report.get("running_plugins") or {}).items():
        if evidence["runs"] is False:
            found.add("plugin-not-running", plugin_id, f"{evidence['by']}: {evidence['found']}")

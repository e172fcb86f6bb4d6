# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of an audit of all app servers: the status of each, the findings of all of them, the plugins side by side.

Made on the controller from what mattermost_plugin_info returned with ``findings``. Everything that is shown, as text,
JSON, page, JUnit or SARIF, is made from this.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Dict, List, Mapping

from ...module_utils._audit.codes import CODES, ERROR, NOTE, WARNING
from ...module_utils._audit.findings import Finding, evidence_of
from ...module_utils._core.errors import kind_and_text
from ...module_utils._core.text import one_line, printable
from .parity import compare_nodes

CLEAN, DRIFT, BROKEN = "clean", "drift", "broken"
STATUSES = (CLEAN, DRIFT, BROKEN)  # the worse the later
# What a pipeline gets; Ansible itself uses 1 to 8, 99 and 250.
EXIT_CODES = {CLEAN: 0, DRIFT: 10, BROKEN: 20}
_SEVERITIES = (ERROR, WARNING, NOTE)
_NAMED_NODES_DIFFERENCES = 12
_difference_fields = itemgetter("name", "found", "wanted", "action")
_FIELDS = ("title", "subject", "cause", "leads_to", "remedy", "command")


def audit_of(reports: Mapping[str, Mapping[str, Any]], generated: str) -> Dict[str, Any]:
    """The audit of all nodes, as every format shows it.

    :param reports: node -> what mattermost_plugin_info returned there, or what went wrong instead
    :param generated: the time, as it is to be shown
    """
    # Again, although the node did it: one that is taken over may return anything.
    reports = {one_line(str(name)): printable(report) for name, report in reports.items()}
    nodes = {name: _guarded(name, report) for name, report in sorted(reports.items())}
    # Of a Windows app server without an address of its API no plugins are known.
    readable = {name: report for name, report in reports.items() if nodes[name]["reported"] and "plugins" in report}
    findings = _grouped(nodes) + _differing(readable)
    findings.sort(key=lambda item: (_SEVERITIES.index(item["severity"]), item["code"], item["subject"]))
    status = _worst([node["status"] for node in nodes.values()] + [_status_of(item["severity"]) for item in findings])
    return {
        "format": 1,
        "generated": generated,
        "status": status,
        "exit_code": EXIT_CODES[status],
        "counts": {severity: sum(item["severity"] == severity for item in findings) for severity in _SEVERITIES},
        "nodes": nodes,
        "plugins": _plugins(readable),
        "findings": findings,
    }


def _guarded(name: str, report: Any) -> Dict[str, Any]:
    """The report of one app server; an answer that is no report is a finding of that app server alone."""
    try:
        node = _node(name, report)
        if node["reported"]:
            _check(name, node, report)
    except Exception as error:
        return _node(name, {"msg": f"what it answered is no report: {kind_and_text(error)}"})
    return node


def _check(name: str, node: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """Do with one report what is done with all of them, so that an error is this node's.

    :raises Exception: something is missing, or of another kind
    """
    for finding in node["findings"]:
        known = CODES[finding["code"]], _SEVERITIES.index(finding["severity"]), *map(finding.__getitem__, _FIELDS)
        if not isinstance(finding["evidence"], list) or not all(isinstance(text, str) for text in known[2:]):
            raise TypeError("a finding without its fields")
    for difference in node["differences"]:
        _difference_fields(difference)
    _grouped({name: node})
    if "plugins" in report:
        compare_nodes({name: report})
        _plugins({name: report})


def _node(name: str, report: Mapping[str, Any]) -> Dict[str, Any]:
    reported = "differences" in report and not report.get("failed")
    if not reported:
        found = [_no_report(name, report)]
        return {"reported": False, "status": BROKEN, "findings": found, "differences": [], "restart": []}
    if "findings" not in report:
        from .audit_outside import seen_from_outside

        report = seen_from_outside(report)
    findings = list(report.get("findings") or [])
    differences = list(report.get("differences") or [])
    pending = report.get("pending") or {}
    restarts = [*(pending.get("restart") or []), *(pending.get("reload") or [])]
    drift = bool(differences or restarts or report.get("errors"))
    statuses = [_status_of(finding["severity"]) for finding in findings] + [DRIFT if drift else CLEAN]
    return {
        "reported": True,
        "status": _worst(statuses),
        "server_version": (report.get("plugins") or {}).get("server_version"),
        "running": bool(report.get("running")),
        "plugin_system": report.get("plugin_system", "unknown"),
        "findings": findings,
        "differences": differences,
        "errors": list(report.get("errors") or []),
        "restart": [*restarts, *(report.get("expected_restart") or [])],
    }


def _no_report(name: str, report: Mapping[str, Any]) -> Dict[str, Any]:
    why = str(report.get("msg") or "the task did not run to its end there").strip()
    return Finding("no-report", name, [evidence_of(why)]).as_dict()


def _grouped(nodes: Mapping[str, Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """The same finding on several nodes is one, with the evidence of each."""
    groups: Dict[Any, Dict[str, Any]] = {}
    for name, node in nodes.items():
        for finding in node["findings"]:
            key = (finding["code"], finding["subject"], finding["remedy"], finding["command"])
            group = groups.setdefault(key, {**finding, "nodes": {}})
            group["nodes"][name] = finding["evidence"]
            group["mended_by_site"] = group["mended_by_site"] and finding["mended_by_site"]
    return [{name: value for name, value in group.items() if name != "evidence"} for group in groups.values()]


def _differing(reports: Mapping[str, Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """The differences between app servers, as one finding."""
    differences = compare_nodes(reports) if len(reports) > 1 else []
    if not differences:
        return []
    evidence: Dict[str, List[str]] = {}
    for difference in differences[:_NAMED_NODES_DIFFERENCES]:
        for name in difference.odd:
            others = {str(value) for node, value in difference.values.items() if node != name}
            files = f"; files: {', '.join(difference.files)}" if difference.files else ""
            text = f"{difference.name} is {_short(difference.values[name])}, elsewhere "
            evidence.setdefault(name, []).append(text + ", ".join(sorted(_short(value) for value in others)) + files)
    left = len(differences) - _NAMED_NODES_DIFFERENCES
    if left > 0:
        evidence[next(iter(evidence))].append(f"and {left} differences more")
    found = Finding("nodes-differ").as_dict()
    del found["evidence"]
    return [{**found, "nodes": evidence}]


def _short(value: Any) -> str:
    text = "missing" if value is None else str(value)
    return text if len(text) < 40 else text[:12] + "…"


def _plugins(reports: Mapping[str, Mapping[str, Any]]) -> Dict[str, Dict[str, Any]]:
    """Plugin -> node -> what is there; None where it is not."""
    installed = {name: (report.get("plugins") or {}).get("installed") or {} for name, report in reports.items()}
    ids = sorted({plugin_id for plugins in installed.values() for plugin_id in plugins})
    table: Dict[str, Dict[str, Any]] = {}
    for plugin_id in ids:
        cells = {name: plugins.get(plugin_id) for name, plugins in sorted(installed.items())}
        trees = [cell["tree"] for cell in cells.values() if cell and cell["tree"]]
        usual = max(sorted(set(trees)), key=trees.count, default="")
        table[plugin_id] = {name: _cell(cell, usual) for name, cell in cells.items()}
    return table


def _cell(plugin: Any, usual: str) -> Any:
    if not plugin:
        return None
    state = (
        "disabled" if not plugin["enabled"] else {True: "running", False: "stopped"}.get(plugin["active"], "enabled")
    )
    return {
        "version": plugin["version"],
        "tree": plugin["tree"] or "",  # through an API alone it may not be known
        "same": plugin["tree"] in (usual, None),
        "state": state,
        "managed": plugin["managed"],
    }


def _status_of(severity: str) -> str:
    return {ERROR: BROKEN, WARNING: DRIFT}.get(severity, CLEAN)


def _worst(statuses: List[str]) -> str:
    return max(statuses, key=STATUSES.index, default=CLEAN)

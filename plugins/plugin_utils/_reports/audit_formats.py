# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit as text for the terminal, and in the two formats that pipelines read: JUnit and SARIF."""

from __future__ import annotations

import re
import textwrap
import urllib.parse
import xml.etree.ElementTree as ET
from typing import Any, Dict, List, Mapping, Sequence

from ...module_utils._audit.codes import ERROR, NOTE, TABLE, WARNING
from ...module_utils._core.text import one_line, safe

WIDTH = 100
_PAGES = "docs/findings/{}.md"
# XML 1.0 knows no other control characters, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORDS = {"clean": "clean", "drift": "not as wanted", "broken": "broken"}
_LEVELS = {ERROR: "error", WARNING: "warning", NOTE: "note"}


def terminal_lines(audit: Mapping[str, Any]) -> List[str]:
    """A table of the app servers, then each finding: where, why, what to do."""
    lines = _table([["app server", "status", "server", "plugins", "errors", "warnings", "to change"], *_rows(audit)])
    for finding in audit["findings"]:
        if finding["severity"] != NOTE:
            lines += ["", *_finding_lines(finding)]
    notes: Dict[str, List[str]] = {}
    for item in audit["findings"]:
        if item["severity"] == NOTE:
            notes.setdefault(item["code"], []).extend(item["nodes"])
    if notes:
        shown = [f"{code} ({', '.join(sorted(set(nodes)))})" for code, nodes in notes.items()]
        lines += ["", *_wrapped("notes: ", "; ".join(shown))]
    lines += ["", *_wrapped("", f"The app servers are {_WORDS[audit['status']]}." + _advice(audit))]
    return [one_line(line) for line in lines]


def _rows(audit: Mapping[str, Any]) -> List[List[str]]:
    rows = []
    for name, node in audit["nodes"].items():
        count = {level: sum(item["severity"] == level for item in node["findings"]) for level in (ERROR, WARNING)}
        if not node["reported"]:
            rows.append([name, node["status"], "no report", "", str(count[ERROR]), str(count[WARNING]), ""])
            continue
        cells = [plugin[name] for plugin in audit["plugins"].values() if plugin.get(name)]
        running = sum(cell["state"] == "running" for cell in cells)
        known = any(cell["state"] in ("running", "stopped") for cell in cells)
        server = str(node["server_version"] or "unknown") if node["running"] else "down"
        plugins = f"{running} of {len(cells)} run" if known else f"{len(cells)} installed"
        rows.append(
            [
                name,
                node["status"],
                server,
                plugins,
                str(count[ERROR]),
                str(count[WARNING]),
                str(len(node["differences"])),
            ]
        )
    return rows


def _table(rows: Sequence[Sequence[str]]) -> List[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _finding_lines(finding: Mapping[str, Any]) -> List[str]:
    about = f" [{finding['subject']}]" if finding["subject"] else ""
    lines = _wrapped(f"{finding['severity'].upper()} {finding['code']}{about}: ", finding["title"])
    for node, evidence in finding["nodes"].items():
        for text in evidence:
            lines += _wrapped(f"  {node}: ", text)
    lines += _wrapped("  leads to: ", finding["leads_to"])
    site = " (site.yml fixes it)" if finding["mended_by_site"] else ""
    lines += _wrapped("  what to do: ", finding["remedy"] + site)
    return lines + ([f"  command: {finding['command']}"] if finding["command"] else [])


def _wrapped(start: str, text: str) -> List[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=start, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False
    ) or [start.rstrip()]


def _advice(audit: Mapping[str, Any]) -> str:
    if any(item["mended_by_site"] and item["severity"] != NOTE for item in audit["findings"]) or any(
        node["differences"] for node in audit["nodes"].values()
    ):
        return " site.yml fixes what it can; plan.yml shows in advance what it would change."
    return ""


def junit(audit: Mapping[str, Any]) -> bytes:
    """One suite an app server, one case a finding code: failed where it was found."""
    kinds = [kind for kind in TABLE if kind.severity != NOTE]
    suites = ET.Element("testsuites", name="mattermost audit")
    cluster = [item for item in audit["findings"] if item["code"] == "nodes-differ"]
    for name, node in audit["nodes"].items():
        by_code: Dict[str, List[Mapping[str, Any]]] = {}
        for finding in node["findings"]:
            by_code.setdefault(finding["code"], []).append(finding)
        for finding in cluster:
            if name in finding["nodes"]:
                by_code[finding["code"]] = [{**finding, "evidence": finding["nodes"][name]}]
        failures = sum(kind.code in by_code for kind in kinds)
        suite = ET.SubElement(
            suites, "testsuite", name=_xml(name), tests=str(len(kinds)), failures=str(failures), errors="0", skipped="0"
        )
        for kind in kinds:
            case = ET.SubElement(suite, "testcase", classname=_xml(f"{name}.{kind.area}"), name=kind.code, time="0")
            for finding in by_code.get(kind.code, [])[:1]:
                found = [one_line(text) for item in by_code[kind.code] for text in item["evidence"]]
                failure = ET.SubElement(case, "failure", type=kind.severity, message=_xml(kind.title))
                failure.text = _xml("\n".join([*found, "", f"What to do: {finding['remedy']}", finding["command"]]))
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="utf-8")


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", safe(text))


def sarif(audit: Mapping[str, Any], version: str) -> Dict[str, Any]:
    """SARIF 2.1.0: a rule for each code, a result for each finding on each app server."""
    numbers = {kind.code: number for number, kind in enumerate(TABLE)}
    rules = [
        {
            "id": kind.code,
            "shortDescription": {"text": kind.title},
            "fullDescription": {"text": f"{kind.cause} {kind.leads_to}"},
            "help": {"text": kind.remedy + (f"\n{kind.command}" if kind.command else "")},
            "helpUri": _PAGES.format(kind.code),
            "defaultConfiguration": {"level": _LEVELS[kind.severity]},
        }
        for kind in TABLE
    ]
    results = [
        {
            "ruleId": finding["code"],
            "ruleIndex": numbers[finding["code"]],
            "level": _LEVELS[finding["severity"]],
            "message": {
                "text": "\n".join([finding["title"], *map(one_line, evidence), f"What to do: {finding['remedy']}"])
            },
            "locations": [_location(name, finding["subject"])],
            "partialFingerprints": {"finding/v1": f"{name}/{finding['code']}/{finding['subject']}"},
        }
        for finding in audit["findings"]
        for name, evidence in finding["nodes"].items()
    ]
    driver: Dict[str, Any] = {"name": "plugops.mattermost", "rules": rules}
    if version:
        driver["version"] = version
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _location(node: str, subject: str) -> Dict[str, Any]:
    location: Dict[str, Any] = {"logicalLocations": [{"name": node, "fullyQualifiedName": f"{node}:{subject}"}]}
    if subject.startswith("/"):
        location["physicalLocation"] = {"artifactLocation": {"uri": urllib.parse.quote(f"{node}{subject}")}}
    return location

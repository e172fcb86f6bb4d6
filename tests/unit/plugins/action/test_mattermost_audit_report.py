# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit says of all app servers: status, one finding for several nodes, every output from one audit."""

from __future__ import annotations

import json
import os
import re
import stat
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.action.mattermost_audit_report import FORMATS, _write
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.codes import TABLE
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.findings import Findings
from ansible_collections.plugops.mattermost.plugins.plugin_utils._reports.audit import audit_of
from ansible_collections.plugops.mattermost.plugins.plugin_utils._reports.audit_formats import (
    junit,
    sarif,
    terminal_lines,
)
from ansible_collections.plugops.mattermost.plugins.plugin_utils._reports.audit_page import page

from plugops_tests.support import audit_reports as reports
from plugops_tests.support.audit_reports import HOSTILE

TIME = "2026-11-24 07:10:00 UTC"


def audit(**nodes: Dict[str, Any]) -> Dict[str, Any]:
    return audit_of(nodes, TIME)


@pytest.mark.parametrize(
    ("node", "status", "code"),
    [
        (reports.healthy(), "clean", 0),
        (reports.drifted(), "drift", 10),
        (reports.broken(), "broken", 20),
        (reports.unreachable(), "broken", 20),
        ({"failed": True, "msg": "no"}, "broken", 20),
        ({}, "broken", 20),
        ({**reports.healthy(), "errors": [{"concern": "plugins", "msg": "no"}]}, "drift", 10),
        ({**reports.healthy(), "pending": {"restart": [], "reload": ["edited"]}}, "drift", 10),
    ],
)
def test_status_and_exit_code(node: Dict[str, Any], status: str, code: int) -> None:
    found = audit(app1=node)
    assert (found["status"], found["exit_code"], found["nodes"]["app1"]["status"]) == (status, code, status)


def test_nodes_that_differ_are_a_finding_of_the_cluster() -> None:
    other = reports.healthy()
    other["plugins"]["installed"]["com.example.todo"]["tree"] = "c3" * 32
    assert audit(app1=reports.healthy(), app2=reports.healthy())["status"] == "clean"
    found = audit(app1=reports.healthy(), app2=reports.healthy(), app3=other)
    assert found["status"] == "drift"
    (finding,) = [item for item in found["findings"] if item["code"] == "nodes-differ"]
    assert list(finding["nodes"]) == ["app3"]
    assert {name: cell["same"] for name, cell in found["plugins"]["com.example.todo"].items()} == {
        "app1": True,
        "app2": True,
        "app3": False,
    }


def test_the_same_finding_on_two_nodes_is_told_once() -> None:
    found = audit(app1=reports.broken(), app2=reports.broken())
    owners = [item for item in found["findings"] if item["code"] == "foreign-owner"]
    assert [sorted(item["nodes"]) for item in owners] == [["app1", "app2"]]
    text = "\n".join(terminal_lines(found))
    assert text.count("foreign-owner") == 1
    assert text.count("app2: /opt/mattermost/plugins (Directory) holds") == 1


def test_terminal_lines_name_node_cause_and_remedy() -> None:
    lines = terminal_lines(audit_of(reports.cluster(), TIME))
    rows = {line.split()[0]: line.split()[1] for line in lines[1:5]}
    assert rows == {"app1": "clean", "app2": "drift", "app3": "broken", "app4.example.com": "broken"}
    assert "  command: chown -R mattermost:mattermost /opt/mattermost/plugins" in lines
    assert [line for line in lines if len(line) > 100 and "command:" not in line] == []


def test_junit_has_a_case_for_each_code_and_a_failure_for_each_that_was_found() -> None:
    found = audit_of(reports.cluster(), TIME)
    suites = ET.fromstring(junit(found))
    assert [suite.get("name") for suite in suites] == ["app1", "app2", "app3", "app4.example.com"]
    for suite in suites:
        cases = suite.findall("testcase")
        assert len(cases) == int(suite.get("tests", "")) == sum(kind.severity != "note" for kind in TABLE)
        failed = {case.get("name") for case in cases if case.find("failure") is not None}
        assert len(failed) == int(suite.get("failures", ""))
        wanted = {item["code"] for item in found["findings"] if suite.get("name") in item["nodes"]}
        assert failed == wanted - {"unmanaged-plugin"}


def test_sarif_refers_to_rules_that_are_there() -> None:
    found = audit_of(reports.cluster(), TIME)
    document = json.loads(json.dumps(sarif(found, "0.1.0")))
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert document["version"] == "2.1.0"
    assert [rule["id"] for rule in rules] == [kind.code for kind in TABLE]
    told = [(result["ruleId"], result["locations"][0]["logicalLocations"][0]["name"]) for result in run["results"]]
    assert sorted(told) == sorted((item["code"], node) for item in found["findings"] for node in item["nodes"])
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert {result["level"] for result in run["results"]} == {"error", "warning", "note"}


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: List[Tuple[str, List[Tuple[str, Optional[str]]]]] = []
        self.text: List[str] = []

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.found.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_escapes_names_and_values_and_refers_to_nothing() -> None:
    nodes = {HOSTILE: reports.hostile(), "app2": {"failed": True, "msg": HOSTILE}, **reports.cluster()}
    made = page(audit_of(nodes, TIME))
    elements = _Elements()
    elements.feed(made)
    tags = {tag for tag, _ in elements.found}
    assert tags & {"script", "link", "img", "iframe", "object", "base", "form", "a", "svg"} == set()
    names = {name for _, attributes in elements.found for name, _ in attributes}
    assert names & {"src", "href", "onclick", "onload", "style", "srcset"} == set()
    style = made[made.index("<style>") : made.index("</style>")]
    assert not re.search(r"url\(|@import|https?:", style)
    assert "http://" not in made.replace(style, "")
    assert "".join(elements.text).count(HOSTILE) >= 8


def test_hostile_names_break_no_format() -> None:
    found = audit_of({HOSTILE: reports.hostile()}, TIME)
    ET.fromstring(junit(found))
    json.loads(json.dumps(sarif(found, "0.1.0")))
    assert HOSTILE in "\n".join(terminal_lines(found))


def test_an_empty_cluster_is_clean() -> None:
    found = audit_of({}, TIME)
    assert (found["status"], found["plugins"]) == ("clean", {})
    page(found)


def test_a_warning_alone_is_drift() -> None:
    found = Findings()
    found.add("backup-copy", "/a.bak")
    assert audit(app1=reports.report(found))["status"] == "drift"


@pytest.mark.parametrize(
    ("state", "differences", "restart", "codes"),
    [
        ("RUNNING", [], [], []),
        ("STOPPED", [], [], ["service-not-running"]),
        (
            "RUNNING",
            [reports.difference("service.AppDirectory", "c:\\m\\bin", "c:\\m", "nssm set …")],
            ["x"],
            ["working-directory-wrong"],
        ),
        (
            "RUNNING",
            [
                reports.difference("directories.c:\\m\\plugins", None, "directory", "mkdir …"),
                reports.difference("directories.c:\\m\\client\\plugins.rights", "R", "M", "icacls …"),
            ],
            ["x"],
            ["directory-missing", "directory-not-writable"],
        ),
        ("RUNNING", [], ["it runs in c:\\m\\bin"], ["process-elsewhere"]),
    ],
)
def test_a_windows_app_server_is_told_as_far_as_nssm_tells(
    state: str, differences: List[Any], restart: List[str], codes: List[str]
) -> None:
    """As role windows_service returns it."""
    node = {
        "changed": bool(differences),
        "differences": differences,
        "pending": {"restart": restart, "reload": []},
        "service": {"name": "mattermost", "state": state, "pid": 0},
    }
    found = audit(win1=node, app1=reports.healthy())
    assert [item["code"] for item in found["findings"] if item["severity"] != "note"] == codes
    assert found["nodes"]["win1"]["status"] == ("broken" if codes else "clean")
    assert [item["command"] for item in found["findings"] if "win1" in item["nodes"]] == [""] * len(codes)
    page(found)
    assert terminal_lines(found)


def test_an_app_server_behind_its_api_is_told_as_far_as_that_tells() -> None:
    """It has no findings of its own; the digest of a plugin whose upload is not on record is not known."""
    node = reports.healthy()
    del node["findings"]
    node["plugins"]["installed"]["com.example.todo"]["tree"] = None
    node["running_plugins"] = {"com.example.poll": {"runs": False, "by": "the server's list", "found": "not there"}}
    found = audit(api1=node, app1=reports.healthy())
    told = [(item["code"], item["subject"]) for item in found["findings"] if "api1" in item["nodes"]]
    assert told == [("plugin-not-running", "com.example.poll")]
    assert found["plugins"]["com.example.todo"]["api1"]["same"]
    page(found)
    silent = {**node, "running": False, "plugin_system": "unknown", "running_plugins": {}, "errors": [{"msg": "no"}]}
    assert audit(api1=silent)["findings"][0]["code"] == "service-not-running"
    off = {**node, "plugin_system": "off", "running_plugins": {}}
    assert audit(api1=off)["findings"][0]["code"] == "plugin-system-off"


STRANGE = "p\x1b]0;pwned\x07\x9b31m\u202e\u2028x\x00"


def _strange() -> Dict[str, Any]:
    """A report as a node that somebody else has taken over may make it, past what the modules do."""
    node = reports.broken()
    found = Findings()
    found.add("foreign-owner", "/a")
    (finding,) = found.as_list()
    finding.update(subject=f"/a b/{STRANGE}#?%", evidence=[STRANGE + "\nok: [app1]"], remedy=STRANGE, command=STRANGE)
    node["findings"] = [finding]
    node["differences"] = [{"name": STRANGE, "found": STRANGE, "wanted": STRANGE, "action": STRANGE}]
    return {**node, "server_version": STRANGE, "expected_restart": [STRANGE]}


def test_no_output_obeys_what_a_node_says() -> None:
    found = audit_of({"app1": _strange(), STRANGE: reports.healthy()}, TIME)
    outputs = {
        "terminal": "\n".join(terminal_lines(found)),
        "page": page(found),
        "junit": junit(found).decode(),
        "sarif": json.dumps(sarif(found, "1"), ensure_ascii=False),
        "json": json.dumps(found, ensure_ascii=False),
    }
    for name, text in outputs.items():
        assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", text) is None, name
        assert "\\x1b]0;pwned" in text, name
    assert not any(line.startswith("ok: [app1]") for line in outputs["terminal"].splitlines())
    assert not re.search("^ok: ", outputs["junit"], re.MULTILINE)


def test_an_address_in_sarif_is_escaped_whole() -> None:
    found = sarif(audit_of({"app:1": _strange()}, TIME), "1")
    uris = [
        place["physicalLocation"]["artifactLocation"]["uri"]
        for result in found["runs"][0]["results"]
        for place in result["locations"]
        if "physicalLocation" in place
    ]
    assert uris
    assert all(re.fullmatch("(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri) for uri in uris)
    assert all(uri.startswith("app%3A1/a%20b/p") for uri in uris)


@pytest.mark.parametrize(
    "bad",
    [
        {"findings": 5},
        {"findings": [5]},
        {"findings": [{"code": "no-such-code"}]},
        {"findings": [{**reports.broken()["findings"][0], "severity": "worst"}]},
        {"findings": [{**reports.broken()["findings"][0], "title": 5}]},
        {"differences": [{}]},
        {"differences": 7},
        {"plugins": {"installed": {"com.example.a": None}}},
        {"plugins": {"installed": {"com.example.a": {"version": []}}}},
        {"plugins": [1]},
        {"pending": 5},
        {"settings": {"settings": 5}},
    ],
)
def test_an_answer_that_is_no_report_costs_that_app_servers_alone(bad: Dict[str, Any]) -> None:
    found = audit(app1={**reports.healthy(), **bad}, app2=reports.healthy())
    terminal_lines(found), junit(found), sarif(found, "1"), page(found)
    assert found["nodes"]["app2"]["status"] == "clean"
    if found["nodes"]["app1"]["reported"]:
        pytest.fail("taken for a report")
    (finding,) = found["nodes"]["app1"]["findings"]
    assert finding["code"] == "no-report"
    assert finding["evidence"][0].startswith("what it answered is no report: ")


def test_what_is_no_answer_at_all_is_no_report() -> None:
    found = audit_of({"app1": "boom", "app2": reports.healthy()}, TIME)
    assert found["nodes"]["app1"]["findings"][0]["code"] == "no-report"


def test_the_files_are_their_owners_alone_also_where_an_earlier_report_was_not(tmp_path: Path) -> None:
    """They name paths, accounts and settings of servers."""
    files = {name: str(tmp_path / "reports" / f"audit.{name}") for name in FORMATS}
    (tmp_path / "reports").mkdir()
    Path(files["json"]).write_text("{}")
    Path(files["json"]).chmod(0o644)
    _write(audit_of(reports.cluster(), TIME), files)
    assert {name: stat.S_IMODE(os.stat(path).st_mode) for name, path in files.items()} == dict.fromkeys(FORMATS, 0o600)
    assert sorted(os.listdir(tmp_path / "reports")) == sorted(os.path.basename(path) for path in files.values())

"""What an audit says of all app servers: status, one finding for several nodes, every output from one audit."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any, Dict, List, Optional, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._finding_codes import TABLE
from ansible_collections.plugops.mattermost.plugins.module_utils._findings import Findings
from ansible_collections.plugops.mattermost.plugins.plugin_utils._audit import audit_of
from ansible_collections.plugops.mattermost.plugins.plugin_utils._audit_formats import junit, sarif, terminal_lines
from ansible_collections.plugops.mattermost.plugins.plugin_utils._audit_page import page

from support import audit_reports as reports
from support.audit_reports import HOSTILE

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

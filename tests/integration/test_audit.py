# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""audit.yml on real hosts: broken, down, silent and healthy ones; it changes nothing and ends as a pipeline needs it.

The tests of this file run in their order on the same hosts; each needs what the one before has made.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Dict, Set

import pytest
import testinfra

from plugops_tests.clusters.broken import NAMES, TestCluster
from plugops_tests.support.playbooks import Run, run_playbook

pytestmark = [pytest.mark.hosts, pytest.mark.slow]

PLUGINS = 4
REPORT = "plugops.mattermost.mattermost_audit_report"
# Bytes, owner, mode and times of everything but what the running system itself writes all the time; and the processes
# of the service and the units that run. atime is the reader's own business.
SNAPSHOT = (
    "find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log "
    "-o -path /opt/mattermost/logs -o -path /logs -o -path /home/deploy -o -path /root -o -path /var/lib/systemd "
    "-o -path /var/lib/sudo -o -path /dev \\) -prune -o -printf '%p %u %g %m %T@ %s\\n' | sort; "
    "find /opt/mattermost -xdev -type f -not -path '*/logs/*' -exec sha256sum {} + | sort -k2; "
    "systemctl show -p MainPID,ActiveState,InvocationID mattermost; pgrep -u mattermost -a"
)


def host(cluster: TestCluster, name: str) -> Any:
    """The host as testinfra sees it, root by sudo."""
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(cluster.ssh_config), sudo=True)


def audit(cluster: TestCluster, place: Path, *options: str, **more: Any) -> Run:
    variables = {**cluster.wanted(PLUGINS), "mattermost_audit_directory": str(place), **more}
    return run_playbook("playbooks/audit.yml", cluster.inventory, variables, options, may_fail=True, exit_by_audit=True)


def report_of(run: Run) -> Dict[str, Any]:
    (result,) = [task["result"] for task in run.tasks if task["action"] == REPORT]
    assert isinstance(result, dict)
    return result


def codes(report: Dict[str, Any], node: str) -> Set[str]:
    return {item["code"] for item in report["findings"] if node in item["nodes"] and item["severity"] != "note"}


def test_broken_hosts_are_told_with_their_causes_and_nothing_changes(broken: TestCluster, tmp_path: Path) -> None:
    host(broken, "app2").check_output("systemctl stop mattermost")
    before = {name: host(broken, name).run(SNAPSHOT).stdout for name in NAMES}
    run = audit(broken, tmp_path)
    after = {name: host(broken, name).run(SNAPSHOT).stdout for name in NAMES}
    assert before == after
    assert run.changed() == []
    report = report_of(run)
    assert (run.returncode, report["status"]) == (20, "broken"), run.output
    assert report["nodes"] == dict.fromkeys(NAMES, "broken")
    assert codes(report, "app1") >= {"working-directory-wrong", "foreign-owner", "directory-missing"}
    assert codes(report, "app2") >= {"working-directory-wrong", "service-not-running", "leftovers-in-bin"}
    assert codes(report, "app3") >= {"working-directory-wrong", "foreign-owner"}
    (cause,) = [
        item for item in report["findings"] if item["code"] == "working-directory-wrong" and "app2" in item["nodes"]
    ]
    logged = [text for text in cause["nodes"]["app2"] if "Failed to start up plugins" in text]
    assert logged, "the line of the log stands with its cause, also where the service is down"
    the_files_hold_the_same(report, tmp_path)


def the_files_hold_the_same(report: Dict[str, Any], place: Path) -> None:
    assert {path.name for path in place.iterdir()} == {"audit.html", "audit.json", "audit.junit.xml", "audit.sarif"}
    written = json.loads((place / "audit.json").read_text(encoding="utf-8"))
    assert written["findings"] == report["findings"]
    assert {suite.get("name") for suite in ET.parse(place / "audit.junit.xml").getroot()} == set(NAMES)
    results = json.loads((place / "audit.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]
    assert {result["ruleId"] for result in results} == {item["code"] for item in report["findings"]}
    page = (place / "audit.html").read_text(encoding="utf-8")
    assert all(item["code"] in page for item in report["findings"])


def test_one_that_cannot_be_reached_is_broken_and_the_others_are_told(broken: TestCluster, tmp_path: Path) -> None:
    """The others are mended by then; what a start in bin/ has left there is never deleted by site.yml."""
    host(broken, "app2").check_output("systemctl start mattermost")
    at_once = {**broken.wanted(PLUGINS), "mattermost_rolling_batch": "100%"}
    run_playbook("playbooks/site.yml", broken.inventory, at_once)
    inventory = tmp_path / "inventory.yml"
    lost = {"lost": {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ConnectTimeout=2"}}
    inventory.write_text(json.dumps({"mattermost_app_servers": {"hosts": lost}}))
    run = audit(broken, tmp_path / "audit", "-i", str(inventory), "--limit", "app2,lost")
    report = report_of(run)
    assert run.returncode == 20
    assert set(report["nodes"]) == {"app2", "lost"}
    assert codes(report, "lost") == {"no-report"}
    assert codes(report, "app2") == {"leftovers-in-bin"}


def test_healthy_hosts_are_clean_and_the_exit_code_tells_drift(broken: TestCluster, tmp_path: Path) -> None:
    leftovers = "/opt/mattermost/bin/data /opt/mattermost/bin/logs /opt/mattermost/bin/plugins"
    host(broken, "app2").check_output(f"rm -rf {leftovers}")
    clean = audit(broken, tmp_path)
    assert (clean.returncode, report_of(clean)["status"]) == (0, "clean"), clean.output
    wanted = {"EnableUploads": True, "EnableMarketplace": False}
    drift = audit(broken, tmp_path, "--limit", "app1", mattermost_plugin_settings=wanted)
    assert (drift.returncode, report_of(drift)["status"]) == (10, "drift"), drift.output

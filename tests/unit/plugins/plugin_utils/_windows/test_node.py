# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report of a Windows app server, made of what its service and its REST API tell."""

from __future__ import annotations

from typing import Any, Dict

import pytest
from ansible_collections.plugops.mattermost.plugins.filter.reports import FilterModule
from ansible_collections.plugops.mattermost.plugins.plugin_utils._reports.plan_text import plan_lines
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.node import windows_report

SKIPPED = {"skipped": True, "changed": False}
OFF = {"concern": "plugins", "msg": "the plugin system is off"}
WRONG = {"name": "service.AppDirectory", "found": "c:\\m\\bin", "wanted": "c:\\m", "action": "nssm set"}


def service(state: str = "RUNNING", **more: Any) -> Dict[str, Any]:
    healthy = state == "RUNNING" and not more
    found = {"differences": [], "pending": {"restart": [], "reload": []}, "directories": {}, "restart_required": False}
    return {**found, "healthy": healthy, "service": {"name": "mattermost", "state": state}, **more}


def api(**more: Any) -> Dict[str, Any]:
    found = {"differences": [], "errors": [], "pending": {"restart": [], "reload": []}, "running": True}
    return {**found, "plugin_system": "on", "healthy": not more, "unhealthy": [], "plugins": {}, **more}


def wrong_directory() -> Dict[str, Any]:
    return service(differences=[WRONG], restart_required=True)


def test_both_are_one() -> None:
    other = {"name": "plugins.a.version", "found": None, "wanted": "1.0.0", "action": "upload"}
    report = windows_report(
        wrong_directory(), api(differences=[other], unhealthy=["plugins.a.version is not as wanted"])
    )
    assert report["differences"] == [WRONG, other]
    assert report["unhealthy"] == ["service.AppDirectory is not as wanted", "plugins.a.version is not as wanted"]
    assert not report["healthy"]
    assert windows_report(service(), api())["healthy"]
    assert not windows_report(service(), api(differences=[other]))["healthy"]


@pytest.mark.parametrize(
    ("found", "told", "later"),
    [
        (wrong_directory(), api(errors=[OFF], plugin_system="off"), True),
        (service("STOPPED"), api(errors=[OFF], running=False, plugin_system="unknown"), True),
        # Nothing of the service would mend it.
        (service(), api(errors=[OFF], plugin_system="off"), False),
        # The server answers, and says no.
        (wrong_directory(), api(errors=[OFF], plugin_system="unknown"), False),
    ],
)
def test_what_a_server_in_the_wrong_directory_cannot_tell_is_no_reason_to_refuse(
    found: Dict[str, Any], told: Dict[str, Any], later: bool
) -> None:
    report = windows_report(found, told)
    assert (report["after_restart"], report["errors"]) == (([OFF], []) if later else ([], [OFF]))
    assert not report["healthy"]
    text = "\n".join(plan_lines({"win1": report}))
    assert ("known once the service runs (plugins): the plugin system is off" in text) is later
    assert ("NOT POSSIBLE (plugins)" in text) is not later


def test_without_an_address_the_service_is_all_that_is_known() -> None:
    report = windows_report(service(), SKIPPED)
    assert (report["healthy"], report["running"], "plugins" in report) == (True, True, False)
    assert windows_report(service("STOPPED"), SKIPPED)["unhealthy"] == ["the service mattermost is STOPPED"]


@pytest.mark.parametrize(
    "lost", [{"unreachable": True, "msg": "no route"}, {"failed": False, "msg": "no such service"}]
)
def test_a_report_that_could_not_be_made_is_the_answer(lost: Dict[str, Any]) -> None:
    assert windows_report(lost, api()) == lost
    assert windows_report(service(), lost) == lost


def test_settings_that_a_server_takes_over_at_its_start_alone() -> None:
    of = FilterModule().filters()["restart_settings"]
    names = ["settings.Directory", "settings.EnableUploads", "settings.Plugins.directory.x", "settings.loaded"]
    assert of([{"name": name} for name in names]) == ["settings.Directory"]

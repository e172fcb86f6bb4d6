# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a Windows app server: its service as NSSM and the host tell it, its plugins as its API does."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

# What the report of an app server has if its plugins are not known.
_WITHOUT_API: Dict[str, Any] = {
    "errors": [],
    "expected_restart": [],
    "plugin_system": "unknown",
    "running_plugins": {},
    "signatures_follow": [],
    "strategy": None,
    "unfinished": None,
    "healthy": True,
    "unhealthy": [],
}


def windows_report(service: Mapping[str, Any], api: Mapping[str, Any]) -> Dict[str, Any]:
    """One report of both, as of any other app server; if one of them failed, that one.

    :param service: what role windows_service has found
    :param api: what mattermost_plugin_info has returned; that of a skipped task if the API is not used
    """
    has_api = not api.get("skipped")
    for found in (service, api) if has_api else (service,):
        if "differences" not in found:
            return dict(found)
    plugins = dict(api) if has_api else {**_WITHOUT_API, "differences": [], "pending": {"restart": [], "reload": []}}
    runs = service["service"]["state"] == "RUNNING"
    later = plugins["errors"] if _fixed_by_service(service, plugins) else []
    unhealthy = [*_unhealthy(service), *([] if later else plugins["unhealthy"])]
    return {
        **plugins,
        "service": service["service"],
        "directories": service["directories"],
        "differences": [*service["differences"], *plugins["differences"]],
        "errors": [] if later else plugins["errors"],
        "after_restart": later,
        "restart_required": service["restart_required"],
        "pending": {**plugins["pending"], "restart": [*service["pending"]["restart"], *plugins["pending"]["restart"]]},
        "running": runs,
        "systemd": False,
        "healthy": service["healthy"] and plugins["healthy"],
        "unhealthy": unhealthy,
    }


def _fixed_by_service(service: Mapping[str, Any], plugins: Mapping[str, Any]) -> bool:
    """Whether the errors of the plugins can only be judged once the service is fixed, which is about to happen."""
    dead = not plugins.get("running") or plugins["plugin_system"] == "off"
    return not service["healthy"] and dead and bool(plugins["errors"])


def _unhealthy(service: Mapping[str, Any]) -> List[str]:
    reasons = [f"{difference['name']} is not as wanted" for difference in service["differences"]]
    reasons += [f"a restart is pending: {reason}" for reason in service["pending"]["restart"]]
    state = service["service"]["state"]
    return reasons if state == "RUNNING" else [*reasons, f"the service {service['service']['name']} is {state}"]

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles on an app server of a cluster whose configuration is read-only over the API, as it is by default.

Such a server refuses to save the state of a plugin, so it is saved in config.json.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator

import pytest

from plugops_tests.modules.place import SOCKET, Place, broken_place, four_times, running_server
from plugops_tests.sandbox.app_server import NEW, OLD, PLUGIN_ID

MODULE = "mattermost_plugin"


@pytest.fixture(params=["5.36.1", "6.7.2", "11.6.0"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with broken_place(request.param) as made:
        made.configure(ClusterSettings={"Enable": True, "ReadOnlyConfig": True})
        yield made


def arguments(place: Place, version: str = NEW, **entry: Any) -> Dict[str, Any]:
    return {
        "root": str(place.server.root),
        "socket": SOCKET,
        "plugins": [entry if "state" in entry else {"src": place.bundle(version), **entry}],
    }


def enabled(place: Place) -> bool:
    state = place.plugin_settings()["PluginStates"].get(PLUGIN_ID) or {}
    return bool(state.get("Enable"))


def test_a_plugin_is_installed_updated_and_switched(place: Place) -> None:
    with running_server(place) as server:
        four_times(MODULE, arguments(place, OLD), place)
        assert enabled(place)
        assert f'"{OLD}"' in server.running_plugins()
        four_times(MODULE, arguments(place, NEW), place)
        assert f'"{NEW}"' in server.running_plugins()
        four_times(MODULE, arguments(place, NEW, enabled=False), place)
        assert not enabled(place)
        assert PLUGIN_ID not in server.running_plugins()


def test_a_removal_that_the_server_would_refuse_is_refused_before(place: Place) -> None:
    with running_server(place):
        four_times(MODULE, arguments(place), place)
        before = place.snapshot()
        for check_mode in (True, False):
            answer = place.call(MODULE, arguments(place, id=PLUGIN_ID, state="absent"), check_mode)
            assert answer.get("failed"), check_mode
            assert "ReadOnlyConfig=True" in answer["msg"]
        assert place.snapshot() == before
        assert enabled(place)

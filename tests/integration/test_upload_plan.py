# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of an upload is told by the plan, before site.yml changes anything."""

from __future__ import annotations

import shutil
from typing import Any, Dict, Iterator, List

import pytest

from plugops_tests.modules.place import SOCKET, Place, broken_place, running_server
from plugops_tests.sandbox.app_server import PLUGIN_ID
from plugops_tests.support.bundles import make_bundle

INFO, SETTINGS, PLUGIN = "mattermost_plugin_info", "mattermost_plugin_settings", "mattermost_plugin"


@pytest.fixture
def place() -> Iterator[Place]:
    with broken_place("6.7.2") as made, running_server(made):
        yield made


def node(place: Place, **more: Any) -> Dict[str, Any]:
    return {"root": str(place.server.root), "socket": SOCKET, **more}


def problems(place: Place, **more: Any) -> List[str]:
    wanted = {"plugins": [{"src": place.bundle()}], "strategy": "upload"}
    answer = place.call(INFO, node(place, **{**wanted, **more}), True)
    return [error["msg"] for error in answer["errors"]]


@pytest.mark.parametrize("settings", [{"EnableUploads": False}, {"RequirePluginSignature": True}])
def test_uploads_that_are_off_and_stay_off(place: Place, settings: Dict[str, bool]) -> None:
    assert problems(place) == []
    (found,) = problems(place, settings=settings)  # on now, off by then
    assert "takes no uploads" in found
    assert not place.call(SETTINGS, node(place, settings=settings), False).get("failed")
    (found,) = problems(place)
    assert "takes no uploads" in found
    back = {key.lower(): not value for key, value in settings.items()}
    assert problems(place, settings=back) == []  # off now, on by then


def test_a_variable_that_keeps_uploads_off(place: Place) -> None:
    unit = "/etc/systemd/system/mattermost.service"
    place.replace(unit, "User=", "Environment=MM_PLUGINSETTINGS_ENABLEUPLOADS=false\nUser=")
    (found,) = problems(place, settings={"EnableUploads": True})
    assert "EnableUploads=False" in found


def test_nothing_to_install_needs_no_uploads(place: Place) -> None:
    assert not place.call(PLUGIN, node(place, plugins=[{"src": place.bundle()}]), False).get("failed")
    assert problems(place, settings={"EnableUploads": False}) == []


def test_a_bundle_that_only_the_filestore_has_is_removed_there(place: Place) -> None:
    """As another app server leaves it in a shared filestore: this server answers that it has no such plugin."""
    stored = place.make("/opt/mattermost/data/plugins") / "com.example.stored.tar.gz"
    shutil.copy(make_bundle(place.directory, "com.example.stored", "1.0.0"), stored)
    wanted = node(place, plugins=[{"id": "com.example.stored", "state": "absent"}])
    assert place.call(PLUGIN, wanted, True)["changed"]
    assert stored.exists()
    assert place.call(PLUGIN, wanted, False)["changed"]
    assert not stored.exists()
    assert not place.call(PLUGIN, wanted, False)["changed"]
    assert place.plugin("plugin.json").exists(), PLUGIN_ID

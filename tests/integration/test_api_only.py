# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""App servers that are reached through their REST API alone: what is known of them, and what is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._server.client import Server

from plugops_tests.modules.harness import snapshot
from plugops_tests.modules.place import Place, broken_place, running_server
from plugops_tests.sandbox.app_server import NEW, OLD, PLUGIN_ID
from plugops_tests.support.bundles import make_bundle

PLUGIN, SETTINGS, INFO = "mattermost_plugin", "mattermost_plugin_settings", "mattermost_plugin_info"


# The second deletes at each start what it has not installed itself.
@pytest.fixture(params=["5.36.1", "11.6.0"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with broken_place(request.param) as made, running_server(made):
        yield made


@pytest.fixture
def controller(tmp_path: Path) -> Path:
    return tmp_path / "state"


def call(place: Place, controller: Path, module: str, check: bool = False, **more: Any) -> Dict[str, Any]:
    """As on a controller: the app server's own paths lead nowhere there."""
    node = {**place.api(), "api_only": True, "state_dir": str(controller), "install_dir": "/nowhere"}
    return place.call(module, {**node, **more}, check)


def tree(place: Place) -> Any:
    return snapshot(place.plugin(), [])


def test_a_plugin_is_uploaded_replaced_switched_and_removed(place: Place, controller: Path) -> None:
    for version, more in ((OLD, {}), (NEW, {}), (NEW, {"enabled": False}), (OLD, {})):
        wanted = {"plugins": [{"src": place.bundle(version), **more}]}
        assert call(place, controller, PLUGIN, True, **wanted)["changed"], (version, more)
        done = call(place, controller, PLUGIN, **wanted)
        assert done.get("changed"), done.get("msg")
        assert json.loads((place.plugin() / "plugin.json").read_text(encoding="utf-8"))["version"] == version
        assert done["plugins"]["installed"][PLUGIN_ID]["active"] is more.get("enabled", True)
        assert done["plugins"]["installed"][PLUGIN_ID]["uploaded"] == place.sha256(version)
        again = call(place, controller, PLUGIN, **wanted)
        assert (again["changed"], again["differences"]) == (False, [])
    absent = {"plugins": [{"id": PLUGIN_ID, "state": "absent"}]}
    assert call(place, controller, PLUGIN, **absent)["changed"]
    assert not place.plugin().exists()
    assert not call(place, controller, PLUGIN, **absent)["changed"]
    # What was removed is not on record: the same version from elsewhere proves nothing.
    assert PLUGIN_ID not in next(controller.glob("nodes/*/uploads.json")).read_text(encoding="utf-8")


def test_other_bytes_of_the_same_version_are_uploaded(place: Place, controller: Path) -> None:
    call(place, controller, PLUGIN, plugins=[{"src": place.bundle()}])
    other = make_bundle(place.directory / "bundles", PLUGIN_ID, NEW, files={"assets/other.txt": b"other"})
    wanted = {"plugins": [{"src": str(other)}]}
    (difference,) = call(place, controller, PLUGIN, True, **wanted)["differences"]
    assert difference["name"] == f"plugins.{PLUGIN_ID}.files"
    assert not call(place, controller, PLUGIN, **wanted).get("failed")
    assert (place.plugin() / "assets" / "other.txt").read_bytes() == b"other"
    assert not call(place, controller, PLUGIN, **wanted)["changed"]
    shutil.rmtree(controller)  # another controller: nothing is known of the bytes, so they are made sure of
    (difference,) = call(place, controller, PLUGIN, True, **wanted)["differences"]
    assert difference["found"] == "not known: no upload of this version is on record"


def test_what_is_not_known_is_said(place: Place, controller: Path) -> None:
    report = call(place, controller, INFO, plugins=[])
    assert report["running"]
    assert report["errors"] == []
    assert not {"directories", "service"} & {*report}
    assert report["plugins"]["installed"].get(PLUGIN_ID, {}).get("tree") is None
    done = call(place, controller, PLUGIN, plugins=[{"src": place.bundle()}])
    assert "it cannot be proved" in json.dumps(done["warnings"])
    report = call(place, controller, INFO, plugins=[{"src": place.bundle()}], bundle_digests=True)
    assert report["healthy"], report["unhealthy"]
    assert report["running_plugins"][PLUGIN_ID]["runs"]
    assert report["plugins"]["installed"][PLUGIN_ID]["bundle"] == place.sha256()


def test_a_stale_signature_is_warned_of_where_signatures_are_in_use(place: Place, controller: Path) -> None:
    """Which lies beside the stored bundle of the version before is not to be seen."""
    wanted = {"plugins": [{"src": place.bundle(NEW)}]}
    assert "signature" not in json.dumps(call(place, controller, PLUGIN, True, **wanted)["warnings"])
    settings = {"signature_public_key_files": ["publisher.gpg"]}
    assert call(place, controller, SETTINGS, **settings)["changed"]
    for check in (True, False):
        warned = call(place, controller, PLUGIN, check, **wanted)["warnings"]
        assert f"vanish at the next start: {PLUGIN_ID}" in json.dumps(warned)
    absent = {"plugins": [{"id": PLUGIN_ID, "state": "absent"}]}
    assert "warnings" not in call(place, controller, PLUGIN, **absent)


def test_settings_go_through_the_api(place: Place, controller: Path) -> None:
    wanted = {"states": {"com.example.other": True}}
    assert call(place, controller, SETTINGS, True, **wanted)["changed"]
    done = call(place, controller, SETTINGS, **wanted)
    assert done.get("changed"), done.get("msg")
    assert done["settings"]["via"] == "api"
    assert place.plugin_settings()["PluginStates"]["com.example.other"] == {"Enable": True}
    assert not call(place, controller, SETTINGS, **wanted)["changed"]


REFUSED: List[Tuple[str, Dict[str, Any], str]] = [
    (PLUGIN, {"strategy": "unpack"}, "strategy unpack needs the files of the app server"),
    (PLUGIN, {"strategy": "filestore"}, "strategy filestore needs the files of the app server"),
    (PLUGIN, {"api_url": "http://127.0.0.1:1"}, "does not answer on its REST API"),
    (SETTINGS, {"enable": True, "api_url": "http://127.0.0.1:1"}, "does not answer on its REST API"),
    (SETTINGS, {"enable": True, "via": "file"}, "via: file is not available"),
    (SETTINGS, {"enable": True, "via": "socket"}, "via: socket is not available"),
    (SETTINGS, {"enable": True, "socket": "/run/mm.sock"}, "contradict each other"),
    (SETTINGS, {"enable": True, "api_url": ""}, "without api_url"),
    (INFO, {"findings": True}, "cannot be seen or changed through a REST API alone"),
]


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with broken_place("9.10.0") as place, running_server(place):
        before = place.snapshot()
        for module, wanted, said in REFUSED:
            plugins = {"plugins": [{"src": place.bundle()}]} if module == PLUGIN else {}
            for check in (True, False):
                answer = call(place, tmp_path / "state", module, check, **{**plugins, **wanted})
                assert said in answer.get("msg", ""), (module, wanted)
        assert place.snapshot() == before


def test_a_server_that_does_not_answer_is_not_healthy(tmp_path: Path) -> None:
    with broken_place("9.10.0") as place:
        report = call(place, tmp_path / "state", INFO, plugins=[])
        assert not report["healthy"]
        assert not report["running"]
        assert "does not answer on its REST API" in json.dumps(report["errors"])


def test_as_many_requests_for_many_plugins_as_for_one(
    place: Place, controller: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: List[str] = []
    attempt = Server._attempt

    def counted(self: Server, method: str, path: str, *rest: Any) -> Any:
        asked.append(f"{method} {path}")
        return attempt(self, method, path, *rest)

    monkeypatch.setattr(Server, "_attempt", counted)
    signature = place.directory / "a.sig"
    signature.write_bytes(bytes([0x88, 16, 4, 0, 1, *range(13)]))
    bundles = [make_bundle(place.directory / "bundles", f"com.example.many{number}", NEW) for number in range(6)]
    requests = []
    for some in (bundles[:1], bundles):
        asked.clear()
        entries = [{"src": str(bundle), "signature": str(signature)} for bundle in some]
        answer = call(place, controller, INFO, plugins=entries)
        assert not answer.get("failed"), answer["msg"]
        requests.append(sorted(asked))
    assert requests[0] == requests[1]
    assert requests[0].count("GET /config") < 4

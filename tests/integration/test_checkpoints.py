# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back to a checkpoint: the same bytes as before, on a running server, and after its restart, too.

The oracle is sha256sum over what find finds, and what the server says that it runs.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from plugops_tests.modules.harness import captured_log, differing
from plugops_tests.modules.place import (
    CONFIG,
    KEPT_SECRETS,
    SECRETS,
    SOCKET,
    STATE,
    WANTED_SECRETS,
    Place,
    broken_place,
    four_times,
    mend_directories,
    running_server,
)
from plugops_tests.sandbox.app_server import NEW, OLD, PLUGIN_ID, VERSION
from plugops_tests.servers.server_process import ServerProcess, unprivileged_user
from plugops_tests.support.bundles import SERVER_EXECUTABLE, make_bundle

PLUGIN = "mattermost_plugin"
SETTINGS = "mattermost_plugin_settings"
SERVICE = "mattermost_service_directory"
CHECKPOINT = "mattermost_plugin_checkpoint"
OTHER_ID = "com.example.other"
SUMS = "find . -type f -not -name .filestore -printf '%p %m ' -exec sha256sum {} ';' | sort"


@pytest.fixture(autouse=True)
def _nothing_secret_in_the_log() -> Iterator[None]:
    with captured_log() as lines:
        yield
    assert [line for line in lines for secret in SECRETS if secret in line] == []


def sums(place: Place) -> str:
    """Path, mode and SHA-256 of every file of every plugin, as other programs see them."""
    found = subprocess.run(SUMS, shell=True, cwd=place.plugin().parent, capture_output=True, text=True, check=True)
    return found.stdout


def done(place: Place, module: str, **arguments: Any) -> Dict[str, Any]:
    given = {"root": str(place.server.root), "server_version": place_version(place), **arguments}
    answer = place.call(module, given, False)
    assert not answer.get("failed"), answer["msg"]
    assert [secret for secret in SECRETS if secret in json.dumps(answer)] == []
    return answer


def place_version(place: Place) -> str:
    return "" if place.real(SOCKET).exists() else VERSION


def node(place: Place) -> Dict[str, Any]:
    return {"socket": SOCKET} if place.real(SOCKET).exists() else {}


def change(place: Place) -> None:
    """What a run of site.yml does: a newer plugin, another one more, settings, secrets, the working directory."""
    other = make_bundle(place.directory / "bundles" / "other.tar.gz", OTHER_ID, "3.0.0", server=True)
    wanted = [{"src": place.bundle(NEW)}, {"src": str(other)}]
    done(place, CHECKPOINT, plugins=wanted, **node(place))
    done(place, SERVICE)
    settings = {"EnableHealthCheck": False, "MarketplaceURL": "https://marketplace.example.com"}
    secrets = {PLUGIN_ID: {"token": WANTED_SECRETS[0], "more": 1}, OTHER_ID: {"key": WANTED_SECRETS[1]}}
    states = {"com.example.third": True}
    done(place, SETTINGS, settings=settings, plugins=secrets, states=states, **node(place))
    done(place, PLUGIN, plugins=wanted, **node(place))


def section(place: Place) -> Dict[str, Any]:
    """PluginSettings without what a server fills in itself: states of plugins that are off, empty settings."""
    found = place.plugin_settings()
    found["PluginStates"] = {key: state for key, state in found["PluginStates"].items() if state["Enable"]}
    return found


def drop_ins(place: Place) -> List[str]:
    return sorted(path.name for path in place.real("/etc/systemd/system").glob("mattermost.service.d/*"))


@pytest.fixture
def place() -> Iterator[Place]:
    with broken_place() as made:
        mend_directories(made, {"root": str(made.server.root)})
        yield made


def test_what_no_server_runs_is_as_before(place: Place) -> None:
    place.configure(PluginSettings={"PluginStates": {PLUGIN_ID: {"Enable": True}}})
    before, settings = sums(place), section(place)
    change(place)
    assert sums(place) != before
    assert drop_ins(place) != []
    answers = four_times(
        CHECKPOINT, {"root": str(place.server.root), "server_version": VERSION, "state": "restored"}, place
    )
    assert sums(place) == before
    assert section(place) == {**settings, "EnableHealthCheck": True} or section(place) == settings
    assert drop_ins(place) == []
    assert answers[1]["restored"] == {
        "plugins": [PLUGIN_ID, OTHER_ID],
        "settings": answers[1]["restored"]["settings"],
        "drop_in": True,
    }
    assert f"settings.Plugins.{PLUGIN_ID}.token" in answers[1]["restored"]["settings"]
    assert [secret for secret in SECRETS if secret in json.dumps(answers)] == []


@pytest.mark.parametrize("version", ["5.36.1", "9.10.0", "11.6.0"])
def test_a_running_server_runs_what_it_ran_also_after_a_restart(version: str) -> None:
    with broken_place(version) as place:
        with running_server(place):
            done(place, PLUGIN, plugins=[{"src": place.bundle(OLD)}], **node(place))
            before, settings = sums(place), section(place)
            change(place)
            assert sums(place) != before
            arguments = {"root": str(place.server.root), "socket": SOCKET, "state": "restored"}
            answers = four_times(CHECKPOINT, arguments, place)
            assert [answer["changed"] for answer in answers] == [True, True, False, False]
            assert answers[1]["strategy"]["name"] == "upload"
            assert (sums(place), section(place)) == (before, settings)
        install = place.server.install_dir
        with ServerProcess(install, user=unprivileged_user(), cwd=install) as server:
            server.wait_for(place.real(SOCKET).exists, "the local-mode socket")
            server.wait_for(lambda: f'"{OLD}"' in server.running_plugins(), "the plugin as it was")
            assert sums(place) == before
            assert OTHER_ID not in server.running_plugins()
            assert not place.call(CHECKPOINT, arguments, True)["changed"]


def test_what_did_not_run_before_need_not_run_after_the_way_back() -> None:
    """As after an upgrade of the server, which an enabled plugin did not survive."""
    with broken_place("9.10.0") as place, running_server(place):
        broken = make_bundle(
            place.directory / "bundles" / "broken.tar.gz",
            OTHER_ID,
            "1.0.0",
            server=True,
            files={SERVER_EXECUTABLE: b"#!/bin/sh\nexit 1\n"},
        )
        done(place, PLUGIN, plugins=[{"src": str(broken), "enabled": False}], **node(place))
        done(place, SETTINGS, states={OTHER_ID: True}, **node(place))
        done(place, CHECKPOINT, **node(place))
        before = sums(place)
        done(place, PLUGIN, plugins=[{"src": place.bundle(NEW)}], **node(place))
        assert sums(place) != before
        answer = done(place, CHECKPOINT, state="restored", **node(place))
        assert sums(place) == before
        assert answer["restored"]["plugins"] == [PLUGIN_ID]


def test_nobody_else_can_read_a_checkpoint(place: Place) -> None:
    done(place, CHECKPOINT)
    (path,) = place.real(f"{STATE}/checkpoints").iterdir()
    assert KEPT_SECRETS[0] in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_same_state_is_written_down_once(place: Place) -> None:
    assert done(place, CHECKPOINT)["changed"]
    before = place.snapshot()
    assert not done(place, CHECKPOINT)["changed"]
    assert differing(before, place.snapshot()) == []


def test_only_the_bundles_of_what_changes_are_packed(place: Place) -> None:
    done(place, CHECKPOINT, plugins=[{"src": place.bundle(OLD)}])
    assert list(place.real(STATE).glob("bundles/*.tar.gz")) == []
    done(place, CHECKPOINT, name="second", plugins=[{"src": place.bundle(NEW)}])
    assert len(list(place.real(STATE).glob("bundles/*.tar.gz"))) == 1


def test_a_rollback_is_finished_by_the_next_one_and_undone_by_name(place: Place) -> None:
    before = sums(place)
    change(place)
    changed = sums(place)
    done(place, CHECKPOINT, state="restored", undo_name="undo")
    assert not done(place, CHECKPOINT, state="restored")["changed"]
    assert sums(place) == before
    done(place, CHECKPOINT, state="restored", name="undo")
    assert sums(place) == changed


def test_one_plugin_goes_back_alone(place: Place) -> None:
    before = sums(place)
    change(place)
    answer = done(place, CHECKPOINT, state="restored", plugins=[PLUGIN_ID])
    assert answer["restored"]["plugins"] == [PLUGIN_ID]
    kept = "".join(line for line in sums(place).splitlines(keepends=True) if OTHER_ID not in line)
    assert kept == before
    assert OTHER_ID in sums(place)
    assert place.plugin_settings()["Plugins"][PLUGIN_ID] == {"token": KEPT_SECRETS[0], "pin": KEPT_SECRETS[1]}
    assert place.plugin_settings()["Plugins"][OTHER_ID] == {"key": WANTED_SECRETS[1]}
    assert place.plugin_settings()["EnableHealthCheck"] is False
    assert drop_ins(place) != []
    assert not done(place, CHECKPOINT, state="restored", plugins=[PLUGIN_ID])["changed"]


def test_a_change_of_several_runs_is_one_step_back(place: Place) -> None:
    before = sums(place)
    wanted: List[Any] = [{"src": place.bundle(NEW)}]
    done(place, CHECKPOINT, plugins=wanted)
    done(place, PLUGIN, plugins=wanted)
    place.plugin("webapp/by-hand.js").write_text("// drift\n", encoding="utf-8")
    done(place, CHECKPOINT, plugins=wanted)
    done(place, PLUGIN, plugins=wanted)
    done(place, CHECKPOINT, state="restored")
    assert sums(place) == before


def test_what_cannot_be_packed_is_told_and_refused_when_it_is_wanted_back(place: Place) -> None:
    os.symlink("/etc/passwd", place.plugin("webapp/link"))
    answer = done(place, CHECKPOINT)
    assert f"{PLUGIN_ID} cannot be restored as it is now: webapp/link is no regular file" in json.dumps(answer)
    assert list(place.real(STATE).glob("bundles/*.tar.gz")) == []
    place.plugin("webapp/link").unlink()
    refused = place.call(
        CHECKPOINT, {"root": str(place.server.root), "server_version": VERSION, "state": "restored"}, False
    )
    assert f"no bundle of {PLUGIN_ID}" in refused["msg"]


def test_a_damaged_checkpoint_tells_no_secret(place: Place) -> None:
    done(place, CHECKPOINT)
    (path,) = place.real(f"{STATE}/checkpoints").iterdir()
    path.write_text(path.read_text(encoding="utf-8").replace('"change"', "change"), encoding="utf-8")
    answer = place.call(CHECKPOINT, {"root": str(place.server.root), "server_version": VERSION}, False)
    assert path.name in answer["msg"]
    assert [secret for secret in SECRETS if secret in json.dumps(answer)] == []


def test_no_checkpoint_is_an_error_that_says_what_to_do(place: Place) -> None:
    node_options = {"root": str(place.server.root), "server_version": VERSION}
    for values in ({"state": "restored"}, {"state": "restored", "name": "none"}):
        answer = place.call(CHECKPOINT, {**node_options, **values}, True)
        assert "this node has no checkpoint" in answer["msg"]
        assert "What to do" in answer["msg"]


def test_the_settings_of_a_server_that_masks_them_come_from_its_file() -> None:
    with broken_place("11.6.0") as place, running_server(place):
        done(place, CHECKPOINT, **node(place))
        (path,) = place.real(f"{STATE}/checkpoints").iterdir()
        kept = json.loads(path.read_text(encoding="utf-8"))["state"]["settings"]["Plugins"]
        assert kept == json.loads(Path(place.real(CONFIG)).read_text(encoding="utf-8"))["PluginSettings"]["Plugins"]

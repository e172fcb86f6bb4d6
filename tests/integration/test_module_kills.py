# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of each module at every point where it changes a name: nothing half-written is there, a rerun converges."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Set, Tuple

import pytest

from plugops_tests.modules.killing import CHANGES, killed_at
from plugops_tests.modules.place import (
    CONFIG,
    SOCKET,
    STATE,
    Place,
    broken_place,
    mend_directories,
    running_server,
)
from plugops_tests.sandbox.app_server import NEW, OLD, PLUGIN_ID, VERSION

Picture = Dict[str, str]
UNITS = "/etc/systemd/system"
FILESTORE = "/opt/mattermost/data/plugins"
PREPACKAGED = "/opt/mattermost/prepackaged_plugins"
SENT = "http.client.send"  # an audit event, too: what a server was told cannot be taken back


@dataclass(frozen=True)
class Case:
    """
    :param prepare: what is there before the module is called
    :param running: whether a server runs meanwhile
    """

    module: str
    arguments: Callable[[Place], Mapping[str, Any]]
    prepare: List[Callable[[Place], object]] = field(default_factory=list)
    running: bool = False

    def call(self, place: Place) -> Dict[str, Any]:
        common = {"root": str(place.server.root), "server_version": VERSION}
        return place.call(self.module, {**common, **self.arguments(place)}, False)

    def ensured(self, place: Place) -> Dict[str, Any]:
        answer = self.call(place)
        assert not answer.get("failed"), answer["msg"]
        return answer


def mended(place: Place) -> None:
    mend_directories(place, {"root": str(place.server.root)})


def came_prepackaged(place: Place) -> None:
    """Another version, in a file of another name."""
    mended(place)
    folder = place.real(PREPACKAGED)
    folder.mkdir(exist_ok=True)
    shutil.copy(place.bundle(OLD), folder / "as-released.tar.gz")


def closed(place: Place) -> None:
    """A plugin directory that the service user cannot write, no client plugin directory, files of another user."""
    os.chown(place.real("/opt/mattermost/plugins"), 0, 0)
    os.chmod(place.real("/opt/mattermost/plugins"), 0o700)
    os.chown(place.plugin("plugin.json"), 0, 0)


def removed(place: Place) -> Mapping[str, Any]:
    return {"plugins": [{"id": PLUGIN_ID, "state": "absent"}]}


def upgraded(**more: Any) -> Callable[[Place], Mapping[str, Any]]:
    return lambda place: {"plugins": [{"src": place.bundle(NEW)}], **more}


CASES = {
    "directories": Case("mattermost_plugin_directories", lambda _: {}, [closed]),
    "directories are missing": Case(
        "mattermost_plugin_directories",
        lambda _: {"directory": "more/plugins", "client_directory": "more/client/plugins"},
    ),
    "service directory": Case("mattermost_service_directory", lambda _: {}),
    "settings": Case(
        "mattermost_plugin_settings",
        lambda _: {"settings": {"EnableUploads": True}, "states": {PLUGIN_ID: True}, "plugins": {PLUGIN_ID: {"n": 1}}},
    ),
    "plugin unpacked": Case("mattermost_plugin", upgraded(strategy="unpack"), [mended]),
    "plugin in the filestore": Case("mattermost_plugin", upgraded(strategy="filestore"), [mended]),
    "plugin prepackaged": Case("mattermost_plugin", upgraded(strategy="prepackaged"), [came_prepackaged]),
    "plugin removed": Case(
        "mattermost_plugin", lambda _: {"plugins": [{"id": PLUGIN_ID, "state": "absent"}]}, [mended]
    ),
    "plugin uploaded": Case("mattermost_plugin", upgraded(strategy="upload", socket=SOCKET), running=True),
}
# Much like another one.
ON_REQUEST = {"plugin prepackaged"}


def sums(top: Path) -> Picture:
    """Every file below a directory, with its mode."""
    return {
        str(path.relative_to(top)): f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(top.rglob("*"))
        if path.is_file()
    }


def visible(place: Place) -> Dict[str, Picture]:
    """What a server reads: its configuration, each plugin, each stored bundle, each file of a unit."""
    plugins = place.real("/opt/mattermost/plugins")
    trees = {
        f"plugin {path.name}": sums(path)
        for path in plugins.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    }
    bundles = [path for folder in (FILESTORE, PREPACKAGED) for path in place.real(folder).glob("*.tar.gz")]
    files = [place.real(CONFIG), *bundles, *place.real(UNITS).rglob("*.*")]
    return {**trees, **{str(path.relative_to(place.server.root)): content(path) for path in files if read(path)}}


def read(path: Path) -> bool:
    """Servers and systemd take no file with such a name."""
    return path.is_file() and not path.name.startswith(".")


def content(path: Path) -> Picture:
    """Of the configuration: what it says, for a reader; of other files: their bytes."""
    if path.name == "config.json":
        said = json.loads(path.read_bytes())
        return {name: json.dumps(value, sort_keys=True) for name, value in said["PluginSettings"].items()}
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def owners(place: Place) -> List[str]:
    """Of the directories: their names, modes and owners."""
    found = []
    for top in (
        "/opt/mattermost/plugins",
        "/opt/mattermost/client",
        "/opt/mattermost/more",
        UNITS,
        FILESTORE,
        PREPACKAGED,
    ):
        for path in (place.real(top), *place.real(top).rglob("*")):
            if path.is_dir():
                status = path.stat()
                found.append(
                    f"{path.relative_to(place.server.root)} {status.st_mode:o} {status.st_uid}:{status.st_gid}"
                )
    return sorted(found)


def leftovers(place: Place) -> List[str]:
    bundles = place.real(f"{STATE}/bundles")
    packed, indexed = ({path.name.split(".")[0] for path in bundles.glob(name)} for name in ("*.tar.gz", "*.json"))
    found = [
        *place.server.root.rglob(".plugops-*"),
        *place.real(STATE).rglob("packing*"),
        *place.real(STATE).rglob("receiving*"),
    ]
    return sorted([str(path) for path in found] + list(packed ^ indexed))


def killed_and_run_again(case: Case, place: Place, number: int) -> Tuple[bool, Set[str]]:
    """Whether the module came as far as the n-th point, and what is there after it has run again."""
    before = visible(place)
    came = killed_at(number, lambda: case.call(place), (SENT,) if case.running else CHANGES)
    meanwhile = {} if case.running else visible(place)  # a server that has the bundle goes on with it
    case.ensured(place)
    assert not case.ensured(place)["changed"]
    after = visible(place)
    assert leftovers(place) == []
    for name, found in meanwhile.items():
        assert found in (before.get(name), after.get(name)), f"{name} is neither the old one nor the new one"
    assert before.keys() & after.keys() <= (meanwhile or after).keys(), "something was missing meanwhile"
    lines = {f"{name} {part} {found}" for name, parts in after.items() for part, found in parts.items()}
    return came, {*lines, *owners(place)}


@pytest.mark.skipif(os.geteuid() != 0, reason="owners are changed: needs root")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.matrix] if name in ON_REQUEST else []) for name in CASES]
)
def test_nothing_is_half_written_and_the_next_run_converges(name: str) -> None:
    case = CASES[name]
    reached = []
    came = True
    while came:
        with broken_place() as place:
            for step in case.prepare:
                step(place)
            with running_server(place) if case.running else contextlib.nullcontext():
                came, there = killed_and_run_again(case, place, len(reached) + 1)
                reached.append(there)
    # The last one was not killed.
    for number, there in enumerate(reached, start=1):
        assert sorted(there ^ reached[-1]) == [], f"killed at point {number}"
    assert len(reached) > 1, "no commit points were met"

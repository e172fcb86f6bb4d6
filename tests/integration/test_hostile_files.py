# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a service account puts in the place of a file that a module reads: each ends in time, and says what it is.

Pipes that nobody writes into, devices, files without end, a file that changes all the time, locks of others.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from plugops_tests.modules.harness import captured_log
from plugops_tests.modules.place import STATE
from plugops_tests.sandbox.app_server import OLD, PLUGIN_ID, VERSION
from plugops_tests.security.attacks import (
    OWNED,
    Target,
    as_service,
    bounded,
    meanwhile,
    target,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="needs root: what a service account can do to root's modules is tested"
    ),
]

DIRECTORIES = "mattermost_plugin_directories"
PLUGIN = "mattermost_plugin"
SETTINGS = "mattermost_plugin_settings"
INFO = "mattermost_plugin_info"
CHECKPOINT = "mattermost_plugin_checkpoint"
LOCK = "mattermost_run_lock"
FILESTORE = "11.0.0"
PLUGIN_JSON = f"plugins/{PLUGIN_ID}/plugin.json"
BUNDLE = f"data/plugins/{PLUGIN_ID}.tar.gz"
# Every name below the install directory that a module reads as a file.
NAMES = [
    "config/config.json",
    PLUGIN_JSON,
    f"plugins/{PLUGIN_ID}/plugin.yml",
    f"plugins/{PLUGIN_ID}/webapp/more.js",
    f"plugins/{PLUGIN_ID}/.filestore",
    BUNDLE,
    f"{BUNDLE}.sig",
    "prepackaged_plugins/more.tar.gz",
    "prepackaged_plugins/more.tar.gz.sig",
    "logs/mattermost.log",
    "bin/mattermost",
]


@pytest.fixture(autouse=True)
def _no_log_of_the_machine() -> Iterator[None]:
    with captured_log():
        yield


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    os.symlink("/dev/zero", path)


def huge(path: Path) -> None:
    with path.open("wb") as out:
        out.truncate(8 << 30)


def socket_file(path: Path) -> None:
    subprocess.run(
        ["python3", "-c", f"import socket; socket.socket(socket.AF_UNIX).bind({os.path.basename(path)!r})"],
        cwd=path.parent,
        check=True,
    )


def directory(path: Path) -> None:
    path.mkdir()


KINDS: List[Callable[[Path], None]] = [pipe, endless, huge]
ODD: List[Callable[[Path], None]] = [socket_file, directory]
CASES = [
    *((name, kind) for name in NAMES for kind in KINDS),
    *((name, kind) for name in ("config/config.json", PLUGIN_JSON, BUNDLE, f"{BUNDLE}.sig") for kind in ODD),
]
# One pipe for each name, and each kind where something is read in another way; the others run in the matrix.
ALWAYS = [
    *((name, pipe) for name in NAMES),
    *((name, huge) for name in ("config/config.json", PLUGIN_JSON, BUNDLE, f"{BUNDLE}.sig", "logs/mattermost.log")),
    *(("config/config.json", kind) for kind in (endless, directory)),
    *((f"{BUNDLE}.sig", kind) for kind in (endless, socket_file)),
]


def in_the_place_of(found: Target, name: str, kind: Callable[[Path], None]) -> None:
    """As the service account, beside a bundle that the server has."""
    bundle, path = found.place.bundle(OLD), found.install / name

    def put() -> None:
        for folder in ("data/plugins", "prepackaged_plugins"):
            (found.install / folder).mkdir(exist_ok=True)
        shutil.copy(bundle, found.install / BUNDLE)
        if name.startswith("prepackaged_plugins") and name.endswith(".sig"):
            shutil.copy(bundle, found.install / name[: -len(".sig")])
        path.unlink(missing_ok=True)
        kind(path)

    as_service(put)


def steps(found: Target) -> Dict[str, Any]:
    wanted = {"plugins": [{"src": found.place.bundle()}], "server_version": FILESTORE}
    return {
        "plan": (INFO, {**wanted, "settings": {"EnableUploads": True}}),
        "audit": (INFO, {**wanted, "findings": True, "files": True, "bundle_digests": True}),
        "checkpoint": (CHECKPOINT, {**wanted, "name": "before"}),
        "directories": (DIRECTORIES, {}),
        "settings": (SETTINGS, {"settings": {"EnableUploads": True}, "via": "file", "backup": True}),
        "plugin": (PLUGIN, wanted),
        "restored": (CHECKPOINT, {"server_version": FILESTORE, "state": "restored", "name": "before"}),
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(
            name,
            kind,
            id=f"{kind.__name__} as {name}",
            marks=[] if (name, kind) in ALWAYS else [pytest.mark.matrix],
        )
        for name, kind in CASES
    ],
)
def test_what_is_no_file_ends_no_module(name: str, kind: Callable[[Path], None]) -> None:
    with target(OWNED, FILESTORE) as found:
        in_the_place_of(found, name, kind)
        for step, (module, arguments) in steps(found).items():
            answer = bounded(lambda m=module, a=arguments: found.call(m, **a))
            assert not answer.get("failed") or answer.get("msg"), step
        found.assert_unharmed()


@pytest.mark.parametrize("kind", [pipe, endless, huge], ids=lambda kind: kind.__name__)
def test_a_configuration_that_is_no_file_is_told_as_that(kind: Callable[[Path], None]) -> None:
    with target() as found:
        in_the_place_of(found, "config/config.json", kind)
        for module in (SETTINGS, DIRECTORIES, CHECKPOINT):
            answer = bounded(lambda m=module: found.call(m, server_version=VERSION))
            assert answer.get("failed")
            assert "/opt/mattermost/config/config.json" in answer["msg"]
            assert "What to do:" in answer["msg"]


def test_a_configuration_that_is_written_all_the_time_ends_no_module() -> None:
    with target() as found:
        path = found.install / "config" / "config.json"

        def write() -> None:
            path.write_text('{"ServiceSettings": {', encoding="utf-8")
            time.sleep(0.1)

        with meanwhile(write):
            while path.stat().st_size > 100:
                time.sleep(0.01)
            answer = bounded(lambda: found.call(INFO, server_version=VERSION, findings=True))
            assert "config.json" in str(answer)
            answer = bounded(lambda: found.call(SETTINGS, server_version=VERSION, settings={"EnableUploads": True}))
            assert answer.get("failed")
            assert "config.json" in answer["msg"]


def sparse_in_a_plugin(found: Target) -> None:
    with (found.install / "plugins" / PLUGIN_ID / "big").open("wb") as out:
        out.truncate(4 << 40)


def deep_plugin(found: Target) -> None:
    os.chdir(found.install / "plugins" / PLUGIN_ID)
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")


def loops(found: Target) -> None:
    for name in ("a", "b"):
        os.symlink({"a": "b", "b": "a"}[name], found.install / "plugins" / name)
    os.symlink("..", found.install / "plugins" / PLUGIN_ID / "up")


def many_of_each(found: Target) -> None:
    for number in range(1000):
        os.mkdir(found.install / "plugins" / f"com.example.p{number}")
        (found.install / "plugins" / f"com.example.p{number}" / "plugin.json").write_text("{")


@pytest.mark.parametrize(
    "litter", [sparse_in_a_plugin, deep_plugin, loops, many_of_each], ids=lambda item: item.__name__
)
def test_a_tree_that_nobody_can_read_to_its_end_ends_no_module(litter: Callable[[Target], None]) -> None:
    with target() as found:
        try:
            as_service(lambda: litter(found))
            for step, (module, arguments) in steps(found).items():
                given = {**arguments, "server_version": VERSION} if "server_version" in arguments else arguments
                answer = bounded(lambda m=module, a=given: found.call(m, **a), seconds=15)
                assert not answer.get("failed") or answer.get("msg"), step
            found.assert_unharmed()
        finally:
            # Deeper than Python's own helpers can go.
            subprocess.run(["rm", "-rf", str(found.install)], check=True)


@pytest.mark.parametrize("path", ["/opt/mattermost", "/opt/mattermost/config", STATE, "/opt/mattermost/plugins"])
def test_a_lock_of_any_local_user_stops_nothing(path: str) -> None:
    """flock(2) needs no more than to open the directory."""
    with target() as found:
        wanted = {"plugins": [{"src": found.place.bundle()}], "server_version": VERSION}
        # Everything that the modules make there is there already.
        found.call(LOCK, run={"run": "before", "user": "ann"})
        found.call(LOCK, run={"run": "before", "user": "ann"}, state="released")
        found.call(CHECKPOINT, **wanted, name="before")
        held = [place for place in (found.place.real(path), *found.place.real(path).glob("*")) if may_be_opened(place)]
        assert found.place.real(path) in held
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            hold(held, writing)
        try:
            assert os.read(reading, 4) == b"held"
            for module, arguments in (
                (LOCK, {"run": {"run": "this", "user": "ann"}}),
                (DIRECTORIES, {}),
                (SETTINGS, {"settings": {"EnableUploads": True}, "via": "file"}),
                (PLUGIN, wanted),
                (CHECKPOINT, {"server_version": VERSION, "state": "restored", "name": "before"}),
            ):
                answer = bounded(lambda m=module, a=arguments: found.call(m, **a))
                assert not answer.get("failed"), answer
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)


def may_be_opened(path: Path) -> bool:
    """By everybody."""
    state = path.lstat()
    return bool(state.st_mode & 0o004) and (path.is_dir() or path.is_file()) and not path.is_symlink()


def hold(paths: List[Path], told: int) -> None:
    """As some user of the machine; until it is killed."""
    try:
        os.setgroups([])
        os.setgid(12345)
        os.setuid(12345)
        kept = [os.open(path, os.O_RDONLY) for path in paths]
        for handle in kept:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(told, b"held")
        time.sleep(600)
    finally:
        os._exit(1)

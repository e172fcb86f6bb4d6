# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A compromised server stays a service user: what its account prepares leads no module of root's anywhere.

Each attack is made by that account itself, below an install directory that is its own as a whole, and below one that
root owns but for what a server must write. What it is after lies beside it: a tree of root's that must stay untouched.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping

import pytest

from plugops_tests.modules.harness import captured_log
from plugops_tests.sandbox.app_server import OLD, PLUGIN_ID, VERSION
from plugops_tests.security.attacks import (
    HARDENED,
    OWNED,
    VICTIM,
    Target,
    as_service,
    bounded,
    meanwhile,
    replace_by_link,
    swapped_at_close,
    swapping,
    target,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: what a service account can make root do is tested"),
]

DIRECTORIES = "mattermost_plugin_directories"
PLUGIN = "mattermost_plugin"
SETTINGS = "mattermost_plugin_settings"
INFO = "mattermost_plugin_info"
CHECKPOINT = "mattermost_plugin_checkpoint"
SERVICE = "mattermost_service_directory"
RELEASE = "mattermost_release"
FILESTORE = "11.0.0"  # a server that installs from its filestore alone
both = pytest.mark.parametrize("owners", [OWNED, HARDENED])


@pytest.fixture(autouse=True)
def _no_log_of_the_machine() -> Iterator[None]:
    with captured_log():
        yield


def answers_of_all(found: Target, version: str = VERSION) -> Dict[str, Dict[str, Any]]:
    """What every module says that works on a node: each ends in time, with a result or a clear error."""
    wanted = {"plugins": [{"src": found.place.bundle()}]}
    known = {"server_version": version}
    steps: List[Any] = [
        ("plan", INFO, {**known, **wanted}),
        ("audit", INFO, {**known, **wanted, "findings": True, "bundle_digests": True, "files": True}),
        ("checkpoint", CHECKPOINT, {**known, **wanted, "name": "before"}),
        ("directories", DIRECTORIES, {}),
        ("service", SERVICE, {}),
        ("settings", SETTINGS, {"settings": {"EnableUploads": True}, "via": "file", "backup": True}),
        ("plugin", PLUGIN, {**known, **wanted}),
        ("absent", PLUGIN, {**known, "plugins": [{"id": PLUGIN_ID, "state": "absent"}]}),
        ("restored", CHECKPOINT, {**known, "state": "restored", "name": "before"}),
    ]
    said = {name: bounded(lambda m=module, a=arguments: found.call(m, **a)) for name, module, arguments in steps}
    assert [name for name, answer in said.items() if answer.get("failed") and not answer.get("msg")] == []
    return said


def told(answer: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in answer.items() if name != "invocation"})


def configure(found: Target, section: str, **values: Any) -> None:
    """The server's own file is the server's to write."""
    path = found.install / "config" / "config.json"

    def write() -> None:
        document = json.loads(path.read_text(encoding="utf-8"))
        document[section].update(values)
        path.write_text(json.dumps(document, indent=4), encoding="utf-8")

    as_service(write)


# The directories


@pytest.mark.parametrize("name", ["plugins", "client/plugins", "client", "data", "prepackaged_plugins", "config"])
@pytest.mark.parametrize("version", [VERSION, FILESTORE])
def test_a_link_in_the_place_of_a_directory_gives_nothing_away(name: str, version: str) -> None:
    with target(OWNED, version) as found:
        replace_by_link(found.install / name, VICTIM)
        answers_of_all(found, version)
        found.assert_unharmed()


@pytest.mark.parametrize("name", ["plugins", "client/plugins", "data"])
def test_nor_one_to_where_the_kernel_would_go(name: str) -> None:
    with target() as found:
        replace_by_link(found.install / name, str(found.canary.place))
        answers_of_all(found)
        found.assert_unharmed()


@both
def test_a_link_in_the_place_of_a_plugin_gives_nothing_away(owners: str) -> None:
    with target(owners) as found:
        replace_by_link(found.install / "plugins" / PLUGIN_ID, str(found.canary.place))
        replace_by_link(found.install / "client" / "plugins" / PLUGIN_ID, VICTIM)
        answers_of_all(found)
        found.assert_unharmed()


WISHES = [VICTIM, f"{VICTIM}/new", f"{VICTIM}/new/below", "../../victim", "/etc", "/"]


@pytest.mark.parametrize("key", ["Directory", "ClientDirectory"])
@pytest.mark.parametrize(
    ("path", "owners"), [*((path, OWNED) for path in WISHES), *((path, HARDENED) for path in WISHES[:2])]
)
def test_a_directory_of_the_servers_wish_is_refused_before_any_change(owners: str, key: str, path: str) -> None:
    with target(owners) as found:
        before = found.place.snapshot()
        configure(found, "PluginSettings", **{key: path})
        etc = {name: state for name, state in before.items() if name.startswith(str(found.place.real("/etc")))}
        checked = found.call(DIRECTORIES, check=True)
        done = found.call(DIRECTORIES)
        assert (checked.get("failed"), done.get("failed")) == (True, True)
        assert checked["msg"] == done["msg"]
        assert f"PluginSettings.{key}" in done["msg"]
        assert ("allowed_directories" in done["msg"]) == (path not in ("/etc", "/")), "what an operator can do is said"
        after = found.place.snapshot()
        assert {name: after.get(name) for name in etc} == etc
        answers_of_all(found)
        after = found.place.snapshot()
        drop_in = str(found.place.real("/etc/systemd/system"))  # what the module for the service puts there
        kept = {name: state for name, state in etc.items() if not name.startswith(drop_in)}
        assert {name: after.get(name) for name in kept} == kept
        found.assert_unharmed()


@pytest.mark.parametrize("path", ["/", "/etc", "/etc/systemd/system", "/usr/lib", "/root", "/var/lib", "/proc/self"])
def test_a_directory_of_the_system_is_refused_although_it_is_asked_for(path: str) -> None:
    with target() as found:
        found.place.real(path).mkdir(parents=True, exist_ok=True)
        before = found.place.snapshot()
        for check in (True, False):
            answer = found.call(DIRECTORIES, check, directory=path)
            assert answer.get("failed")
            assert path in answer["msg"]
        changed = {name for name, state in found.place.snapshot().items() if before.get(name) != state}
        assert changed == set()


@both
def test_a_file_with_another_name_elsewhere_is_given_to_nobody(owners: str) -> None:
    """The link is made by root here, as a server could make it where fs.protected_hardlinks is 0."""
    with target(owners) as found:
        for name in ("plugins", f"plugins/{PLUGIN_ID}", "client/plugins"):
            os.link(found.canary.secret, found.install / name / "one-more.js")
        found.canary.begin(but="names")  # one may go with the plugin that has it
        os.chown(found.install / "plugins" / PLUGIN_ID, 0, 0)  # there is something to put right
        said = found.call(DIRECTORIES)
        assert "one-more.js" in told(said)
        answers_of_all(found)
        found.assert_unharmed()


# The filestore


@both
@pytest.mark.parametrize(
    "path", [f"{VICTIM}/drop-in.d", f"{VICTIM}/", "/etc/systemd/system/cron.service.d", "../../victim"]
)
def test_a_filestore_of_the_servers_wish_is_not_made(owners: str, path: str) -> None:
    with target(owners, FILESTORE) as found:
        configure(found, "FileSettings", Directory=path)
        units = sorted(os.listdir(found.place.real("/etc/systemd/system")))
        said = found.call(PLUGIN, plugins=[{"src": found.place.bundle()}], server_version=FILESTORE)
        assert said.get("failed")
        assert sorted(os.listdir(found.place.real("/etc/systemd/system"))) == units
        answers_of_all(found, FILESTORE)
        found.assert_unharmed()


@both
@pytest.mark.parametrize("folder", ["data/plugins", "prepackaged_plugins"])
@pytest.mark.parametrize("to", ["as the host has it", "as the kernel has it"])
def test_a_folder_of_bundles_that_is_a_link_gets_none(owners: str, folder: str, to: str) -> None:
    if owners == HARDENED and folder == "prepackaged_plugins":
        pytest.skip("the service account cannot replace what is root's")
    with target(owners, FILESTORE) as found:
        replace_by_link(found.install / folder, VICTIM if to == "as the host has it" else str(found.canary.place))
        strategy = "filestore" if folder == "data/plugins" else "prepackaged"
        wanted = {"plugins": [{"src": found.place.bundle()}], "server_version": FILESTORE, "strategy": strategy}
        found.call(PLUGIN, **wanted)
        answers_of_all(found, FILESTORE)
        found.assert_unharmed()


# config.json


@pytest.mark.parametrize("number", range(1, 7))
def test_config_json_replaced_by_a_link_after_it_was_read_is_written_nowhere_else(number: int) -> None:
    with target() as found:
        to = str(found.canary.place / "open" / "profile.sh")
        with swapped_at_close(found.install / "config" / "config.json", to, number):
            wanted = {"settings": {"EnableUploads": True}, "via": "file", "backup": True}
            bounded(lambda: found.call(SETTINGS, **wanted))
        found.assert_unharmed()


@both
def test_nor_where_it_is_replaced_at_any_time(owners: str) -> None:
    with target(owners) as found:
        path = found.install / "config" / "config.json"
        found.call(CHECKPOINT, server_version=VERSION, name="before", plugins=[{"src": found.place.bundle()}])
        content = path.read_bytes()
        for seed in range(8):
            as_service(lambda: (path.unlink(missing_ok=True), path.write_bytes(content)))
            with meanwhile(swapping(path, str(found.canary.place / "open" / "profile.sh"), seed)):
                wanted = {"settings": {"EnableUploads": bool(seed % 2)}, "via": "file", "backup": True}
                bounded(lambda w=wanted: found.call(SETTINGS, **w))
                bounded(lambda: found.call(CHECKPOINT, server_version=VERSION, state="restored", name="before"))
        found.assert_unharmed()


# Signatures


@both
@pytest.mark.parametrize("folder", ["data/plugins", "prepackaged_plugins"])
def test_a_signature_that_is_a_link_gives_nothing_to_read(owners: str, folder: str) -> None:
    if owners == HARDENED and folder == "prepackaged_plugins":
        pytest.skip("the service account cannot write what is root's")
    with target(owners, FILESTORE) as found:
        signature_as_link(found, found.install / folder)
        known = {"server_version": FILESTORE}
        wanted = {"plugins": [{"src": found.place.bundle()}]}
        found.call(DIRECTORIES)
        for state in ({"name": "before", **wanted}, {"state": "restored", "name": "before"}):
            with found.canary.watched() as watch:
                found.call(CHECKPOINT, **known, **state)
                found.call(PLUGIN, **known, **wanted)
                found.call(INFO, **known, **wanted, findings=True)
            assert watch.seen == []
        found.assert_unharmed()


def signature_as_link(found: Target, folder: Path) -> None:
    """A bundle that the server has, and in the place of its signature a link to what only root may read."""
    bundle = found.place.bundle(OLD)

    def put() -> None:
        folder.mkdir(exist_ok=True)
        shutil.copy(bundle, folder / f"{PLUGIN_ID}.tar.gz")
        os.symlink(found.canary.secret, folder / f"{PLUGIN_ID}.tar.gz.sig")

    as_service(put)


# The release


@pytest.mark.parametrize("entry", ["client/../important", "../../victim/shadow", "/victim/shadow", "client/important"])
def test_what_the_service_account_notes_of_a_release_is_not_removed(entry: str) -> None:
    with target() as found:
        archive = found.place.directory / f"mattermost-{VERSION}.tar.gz"
        sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
        (found.canary.place / "important").write_text("of root's")
        (found.canary.place / "open" / "important").write_text("of root's")
        found.canary.begin()
        marker = {"sha256": 64 * "0", "complete": True, "entries": [entry]}

        def prepare() -> None:
            os.rename(found.install / "client", found.install / "client.was")
            os.symlink(found.canary.place / "open", found.install / "client")
            (found.install / ".mattermost-release.json").write_text(json.dumps(marker))
            for name in (".mattermost-release.new", ".mattermost-release.old"):
                os.symlink(found.canary.place, found.install / name)

        as_service(prepare)
        bounded(lambda: found.call(RELEASE, archive=str(archive), sha256=sha256, store="/opt/store"))
        found.assert_unharmed()


# Places that the modules use for a moment


@both
@pytest.mark.parametrize("version", [VERSION, FILESTORE])
def test_what_lies_in_the_place_of_something_temporary_is_not_followed(owners: str, version: str) -> None:
    with target(owners, version) as found:
        names = (".plugops-new", ".plugops-staging", ".plugops-probe-", f"{PLUGIN_ID}.new", f"{PLUGIN_ID}.old")
        theirs = [
            path for path in (*found.install.rglob("*"), found.install) if path.is_dir() and not path.is_symlink()
        ]

        def plant() -> None:
            for directory in (path for path in theirs if os.access(path, os.W_OK)):
                for name in names:
                    os.symlink(found.canary.place, directory / name)

        as_service(plant)
        answers_of_all(found, version)
        found.assert_unharmed()


def test_a_new_directory_exchanged_for_a_link_keeps_the_mode_of_what_that_leads_to() -> None:
    with target(OWNED, FILESTORE) as found:
        folder = found.install / "data" / "plugins"
        new, aside = folder.parent / ".plugops-new", folder.parent / "aside"

        def exchange() -> None:
            os.rename(new, aside)
            os.symlink(found.canary.place / "closed", new)
            os.rmdir(aside)

        wanted = {"plugins": [{"src": found.place.bundle()}], "server_version": FILESTORE, "strategy": "filestore"}
        with meanwhile(exchange):
            for _ in range(20):
                shutil.rmtree(folder, ignore_errors=True)
                found.call(PLUGIN, **wanted)
        found.assert_unharmed()

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""App servers as they are found: what each module says and does there, and what it refuses before it changes anything.

Check mode and run agree in what differs, and in what is refused. The differences that are named here are the oracle.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from plugops_tests.modules.harness import captured_log, differing
from plugops_tests.modules.place import (
    CONFIG,
    SECRETS,
    SOCKET,
    UNIT,
    WANTED_SECRETS,
    Place,
    Prepare,
    Values,
    broken_place,
    essence,
    four_times,
    mend_directories,
    running_server,
    values_at,
)
from plugops_tests.sandbox.app_server import NEW, OLD, PLUGIN_ID, VERSION
from plugops_tests.support.bundles import make_bundle

PLUGIN = "mattermost_plugin"
DIRECTORIES = "mattermost_plugin_directories"
SETTINGS = "mattermost_plugin_settings"
SERVICE = "mattermost_service_directory"
INFO = "mattermost_plugin_info"
OTHER_ID = "com.example.other"
DROP_INS = f"{UNIT}.d"
INSIST = {"require_plugin_signature": True}
OURS = "zz-plugops-working-directory.conf"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files to another user")


@dataclass(frozen=True)
class Situation:
    """
    :param expected: names of the differences, or a part of the message of the refusal
    :param server: version of the server that runs and answers on its socket; empty: none runs
    :param prepare: what is done to the app server, before that server starts
    :param meanwhile: what is done to it after
    :param marks: of pytest
    """

    module: str
    name: str
    values: Values
    expected: Any
    prepare: Prepare = lambda place: None
    server: str = ""
    meanwhile: Prepare = lambda place: None
    marks: Any = ()

    def arguments(self, place: Place) -> Dict[str, Any]:
        base = {"root": str(place.server.root), "server_version": VERSION}
        return {**base, **({"socket": SOCKET} if self.server else {}), **values_at(self.values, place)}


def src(version: str = NEW, **more: Any) -> Callable[[Place], Dict[str, Any]]:
    return lambda place: {"plugins": [{"src": place.bundle(version), **more}]}


def added(values: Values, **more: Any) -> Callable[[Place], Dict[str, Any]]:
    return lambda place: {**values_at(values, place), **more}


def absent(plugin_id: str = PLUGIN_ID) -> Dict[str, Any]:
    return {"plugins": [{"id": plugin_id, "state": "absent"}]}


def made(plugin_id: str, version: str, **how: Any) -> Callable[[Place], Dict[str, Any]]:
    """A bundle of the situation's own."""

    def values(place: Place) -> Dict[str, Any]:
        path = place.directory / "bundles" / f"made-{plugin_id}-{version}.tar.gz"
        return {"plugins": [{"src": str(make_bundle(path, plugin_id, version, **how))}]}

    return values


def plugins(*aspects: str, plugin_id: str = PLUGIN_ID) -> List[str]:
    return [f"plugins.{plugin_id}.{aspect}" if aspect else f"plugins.{plugin_id}" for aspect in aspects]


def state(enabled: bool, plugin_id: str = PLUGIN_ID) -> Prepare:
    return lambda place: place.configure(PluginSettings={"PluginStates": {plugin_id: {"Enable": enabled}}})


# What is prepared


def installed_new_and_edited(place: Place) -> None:
    place.store(place.bundle())
    with tarfile.open(place.bundle()) as archive:
        archive.extractall(place.plugin().parent)
    place.write(str(place.plugin("webapp/more.js")).replace(str(place.server.root), ""), "// by hand\n")


def in_filestore(place: Place) -> None:
    place.make("/opt/mattermost/data/plugins")
    shutil.copy(place.bundle(OLD), place.real(f"/opt/mattermost/data/plugins/{PLUGIN_ID}.tar.gz"))


def in_filestore_signed(place: Place) -> None:
    """By an RSA key, as the first packet says: nobody verifies it here."""
    in_filestore(place)
    signature = place.real(f"/opt/mattermost/data/plugins/{PLUGIN_ID}.tar.gz.sig")
    signature.write_bytes(bytes([0x88, 16, 4, 0, 1, *range(13)]))


def in_filestore_signed_in_vain(place: Place) -> None:
    """By an EdDSA key."""
    in_filestore(place)
    signature = place.real(f"/opt/mattermost/data/plugins/{PLUGIN_ID}.tar.gz.sig")
    signature.write_bytes(bytes([0x88, 16, 4, 0, 22, *range(13)]))


def no_plugin(place: Place) -> None:
    for path in sorted(place.plugin().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    place.plugin().rmdir()


def open_client(place: Place) -> None:
    """For tests without root, to which the broken directory is closed, too."""
    os.chmod(place.server.install_dir / "client", 0o755)


def left_in_client(place: Place) -> None:
    no_plugin(place)
    open_client(place)
    place.make("/opt/mattermost/client/plugins")
    place.write(f"/opt/mattermost/client/plugins/{PLUGIN_ID}/main.js", "left")


def with_line_ends_and_mark(place: Place) -> None:
    path = place.real(CONFIG)
    text = path.read_text(encoding="utf-8").replace('"PluginSettings"', '"pluginsettings"').replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())


def behind_a_link(place: Place) -> None:
    place.real(CONFIG).rename(place.make("/srv/conf") / "real.json")
    place.real(CONFIG).symlink_to("/srv/conf/real.json")  # as the host has it


def edit_unread(place: Place) -> None:
    place.configure(PluginSettings={"EnableMarketplace": False})


def closed_parent(place: Place) -> None:
    os.chmod(place.server.install_dir, 0o600)


def foreign_content(place: Place) -> None:
    for path in [place.plugin(), *place.plugin().rglob("*")]:
        os.chown(path, 0, 0)


def linked_directory(place: Place) -> None:
    place.make("/srv/plugins")
    place.plugin().rename(place.real("/srv/plugins") / PLUGIN_ID)
    place.real("/opt/mattermost/plugins").rmdir()
    place.real("/opt/mattermost/plugins").symlink_to("/srv/plugins")


def drop_in(name: str, *lines: str) -> Prepare:
    return lambda place: place.write(f"{DROP_INS}/{name}", "\n".join(["[Service]", *lines, ""]))


CLIENT = "directories./opt/mattermost/client"
CONTENT = "directories./opt/mattermost/plugins.content"
IN_CLIENT = [f"{CLIENT}/plugins"] if os.geteuid() == 0 else [f"{CLIENT}.mode", f"{CLIENT}/plugins"]

FOUND = [
    Situation(PLUGIN, "nothing there", src(), plugins("version", "enabled"), no_plugin),
    Situation(PLUGIN, "an older version", src(), plugins("version", "enabled")),
    Situation(PLUGIN, "a newer version", made(PLUGIN_ID, "0.9.0"), plugins("version", "enabled")),
    Situation(PLUGIN, "enabled already", src(), plugins("version"), state(True)),
    Situation(PLUGIN, "other bytes", made(PLUGIN_ID, OLD, file_count=2), plugins("files", "enabled")),
    Situation(PLUGIN, "edited by hand", src(), plugins("files", "enabled"), installed_new_and_edited),
    Situation(PLUGIN, "only its state", src(OLD), plugins("enabled")),
    Situation(PLUGIN, "absent", absent(), plugins("")),
    Situation(PLUGIN, "into the filestore", added(src(), strategy="filestore"), plugins("version", "enabled")),
    Situation(PLUGIN, "the server's own", src(), plugins("version", "enabled"), in_filestore),
    Situation(PLUGIN, "absent and stored", absent(), plugins(""), in_filestore),
    Situation(
        PLUGIN, "no longer unpacked", added(src(), server_version="11.6.0"), plugins("version", "enabled"), no_plugin
    ),
    Situation(PLUGIN, "absent and enabled", absent(), plugins("", "enabled"), state(True)),
    Situation(PLUGIN, "left in the client directory", absent(), plugins(""), left_in_client),
    Situation(
        PLUGIN,
        "one goes, one comes",
        lambda place: {"plugins": [*made(OTHER_ID, "1")(place)["plugins"], *absent()["plugins"]]},
        [*plugins("version", "enabled", plugin_id=OTHER_ID), *plugins("")],
    ),
    *(
        situation
        for server in (VERSION, "9.10.0")
        for situation in (
            Situation(PLUGIN, "upload a newer one", src(), plugins("version", "enabled"), server=server),
            Situation(PLUGIN, "upload over a running one", src(), plugins("version"), state(True), server),
            Situation(
                PLUGIN, "upload and disable", src(enabled=False), plugins("version", "enabled"), state(True), server
            ),
            Situation(
                PLUGIN,
                "at its next start",
                added(src(), strategy="filestore"),
                plugins("version", "enabled"),
                server=server,
            ),
            Situation(PLUGIN, "let the server enable", src(OLD), plugins("enabled"), server=server),
            Situation(
                PLUGIN, "let the server disable", src(OLD, enabled=False), plugins("enabled"), state(True), server
            ),
            Situation(PLUGIN, "let the server remove", absent(), plugins("", "enabled"), state(True), server),
            Situation(
                PLUGIN,
                "unpack beside it",
                added(src(), strategy="unpack"),
                plugins("version", "enabled"),
                server=server,
            ),
        )
    ),
    Situation(
        DIRECTORIES,
        "a parent that cannot be searched",
        {},
        ["directories./opt/mattermost.mode", *IN_CLIENT],
        closed_parent,
        marks=AS_ROOT,
    ),
    Situation(DIRECTORIES, "content of another user", {}, [CONTENT, *IN_CLIENT], foreign_content, marks=AS_ROOT),
    Situation(DIRECTORIES, "a link to elsewhere", {}, IN_CLIENT, linked_directory),
    Situation(
        SETTINGS,
        "line ends, mark, spelling",
        {"enable_uploads": True},
        ["settings.EnableUploads"],
        with_line_ends_and_mark,
    ),
    Situation(SETTINGS, "signed", INSIST, ["settings.RequirePluginSignature"], in_filestore_signed),
    Situation(
        SETTINGS,
        "signatures follow",
        {**INSIST, "signatures_follow": [PLUGIN_ID]},
        ["settings.RequirePluginSignature"],
        in_filestore,
    ),
    Situation(SETTINGS, "behind a link", {"enable_uploads": True}, ["settings.EnableUploads"], behind_a_link),
    Situation(
        SETTINGS,
        "secrets in an override",
        {"plugins": {PLUGIN_ID: {"Token": WANTED_SECRETS[0]}}, "server_version": "9.10.0"},
        [f"settings.Plugins.{PLUGIN_ID}.Token"],
        drop_in(
            "env.conf",
            "Environment='MM_PLUGINSETTINGS_PLUGINS={\"" + PLUGIN_ID + '":{"token":"' + WANTED_SECRETS[1] + "\"}}'",
        ),
    ),
    *(
        situation
        for server in ("9.10.0", "10.11.0")
        for situation in (
            Situation(
                SETTINGS,
                "an edit that the server has not read",
                {"via": "file", "enable_health_check": False},
                ["settings.EnableHealthCheck", "settings.loaded"],
                server=server,
                meanwhile=edit_unread,
            ),
            Situation(
                SETTINGS,
                "only an edit that it has not read",
                {"via": "file", "enable_uploads": True},
                ["settings.loaded"],
                server=server,
                meanwhile=edit_unread,
            ),
            Situation(
                SETTINGS,
                "secrets through the socket",
                {"via": "socket", "plugins": {PLUGIN_ID: {"TOKEN": WANTED_SECRETS[0], "more": WANTED_SECRETS[1]}}},
                [f"settings.Plugins.{PLUGIN_ID}.TOKEN", f"settings.Plugins.{PLUGIN_ID}.more"],
                server=server,
            ),
            Situation(
                SETTINGS,
                "a directory through the socket",
                {"via": "socket", "directory": "/srv/plugins"},
                ["settings.Directory"],
                server=server,
            ),
        )
    ),
    Situation(
        SERVICE,
        "another directory in the unit",
        {},
        ["service.WorkingDirectory"],
        lambda place: place.replace(UNIT, "User=", "WorkingDirectory=/\nUser="),
    ),
    Situation(
        SERVICE, "a drop-in before ours", {}, ["service.WorkingDirectory"], drop_in("a.conf", "WorkingDirectory=-/srv")
    ),
    Situation(
        SERVICE, "an old drop-in of ours", {}, ["service.WorkingDirectory"], drop_in(OURS, "WorkingDirectory=/srv")
    ),
]


def member_outside(place: Place) -> Dict[str, Any]:
    return made(PLUGIN_ID, "2.0.0", files={"../../outside": b"x"})(place)


def two_directories(place: Place) -> None:
    shutil.copytree(place.plugin(), place.plugin().with_name("copy"))


def another_name(place: Place) -> None:
    place.plugin().rename(place.plugin().with_name("hello"))


def no_account(place: Place) -> None:
    place.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")


def no_unit(place: Place) -> None:
    place.real(UNIT).unlink()


def masked(place: Place) -> None:
    place.real(UNIT).unlink()
    place.real(UNIT).symlink_to("/dev/null")


def file_in_the_way(place: Place) -> None:
    open_client(place)
    place.write("/opt/mattermost/client/plugins", "a file")


def link_to_nowhere(place: Place) -> None:
    open_client(place)
    os.symlink("/nowhere/at/all", place.server.install_dir / "client" / "plugins")


def truncated(place: Place) -> None:
    text = place.real(CONFIG).read_text(encoding="utf-8")
    place.write(CONFIG, text[: text.index(SECRETS[-1]) + len(SECRETS[-1]) + 30])


def twice(place: Place) -> None:
    place.replace(CONFIG, '"EnableUploads"', '"enableuploads": true, "EnableUploads"')


def link_for_our_drop_in(place: Place) -> None:
    place.real(DROP_INS).mkdir()
    place.real(f"{DROP_INS}/{OURS}").symlink_to("/etc/elsewhere.conf")


def by_sha256(place: Place) -> Dict[str, Any]:
    return {"plugins": [{"id": PLUGIN_ID, "version": NEW, "sha256": place.sha256()}]}


REFUSED = [
    Situation(PLUGIN, "nobody takes uploads", added(src(), strategy="upload"), "needs a running server"),
    Situation(PLUGIN, "it would be deleted", added(src(), strategy="unpack", server_version="11.0.0"), "is refused"),
    Situation(
        PLUGIN,
        "not supported",
        added(src(), server_version="10.5.0"),
        "unpacking is not supported",
        lambda place: place.configure(FileSettings={"DriverName": "amazons3"}),
    ),
    Situation(PLUGIN, "version not known", added(src(), server_version=""), "depends on the server's version"),
    Situation(PLUGIN, "not in the store", by_sha256, "not in this node's store"),
    Situation(PLUGIN, "another hash", src(sha256="0" * 64), "another sha256"),
    Situation(PLUGIN, "out of its directory", member_outside, "leads out of it"),
    Situation(PLUGIN, "a newer server needed", made(PLUGIN_ID, "2", min_server_version="9.0.0"), "at least 9.0.0"),
    Situation(PLUGIN, "no such account", src(), "user mattermost does not exist", no_account),
    Situation(PLUGIN, "no such account, to remove", absent(), "user mattermost does not exist", no_account),
    Situation(PLUGIN, "two directories", src(), "two directories hold the plugin", two_directories),
    Situation(PLUGIN, "another name", src(), "in a directory of another name", another_name),
    Situation(PLUGIN, "the server's own", added(src(), strategy="unpack"), "a bundle in the filestore", in_filestore),
    Situation(PLUGIN, "config.json is truncated", src(), "config.json", truncated),
    Situation(
        PLUGIN,
        "too large to upload",
        src(),
        "larger than the server takes",
        lambda place: place.configure(FileSettings={"MaxFileSize": 10}),
        server=VERSION,
    ),
    Situation(
        PLUGIN,
        "not executable",
        made(PLUGIN_ID, "2.0.0", server=True, executable_mode=0o644),
        "without exec bit",
        server=VERSION,
    ),
    Situation(
        PLUGIN, "unpacked, to be deleted", added(src(OLD), strategy="unpack"), "unpack is refused", server="11.6.0"
    ),
    Situation(DIRECTORIES, "no installation", {"install_dir": "/opt/none"}, "the install directory does not exist"),
    Situation(DIRECTORIES, "a file in the way", {}, "client/plugins", file_in_the_way),
    Situation(DIRECTORIES, "a link to nowhere", {}, "/nowhere", link_to_nowhere),
    Situation(DIRECTORIES, "one for both", {"directory": "./x", "client_directory": "./x"}, "the same directory"),
    Situation(DIRECTORIES, "no mode", {"mode": "rwx"}, "must be octal"),
    Situation(DIRECTORIES, "no such account", {}, "user mattermost does not exist", no_account),
    Situation(SETTINGS, "unsigned", INSIST, f"would drop these plugins at its next start: {PLUGIN_ID}", in_filestore),
    Situation(SETTINGS, "signed in vain", INSIST, "would drop these plugins", in_filestore_signed_in_vain),
    Situation(SETTINGS, "no such key", {"settings": {"EnableUpload": True}}, "EnableUpload"),
    Situation(SETTINGS, "given twice", {"enable": True, "settings": {"Enable": True}}, "given twice"),
    Situation(SETTINGS, "a wrong type", {"settings": {"Enable": "perhaps"}}, "Enable"),
    Situation(SETTINGS, "no plugin's settings", {"plugins": {PLUGIN_ID: WANTED_SECRETS[0]}}, PLUGIN_ID),
    Situation(SETTINGS, "unknown to this server", {"chimera_oauth_proxy_url": "x"}, "at least 6.0"),
    Situation(SETTINGS, "truncated", {"enable": True}, "config.json", truncated),
    Situation(SETTINGS, "empty", {"enable": True}, "config.json", lambda place: place.write(CONFIG, "")),
    Situation(SETTINGS, "a key twice", {"enable": True}, "enableuploads", twice),
    Situation(SETTINGS, "not read", {"enable": False, "config_path": "/etc/passwd"}, "does not read"),
    Situation(
        SETTINGS,
        "in a database",
        {"enable": False},
        "in a database",
        drop_in("db.conf", f"Environment=MM_CONFIG=postgres://mmuser:{SECRETS[-1]}@db/mattermost"),
    ),
    Situation(SETTINGS, "nobody answers", {"enable": False, "via": "socket"}, "needs a running server"),
    Situation(SERVICE, "no directory", {"working_directory": "/opt/none"}, "does not exist"),
    Situation(SERVICE, "no unit", {}, "does not exist", no_unit),
    Situation(SERVICE, "masked", {}, "is masked", masked),
    Situation(SERVICE, "a stronger drop-in", {}, "read after ours", drop_in("zzz.conf", "WorkingDirectory=/srv")),
    Situation(
        SERVICE,
        "refused by systemd",
        {},
        "refuses the whole unit",
        lambda place: place.replace(UNIT, "User=", "WorkingDirectory=srv\nUser="),
    ),
    Situation(SERVICE, "a link in our place", {}, "something else has its place", link_for_our_drop_in),
]


def named(situations: List[Situation]) -> Any:
    ids = [
        f"{situation.module[11:]}: {situation.name}" + (f" ({situation.server})" if situation.server else "")
        for situation in situations
    ]
    assert len(set(ids)) == len(ids)
    found = [pytest.param(situation, marks=situation.marks) for situation in situations]
    return pytest.mark.parametrize("situation", found, ids=ids)


@pytest.fixture(autouse=True)
def _nothing_secret_in_the_log() -> Iterator[None]:
    with captured_log() as lines:
        yield
    assert [line for line in lines for secret in SECRETS if secret in line] == []


@pytest.fixture
def place(situation: Situation) -> Iterator[Place]:
    with broken_place(situation.server) as place:
        situation.prepare(place)
        if not situation.server:
            yield place
            return
        with running_server(place):
            situation.meanwhile(place)
            yield place


def shown_secrets(answer: Any) -> List[str]:
    return [secret for secret in SECRETS if secret in json.dumps(answer)]


@named(FOUND)
def test_found_foretold_and_mended(situation: Situation, place: Place) -> None:
    arguments = situation.arguments(place)
    if situation.module == PLUGIN and not situation.server:
        mend_directories(place, {"root": str(place.server.root)})
    answers = four_times(situation.module, arguments, place)
    predicted, done, predicted_again, done_again = answers
    assert [difference["name"] for difference in done["differences"]] == situation.expected
    assert essence(predicted) == essence(done)
    assert essence(predicted_again) == essence(done_again)
    assert (done["changed"], done_again["changed"]) == (True, False)
    assert shown_secrets(answers) == []


@named(REFUSED)
def test_refused_alike_and_before_any_change(situation: Situation, place: Place) -> None:
    arguments = situation.arguments(place)
    if situation.module == PLUGIN and not situation.server and situation.prepare not in (no_account, truncated):
        mend_directories(place, {"root": str(place.server.root)})
    before = place.snapshot()
    predicted = place.call(situation.module, arguments, True)
    assert differing(before, place.snapshot()) == []
    done = place.call(situation.module, arguments, False)
    assert differing(before, place.snapshot()) == []
    assert predicted.get("failed"), "check mode foretells success"
    assert predicted["msg"] == done["msg"]
    assert situation.expected in done["msg"]
    assert "Traceback" not in done["msg"] + done.get("exception", "")
    assert shown_secrets([predicted, done]) == []


def test_the_plan_is_what_the_modules_do_and_then_empty() -> None:
    with broken_place() as place:
        node = {"root": str(place.server.root), "server_version": VERSION}
        wanted = {"settings": {"EnableUploads": True}, **src()(place)}
        plan = place.call(INFO, {**node, **wanted}, True)["differences"]
        made_so = [
            difference
            for module, arguments in (
                (DIRECTORIES, {}),
                (SERVICE, {}),
                (SETTINGS, {"settings": wanted["settings"]}),
                (PLUGIN, {"plugins": wanted["plugins"]}),
            )
            for difference in place.call(module, {**node, **arguments}, False)["differences"]
        ]
        assert plan == made_so
        assert {difference["name"].partition(".")[0] for difference in plan} == {
            "directories",
            "service",
            "settings",
            "plugins",
        }
        after = place.call(INFO, {**node, **wanted}, True)
        assert (after["differences"], after["errors"], after["healthy"]) == ([], [], True)


def test_an_upload_leaves_no_signature_of_another_bundle() -> None:
    """The server itself leaves it, and drops the plugin when it insists on signatures."""
    with broken_place() as place, running_server(place):
        stored = place.real(f"/opt/mattermost/data/plugins/{PLUGIN_ID}.tar.gz")
        beside = stored.with_name(f"{stored.name}.sig")
        arguments = {"root": str(place.server.root), "socket": SOCKET}
        ours = Path(place.directory / "ours.sig")
        ours.write_bytes(bytes([0x88, 16, 4, 0, 1, *range(13)]))
        for version, signature in ((NEW, None), (OLD, None), (NEW, ours), (OLD, None)):
            entry = {"src": place.bundle(version), **({"signature": str(signature)} if signature else {})}
            answer = place.call(PLUGIN, {**arguments, "plugins": [entry]}, False)
            assert answer.get("changed"), answer.get("msg")
            assert answer["strategy"]["name"] == "upload"
            assert stored.read_bytes() == Path(place.bundle(version)).read_bytes()
            assert (beside.read_bytes() if beside.exists() else None) == (signature and signature.read_bytes())
            beside.write_bytes(b"of the bundle before")

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of every module: check, run, check, run. What check mode says is what the run does, and then is done.

A new option or choice without a case here fails `test_every_option_and_choice_has_a_case`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.bundle import read_bundle
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.tree import DigestCache
from ansible_collections.plugops.mattermost.plugins.module_utils._change.run_lock import Holder, RunLock

from plugops_tests.modules.harness import accepted_options, captured_log, differing, documented_options
from plugops_tests.modules.place import (
    CONFIG,
    ISSUED,
    KEPT_SECRETS,
    PROXY_PASSWORD,
    SECRETS,
    SOCKET,
    STATE,
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
from plugops_tests.servers.download_server import DownloadServer, download_server, make_ca
from plugops_tests.servers.fronts import http_proxy, make_certificate, tls_before
from plugops_tests.support import audit_reports, signing
from plugops_tests.support.bundles import make_bundle
from plugops_tests.support.playbooks import REPOSITORY, run_playbook
from plugops_tests.support.signing import Signer
from plugops_tests.windows.cases import CASES as WINDOWS_CASES

PLUGIN = "mattermost_plugin"
DIRECTORIES = "mattermost_plugin_directories"
SETTINGS = "mattermost_plugin_settings"
SERVICE = "mattermost_service_directory"
INFO = "mattermost_plugin_info"
PARITY = "mattermost_plugin_parity"
AUDIT_REPORT = "mattermost_audit_report"
PINS = "mattermost_plugin_lock"
LOCK = "mattermost_run_lock"
CHECKPOINT = "mattermost_plugin_checkpoint"
RELEASE = "mattermost_release"
ENSURING = (PLUGIN, DIRECTORIES, SETTINGS, SERVICE, LOCK, CHECKPOINT, RELEASE)
# Given by the controller part alone; every case with a bundle, and every one of the lock, goes through them.
INTERNAL = {"bundles", "delivery", "run", "gone", "patience"}
# Of the controller part of the lock alone: test_run_lock.py.
INTERNAL |= {"timeout"}
NEWER = "9.10.0"  # a server that saves over an edit of its file, and can be told to read it


@dataclass(frozen=True)
class Seen:
    """What the four calls of a case came to.

    :param config: config.json as it was before
    :param seconds: that the four calls took
    """

    place: Place
    answers: List[Dict[str, Any]]
    config: bytes
    seconds: float


@dataclass(frozen=True)
class Case:
    """One option at work.

    :param values: arguments
    :param prepare: what is done to the app server before
    :param server: version of the server that runs and answers on its socket; empty: none runs
    :param instead: arguments that must lead to another answer; default: the case's left out
    :param shows: proof that the option works, for what the answer of check mode does not tell
    """

    values: Values
    prepare: Prepare = lambda place: None
    server: str = ""
    instead: Optional[Values] = None
    shows: Optional[Callable[[Seen], Any]] = None


def with_server(values: Mapping[str, Any], instead: Mapping[str, Any], version: str = VERSION) -> Case:
    """A case that differs from another one by what the running server is asked to do."""
    return Case({"socket": SOCKET, **values}, server=version, instead={"socket": SOCKET, **instead})


# Options that describe the node, the same in every module.


def unsigned_in_filestore(place: Place) -> None:
    place.make("/opt/mattermost/data/plugins")
    shutil.copy(place.bundle(OLD), place.real(f"/opt/mattermost/data/plugins/{PLUGIN_ID}.tar.gz"))


def other_install_dir(place: Place) -> None:
    shutil.move(str(place.server.install_dir), str(place.real("/opt/chat")))
    place.replace(UNIT, "/opt/mattermost/bin/mattermost", "/usr/local/bin/start-chat")  # which does not say where it is


def directories_outside(place: Place) -> None:
    """The server's settings name directories outside of the install directory; one is missing."""
    for name in ("plugins", "data"):
        place.make(f"/srv/chat/{name}")
    place.configure(
        PluginSettings={"Directory": "/srv/chat/plugins", "ClientDirectory": "/srv/chat/client"},
        FileSettings={"Directory": "/srv/chat/data"},
    )


def other_working_directory(place: Place) -> None:
    place.make("/srv/chat/client")
    place.make("/srv/chat")
    place.write("/srv/chat/config/config.json", place.real(CONFIG).read_text(encoding="utf-8"))


def other_service(place: Place) -> None:
    place.replace(UNIT, "/bin/mattermost", "/bin/mattermost -c /srv/chat.json")
    place.real(UNIT).rename(place.real(UNIT).with_name("chat.service"))
    place.configure(PluginSettings={"Directory": "/opt/mattermost/chat"})
    place.write("/srv/chat.json", place.real(CONFIG).read_text(encoding="utf-8"))
    place.configure(PluginSettings={"Directory": "./plugins"})


def other_user(place: Place) -> None:
    place.replace("/etc/passwd", "mattermost:", "chat:")


def other_group(place: Place) -> None:
    place.replace("/etc/group", "mattermost:", "chatters:")


def filled_store(place: Place) -> None:
    place.store(place.bundle(), "/srv/plugops")


def filled_store_of_old(place: Place) -> None:
    place.store(place.bundle(OLD))


def from_store(place: Place) -> Dict[str, Any]:
    entry = {"id": PLUGIN_ID, "version": NEW, "sha256": place.sha256()}
    return {"plugins": [entry], "state_dir": "/srv/plugops"}


def from_other_store(place: Place) -> Dict[str, Any]:
    return {**from_store(place), "state_dir": STATE}


def other_root(place: Place) -> Dict[str, Any]:
    return {"root": str(place.directory / "bundles")}


def by_tls(place: Place) -> Dict[str, str]:
    """Over something that ends TLS before the server, with a certificate that only its own authority vouches for."""
    address = place.real(CONFIG).exists() and json.loads(place.real(CONFIG).read_text())["ServiceSettings"]
    host, _, port = address["ListenAddress"].rpartition(":") if address else ("127.0.0.1", "", "1")
    certificate = make_certificate(place.directory)
    if certificate is None:
        pytest.skip("openssl is not installed")
    front = place.opened.enter_context(tls_before(certificate, (host, int(port))))
    return {**place.api(f"https://127.0.0.1:{front[1]}"), "api_ca_path": str(certificate)}


def by_proxy(place: Place) -> Dict[str, str]:
    (host, port), lines = place.opened.enter_context(http_proxy(f"user:{PROXY_PASSWORD}"))
    PROXIED.append(lines)
    return {**place.api(), "api_proxy": f"http://user:{PROXY_PASSWORD}@{host}:{port}"}


PROXIED: List[List[str]] = []

NODE_CASES: Dict[str, Case] = {
    "root": Case(lambda place: {"root": str(place.server.root)}, instead=other_root),
    "install_dir": Case({"install_dir": "/opt/chat"}, other_install_dir),
    "working_directory": Case({"working_directory": "/srv/chat"}, other_working_directory),
    "service": Case({"service": "chat"}, other_service),
    "service_user": Case({"service_user": "chat"}, other_user),
    "service_group": Case({"service_group": "chatters"}, other_group),
    "config_path": Case({"config_path": CONFIG}, instead={"config_path": "/etc/passwd"}),
    "server_version": Case({"server_version": NEWER}),
    "socket": Case({"socket": SOCKET}, server=VERSION),
    "api_url": Case(Place.api, server=VERSION),
    "api_token": Case(Place.api_by_token, server=VERSION),
    "api_username": Case(Place.api, server=VERSION),
    "api_password": Case(Place.api, server=VERSION),
    "api_ca_path": Case(by_tls, server=VERSION),
    "api_proxy": Case(by_proxy, server=VERSION, shows=lambda seen: bool(PROXIED[-1])),
    "api_only": Case(lambda place: {**place.api(), "api_only": True}, server=VERSION, instead=Place.api),
    "state_dir": Case({"state_dir": "/srv/plugops"}),
    "allowed_directories": Case({"allowed_directories": ["/srv/chat"]}, directories_outside),
}
API = {name for name in NODE_CASES if name.startswith("api_")} - {"api_only"}
# What these ensure lies in files of the app server: they refuse to work through an API alone.
NEED_FILES = (DIRECTORIES, SERVICE, CHECKPOINT, RELEASE)
# What a module does not look at; that, too, is proved.
INDIFFERENT = {
    PLUGIN: set(),
    DIRECTORIES: {"server_version", "socket", "state_dir", *API},
    SETTINGS: {"service_user", "service_group", "state_dir", "allowed_directories"},
    SERVICE: {
        *("service_user", "service_group", "config_path", "server_version", "socket", "state_dir"),
        *("allowed_directories", *API),
    },
    INFO: set(),
    LOCK: {*NODE_CASES} - {"root", "state_dir"},
    CHECKPOINT: set(),
    RELEASE: {
        *("working_directory", "service", "config_path", "server_version", "socket", "state_dir"),
        *("allowed_directories", *API),
    },
}


# Options of one module.


def bundle(version: str = NEW, **more: Any) -> Callable[[Place], Dict[str, Any]]:
    return lambda place: {"plugins": [{"src": place.bundle(version), **more}]}


def own_strategy(own: str, other: str) -> Case:
    """A plugin with another strategy than the rest would have."""

    def values(place: Place, strategy: str) -> Dict[str, Any]:
        return {"socket": SOCKET, "strategy": other, **bundle(strategy=strategy)(place)}

    return Case(lambda place: values(place, own), server=VERSION, instead=lambda place: values(place, other))


def release(place: Place) -> Dict[str, Any]:
    archive = place.directory / f"mattermost-{VERSION}.tar.gz"
    return {"archive": str(archive), "sha256": hashlib.sha256(archive.read_bytes()).hexdigest()}


def absent(place: Place) -> Dict[str, Any]:
    return {"plugins": [{"id": PLUGIN_ID, "state": "absent"}]}


def bundle_by_sha256(place: Place) -> Dict[str, Any]:
    return {"plugins": [{"src": place.bundle(), "sha256": place.sha256().upper()}]}


def edited_behind_the_cache(place: Place) -> None:
    """A file of the installed plugin that is not the bundle's, and a kept digest that says it is."""
    path = place.plugin("plugin.json")
    kept = DigestCache(str(place.real(f"{STATE}/trees.json")))
    wanted = DigestCache(os.devnull)
    tree = str(place.plugin())
    found = path.stat()
    wanted.put(tree, path.name, found, _sha256(path), found.st_ctime_ns + 10**10)
    digest = wanted.get(tree, path.name, found)
    path.write_bytes(path.read_bytes().replace(b"Made for a test", b"Made by a guest"))
    found = path.stat()
    kept.put(tree, path.name, found, str(digest), found.st_ctime_ns + 10**10)
    kept.save()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def by_file(place: Place) -> Dict[str, Any]:
    return {"via": "file", **place.api()}


def modes_of_directories(seen: Seen) -> bool:
    made = [seen.place.real(f"/opt/mattermost/{name}") for name in ("plugins", "client/plugins")]
    return all(stat.S_IMODE(path.stat().st_mode) == 0o750 for path in made)


def one_backup(seen: Seen) -> bool:
    copies = [path for path in seen.place.real(CONFIG).parent.iterdir() if path.name != "config.json"]
    return [path.read_bytes() for path in copies] == [seen.config]


def digests_of_what_is_gone(place: Place) -> None:
    """What is kept anew as soon as anything is kept; the digests of fresh files are not."""
    place.write(f"{STATE}/trees.json", json.dumps({"format": 1, "trees": {"/gone": {}}}))


def kept_digests(seen: Seen) -> bool:
    return "/gone" not in seen.place.real(f"{STATE}/trees.json").read_text(encoding="utf-8")


RUN, OTHER_RUN = {"run": "this", "user": "ann"}, {"run": "other", "user": "bob"}


def held(run: Mapping[str, Any], state_dir: str = STATE) -> Prepare:
    """The lock as this run holds it."""

    def hold(place: Place) -> None:
        RunLock(str(place.real(f"{state_dir}/run-lock.json"))).take(Holder.from_dict(run), 60)

    return hold


def lease_of_a_minute(seen: Seen) -> bool:
    record = json.loads(seen.place.real(f"{STATE}/run-lock.json").read_text(encoding="utf-8"))
    return 60 <= record["expires"] - record["since"] < 70


def take(place: Place, **more: Any) -> None:
    """A checkpoint, taken before the case is looked at."""
    arguments = {"root": str(place.server.root), "server_version": VERSION, **more}
    answer = place.call(CHECKPOINT, arguments, False)
    assert not answer.get("failed"), answer


def changed_since(*names: str, **more: Any) -> Prepare:
    """Checkpoints, each before a change: the plugin in another version, a setting, a plugin's secret setting."""

    def prepare(place: Place) -> None:
        for number, name in enumerate(names or ("first",)):
            take(place, name=name, change=name, **more)
            edit(place, str(number))
            place.configure(PluginSettings={"EnableHealthCheck": number % 2 == 1})

    return prepare


def changed_then(prepare: Prepare) -> Prepare:
    return lambda place: (changed_since()(place), prepare(place))


def edit(place: Place, text: str) -> None:
    """Other bytes in the installed plugin."""
    host_path = str(place.plugin("webapp/edited.js")).replace(str(place.server.root), "")
    place.write(host_path, f"// {text}\n")


def settings_and_plugins_since(place: Place) -> None:
    changed_since()(place)
    place.configure(PluginSettings={"Plugins": {"com.example.new": {"token": KEPT_SECRETS[0]}}})


def many_bundles(place: Place) -> None:
    """In the store, and nobody needs them."""
    for number in range(3):
        place.store(str(make_bundle(place.directory / f"{number}.tar.gz", PLUGIN_ID, f"0.{number}.0")))


def stored(count: int) -> Callable[[Seen], bool]:
    return lambda seen: len(list(seen.place.real(f"{STATE}/bundles").glob("*.tar.gz"))) == count


def prepackaged_since(place: Place) -> None:
    """The plugin came prepackaged; then another version of it was put there."""
    folder = place.make("/opt/mattermost/prepackaged_plugins")
    came = folder / "as-released.tar.gz"
    shutil.copy(place.bundle(OLD), came)
    take(place, name="first", plugins=[PLUGIN_ID])
    came.unlink()
    shutil.copy(place.bundle(), folder / f"{PLUGIN_ID}.tar.gz")
    edit(place, "another version")


def checkpoint_names(*names: str) -> Callable[[Seen], bool]:
    return lambda seen: [item["name"] for item in seen.answers[2]["checkpoints"]] == list(names)


def restored(**more: Any) -> Dict[str, Any]:
    return {"state": "restored", **more}


CASES: Dict[str, Dict[str, Case]] = {
    LOCK: {
        "state=held": Case({"state": "held"}, instead={"state": "released"}),
        "state=released": Case({"state": "released"}, held(RUN), instead={"state": "held"}),
        "unfinished": Case({"state": "released", "unfinished": True}, held(RUN), instead={"state": "released"}),
        "lease": Case({"lease": 60}, shows=lease_of_a_minute),
        "force": Case({"force": True}, held(OTHER_RUN)),
    },
    CHECKPOINT: {
        "state=taken": Case({"state": "taken"}, changed_since(), instead=restored()),
        "state=restored": Case(restored(), settings_and_plugins_since),
        "state=dropped": Case({"state": "dropped", "name": "first"}, changed_since()),
        "name": Case(restored(name="first"), changed_since("first", "second"), instead=restored()),
        "plugins": Case(restored(plugins=[PLUGIN_ID]), changed_since(), instead=restored()),
        "change": Case({"change": "another"}, lambda place: take(place, change="one"), instead={"change": "one"}),
        "undo_name": Case(restored(undo_name="undo"), changed_since(), shows=checkpoint_names("first", "undo")),
        "keep": Case({"keep": 1}, changed_since("first", "second", "third")),
        "keep_bundles": Case({"keep_bundles": 1}, many_bundles, shows=stored(1)),
        "strategy=unpack": Case(
            {"socket": SOCKET, **restored(strategy="unpack")},
            changed_since(),
            VERSION,
            {"socket": SOCKET, **restored()},
        ),
        "strategy=filestore": Case(
            {**restored(strategy="filestore"), "socket": SOCKET},
            changed_since(),
            VERSION,
            {**restored(), "socket": SOCKET},
        ),
        "strategy=upload": Case(
            {"socket": SOCKET, **restored(strategy="upload")},
            changed_since(),
            VERSION,
            {"socket": SOCKET, **restored(strategy="unpack")},
        ),
        "strategy=auto": Case(
            {"socket": SOCKET, **restored(strategy="auto")},
            changed_since(),
            VERSION,
            {"socket": SOCKET, **restored(strategy="unpack")},
        ),
        "strategy=prepackaged": Case(
            {"socket": SOCKET, **restored(strategy="prepackaged")},
            prepackaged_since,
            VERSION,
            {"socket": SOCKET, **restored(strategy="upload")},
        ),
    },
    PLUGIN: {
        "plugins": Case(bundle(), instead={"plugins": []}),
        "plugins.src": Case(bundle(), instead=bundle(OLD)),
        "plugins.id": Case(bundle(id=PLUGIN_ID.upper()), instead=bundle(id="com.example.other")),
        "plugins.version": Case(bundle(version=NEW), instead=bundle(version=OLD)),
        "plugins.sha256": Case(bundle_by_sha256, instead=bundle(sha256="0" * 64)),
        "plugins.enabled": Case(bundle(enabled=False)),
        "plugins.state=present": Case(bundle(state="present"), instead=absent),
        "plugins.state=absent": Case(absent),
        "plugins.strategy=auto": own_strategy("auto", "unpack"),
        "plugins.strategy=upload": own_strategy("upload", "unpack"),
        "plugins.strategy=filestore": own_strategy("filestore", "auto"),
        "plugins.strategy=unpack": own_strategy("unpack", "auto"),
        "plugins.strategy=prepackaged": own_strategy("prepackaged", "auto"),
        "strategy=unpack": with_server({"strategy": "unpack"}, {"strategy": "auto"}),
        "strategy=filestore": with_server({"strategy": "filestore"}, {"strategy": "auto"}),
        "strategy=upload": with_server({"strategy": "upload"}, {"strategy": "unpack"}),
        "strategy=auto": with_server({"strategy": "auto"}, {"strategy": "unpack"}),
        "strategy=prepackaged": with_server({"strategy": "prepackaged"}, {"strategy": "auto"}),
        "stage_only": Case({"stage_only": True}),
        "directory": Case({"directory": "/opt/mattermost/other"}),
        "client_directory": Case({"client_directory": "/opt/mattermost/client/other"}),
        "verify=cached": Case(bundle(OLD), edited_behind_the_cache, instead=lambda p: {**bundle(OLD)(p), **FULL}),
        "verify=full": Case(lambda place: {**bundle(OLD)(place), **FULL}, edited_behind_the_cache, instead=bundle(OLD)),
    },
    DIRECTORIES: {
        "directory": Case({"directory": "./other"}),
        "client_directory": Case({"client_directory": "/opt/mattermost/client/other"}),
        "mode": Case({"mode": "0750"}, shows=modes_of_directories),
    },
    SETTINGS: {
        "enable": Case({"enable": False}),
        "enable_uploads": Case({"enable_uploads": True}, instead={"enable_uploads": False}),
        "directory": Case({"directory": "/srv/plugins"}),
        "client_directory": Case({"client_directory": "/srv/client"}),
        "enable_health_check": Case({"enable_health_check": False}, instead={"enable_health_check": True}),
        "allow_insecure_download_url": Case({"allow_insecure_download_url": True}),
        "enable_marketplace": Case({"enable_marketplace": False}),
        "marketplace_url": Case({"marketplace_url": "https://marketplace.example.com"}),
        "require_plugin_signature": Case({"require_plugin_signature": True}),
        "signature_public_key_files": Case({"signature_public_key_files": ["a.gpg", "b.gpg"]}),
        "enable_remote_marketplace": Case({"enable_remote_marketplace": False}),
        "automatic_prepackaged_plugins": Case({"automatic_prepackaged_plugins": False}),
        "chimera_oauth_proxy_url": Case(
            {"chimera_oauth_proxy_url": "https://proxy.example.com", "server_version": "6.7.2"},
            instead={"server_version": "6.7.2"},
        ),
        "settings": Case({"settings": {"EnableMarketplace": False}}),
        "states": Case({"states": {PLUGIN_ID: True}}),
        "plugins": Case(
            {"plugins": {PLUGIN_ID: {"Token": WANTED_SECRETS[0], "nested": {"list": [WANTED_SECRETS[1]]}}}},
        ),
        "via=file": with_server({"via": "file"}, {"via": "socket"}),
        "via=socket": with_server({"via": "socket"}, {"via": "file"}, NEWER),
        "via=api": Case(lambda place: {"via": "api", **place.api()}, server=NEWER, instead=by_file),
        "via=auto": with_server({"via": "auto"}, {"via": "file"}),
        "backup": Case({"backup": True}, shows=one_backup),
        "signatures_follow": Case(
            {"require_plugin_signature": True, "signatures_follow": [PLUGIN_ID]},
            unsigned_in_filestore,
            instead={"require_plugin_signature": True},
        ),
    },
    SERVICE: {},
    RELEASE: {
        "archive": Case({}, instead={"archive": "/nowhere.tar.gz"}),
        "sha256": Case({}, instead={"sha256": 64 * "0"}),
        "store": Case({"store": "/srv/releases"}),
        "stage_only": Case({"stage_only": True}),
    },
    INFO: {
        "plugins": Case(bundle(), instead={"plugins": []}),
        "strategy=unpack": with_server({"strategy": "unpack"}, {"strategy": "auto"}),
        "strategy=filestore": with_server({"strategy": "filestore"}, {"strategy": "auto"}),
        "strategy=upload": with_server({"strategy": "upload"}, {"strategy": "unpack"}),
        "strategy=auto": with_server({"strategy": "auto"}, {"strategy": "unpack"}),
        "strategy=prepackaged": with_server({"strategy": "prepackaged"}, {"strategy": "auto"}),
        "settings": Case({"settings": {"EnableUploads": True}}),
        "states": Case({"states": {"com.example.other": True}}),
        "plugin_settings": Case({"plugin_settings": {PLUGIN_ID: {"token": WANTED_SECRETS[0], "p": WANTED_SECRETS[1]}}}),
        "via=file": with_server({"via": "file"}, {"via": "socket"}),
        "via=socket": with_server({"via": "socket"}, {"via": "file"}, NEWER),
        "via=api": Case(lambda place: {"via": "api", **place.api()}, server=NEWER, instead=by_file),
        "via=auto": with_server({"via": "auto"}, {"via": "file"}),
        "directory_mode": Case({"directory_mode": "0700"}),
        "files": Case({"files": True}),
        "bundle_digests": Case({"bundle_digests": True}, filled_store_of_old),
        "fingerprint_key": Case({"fingerprint_key": "r4ndom" * 8}, instead={"fingerprint_key": "r4nd0m" * 8}),
        "findings": Case({"findings": True}),
        "verify=cached": Case(bundle(OLD), edited_behind_the_cache, instead=lambda p: {**bundle(OLD)(p), **FULL}),
        "verify=full": Case(lambda place: {**bundle(OLD)(place), **FULL}, edited_behind_the_cache, instead=bundle(OLD)),
        "update_cache": Case({"update_cache": True}, digests_of_what_is_gone, shows=kept_digests),
        "wait": Case({"wait": 1}, shows=lambda seen: seen.seconds >= 4),
    },
}
FULL = {"verify": "full"}


# Where bundles come from, for the modules that have the options of the fragment "sources".


@dataclass(frozen=True)
class Publisher:
    """Who signs bundles and offers them for download.

    :param keys: name -> key ring
    """

    server: DownloadServer
    ca: Path
    keys: Dict[str, Path]
    signers: Dict[str, Signer]

    def sign(self, place: Place, name: str) -> str:
        bundle = Path(place.bundle())
        return str(self.signers[name].sign(bundle, bundle.with_name(f"{name}.sig")))

    def offer(self, place: Place) -> Dict[str, Any]:
        url = self.server.offer("/bundle.tar.gz", Path(place.bundle()).read_bytes())
        return {"plugins": [{"url": url, "sha256": place.sha256()}], "download_ca_path": str(self.ca)}


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    if signing.missing():
        pytest.skip(f"not installed: {', '.join(signing.missing())}")
    directory = tmp_path_factory.mktemp("publisher")
    ca, certificate = make_ca(directory)
    with signing.signers("ours", "foreign") as signers, download_server(certificate) as server:
        keys = {}
        for name, signer in signers.items():
            keys[name] = directory / f"{name}.gpg"
            keys[name].write_bytes(signer.make().public_key())
        yield Publisher(server, ca, keys, signers)


def in_directory(version: str) -> Callable[[Place], Dict[str, Any]]:
    return lambda place: {
        "plugins": [{"id": PLUGIN_ID, "version": version}],
        "bundle_directory": os.path.dirname(place.bundle()),
    }


def locked(place: Place) -> Dict[str, Any]:
    path = place.directory / "plugins.lock.yml"
    bundle = os.path.relpath(place.bundle(), place.directory)
    pin = f"{{version: {NEW}, sha256: {place.sha256()}, src: {bundle}, enabled: true}}"
    path.write_text(f"format: 1\nplugins:\n  {PLUGIN_ID}: {pin}\n", encoding="utf-8")
    return {"plugins": [], "lock": str(path)}


def signed(place: Place, by: str = "ours", **more: Any) -> Dict[str, Any]:
    published = place.publisher
    entry = {"src": place.bundle(), "signature": published.sign(place, by)}
    return {"plugins": [entry], "keyring": str(published.keys["ours"]), **more}


def downloaded(**more: Any) -> Callable[[Place], Dict[str, Any]]:
    return lambda place: {**place.publisher.offer(place), **more}


def fetched(by: str, tree: bool) -> Callable[[Place], Dict[str, Any]]:
    """
    :param tree: whether the lock file says what the bundle unpacks to; a node that downloads it itself needs that
    """

    def values(place: Place) -> Dict[str, Any]:
        path = place.directory / f"{by}-{tree}.lock.yml"
        offered = place.publisher.offer(place)
        pin: Dict[str, Any] = {**offered.pop("plugins")[0], "version": NEW, "enabled": True}
        if tree:
            pin["tree"] = read_bundle(place.bundle()).tree
        path.write_text(json.dumps({"format": 1, "plugins": {PLUGIN_ID: pin}}), encoding="utf-8")
        return {"plugins": [], "lock": str(path), "fetch": by, **offered}

    return values


SOURCE_CASES: Dict[str, Case] = {
    "bundle_directory": Case(in_directory(NEW), instead=in_directory(OLD)),
    "lock": Case(locked, instead={"plugins": []}),
    "fetch=controller": Case(fetched("controller", tree=False), instead=fetched("node", tree=False)),
    "fetch=node": Case(fetched("node", tree=True), instead=fetched("node", tree=False)),
    "keyring": Case(signed, instead=lambda place: {**signed(place), "keyring": str(place.publisher.keys["foreign"])}),
    "signatures_required": Case(
        lambda place: signed(place, signatures_required=True),
        instead=lambda place: {**signed(place, signatures_required=True), **bundle()(place)},
    ),
    "download_limit": Case(downloaded(download_limit="1M"), instead=downloaded(download_limit="10")),
    "download_timeout": Case(downloaded(download_timeout=20), instead=downloaded(download_timeout=0)),
    "download_ca_path": Case(downloaded(), instead=downloaded(download_ca_path="")),
}
CASES[INFO].update(SOURCE_CASES)
CASES[CHECKPOINT].update(SOURCE_CASES)
CASES[PLUGIN].update(
    {
        **SOURCE_CASES,
        "plugins.url": Case(downloaded(), instead=lambda place: {"plugins": []}),
        "plugins.signature": Case(signed, instead=lambda place: signed(place, "foreign")),
    }
)
# The arguments to which those of a case are added: enough that something differs.
BASE: Dict[str, Values] = {
    PLUGIN: bundle(),
    DIRECTORIES: {},
    SETTINGS: {"enable_uploads": True, "enable_health_check": False},
    SERVICE: {},
    RELEASE: release,
    INFO: bundle(),
    LOCK: {"run": RUN},
    CHECKPOINT: {},
}


def by_api(case: Case) -> Case:
    return replace(case, values=lambda place: {"via": "api", **values_at(case.values, place)}, instead={"via": "file"})


def restored_by(option: str) -> Values:
    return lambda place: {**restored(), **values_at(NODE_CASES[option].values, place)}


# Cases that need something else in one module.
NODE_CASES_OF: Dict[Tuple[str, str], Case] = {
    (PLUGIN, "state_dir"): Case(from_store, filled_store, instead=from_other_store),
    (INFO, "state_dir"): Case(from_store, filled_store, instead=from_other_store),
    (LOCK, "root"): Case({"force": True}, held(OTHER_RUN), instead=lambda place: {"force": True, **other_root(place)}),
    (LOCK, "state_dir"): Case(
        {"state_dir": "/srv/plugops", "force": True},
        held(OTHER_RUN, "/srv/plugops"),
        instead={"state_dir": STATE, "force": True},
    ),
    (CHECKPOINT, "service_user"): Case(restored(service_user="chat"), changed_then(other_user), instead=restored()),
    (CHECKPOINT, "service_group"): Case(
        restored(service_group="chatters"), changed_then(other_group), instead=restored()
    ),
    (CHECKPOINT, "server_version"): Case(restored(server_version="9.11.0"), changed_since(), instead=restored()),
    (CHECKPOINT, "socket"): Case(
        {"socket": SOCKET, **restored()}, changed_since(), VERSION, {"socket": "/none", **restored()}
    ),
    **{
        (CHECKPOINT, option): replace(NODE_CASES[option], values=restored_by(option), prepare=changed_since())
        for option in sorted(API)
    },
    (SETTINGS, "api_only"): replace(NODE_CASES["api_only"], instead=lambda place: {**place.api(), "via": "file"}),
    # A server of that age has its settings changed in the file, unless it is told otherwise.
    **{(SETTINGS, option): by_api(NODE_CASES[option]) for option in sorted(API)},
}


def case_of(module: str, option: str) -> Case:
    case = CASES[module].get(option) or NODE_CASES_OF.get((module, option)) or NODE_CASES[option]
    return replace(case, server="", shows=None) if option in INDIFFERENT[module] else case


def parameters(*modules: str) -> Any:
    found = [
        (module, option)
        for module in modules
        for option in {**NODE_CASES, **CASES[module]}
        if not (option == "api_only" and module in NEED_FILES)
    ]
    return pytest.mark.parametrize(
        ("module", "option"), found, ids=[f"{module[11:]}-{option}" for module, option in found]
    )


@pytest.mark.parametrize("module", [*ENSURING, INFO, PARITY, AUDIT_REPORT, PINS])
def test_every_option_and_choice_has_a_case(module: str) -> None:
    documented = documented_options(module)
    options = {*documented, *accepted_options(module)} - INTERNAL
    if module in (INFO, PINS):  # their entries are those of the module that installs, and have their cases there
        entry = {name: option for name, option in documented_options(PLUGIN).items() if name.startswith("plugins.")}
        assert entry == {name: option for name, option in documented.items() if name.startswith("plugins.")}
        options -= {*entry}
    wanted = {
        case
        for option in options
        for case in [f"{option}={choice}" for choice in documented.get(option, {}).get("choices", [])] or [option]
    }
    by_module = {PARITY: {*PARITY_CASES}, AUDIT_REPORT: {*AUDIT_CASES}, PINS: {*PINS_CASES}}
    assert wanted == by_module.get(module, {*NODE_CASES, *CASES.get(module, {})})


def test_every_module_has_cases() -> None:
    assert {path.stem for path in (REPOSITORY / "plugins" / "modules").glob("*.py")} == {
        *ENSURING,
        INFO,
        PARITY,
        AUDIT_REPORT,
        PINS,
        *WINDOWS_CASES,
    }


@pytest.fixture(autouse=True)
def _nothing_secret_in_the_log() -> Iterator[None]:
    with captured_log() as lines:
        yield
    assert [line for line in lines for secret in (*SECRETS, *ISSUED) if secret in line] == []


def arguments_of(module: str, values: Values, place: Place) -> Dict[str, Any]:
    base = {"root": str(place.server.root), "server_version": VERSION, **values_at(BASE[module], place)}
    return {**base, **values_at(values, place)}


def measured(module: str, case: Case, place: Place) -> Seen:
    """The four calls on a prepared place; none tells a secret, and other arguments lead to another answer."""
    arguments = arguments_of(module, case.values, place)
    if module in (PLUGIN, CHECKPOINT) and not case.server:  # a running server has its directories already
        known = {*NODE_CASES, "directory", "client_directory"}
        mend_directories(place, {name: value for name, value in arguments.items() if name in known})
    without = place.call(module, arguments_of(module, case.instead or {}, place), True)
    config = place.real(CONFIG).read_bytes() if place.real(CONFIG).exists() else b""
    started = time.monotonic()
    answers = four_times(module, arguments, place)
    seen = Seen(place, answers, config, time.monotonic() - started)
    for answer in (without, *answers):
        assert [secret for secret in (*SECRETS, *ISSUED) if secret in json.dumps(answer)] == []
    return replace(seen, answers=[without, *answers])


def told(answer: Mapping[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "invocation"}


def assert_option_matters(module: str, option: str, case: Case, seen: Seen) -> None:
    without, predicted = seen.answers[:2]
    if case.shows is not None:
        assert case.shows(seen)
    else:
        assert (told(without) == told(predicted)) == (option in INDIFFERENT[module])


def placed(case: Case) -> Iterator[Place]:
    with broken_place(case.server) as place:
        case.prepare(place)
        if not case.server:
            yield place
            return
        with running_server(place):
            yield place


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    parameters = request.node.callspec.params
    option = parameters["option"]
    for found in placed(case_of(parameters["module"], option)):
        if option in SOURCE_CASES or option.startswith("plugins."):
            found = replace(found, publisher=request.getfixturevalue("publisher"))
        yield found


@parameters(*ENSURING)
def test_check_predicts_and_a_second_run_changes_nothing(module: str, option: str, place: Place) -> None:
    case = case_of(module, option)
    seen = measured(module, case, place)
    _, predicted, done, predicted_again, done_again = seen.answers
    assert essence(predicted) == essence(done)
    assert essence(predicted_again) == essence(done_again)
    assert done["changed"], "the case must show the option at work"
    assert done["differences"]
    assert set(done["diff"]["before"]) == {difference["name"] for difference in done["differences"]}
    assert not done_again["changed"]
    assert done_again["differences"] == []
    assert done_again["diff"] == {"before": {}, "after": {}}
    assert_option_matters(module, option, case, seen)


@parameters(INFO)
def test_info_says_the_same_and_changes_nothing(module: str, option: str, place: Place) -> None:
    case = case_of(module, option)
    before = place.snapshot()
    seen = measured(module, case, place)
    cache = [str(place.real(path)) for path in (STATE, f"{STATE}/trees.json")]
    assert differing(before, place.snapshot()) == (cache if option == "update_cache" else [])
    for answer in seen.answers[1:]:
        assert answer["changed"] is False
        assert told(answer) == told(seen.answers[1])
    assert_option_matters(module, option, case, seen)


@pytest.mark.parametrize("module", NEED_FILES)
def test_what_needs_files_is_refused_for_an_api_alone(module: str) -> None:
    with broken_place() as place:
        before = place.snapshot()
        answer = place.call(module, arguments_of(module, NODE_CASES["api_only"].values, place), False)
        assert "cannot be seen or changed through a REST API alone" in answer["msg"]
        assert differing(before, place.snapshot()) == []


PARITY_CASES: Dict[str, Tuple[Dict[str, Any], ...]] = {
    "reports": ({"reports": {}}, {}),
    "lock": (),
    "dest": (),
    "fail": ({"fail": False}, {"fail": True}),  # the one that fails at the end: the host does no more
}


@pytest.mark.slow
def test_parity_compares_and_changes_nothing(tmp_path: Path) -> None:
    """On the controller alone: one playbook for all, since each start of Ansible takes a second."""
    with broken_place() as place:
        arguments = {"root": str(place.server.root), "server_version": VERSION, "files": True}
        report = place.call(INFO, arguments, True)
    other = json.loads(json.dumps(report).replace(OLD, NEW))
    base = {"reports": {"app1": report, "app2": other}, "fail": False}
    tasks = [
        {f"plugops.mattermost.{PARITY}": {**base, **values}, "check_mode": "{{ inventory_hostname is match('check') }}"}
        for values in (*PARITY_CASES["reports"], *PARITY_CASES["fail"])
    ]
    playbook = tmp_path / "parity.json"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    inventory = tmp_path / "hosts"
    calls = ["check1", "run1", "check2", "run2"]
    inventory.write_text("".join(f"{name} ansible_connection=local\n" for name in calls))
    run = run_playbook(str(playbook), inventory, {}, ["--diff", "--forks=1"], may_fail=True)
    assert [task["host"] for task in run.tasks] == calls * len(tasks), run.output
    found = [(task["status"], told(task["result"])) for task in run.tasks]
    for start in range(0, len(found), len(calls)):
        assert all(one == found[start] for one in found[start : start + len(calls)])
    outcomes = [(status, result["consistent"], result["changed"]) for status, result in found[:: len(calls)]]
    assert outcomes == [("ok", True, False), ("ok", False, False), ("ok", False, False), ("failed", False, False)]
    assert [secret for secret in KEPT_SECRETS if secret in run.output] == []


AUDIT_FILES = ["audit.html", "audit.json", "audit.junit.xml", "audit.sarif"]
AUDIT_CASES: Dict[str, List[str]] = {
    "reports": AUDIT_FILES,
    "directory": AUDIT_FILES,
    "fail_on=never": AUDIT_FILES,
    "fail_on=broken": AUDIT_FILES,
    "fail_on=drift": AUDIT_FILES,
    "formats=html": ["audit.html"],
    "formats=json": ["audit.json"],
    "formats=junit": ["audit.junit.xml"],
    "formats=sarif": ["audit.sarif"],
}


@pytest.mark.slow
def test_the_report_of_an_audit_writes_what_is_asked_for_and_nothing_in_check_mode(tmp_path: Path) -> None:
    reports = audit_reports.cluster()
    tasks = []
    for option in AUDIT_CASES:
        name, _, value = option.partition("=")
        chosen = {name: [value] if name == "formats" else value} if value else {}
        directory = "" if option == "reports" else f"{tmp_path}/{{{{ inventory_hostname }}}}/{option}"
        arguments = {"reports": reports, "directory": directory, **chosen}
        check = "{{ inventory_hostname == 'check' }}"
        tasks.append({f"plugops.mattermost.{AUDIT_REPORT}": arguments, "check_mode": check})
    playbook = tmp_path / "audit.json"
    # As values, not as text that Ansible would fill in.
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    inventory = tmp_path / "hosts"
    inventory.write_text("check ansible_connection=local\nrun ansible_connection=local\n")
    run = run_playbook(str(playbook), inventory, {}, ["--forks=1"], may_fail=True, exit_by_audit=True)
    assert run.returncode == 20, run.output  # as the callback of ansible.cfg has it
    results = {host: run.results(f"plugops.mattermost.{AUDIT_REPORT}", host) for host in ("check", "run")}
    assert [item["status"] for item in results["check"] + results["run"]] == ["broken"] * 2 * len(AUDIT_CASES)
    assert not (tmp_path / "check").exists()
    for (option, names), result in zip(AUDIT_CASES.items(), results["run"]):
        place = tmp_path / "run" / option
        assert result["changed"] is False
        assert result["bad"] is (option in ("fail_on=broken", "fail_on=drift"))
        wanted = [] if option == "reports" else names
        assert [path.name for path in sorted(place.glob("*"))] == wanted
        assert sorted(result["files"].values()) == [str(place / name) for name in wanted]


PINS_CASES = (
    "path",
    "plugins",
    "purge",
    "adopt",
    "reports",
    *(option for option in SOURCE_CASES if option not in ("lock", "fetch=controller", "fetch=node")),
)


@pytest.mark.slow
def test_the_lock_file_is_written_once_and_as_check_mode_says(tmp_path: Path, publisher: Publisher) -> None:
    """Each option at work, check, run, check, run; on the controller alone, so one playbook for all."""
    with broken_place() as found:
        place = replace(found, publisher=publisher)
        place.store(place.bundle(OLD))
        wanted = {"root": str(place.server.root), "server_version": VERSION, "bundle_digests": True}
        reports = {"app1": place.call(INFO, wanted, True), "app2": place.call(INFO, wanted, True)}
        adopted = {"adopt": "majority", "reports": reports}
        cases: Dict[str, Dict[str, Any]] = {
            "path": bundle()(place),
            "plugins": {**bundle()(place), "plugins": [{"src": place.bundle(), "enabled": False}]},
            "purge": {"purge": True},
            "bundle_directory": in_directory(NEW)(place),
            "adopt": {**adopted, "adopt": "app2"},
            "reports": adopted,
            "keyring": signed(place),
            "signatures_required": signed(place, signatures_required=True),
            "download_limit": downloaded(download_limit="1M")(place),
            "download_timeout": downloaded(download_timeout=20)(place),
            "download_ca_path": downloaded()(place),
        }
        refused: Dict[str, Dict[str, Any]] = {
            "path": {"path": str(tmp_path / "no" / "directory"), **bundle()(place)},
            "plugins": {"plugins": [{"id": PLUGIN_ID}]},
            "bundle_directory": {"bundle_directory": str(tmp_path / "nothing")},
            "adopt": {**adopted, "adopt": "app3"},
            "reports": {"adopt": "majority"},
            "keyring": {**signed(place), "keyring": str(publisher.keys["foreign"])},
            "signatures_required": {**signed(place, signatures_required=True), **bundle()(place)},
            "download_limit": downloaded(download_limit="10")(place),
            "download_timeout": downloaded(download_timeout=0)(place),
            "download_ca_path": downloaded(download_ca_path="")(place),
        }
        assert set(cases) == {*PINS_CASES} == {*refused, "purge"}
        calls = ["check1", "run1", "check2", "run2"]
        tasks = []
        for option, values in {**refused, **{f"{option} done": values for option, values in cases.items()}}.items():
            path = tmp_path / f"{option}.yml"
            if option == "purge done":
                path.write_text("format: 1\nplugins: {com.example.gone: {state: absent}}\n")
            arguments = {"path": str(path), **values}
            tasks.append({f"plugops.mattermost.{PINS}": arguments, "ignore_errors": not option.endswith("done")})
        for task in tasks:
            task["check_mode"] = "{{ inventory_hostname is match('check') }}"
        playbook = tmp_path / "lock.json"
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        inventory = tmp_path / "hosts"
        inventory.write_text("".join(f"{name} ansible_connection=local\n" for name in calls))
        run = run_playbook(str(playbook), inventory, {}, ["--diff", "--forks=1"], cache=tmp_path / "cache")
    results = [(task["status"], told(task["result"])) for task in run.tasks]
    assert len(results) == len(tasks) * len(calls), run.output
    names = [*refused, *cases]
    for number, option in enumerate(names):
        (check1, run1, check2, run2) = results[number * 4 : number * 4 + 4]
        if number < len(refused):
            assert [status for status, _ in (check1, run1)] == ["failed", "failed"]
            assert not (tmp_path / f"{option}.yml").exists()
            continue
        said = ("changed", "differences", "diff", "plugins")
        assert {name: check1[1][name] for name in said} == {name: run1[1][name] for name in said}, option
        assert (run1[1]["changed"], check2[1]["changed"], run2[1]["changed"]) == (True, False, False), option
        assert set(run1[1]["diff"]["after"]) == {item["name"] for item in run1[1]["differences"]}
    adopted_lock = (tmp_path / "adopt done.yml").read_text()
    assert f"version: {OLD}" in adopted_lock
    assert run.results(f"plugops.mattermost.{PINS}", "run1")[len(refused) + 2]["plugins"] == {}
    assert [secret for secret in SECRETS if secret in run.output] == []

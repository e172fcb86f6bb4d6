# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A broken app server for the tests of modules, and what is done to it before a module is called."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Union

from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.store import Store

from plugops_tests.modules.harness import Snapshot, call, differing, snapshot
from plugops_tests.sandbox.app_server import NEW, PLUGIN_ID, VERSION, AppServer, make_sandbox, remove_sandbox
from plugops_tests.servers.server_process import ServerProcess, unprivileged_user

SOCKET = "/run/mattermost/local.sock"  # of a directory of the service, in one that is root's
STATE = "/var/lib/plugops"
UNIT = "/etc/systemd/system/mattermost.service"
CONFIG = "/opt/mattermost/config/config.json"
# One that Ansible's own masking would catch, one so short that it would not, and what the host has already.
WANTED_SECRETS = ["s3cr3t-of-the-contract", "q7Xz4"]
KEPT_SECRETS = ["k3pt-in-the-file", "w9Kd2", "p4ssword-of-the-database"]
API_USER, API_PASSWORD = "admin", "Api-Passw0rd"
PROXY_PASSWORD = "pr0xy-p4ssword"
SECRETS = [API_PASSWORD, PROXY_PASSWORD, *WANTED_SECRETS, *KEPT_SECRETS]
ISSUED: List[str] = []  # tokens of the servers that ran


@dataclass(frozen=True)
class Place:
    """One app server of the sandbox: an older version of the plugin, everything else broken.

    :param publisher: of the bundles, for the cases that need one
    """

    directory: Path
    server: AppServer
    opened: contextlib.ExitStack
    publisher: Any = None

    def api(self, address: str = "") -> Dict[str, str]:
        """The way to the REST API of the server that runs, by login."""
        listens = json.loads(self.real(CONFIG).read_text(encoding="utf-8"))["ServiceSettings"]["ListenAddress"]
        url = address or f"http://{listens}"
        return {"api_url": url, "api_username": API_USER, "api_password": API_PASSWORD}

    def api_by_token(self) -> Dict[str, str]:
        return {"api_url": self.api()["api_url"], "api_token": ISSUED[-1] if ISSUED else "of-no-server"}

    def bundle(self, version: str = NEW) -> str:
        return str(self.directory / "bundles" / f"{PLUGIN_ID}-{version}.tar.gz")

    def sha256(self, version: str = NEW) -> str:
        return hashlib.sha256(Path(self.bundle(version)).read_bytes()).hexdigest()

    def real(self, path: str) -> Path:
        """Where the host's path lies."""
        return self.server.root / path.lstrip("/")

    def plugin(self, name: str = "") -> Path:
        """A file of the installed plugin."""
        return self.real(f"/opt/mattermost/plugins/{PLUGIN_ID}") / name

    def make(self, path: str) -> Path:
        """A directory of the service user, parents included."""
        real = self.real(path)
        real.mkdir(parents=True, exist_ok=True)
        self.give(real)
        return real

    def write(self, path: str, text: str) -> Path:
        """A file of the service user."""
        real = self.real(path)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(text, encoding="utf-8")
        self.give(real)
        return real

    @staticmethod
    def give(real: Path) -> None:
        user = unprivileged_user()
        if user is not None:
            account = pwd.getpwnam(user)
            os.chown(real, account.pw_uid, account.pw_gid)

    def replace(self, path: str, old: str, new: str) -> None:
        """In a text file; what shall be replaced must be there."""
        text = self.real(path).read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        self.real(path).write_text(text.replace(old, new), encoding="utf-8")

    def configure(self, **sections: Mapping[str, Any]) -> None:
        """Change sections of config.json."""
        path = self.real(CONFIG)
        document = json.loads(path.read_text(encoding="utf-8"))
        for section, values in sections.items():
            document[section].update(values)
        path.write_text(json.dumps(document, indent=4), encoding="utf-8")

    def plugin_settings(self) -> Dict[str, Any]:
        section = json.loads(self.real(CONFIG).read_text(encoding="utf-8"))["PluginSettings"]
        assert isinstance(section, dict)
        return section

    def store(self, bundle: str, state_dir: str = STATE) -> None:
        """Put a bundle into the node's store."""
        sha256 = hashlib.sha256(Path(bundle).read_bytes()).hexdigest()
        Store(str(self.real(f"{state_dir}/bundles"))).add(sha256, bundle)

    def call(self, module: str, arguments: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
        return call(module, arguments, check_mode, self.directory / "cache")

    def snapshot(self) -> Snapshot:
        """Of the whole host, but for what a running server writes all the time."""
        return snapshot(self.server.root, [self.server.install_dir / name for name in ("logs", "data")])


Prepare = Callable[[Place], object]
Values = Union[Mapping[str, Any], Callable[[Place], Mapping[str, Any]]]


def values_at(values: Values, place: Place) -> Dict[str, Any]:
    return dict(values(place) if callable(values) else values)


@contextlib.contextmanager
def broken_place(version: str = "") -> Iterator[Place]:
    """
    :param version: of the server; default: that of the sandbox
    """
    # Short: the path of a unix socket has at most 107 characters.
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory(prefix="po-") as directory:
        os.chmod(directory, 0o755)
        sandbox = Path(directory) / "s"
        (server,) = make_sandbox(sandbox, version or VERSION, ["app3"])
        try:
            os.chmod(server.root, 0o755)  # so that a case can make a directory in it
            place = Place(sandbox, server, stack.enter_context(contextlib.ExitStack()))
            _leave_lock(place)
            place.configure(
                PluginSettings={"Plugins": {PLUGIN_ID: {"token": KEPT_SECRETS[0], "pin": KEPT_SECRETS[1]}}},
                SqlSettings={"DataSource": f"mmuser:{KEPT_SECRETS[2]}@tcp(db:3306)/mattermost"},
            )
            secret = f"Environment=MM_SQLSETTINGS_DATASOURCE=postgres://mmuser:{KEPT_SECRETS[2]}@db/mattermost\n"
            place.replace(UNIT, "User=", f"{secret}User=")
            yield place
        finally:
            remove_sandbox(sandbox)


def _leave_lock(place: Place) -> None:
    """As the first run of any module leaves it: an empty file, the one thing that also a run without a change makes."""
    state = place.real(STATE)
    state.mkdir(parents=True)
    (state / "change.lock").touch(0o600)


@contextlib.contextmanager
def running_server(place: Place) -> Iterator[ServerProcess]:
    """The place's server, mended as far as it must be to answer on its local-mode socket and to take uploads."""
    mend_directories(place, {"root": str(place.server.root)})
    place.make(os.path.dirname(SOCKET))
    place.configure(
        ServiceSettings={"EnableLocalMode": True, "LocalModeSocketLocation": str(place.real(SOCKET))},
        PluginSettings={"EnableUploads": True},
    )
    install = place.server.install_dir
    with ServerProcess(install, user=unprivileged_user(), cwd=install) as process:
        if process.has_socket():
            process.wait_for(place.real(SOCKET).exists, "the local-mode socket")
        _make_account(process)
        yield process


def _make_account(process: ServerProcess) -> None:
    user = {"username": API_USER, "email": "admin@example.com", "password": API_PASSWORD}
    _post(process, "/users", user)  # the first one is a system admin
    ISSUED.append(_post(process, "/users/login", {"login_id": API_USER, "password": API_PASSWORD}))


def _post(process: ServerProcess, path: str, body: Mapping[str, Any]) -> str:
    """The token that the server answers with, if it does."""
    connection = process.connect()
    try:
        connection.request("POST", f"/api/v4{path}", json.dumps(body))
        answer = connection.getresponse()
        answer.read()
        return answer.getheader("Token") or ""
    finally:
        connection.close()


def mend_directories(place: Place, arguments: Mapping[str, Any]) -> None:
    answer = place.call("mattermost_plugin_directories", arguments, False)
    assert not answer.get("failed"), answer["msg"]


def four_times(module: str, arguments: Mapping[str, Any], place: Place) -> List[Dict[str, Any]]:
    """Check, run, check, run: what all four must be. Check mode touches nothing, the second run no file."""
    answers = []
    for number, check_mode in enumerate((True, False, True, False)):
        before = place.snapshot()
        answers.append(place.call(module, arguments, check_mode))
        touched = differing(before, place.snapshot())
        if check_mode:
            assert touched == [], "check mode changed something"
        elif number == 3:
            # Whether a directory can be written is tried out; digests become believable with time; a lease begins anew.
            own = ("/trees.json", "/run-lock.json")
            kept = [path for path in touched if not os.path.isdir(path) and not path.endswith(own)]
            assert kept == [], f"the second run changed {kept}"
    for answer in answers:
        assert not answer.get("failed"), answer.get("msg")
    return answers


# A reload that the module makes itself is owed in check mode and not after a run: a difference tells it.
PREDICTED = ("changed", "differences", "diff", "restart_required", "strategy", "warnings")


def essence(answer: Mapping[str, Any]) -> Dict[str, Any]:
    """What check mode must foretell; the facts are those before in check mode, those after in a run."""
    return {name: answer.get(name) for name in PREDICTED}

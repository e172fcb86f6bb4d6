# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server installed for one test: unpacked, configured, with a database of its own if it needs one."""

from __future__ import annotations

import compileall
import json
import os
import pwd
import shutil
import stat
import tarfile
import tempfile
from contextlib import contextmanager
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from plugops_tests.servers.postgres import TemporaryPostgres
from plugops_tests.servers.server_process import READY_TIMEOUT, ServerProcess, free_port, unprivileged_user

USER = "contract"
PASSWORD = "Contract-Passw0rd"
_BOUNDARY = "contract-boundary"


class Answer(NamedTuple):
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error_id(self) -> str:
        return str(self.json.get("id", ""))


class Server(ServerProcess):
    """A running server with its HTTP interfaces."""

    version: Tuple[int, ...] = ()
    _token = ""

    def public(self, method: str, path: str, body: Any = None, headers: Optional[Mapping[str, str]] = None) -> Answer:
        """Over TCP without a session."""
        return _request(self.connect(), method, path, body, headers or {})

    def fetch(self, path: str) -> bytes:
        """What a browser gets for a path outside the API."""
        connection = self.connect()
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def rest(self, method: str, path: str, body: Any = None, headers: Optional[Mapping[str, str]] = None) -> Answer:
        """Over TCP as a system admin."""
        return self.public(method, path, body, {"Authorization": f"Bearer {self.token()}", **(headers or {})})

    def local(self, method: str, path: str, body: Any = None, headers: Optional[Mapping[str, str]] = None) -> Answer:
        """Over the local-mode socket (5.24 on)."""
        return _request(self.connect_socket(), method, path, body, headers or {})

    def admin(self, method: str, path: str, body: Any = None, headers: Optional[Mapping[str, str]] = None) -> Answer:
        """By the socket where there is one, else as a system admin."""
        way = self.local if self.version >= (5, 24) else self.rest
        return way(method, path, body, headers)

    def wait_ready(self, timeout: float = READY_TIMEOUT) -> Server:
        super().wait_ready(timeout)
        if self.version >= (5, 24) and self._services.get("EnableLocalMode"):
            self.wait_for(self._socket_answers, "an answer on the local-mode socket", timeout)
        if self.version < (5, 0):
            self.wait_for(self._logins_answer, "an answer to a login", timeout)
        return self

    def _logins_answer(self) -> bool:
        """On a loaded machine an old server still drops connections when its log has come to rest."""
        return self.public("POST", "/users/login", {"login_id": "nobody-yet", "password": PASSWORD}).status >= 400

    def wait_for(self, condition: Callable[[], Any], what: str, timeout: float = 15.0) -> Any:
        """Servers of 4.x drop connections while they read their configuration again: that is no answer yet."""

        def answered() -> Any:
            try:
                return condition()
            except ConnectionResetError:
                if self.version >= (5, 0):
                    raise
                return None

        return super().wait_for(answered, what, timeout)

    def _socket_answers(self) -> bool:
        try:
            return self.local("GET", "/system/ping").status == 200
        except OSError:
            return False

    def token(self) -> str:
        """A session of the first user, who is made when missing and is a system admin."""
        if not self._token:
            credentials = {"login_id": USER, "password": PASSWORD}
            answer = self.public("POST", "/users/login", credentials)
            if answer.status != 200:
                user = {"username": USER, "email": "contract@example.com", "password": PASSWORD}
                created = self.public("POST", "/users", user)
                assert created.status == 201, created
                answer = self.public("POST", "/users/login", credentials)
            assert answer.status == 200, answer
            self._token = answer.headers["Token"]
        return self._token

    def upload(
        self,
        bundle: Path,
        *,
        force: bool = False,
        field: str = "plugin",
        headers: Optional[Mapping[str, str]] = None,
    ) -> Answer:
        """headers: those of a client over TCP; without them as `admin`."""
        parts = [_part(field, bundle.read_bytes(), f'; filename="{bundle.name}"')]
        if force:
            parts.insert(0, _part("force", b"true"))
        body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
        way = self.admin if headers is None else self.public
        content_type = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        return way("POST", "/plugins", body, {**content_type, **(headers or {})})

    def enable(self, plugin_id: str) -> Answer:
        return self.admin("POST", f"/plugins/{plugin_id}/{'enable' if self.version >= (5, 2) else 'activate'}")

    def disable(self, plugin_id: str) -> Answer:
        return self.admin("POST", f"/plugins/{plugin_id}/{'disable' if self.version >= (5, 2) else 'deactivate'}")

    def remove(self, plugin_id: str) -> Answer:
        return self.admin("DELETE", f"/plugins/{plugin_id}")

    def plugins(self) -> Dict[str, Dict[str, str]]:
        """{"active": {id: version}, "inactive": …}, without the plugins that old servers carry inside."""
        answer = self.admin("GET", "/plugins")
        assert answer.status == 200, answer
        return {
            kind: {
                item["id"]: item.get("version", "")
                for item in answer.json[kind] or []
                if self.version >= (5, 2) or item["id"] not in ("jira", "zoom")
            }
            for kind in ("active", "inactive")
        }

    def wait_active(self, plugin_id: str) -> None:
        self.wait_for(lambda: plugin_id in self.plugins()["active"], f"plugin {plugin_id} to be active")

    def wait_inactive(self, plugin_id: str) -> None:
        self.wait_for(lambda: plugin_id in self.plugins()["inactive"], f"plugin {plugin_id} to be inactive")

    def wait_listed_after_failure(self, plugin_id: str) -> None:
        """Among the inactive ones; from 5.2 to 5.13 among the active ones, as if it ran."""
        kind = "active" if (5, 2) <= self.version < (5, 14) else "inactive"
        self.wait_for(lambda: plugin_id in self.plugins()[kind], f"plugin {plugin_id} to be listed as {kind}")

    def wait_log(self, *texts: str) -> str:
        """The first line of the log that holds all the texts; the text is compared with what stands in the line."""

        def found() -> str:
            for line in self.log_lines():
                whole = f"{line.text} {json.dumps(line.fields, ensure_ascii=False)}"
                if all(text in whole for text in texts):
                    return whole
            return ""

        return str(self.wait_for(found, f"a log line with {' and '.join(texts)}"))


def _part(name: str, content: bytes, more: str = "") -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def _request(connection: Any, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request(method, f"/api/v4{path}", content, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers.items()), response.read())
    finally:
        connection.close()


class Deployment:
    """An install directory and all that belongs to it, below one temporary directory."""

    def __init__(self, root: Path, version: Tuple[int, ...], data_source: str) -> None:
        self.root = root
        self.install = root / "mattermost"
        self.version = version
        self.user = unprivileged_user()
        self.socket = root / "local.socket"
        self.bundles = root / "bundles"
        self._data_source = data_source
        self.temporary = root / "tmp"
        for directory in (self.bundles, self.temporary):
            directory.mkdir()
            self.own(directory)
        self.write_config({})

    def second_node(self) -> Deployment:
        """Another app server with the same database and file store; trees, socket and configuration are its own."""
        root = self.root / "second"
        root.mkdir()
        shutil.copytree(self.install, root / "mattermost", copy_function=_link)
        (root / "mattermost" / "config" / "config.json").unlink()
        node = Deployment(root, self.version, self._data_source)
        self.own(root)
        shared = self.own_directory(self.root / "shared")
        for each in (self, node):
            each.write_config({"FileSettings": {"Directory": f"{shared}/"}})
        return node

    def own_directory(self, path: Path) -> Path:
        path.mkdir()
        return self.own(path)

    @property
    def config_path(self) -> Path:
        return self.install / "config" / "config.json"

    @property
    def plugins(self) -> Path:
        return self.install / "plugins"

    @property
    def client_plugins(self) -> Path:
        return self.install / "client" / "plugins"

    @property
    def store(self) -> Path:
        return self.install / "data" / "plugins"

    def own(self, path: Path) -> Path:
        """Give a file or a whole tree to the service user."""
        if self.user is not None:
            account = pwd.getpwnam(self.user)
            for item in (path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else ())):
                os.chown(item, account.pw_uid, account.pw_gid, follow_symlinks=False)
        return path

    def write_config(self, sections: Mapping[str, Mapping[str, Any]], path: Optional[Path] = None) -> Path:
        """A sparse config.json of the tests, changed by `sections`; nothing in it calls outside.

        It holds what 4.x has no defaults for.
        """
        config: Dict[str, Dict[str, Any]] = {
            "ServiceSettings": {
                "SiteURL": "http://127.0.0.1",
                "ListenAddress": f"127.0.0.1:{free_port()}",
                "EnableSecurityFixAlert": False,
                "EnableUserAccessTokens": True,
                "MaximumLoginAttempts": 10,
                "EnableLocalMode": True,
                "LocalModeSocketLocation": str(self.socket),
                "EnableLinkPreviews": False,
                "EnableTutorial": False,
            },
            "TeamSettings": {"EnableUserCreation": True, "EnableOpenServer": True, "MaxUsersPerTeam": 50},
            "SqlSettings": {
                "DriverName": "postgres",
                "DataSource": self._data_source,
                "MaxIdleConns": 5,
                "MaxOpenConns": 20,
                "QueryTimeout": 30,
            },
            "FileSettings": {"DriverName": "local", "Directory": "./data/"},
            # Jobs would only make a stop slow: their watcher sleeps up to 15 s first.
            "JobSettings": {"RunJobs": False, "RunScheduler": False},
            "LogSettings": {
                "EnableConsole": True,
                "ConsoleLevel": "DEBUG",
                "EnableFile": True,
                "FileLevel": "INFO",
                "EnableDiagnostics": False,
                "EnableSentry": False,
            },
            "EmailSettings": {
                "EnableSignUpWithEmail": True,
                "EnableSignInWithEmail": True,
                "EnableSignInWithUsername": True,
                "SendEmailNotifications": False,
                "SendPushNotifications": False,
                "RequireEmailVerification": False,
            },
            "AnnouncementSettings": {"AdminNoticesEnabled": False, "UserNoticesEnabled": False},
            "PluginSettings": {
                "Enable": True,
                "EnableUploads": True,
                "EnableMarketplace": False,
                "EnableRemoteMarketplace": False,
            },
        }
        for name, section in sections.items():
            config.setdefault(name, {}).update(section)
        path = path or self.config_path
        path.write_text(json.dumps(config, indent=4), encoding="utf-8")
        self.own(path)
        return path

    def read_config(self) -> Dict[str, Any]:
        content = json.loads(self.config_path.read_text(encoding="utf-8"))
        assert isinstance(content, dict)
        return content

    def edit_plugin_settings(self, **settings: Any) -> None:
        """Change keys of PluginSettings on disk, maps merged."""
        config = self.read_config()
        section = config["PluginSettings"]
        for key, value in settings.items():
            section[key] = {**section.get(key, {}), **value} if isinstance(value, dict) else value
        self.replace_config(json.dumps(config, indent=4))

    def edit_service_settings(self, **settings: Any) -> None:
        config = self.read_config()
        config["ServiceSettings"].update(settings)
        self.replace_config(json.dumps(config, indent=4))

    def replace_config(self, text: str) -> None:
        """By rename: a server that watches its file could read it empty between truncation and write."""
        new = self.config_path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.chmod(stat.S_IMODE(self.config_path.stat().st_mode))
        self.own(new)
        os.replace(new, self.config_path)

    def unpack(self, bundle: Path) -> Path:
        """A bundle unpacked by hand into the plugin directory, everything readable, owned by the service user."""
        if not self.plugins.exists():
            self.plugins.mkdir(0o755)
            self.own(self.plugins)
        with tarfile.open(bundle) as archive:
            archive.extractall(self.plugins)
            top = archive.getnames()[0].split("/")[0]
        return self.own(self.plugins / top)

    def put_into_store(self, bundle: Path, plugin_id: str, signature: Optional[Path] = None) -> None:
        """Where an upload would leave the bundle."""
        self.store.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle, self.store / f"{plugin_id}.tar.gz")
        if signature is not None:
            shutil.copyfile(signature, self.store / f"{plugin_id}.tar.gz.sig")
        self.own(self.store.parent)

    def prepackage(self, *paths: Path) -> None:
        """Bundles, and signatures, that come with the server."""
        folder = self.install / "prepackaged_plugins"
        folder.mkdir(exist_ok=True)
        for path in paths:
            shutil.copyfile(path, folder / path.name)
        self.own(folder)

    def server(
        self,
        cwd: Optional[Path] = None,
        env: Optional[Mapping[str, str]] = None,
        arguments: Optional[List[str]] = None,
        umask: int = 0o022,
        config_path: Optional[Path] = None,
    ) -> Server:
        """Not started yet."""
        environment = {"TMPDIR": str(self.temporary), **(env or {})}
        server = Server(
            self.install, self.user, cwd, environment, arguments=arguments, umask=umask, config_path=config_path
        )
        server.version = self.version
        return server

    @contextmanager
    def running(self, **options: Any) -> Iterator[Server]:
        """A server that answers; stopped at the end."""
        server = self.server(**options)
        with server:
            yield server


class Release:
    """A release tarball, unpacked once; every test gets a copy of it (hard links) and of its migrated database."""

    def __init__(self, tarball: Path, label: str, postgres: Optional[TemporaryPostgres]) -> None:
        self.label = label
        self._postgres = postgres
        self._number = 0
        self._workshop = Path(tempfile.mkdtemp(prefix=f"contract-{label}-"))
        self._workshop.chmod(0o755)
        self._template = self._workshop / "template"
        self._database = f"template_{label.replace('-', '_').replace('.', '_')}"
        self.version: Tuple[int, ...] = ()
        try:
            with tarfile.open(tarball) as archive:
                archive.extractall(self._template)
            # The stand-in starts in half the time; a real release has nothing there.
            compileall.compile_dir(self._template / "mattermost" / "standin", quiet=2)
            if postgres is not None:
                postgres.create_database(self._database)
            self.version = self._first_start()
        except BaseException:
            self.close()
            raise

    def _first_start(self) -> Tuple[int, ...]:
        """Migrate the database, make the first user, ask for the version."""
        deployment = self._copy(self._database)
        with deployment.running() as server:
            # A loaded machine can make an old server's log rest before it is ready: it still drops connections then.
            answer = server.wait_for(lambda: self._user_made(server), "the first user to be made")
        self._discard(deployment)
        return tuple(int(part) for part in answer.headers["X-Version-Id"].split(".")[:3])

    @staticmethod
    def _user_made(server: Server) -> Optional[Answer]:
        try:
            server.token()
            return server.public("GET", "/system/ping")
        except RemoteDisconnected:
            return None

    @contextmanager
    def deploy(self) -> Iterator[Deployment]:
        self._number += 1
        name = f"{self._database}_{self._number}"
        if self._postgres is not None:
            self._postgres.create_database(name, self._database)
        deployment = self._copy(name)
        try:
            yield deployment
        finally:
            self._discard(deployment)
            if self._postgres is not None:
                self._postgres.drop_database(name)

    def _copy(self, database: str) -> Deployment:
        root = self._workshop / f"{self._number}"
        root.mkdir()
        shutil.copytree(self._template / "mattermost", root / "mattermost", copy_function=_link)
        (root / "mattermost" / "config" / "config.json").unlink()
        data_source = self._postgres.url(database) if self._postgres is not None else ""
        deployment = Deployment(root, self.version, data_source)
        deployment.own(root)
        return deployment

    def _discard(self, deployment: Deployment) -> None:
        for directory in (deployment.install, deployment.install / "client", deployment.plugins):
            if directory.is_dir():
                directory.chmod(0o755)
        shutil.rmtree(deployment.root, ignore_errors=os.geteuid() != 0)

    def close(self) -> None:
        shutil.rmtree(self._workshop, ignore_errors=os.geteuid() != 0)


def _link(source: str, destination: str) -> str:
    os.link(source, destination)
    return destination

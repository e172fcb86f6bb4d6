# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One app server as every resource sees it: its installation, its configuration, its running server."""

from __future__ import annotations

import os
import stat
from typing import Any, Dict, List, Mapping, Optional, Union

from .._config.document import ConfigDocument, section_in
from .._config.source import FILE, REMOTE, ConfigSource, find_config_source, is_true, server_environment
from .._core.errors import OperatorError
from .._core.server_version import ServerVersion
from .._host.command import Run
from .._host.reading import status
from .._host.sockets import ForeignSocket
from .._server.client import Server, server_at_address, server_at_socket
from .._server.errors import AccessDenied, PluginsDisabled, ServerError, ServerUnreachable
from .installation import Installation
from .options import NodeOptions

DEFAULT_SOCKET = "/var/tmp/mattermost_local.socket"  # noqa: S108 - the server's own default


class Node(Installation):
    """Everything a resource asks about its app server, each question once until :meth:`forget`."""

    def __init__(self, options: NodeOptions, run: Run) -> None:
        super().__init__(options, run)
        self._api = options.api_access()

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        if self._api:
            self._api.close()

    @property
    def warnings(self) -> List[str]:
        """What the operator must know about the connection to the server."""
        return [self._api.warning] if self._api and self._api.warning else []

    def answering_server(self) -> Server:
        """The running server of a node that is nothing but its REST API.

        :raises OperatorError: it does not answer
        """
        if self.api_server is None:
            raise OperatorError(
                "the server does not answer on its REST API, and there is no other channel to it",
                where=self.options.api_url or "",
                found="no answer; api_only: true",
                remedy="start the server, correct api_url, or remove api_only and run on the app server itself",
            )
        return self.api_server

    @property
    def running(self) -> bool:
        """Whether the service has a process now; of an API alone, whether it answers."""
        if self.api_only:
            return self.api_server is not None
        return self.service.process is not None

    @property
    def config_source(self) -> ConfigSource:
        """Where the server reads its configuration from.

        :raises OperatorError: the option ``config_path`` names a file that the server does not read
        """
        return self.once("config_source", self._find_config_source)

    @property
    def config(self) -> ConfigDocument:
        """The configuration file, parsed.

        :raises OperatorError: the server reads no file, or the file cannot be read or parsed
        """
        found = self.once("config", self._config_or_error)
        if isinstance(found, OperatorError):
            raise found
        return found

    @property
    def server(self) -> Optional[Server]:
        """The running server: behind its local-mode socket, else its REST API; None where it answers on neither."""
        return self.socket_server or self.api_server

    @property
    def socket_server(self) -> Optional[Server]:
        """The running server behind its local-mode socket; None where it does not answer there."""
        return self.once("socket_server", self._find_socket_server)

    @property
    def api_server(self) -> Optional[Server]:
        """The running server behind ``api_url``; None where none is given, or it does not answer."""
        return self.once("api_server", self._find_api_server)

    @property
    def version(self) -> Optional[ServerVersion]:
        """The running server's version as it reports itself, else the option ``server_version``, else None."""
        return self.once("version", self._find_version)

    @property
    def plugin_system(self) -> str:
        """``on``, ``off`` (disabled, or its start-up failed) or ``unknown`` (no server answers)."""
        return self.once("plugin_system", self._ask_plugin_system)

    def _find_config_source(self) -> ConfigSource:
        if self.api_only:
            return ConfigSource(REMOTE, "", f"the REST API at {self.options.api_url}")
        source = find_config_source(
            self.service,
            self.install_dir,
            self.wanted_working_directory,
            self.root,
            self.version_option(),
        )
        self._refuse_foreign_config(source)
        wanted = self.options.config_path
        if wanted and source.kind == "file" and self.root.resolve(wanted) != self.root.resolve(source.path):
            raise OperatorError(
                "the server does not read this configuration file",
                where=wanted,
                found=f"it reads {source.path} ({source.evidence})",
                wanted=wanted,
                remedy="correct config_path, or the unit's -c option or MM_CONFIG",
            )
        return source

    def _refuse_foreign_config(self, source: ConfigSource) -> None:
        """A file elsewhere that the service account itself has named: root would write where it points."""
        named_by = {name.upper(): path for name, path in self.service.environment_origin.items()}.get("MM_CONFIG", "")
        if self.options.config_path or not named_by or not source.evidence.startswith("MM_CONFIG="):
            return
        try:
            origin = status(self.root.real(self.root.resolve(named_by)))
        except OSError:
            return
        is_roots = origin.st_uid in (0, os.geteuid()) and not origin.st_mode & 0o022
        if source.kind == FILE and not is_roots and not self.territory.is_ours(self.root.resolve(source.path)):
            raise OperatorError(
                "the configuration file lies outside of the install directory, and others than root name it",
                where=source.path,
                found=source.evidence,
                remedy=f"if it is right, name it in config_path (the role: mattermost_config_path), or make {named_by} "
                "root's",
            )

    def _config_or_error(self) -> Union[ConfigDocument, OperatorError]:
        """A file that cannot be read is not tried again by every caller."""
        try:
            return self._read_config()
        except OperatorError as error:
            return error

    def _read_config(self) -> ConfigDocument:
        source = self.config_source
        if source.kind == REMOTE:
            self.answering_server()
            self.refuse_api_only("the configuration file")
        if source.kind != "file":
            raise OperatorError(
                "the server keeps its configuration in a database, a change to config.json would have no effect",
                where=source.evidence,
                remedy="enable local mode and use via: socket",
            )
        try:
            return ConfigDocument.read(self.root.real(self.root.resolve(source.path)), source.path)
        except OSError as error:
            raise OperatorError(
                "the server's configuration file cannot be read",
                where=source.path,
                found=error.strerror or str(error),
                remedy=f"check install_dir and the path ({source.evidence}), and run as root (become)",
            ) from error

    @property
    def live_config(self) -> Optional[Dict[str, Any]]:
        """The running server's effective configuration; None where none answers."""
        return self.once("live config", lambda: self.server.get_config() if self.server else None)

    def section(self, name: str) -> Optional[Dict[str, Any]]:
        """A section of the configuration as the process has it, keys in lower case: the environment wins.

        None where the configuration is in a database and no server answers.
        """
        source = self.config_source
        if source.kind == "file":
            found = dict(self.config.section(name))
        elif self.live_config is not None:
            found = dict(section_in(self.live_config, name, "the running server's configuration"))
        else:
            return None
        return self._overridden(name, {key.lower(): value for key, value in found.items()})

    def _overridden(self, name: str, settings: Dict[str, Any]) -> Dict[str, Any]:
        if self.api_only:  # what a server reports of its configuration has its environment in it
            return settings
        prefix = f"MM_{name.upper()}_"
        for variable, value in server_environment(self.service).items():
            if variable.startswith(prefix):
                settings[variable[len(prefix) :].lower()] = value
        return settings

    def _service_settings(self) -> Mapping[str, Any]:
        """ServiceSettings, known before a server is."""
        if self.config_source.kind == "file":
            return self.section("ServiceSettings") or {}
        return self._overridden("ServiceSettings", {})

    def _find_api_server(self) -> Optional[Server]:
        server = self._api.server if self._api else None
        return server if server is not None and _answers(server) else None

    def _find_socket_server(self) -> Optional[Server]:
        if self.api_only:
            return None
        path = self.options.socket
        if path is None:
            settings = self._service_settings() if self.root.is_live and self.running else {}
            if not is_true(settings.get("enablelocalmode")):
                return None
            path = str(settings.get("localmodesocketlocation") or DEFAULT_SOCKET)
        real = self.root.real(path)
        if not _is_socket(real):
            return None
        account = self.account
        server = server_at_socket(real, [account.uid], f"uid {account.uid} ({account.name})", path)
        return server if _answers(server) else None

    def is_foreign_socket(self, real: str) -> bool:
        """Whether a socket is another user's, or another user answers there: it may lie where everybody makes one.

        For messages: whom a request goes to is looked at on its own connection.
        """
        if not _is_socket(real):
            return False
        if status(real).st_uid not in (0, os.geteuid(), self.account.uid):
            return True
        try:
            self.socket_server  # noqa: B018 - its error
        except ForeignSocket:
            return True
        return False

    def public_server(self) -> Optional[Server]:
        """The server on its own listen address, for what needs no session; None if nothing runs here."""
        if self.api_only or not (self.root.is_live and self.running):
            return None
        settings = self._service_settings()
        return server_at_address(
            str(settings.get("listenaddress") or ":8065"), tls=settings.get("connectionsecurity") == "TLS"
        )

    def _find_version(self) -> Optional[ServerVersion]:
        for find in (lambda: self.server, self.public_server):
            server = find()
            try:
                if server is not None:
                    return server.version()
            except ServerUnreachable:
                continue
        return self.version_option()

    def _ask_plugin_system(self) -> str:
        try:
            if self.server is not None:
                self.server.plugins()
                return "on"
            tcp = self.public_server()
            return tcp.plugin_system() if tcp else "unknown"
        except AccessDenied:
            raise
        except PluginsDisabled:
            return "off"
        except (ServerError, ServerUnreachable):
            return "unknown"


def _answers(server: Server) -> bool:
    try:
        server.version()
    except ServerUnreachable:
        return False
    return True


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(status(path).st_mode)
    except OSError:
        return False

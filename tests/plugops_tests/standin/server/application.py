# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server from start to stop."""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import Any, Mapping, Optional

from .accounts import Accounts
from .api import Api
from .config_store import ConfigError, ConfigStore
from .file_store import FileStore
from .gofs import GoError
from .http_server import HttpServer
from .logs import Log
from .plugins import PluginSystem
from .postgres import PostgresError
from .records import open_records
from .search import Search
from .talk import Talk
from .versions import Traits

_WATCH_INTERVAL = 0.25


class StartError(Exception):
    """The server cannot start; its text is for the operator."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class Application:
    def __init__(
        self, traits: Traits, config_path: str, watch: bool, search: Search, environment: Mapping[str, str]
    ) -> None:
        self._traits = traits
        self._watch = watch and traits.watches_config_file
        self._search = search
        self._environment = environment
        self._log = Log(traits)
        self._config = ConfigStore(traits, config_path, environment)
        self._plugins = PluginSystem(traits, self._config, self._log, search)
        self._stopping = threading.Event()
        self._reload_lock = threading.Lock()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises StartError."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        try:
            self._config.load()
        except ConfigError as error:
            raise StartError(str(error)) from error
        self._require_socket_directory()
        self._log.open(self._config.effective["LogSettings"], self._search.directory("logs"))
        self._say_where()
        self._require_translations()
        store_directory = self._config.effective["FileSettings"]["Directory"]
        try:
            FileStore(store_directory).prepare()
        except GoError as error:
            self._log.error("Problem with file storage settings", error=error)
        data_source = self._config.effective["SqlSettings"]["DataSource"]
        try:
            records = open_records(data_source, store_directory)
        except PostgresError as error:
            self._log.critical("Failed to ping DB", error=error)
            raise StartError(f"Failed to ping DB: {error}") from error
        self._plugins.start()
        self._config.listeners.append(self._plugins.config_changed)
        api = Api(self._traits, self._config, self._plugins, Accounts(records), Talk(records), self._log, self._reload)
        server = HttpServer(api.dispatch)
        try:
            self._serve(server)
        finally:
            self._log.info("Stopping Server...")
            server.close()
            self._plugins.stop()
            self._log.info("Server stopped")

    def _say_where(self) -> None:
        self._log.info("Server is initializing...")
        directory = os.getcwd()
        if self._traits.cwd_as_field:
            self._log.info("Printing current working", directory=directory)
        else:
            self._log.info(f"Current working directory is {directory}")
        if self._traits.mm_config:
            self._log.info("Loaded config", source=f"file://{self._config.path}")
        else:
            self._log.info(f"Loaded config file from {self._config.path}")

    def _require_socket_directory(self) -> None:
        settings = self._config.effective["ServiceSettings"]
        if not (self._traits.needs_its_socket and settings["EnableLocalMode"]):
            return
        directory = os.path.dirname(settings["LocalModeSocketLocation"])
        if not os.path.isdir(directory):
            raise StartError(
                "Error: failed to load configuration: failed to create store: unable to load on store creation: "
                "invalid config: Config.IsValid: Unable to locate local socket file directory., "
                f"stat {directory}: no such file or directory"
            )

    def _require_translations(self) -> None:
        if self._search.directory("i18n") is None:
            code = 0 if self._traits.ends_well_without_translations else 1
            raise StartError("Unable to find i18n directory", code)

    def _serve(self, server: HttpServer) -> None:
        settings = self._config.effective["ServiceSettings"]
        self._log.info("Starting Server...")
        try:
            server.listen_tcp(settings["ListenAddress"])
        except OSError as error:
            raise StartError(
                f"Error starting server, err:listen tcp {settings['ListenAddress']}: {error.strerror}"
            ) from error
        self._log.info(f"Server is listening on {settings['ListenAddress']}")
        if self._traits.local_mode and settings["EnableLocalMode"]:
            path = settings["LocalModeSocketLocation"]
            try:
                server.listen_socket(path)
                self._log.info("Local mode server is listening", socket=path)
            except OSError as error:
                failed = f"listen unix {path}: bind: {str(error.strerror).lower()}"
                self._log.critical(f"Error starting server, err:{failed}: {failed}")
                if self._traits.needs_its_socket:
                    raise StartError(failed) from error
        if self._traits.reloads_at_start:
            for _ in range(2):  # a failed start of the plugin system is tried again each time
                self._plugins.config_changed(self._config.effective, self._config.effective)
        if self._traits.notifies_systemd:
            _notify_systemd(self._environment.get("NOTIFY_SOCKET"))
        while not self._stopping.wait(_WATCH_INTERVAL):
            if self._watch and self._config.changed_on_disk():
                self._file_changed()

    def _file_changed(self) -> None:
        tail = f" reloading {self._config.path}" if self._traits.version < (5, 0) else ""
        self._log.info(f"Config file watcher detected a change{tail}")
        try:
            self._reload()
        except ConfigError as error:
            self._log.error("Failed to reload config", error=error)

    def _reload(self) -> None:
        with self._reload_lock:
            self._config.load()


def _notify_systemd(address: Optional[str]) -> None:
    """READY=1 for units of Type=notify."""
    if not address:
        return
    target: Any = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.connect(target)
        notifier.sendall(b"READY=1")

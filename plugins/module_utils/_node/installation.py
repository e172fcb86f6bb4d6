# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where one app server is installed: its directories, account, service and state, known without its configuration."""

from __future__ import annotations

import posixpath
import urllib.parse
from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Sequence, TypeVar

from .._core.errors import OperatorError
from .._core.server_version import ServerVersion, parse_server_version
from .._host.account import Account
from .._host.accounts import find_account
from .._host.command import Run
from .._host.root import Root
from .._services.systemd_unit import Service, observe_service, systemd_is_running
from .options import NodeOptions
from .restart_note import FILE_NAME, RestartNote
from .territory import Territory, system_directory

T = TypeVar("T")

DEFAULT_USER = "mattermost"


class Installation:
    """What the options and the host tell of a node, each fact read once until :meth:`forget`."""

    def __init__(self, options: NodeOptions, run: Run) -> None:
        self.options = options
        self.run = run
        self.root = Root(options.root)
        self.install_dir = posixpath.normpath(options.install_dir)
        self.wanted_working_directory = posixpath.normpath(options.working_directory or options.install_dir)
        self.service_name = options.service if "." in options.service else f"{options.service}.service"
        self.state_dir = posixpath.normpath(options.state_dir)
        self._restart_note = RestartNote(self.root.real(posixpath.join(self.state_dir, FILE_NAME)))
        self._known: Dict[str, Any] = {}

    def forget(self) -> None:
        """After a change: read from the host again."""
        self._known.clear()

    def once(self, name: str, read: Callable[[], T]) -> T:
        """What ``read`` returns, called once until :meth:`forget`."""
        if name not in self._known:
            self._known[name] = read()
        return self._known[name]

    @property
    def api_only(self) -> bool:
        """Whether the node is reached through its REST API alone: what lies on this host is not the node's."""
        return self.options.api_only

    def refuse_api_only(self, what: str) -> None:
        """For what needs files of the node.

        :raises OperatorError: there are none
        """
        if self.api_only:
            raise OperatorError(
                f"{what} cannot be seen or changed through a REST API alone",
                where=self.options.api_url or "",
                found="api_only: true",
                remedy="leave this out for the app server, or remove api_only and run on the app server itself",
            )

    @property
    def territory(self) -> Territory:
        """Where the directories of this app server may lie."""
        return self.once(
            "territory",
            lambda: self._territory([self.install_dir, *self._named_directories()]),
        )

    def _territory(self, requested: Sequence[str]) -> Territory:
        places = [self.root.resolve(path) for path in requested]
        return Territory(places[0], tuple(places[1:]), tuple(requested))

    def _named_directories(self) -> List[str]:
        """What the operator has named beside the install directory."""
        own = self.options.working_directory
        return [*self.options.allowed_directories, *([own] if own and not system_directory(own) else [])]

    def refuse_foreign(self, setting: str, path: str, named: bool = False) -> None:
        """For a directory that is about to be used because the server's settings name it.

        :param path: host path
        :param named: the operator has named it, too
        :raises OperatorError: it is not this app server's
        """
        end, territory = self.root.resolve(path), self.territory
        if named:
            territory = replace(territory, named=(*territory.named, end))
        blocker = territory.blocker(setting, path, end)
        if blocker:
            raise OperatorError(
                "a directory that the server's settings name is not used",
                where=blocker.path,
                found=blocker.evidence,
                remedy=blocker.remedy,
            )

    @property
    def systemd(self) -> bool:
        """Whether systemd runs on the node, as far as it can be seen."""
        return not self.api_only and systemd_is_running(self.root)

    @property
    def service(self) -> Service:
        """The systemd service, from systemd where it runs, else from the unit files alone."""
        self.refuse_api_only("the service")
        return self.once(
            "service",
            lambda: observe_service(self.service_name, self.root, self.run, live=systemd_is_running(self.root)),
        )

    @property
    def user_name(self) -> str:
        """Whom the server runs as: the option, else the unit's ``User=``, else ``mattermost``."""
        return self.options.service_user or self.service.user or DEFAULT_USER

    @property
    def account(self) -> Account:
        """The account that the server runs under.

        :raises OperatorError: it does not exist
        """
        group = self.options.service_group or (None if self.options.service_user else self.service.group) or None
        return self.once("account", lambda: find_account(self.user_name, group, self.root))

    @property
    def what_runs(self) -> str:
        """How messages name what should run."""
        return f"the server at {self.options.api_url}" if self.api_only else self.service_name

    def version_option(self) -> Optional[ServerVersion]:
        """The option ``server_version``, parsed."""
        return parse_server_version(self.options.server_version) if self.options.server_version else None

    @property
    def pending_restart(self) -> List[str]:
        """Why the running process must be restarted, as recorded before earlier changes."""
        return self._restart_note.reasons(self._process_identity())

    def require_restart(self, reason: str) -> None:
        """Record, before a change that the running server does not notice, that it needs a restart."""
        self._restart_note.add(reason, self._process_identity())

    def _process_identity(self) -> Optional[str]:
        if self.api_only:
            return None  # an API does not tell one start from the other
        process = self.service.process
        return process.identity if process else None

    def resolve(self, path: str) -> str:
        """A path from PluginSettings, made absolute as the server will: from the directory that it will run in."""
        return posixpath.normpath(posixpath.join(self.wanted_working_directory, path))

    def state_path(self, name: str) -> str:
        """Where this process finds a file or directory of the state directory.

        That of a node which is nothing but a REST API lies on the controller, beside those of others.
        """
        own = ("nodes", urllib.parse.quote(self.options.api_url or "", safe="")) if self.api_only else ()
        return self.root.real(posixpath.join(self.state_dir, *own, name))

    @property
    def lock_path(self) -> str:
        """The lock file of every process that changes the node, as this process finds it."""
        return self.state_path("change.lock")

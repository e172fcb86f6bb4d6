# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator specifies of a node: the options that every module takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence

from .._core.errors import OperatorError
from .._host.reading import is_directory
from .territory import system_directory

if TYPE_CHECKING:
    from .._server.session import ApiAccess

# The options that every module takes; documented in plugins/doc_fragments/node.py.
NODE_ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "root": {"type": "path"},
    "install_dir": {"type": "str", "default": "/opt/mattermost"},
    "working_directory": {"type": "str"},
    "service": {"type": "str", "default": "mattermost.service"},
    "service_user": {"type": "str"},
    "service_group": {"type": "str"},
    "config_path": {"type": "str"},
    "server_version": {"type": "str"},
    "socket": {"type": "str"},
    "api_url": {"type": "str"},
    "api_token": {"type": "str", "no_log": True},
    "api_username": {"type": "str"},
    "api_password": {"type": "str", "no_log": True},
    "api_ca_path": {"type": "path"},
    "api_proxy": {"type": "str", "no_log": True},
    "api_only": {"type": "bool", "default": False},
    "state_dir": {"type": "str", "default": "/var/lib/plugops"},
    "allowed_directories": {"type": "list", "elements": "str", "default": []},
}
SECRET_NODE_OPTIONS = tuple(name for name, argument in NODE_ARGUMENTS.items() if argument.get("no_log"))


@dataclass(frozen=True)
class NodeOptions:
    """What the operator specifies of the node; host paths. See :data:`NODE_ARGUMENTS`."""

    root: Optional[str] = None
    install_dir: str = "/opt/mattermost"
    working_directory: Optional[str] = None
    service: str = "mattermost.service"
    service_user: Optional[str] = None
    service_group: Optional[str] = None
    config_path: Optional[str] = None
    server_version: Optional[str] = None
    socket: Optional[str] = None
    api_url: Optional[str] = None
    api_token: Optional[str] = field(default=None, repr=False)
    api_username: Optional[str] = None
    api_password: Optional[str] = field(default=None, repr=False)
    api_ca_path: Optional[str] = None
    api_proxy: Optional[str] = field(default=None, repr=False)
    api_only: bool = False
    state_dir: str = "/var/lib/plugops"
    allowed_directories: Sequence[str] = ()

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> NodeOptions:
        """From a module's parameters.

        :raises OperatorError: a path is not absolute, root is no directory
        """
        # A role passes an empty string for what the operator has not set.
        given: Dict[str, Any] = {name: params[name] for name in NODE_ARGUMENTS if params[name]}
        options = cls(**given)
        if options.root is not None and not is_directory(options.root):
            raise OperatorError(
                "root must be a directory of the host that stands for another host's /",
                found=repr(options.root),
                remedy="correct it; leave it out for the host itself",
            )
        for name in ("install_dir", "working_directory", "config_path", "socket", "state_dir"):
            value = getattr(options, name)
            if value is not None and not value.startswith("/"):
                raise OperatorError(f"{name} must be an absolute path", found=repr(value), remedy="write it in full")
        for path in options.allowed_directories:
            if not path.startswith("/") or system_directory(path):
                raise OperatorError(
                    "allowed_directories names a directory that no app server may have",
                    found=repr(path),
                    wanted="absolute paths, outside of the system's directories",
                    remedy="correct it",
                )
        contradictory = [name for name in ("socket", "config_path") if options.api_only and getattr(options, name)]
        if contradictory:
            raise OperatorError(
                f"{', '.join(contradictory)} and api_only contradict each other",
                remedy="leave one of them out: with api_only no file of the app server is read or written",
            )
        return options

    def api_access(self) -> Optional[ApiAccess]:
        """The access to the REST API; None if none is given.

        :raises OperatorError: it is given in part or wrongly
        """
        if self.api_url:
            from .._server.session import ApiAccess

            return ApiAccess(
                self.api_url,
                self.api_token or "",
                self.api_username or "",
                self.api_password or "",
                self.api_ca_path or "",
                self.api_proxy or "",
            )
        alone = [name for name in NODE_ARGUMENTS if name.startswith("api_") and getattr(self, name)]
        if alone:
            raise OperatorError(
                f"{', '.join(alone)} without api_url", remedy="give the address of the app server's API"
            )
        return None

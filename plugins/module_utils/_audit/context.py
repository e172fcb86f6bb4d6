# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every detector of an audit looks at: the node, what is wanted of it, what was found so far."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence

from .._core.errors import OperatorError
from .._core.server_version import ServerVersion, parse_server_version
from .._directories.directories import Directories, FoundDirectories
from .._host.reading import names_in
from .._node.node import Node
from .._plugins.wanted import WantedPlugin
from .._settings.effective import read_plugin_settings
from .._startup.prepackaged import Prepackaged, PrepackagedBundle
from .._startup.prepackaged_rules import Rules, rules_of
from .findings import Findings

DEFAULT_DATA = "./data"


@dataclass
class AuditContext:
    """One node under audit.

    :param logged_version: of the server, from its log; empty where the log does not name it
    """

    node: Node
    wanted: Sequence[WantedPlugin] = ()
    findings: Findings = field(default_factory=Findings)
    logged_version: str = ""
    _kept: Dict[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> Optional[ServerVersion]:
        """As the server or the operator states it, else from the log of its last start."""
        return self.node.version or (parse_server_version(self.logged_version) if self.logged_version else None)

    @property
    def plugin_settings(self) -> Dict[str, Any]:
        """PluginSettings in effect."""
        if "plugin_settings" not in self._kept:
            self._kept["plugin_settings"] = read_plugin_settings(self.node)
        found: Dict[str, Any] = self._kept["plugin_settings"]
        return found

    @property
    def directories(self) -> FoundDirectories:
        """Both plugin directories as the configuration has them."""
        if "directories" not in self._kept:
            self._kept["directories"] = Directories(self.node, None, None).observe()
        found: FoundDirectories = self._kept["directories"]
        return found

    def section(self, name: str) -> Dict[str, Any]:
        """A section of the configuration in effect, keys in lower case; empty where it cannot be read."""
        try:
            return self.node.section(name) or {}
        except OperatorError:
            return {}

    @property
    def prepackaged(self) -> Dict[str, List[PrepackagedBundle]]:
        """Plugin id -> the bundles that come with the server, the newest first; with digests of the wanted ones."""
        if "prepackaged" not in self._kept:
            self._kept["prepackaged"] = Prepackaged(self.node, None).bundles({plugin.id for plugin in self.wanted})
        found: Dict[str, List[PrepackagedBundle]] = self._kept["prepackaged"]
        return found

    @property
    def prepackaged_rules(self) -> Optional[Rules]:
        """When the server installs prepackaged bundles; None where none come with it in a folder."""
        return rules_of(self.version, self.plugin_settings)

    @property
    def filestore(self) -> Optional[str]:
        """Host path of the server's local file store; None with another driver."""
        settings = self.section("FileSettings")
        if settings.get("drivername", "local") != "local":
            return None
        return self.node.resolve(str(settings.get("directory") or DEFAULT_DATA))

    def real(self, path: str) -> str:
        """Where this process finds a host path, every link followed."""
        return self.node.root.real(self.node.root.resolve(path))

    def names_in(self, path: str) -> List[str]:
        """The sorted names in a directory of the host; none where it is missing or closed."""
        try:
            return names_in(self.real(path))
        except OSError:
            return []

    def join(self, *parts: str) -> str:
        """A host path without ``.`` and ``..``."""
        return posixpath.normpath(posixpath.join(*parts))

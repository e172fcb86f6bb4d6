# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What installers work on: one node, its plugin directory, its store, and the folders that its server installs from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

from .._bundle.store import Store
from .._bundle.tree import DigestCache
from .._node.node import Node
from .._startup.filestore import Filestore
from .._startup.prepackaged import Prepackaged


@dataclass(frozen=True)
class Site:
    """Where a change takes place.

    :param directory: host path of PluginSettings.Directory
    :param store: has the bundles that are to be installed
    :param cache: digests of files that were read before; None: read them again
    :param expected: PluginSettings that the server gets before its plugins change; None: those that it has
    """

    node: Node
    directory: str
    store: Store
    cache: Optional[DigestCache]
    expected: Optional[Mapping[str, Any]]

    def filestore(self) -> Filestore:
        """The folder of the server's filestore, by the configuration of this moment."""
        return Filestore(self.node, self.cache)

    def prepackaged(self) -> Prepackaged:
        """The folder of the bundles that the server brings along."""
        return Prepackaged(self.node, self.cache)

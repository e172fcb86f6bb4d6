# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has of plugins: in its directories, its configuration, its filestore, its running server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Set

from .._bundle.installed import PluginDirectory
from .._startup.filestore import StoredBundle
from .._startup.prepackaged import PrepackagedBundle


@dataclass(frozen=True)
class PluginsFound:
    """What the node has.

    :param states: id -> enabled, as the configuration in effect says
    :param active: id -> version that the server runs now; None where no server can be asked
    :param filestore: id -> bundle that the server installs from its filestore at its next start
    :param prepackaged: id -> bundles that the server brings along, the newest first
    """

    directory: PluginDirectory
    states: Dict[str, bool]
    active: Optional[Dict[str, str]]
    filestore: Dict[str, StoredBundle]
    client_leftovers: Set[str]
    prepackaged: Dict[str, List[PrepackagedBundle]] = field(default_factory=dict)

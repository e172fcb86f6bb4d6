# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every strategy does: bundles from the node's store to where the server takes them, plugins away, states set."""

from __future__ import annotations

import posixpath
from typing import Dict, Mapping, Optional

from .._bundle.installed import Installed
from .._bundle.unpacker import Unpacker
from .._config.source import FILE
from .._core.resource import ensure
from .._node.node import Node
from .._settings.settings import Settings
from .jobs import Work
from .wanted import WantedPlugin


class Installer:
    """One strategy on one node."""

    # Whether a running server takes the change over only when it starts next.
    at_next_start = True

    def how(self, plugin: WantedPlugin, installed: Optional[Installed], stored: bool) -> str:
        """What will be done with the bundle, in words.

        :param stored: the server's filestore has a bundle of this id
        :raises OperatorError: it cannot be done
        """
        raise NotImplementedError

    def check(self, work: Work) -> None:
        """Refuse, before anything changes, what would fail half-way.

        :raises OperatorError: so it would
        """

    def apply(self, work: Work) -> None:
        """Do it, each plugin whole or not at all."""
        raise NotImplementedError


def plugin_directory(node: Node, directory: str) -> Unpacker:
    """What changes the plugin directory itself (a host path)."""
    return Unpacker(node.root.real(node.root.resolve(directory)), node.account)


def remove_directories(unpacker: Unpacker, work: Work) -> None:
    for plugin in work.gone:
        unpacker.remove(posixpath.basename(work.installed[plugin.id].path))


def save_states(node: Node, states: Mapping[str, bool]) -> None:
    """Set states in the configuration, in the file or in the running server."""
    if states:
        settings = Settings(node, {}, dict(states), {})
        current = settings.observe()
        settings.apply(current, settings.compare(current))


def save_state_in_file(node: Node, plugin_id: str, enabled: bool) -> None:
    """For a server that refuses to save a state itself."""
    states: Dict[str, bool] = {plugin_id: enabled}
    ensure(Settings(node, {}, states, {}, via=FILE), check_mode=False)

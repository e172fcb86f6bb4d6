# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every strategy does when it changes a node: bundles to where the server takes them, plugins away, states set."""

from __future__ import annotations

import posixpath
from typing import Mapping

from .._bundle.unpacker import Unpacker
from .._node.node import Node
from .._settings.settings import Settings
from .job import Job
from .site import Site


class Installer:
    """One strategy on one node."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def check(self, job: Job) -> None:
        """Refuse, before anything changes, what would fail half-way. May ask the server.

        :raises OperatorError: it would fail
        """

    def apply(self, job: Job) -> None:
        """Do it, each plugin whole or not at all."""
        raise NotImplementedError


def plugin_directory(site: Site) -> Unpacker:
    """What changes the plugin directory itself."""
    root = site.node.root
    return Unpacker(root.real(root.resolve(site.directory)), site.node.account)


def remove_directories(unpacker: Unpacker, job: Job) -> None:
    """Remove plugins from the plugin directory."""
    for plugin in job.gone:
        unpacker.remove(posixpath.basename(job.found.directory.plugins[plugin.id].path))


def save_states(node: Node, states: Mapping[str, bool]) -> None:
    """Set states in the configuration, in the file or in the running server."""
    if states:
        settings = Settings(node, {}, dict(states), {})
        current = settings.observe()
        settings.apply(current, settings.compare(current))

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy unpack, the change: the unpacked bundle is swapped into the plugin directory."""

from __future__ import annotations

from .installer import Installer, plugin_directory, remove_directories, save_states
from .job import Job


class ByUnpacking(Installer):
    """Changes the plugin directory."""

    def check(self, job: Job) -> None:
        self._site.node.account  # noqa: B018 - the owner of what is unpacked; raises if there is no such account

    def apply(self, job: Job) -> None:
        with plugin_directory(self._site) as unpacker:
            for plugin in job.install:
                unpacker.install(plugin.id, self._site.store.path(plugin.sha256), job.found.tree_of(plugin))
            remove_directories(unpacker, job)
        save_states(self._site.node, job.states)

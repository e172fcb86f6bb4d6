# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy upload, the change: the running server installs the bundle, and runs it at once."""

from __future__ import annotations

import functools

from .installer import Installer
from .job import Job
from .site import Site
from .startup_changes import renew_signatures
from .uploader import Uploader
from .wanted import WantedPlugin


class ByUpload(Installer):
    """Changes the plugins of the running server.

    :param uploader: of the server
    """

    def __init__(self, site: Site, uploader: Uploader) -> None:
        super().__init__(site)
        self._uploader = uploader

    def check(self, job: Job) -> None:
        self._uploader.check_bundles(list(job.install))
        if job.install and self._site.expected is not None:
            self._uploader.check_settings(self._site.expected)
        self._uploader.check_removals([plugin.id for plugin in job.gone])

    def apply(self, job: Job) -> None:
        if job.install:
            self._uploader.check_settings()
        for plugin in job.install:
            replaced = functools.partial(self._bundle_of_installed, plugin, job)
            bundle = self._site.store.path(plugin.sha256)
            self._uploader.install(plugin, bundle, job.is_enabled(plugin), job.is_installed(plugin), replaced)
        for plugin in job.touched:
            self._switch_or_remove(plugin, job)
        self._uploader.wait_active(list(job.running))
        renew_signatures(self._site.filestore(), job.install)

    def _switch_or_remove(self, plugin: WantedPlugin, job: Job) -> None:
        if not plugin.present and job.is_installed(plugin):
            if job.is_enabled(plugin):  # servers before 5.15 leave the state of what they remove
                self._uploader.switch(plugin.id, False)
            self._uploader.remove(plugin.id)
        elif not (plugin in job.install and job.is_enabled(plugin) and plugin.enabled):
            self._uploader.switch(plugin.id, plugin.present and plugin.enabled)

    def _bundle_of_installed(self, plugin: WantedPlugin, job: Job) -> str:
        """Path in the node's store of a bundle of the plugin as it was; empty if there is none."""
        installed = job.found.directory.plugins.get(plugin.id)
        return "" if installed is None else self._site.store.path_of(plugin.id, installed.tree.digest)

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies filestore and prepackaged, the change: the bundle is put into a folder that the server installs from."""

from __future__ import annotations

from typing import Optional

from .._startup.bundle_folder import BundleFolder
from .installer import Installer, plugin_directory, remove_directories, save_states
from .job import Job
from .node_uploader import uploader_of
from .preconditions import refuse_unexecutable
from .site import Site
from .startup_changes import keep_prepackaged
from .uploader import Uploader


class AtNextStart(Installer):
    """Changes one folder.

    :param folder: where bundles are put
    """

    def __init__(self, site: Site, folder: BundleFolder) -> None:
        super().__init__(site)
        self._folder = folder
        # Of the server that runs, which then removes plugins itself; None if none does.
        self._uploader: Optional[Uploader] = uploader_of(site.node)

    def check(self, job: Job) -> None:
        self._site.node.account  # noqa: B018 - the owner of what is stored or removed; raises if there is no such one
        for plugin in job.install:
            refuse_unexecutable(plugin)
        if self._uploader is not None:
            self._uploader.check_removals([plugin.id for plugin in job.gone])

    def apply(self, job: Job) -> None:
        for plugin in job.install:
            self._folder.put(plugin.id, self._site.store.path(plugin.sha256), plugin.detached_signature)
        if self._uploader is not None:
            for plugin in job.gone:
                self._uploader.remove(plugin.id)
        elif job.gone:
            with plugin_directory(self._site) as unpacker:
                remove_directories(unpacker, job)
        save_states(self._site.node, job.states)


class IntoFilestore(AtNextStart):
    """Changes the server's filestore."""

    def __init__(self, site: Site) -> None:
        super().__init__(site, site.filestore())


class IntoPrepackaged(AtNextStart):
    """Changes the folder of the bundles that the server brings along."""

    def __init__(self, site: Site) -> None:
        super().__init__(site, site.prepackaged())

    def apply(self, job: Job) -> None:
        keep_prepackaged(self._site, job.install)
        super().apply(job)

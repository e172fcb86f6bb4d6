# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy upload: the running server installs the bundle, and runs it at once."""

from __future__ import annotations

import functools
from typing import Any, Callable, Mapping, Optional

from .._bundle.installed import Installed
from .installer import Installer
from .jobs import Work
from .uploader import Uploader
from .wanted import WantedPlugin


class ByUpload(Installer):
    """
    :param expected: gives the PluginSettings that the server will have by then; None: not known
    """

    at_next_start = False

    def __init__(self, uploader: Uploader, reason: str, expected: Optional[Callable[[], Mapping[str, Any]]]) -> None:
        self._uploader = uploader
        self._reason = reason
        self._expected = expected

    def how(self, plugin: WantedPlugin, installed: Optional[Installed], stored: bool) -> str:
        return f"upload the bundle with sha256 {plugin.sha256[:12]}: {self._reason}"

    def check(self, work: Work) -> None:
        self._uploader.check_bundles(list(work.install))
        if work.install and self._expected is not None:
            self._uploader.check_settings(self._expected())
        self._uploader.check_removals([plugin.id for plugin in work.gone])

    def apply(self, work: Work) -> None:
        if work.install:
            self._uploader.check_settings()
        for plugin in work.install:
            enabled, present = work.enabled.get(plugin.id, False), plugin.id in work.installed
            kept = functools.partial(work.kept, plugin)
            self._uploader.install(plugin, work.bundle(plugin), enabled, present, kept)
        for plugin in work.touched:
            if not plugin.present and plugin.id in work.installed:
                if work.enabled.get(plugin.id):  # servers before 5.15 leave the state of what they remove
                    self._uploader.switch(plugin.id, False)
                self._uploader.remove(plugin.id)
            elif not (plugin in work.install and work.enabled.get(plugin.id) and plugin.enabled):
                self._uploader.switch(plugin.id, plugin.present and plugin.enabled)
        self._uploader.wait_active(list(work.running))

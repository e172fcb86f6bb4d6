# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install, switch and remove plugins through a running server, and wait until it runs them."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, List, Mapping, Optional

from .._config.document import FoldedMap, section_in
from .._config.plugin_settings import SECTION, STATES, TAKES_UPLOADS, enabled_ids, takes_uploads
from .._core.errors import OperatorError
from .._formats.json_source import kind_of
from .._server import features
from .._server.client import Server
from .._server.errors import PluginNotInstalled, ServerUnreachable, WrongAnswer
from .preconditions import refuse_unexecutable
from .wanted import WantedPlugin

# Seconds. A plugin gets 3 s from the server to start; several start one after another on old servers.
ACTIVATION_TIMEOUT = 30.0
STATE_TIMEOUT = 10.0  # a server that watches its file has read a change within 3 seconds
_POLL = 0.2
_UNKNOWN_CAUSE_REMEDY = "look for the plugin's id in the server's log"
_KNOWN_CAUSE_REMEDY = "fix that, or use another version of the plugin, or set enabled: false"


class Uploader:
    """Changes the plugins of one running server.

    :param clock: seconds, monotonic; with ``pause`` replaceable for tests
    :param save_state: puts a plugin's state (id, enabled) where the server reads it; for a server that refuses to
        save it itself
    :param last_words: for ids of plugins that do not run, why, as the server has logged it
    """

    def __init__(
        self,
        server: Server,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
        save_state: Optional[Callable[[str, bool], None]] = None,
        last_words: Optional[Callable[[List[str]], Mapping[str, str]]] = None,
    ) -> None:
        self._server = server
        self._save_state = save_state
        self._last_words = last_words
        self._clock = clock
        self._pause = pause

    def check_settings(self, expected: Optional[Mapping[str, Any]] = None) -> None:
        """Refuse, before anything changes, what the server would refuse half-way.

        :param expected: PluginSettings that the server will have by then; None: those that it has
        :raises OperatorError: plugins or uploads off, signatures required
        """
        settings = expected or self._settings()
        found = {key: bool(settings.get(key)) for key in TAKES_UPLOADS}
        if not takes_uploads(settings):
            raise OperatorError(
                "the server takes no uploads",
                where=self._server.where,
                found=_spell(found),
                wanted=_spell(TAKES_UPLOADS),
                remedy="set them with mattermost_plugin_settings before",
            )

    def check_bundles(self, plugins: List[WantedPlugin]) -> None:
        """Refuse the bundles that this server would not take, or not run, with any PluginSettings.

        :raises OperatorError: a bundle is too large, or its binaries are not executable
        """
        limited = bool(plugins) and features.UPLOAD_LIMIT.in_version(self._server.version())
        limit = self._section("FileSettings").get("MaxFileSize") if limited else None
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
            raise WrongAnswer("GET /config", self._server.where, f"{kind_of(limit)} as MaxFileSize", "a whole number")
        for plugin in plugins:
            self._check_bundle(plugin, limit)

    def _check_bundle(self, plugin: WantedPlugin, limit: Optional[int]) -> None:
        if limit and plugin.size > limit:
            raise OperatorError(
                f"the bundle of {plugin.id} is larger than the server takes",
                where=self._server.where,
                found=f"{plugin.size} bytes",
                wanted=f"at most FileSettings.MaxFileSize = {limit} bytes",
                remedy="raise FileSettings.MaxFileSize",
            )
        refuse_unexecutable(plugin)

    def check_removals(self, plugin_ids: List[str]) -> None:
        """Refuse what a server that cannot save cannot do: it disables a plugin before it removes it.

        :raises OperatorError: the configuration is read-only over the API
        """
        if plugin_ids and self._save_state is not None:
            raise OperatorError(
                f"the server cannot remove {', '.join(plugin_ids)}: it saves the state of a plugin before it removes "
                "it, and the cluster's configuration is read-only over the API",
                where=self._server.where,
                found="ClusterSettings.Enable=True, ClusterSettings.ReadOnlyConfig=True",
                remedy="keep the plugin in the list with enabled: false, or switch ClusterSettings.ReadOnlyConfig off "
                "for the removal",
            )

    def install(
        self,
        plugin: WantedPlugin,
        bundle: str,
        enabled_now: bool,
        installed_now: bool = True,
        replaced: Callable[[], str] = str,
    ) -> None:
        """Upload a bundle, in place of an installed version if there is one.

        An enabled plugin is disabled before: otherwise a server that cannot start what it is given would forget the
        bundle at its next start. If the bundle is refused, the plugin that is there is enabled again. Servers before
        5.8 replace nothing: there the plugin is removed first, and restored if its new bundle is refused.

        :param replaced: gives the path of a bundle of the plugin as it is; empty if there is none
        """
        if enabled_now and installed_now:
            self.switch(plugin.id, False)
        try:
            replaces = features.FORCED_UPLOAD.in_version(self._server.version())
            if installed_now and not replaces:
                self.remove(plugin.id)
                self._upload_or_restore(bundle, replaced)
            else:
                self._server.upload(bundle, force=replaces)
        except BaseException:
            if enabled_now and installed_now:
                with contextlib.suppress(OperatorError):  # the first error is what the operator must read
                    self.switch(plugin.id, True)
            raise
        if enabled_now and plugin.enabled:
            self.switch(plugin.id, True)

    def _upload_or_restore(self, bundle: str, replaced: Callable[[], str]) -> None:
        """Upload a bundle after its plugin was removed for it.

        :raises OperatorError: the bundle was refused; the message has the state of the plugin
        """
        try:
            self._server.upload(bundle, force=False)
        except OperatorError as error:
            raise OperatorError(
                f"{error.problem}; {self._restore(replaced())}",
                where=error.where,
                found=error.found,
                wanted=error.wanted,
                remedy=error.remedy,
            ) from error

    def _restore(self, bundle: str) -> str:
        before = "this server replaces no plugin, so the version before was removed first"
        if not bundle:
            return f"{before}, and the node's store has no bundle of it: the plugin is gone"
        try:
            self._server.upload(bundle, force=False)
        except OperatorError as error:
            return f"{before}, and it could not be restored: {error.problem}"
        return f"{before}; it was restored"

    def switch(self, plugin_id: str, enabled: bool) -> None:
        """Enable or disable. A plugin that is not installed can be disabled too: it may come back."""
        if self._save_state is not None:
            if enabled and self._is_enabled(plugin_id):  # it does not run: to save the same again would not start it
                self._save_in_file(plugin_id, False, self._save_state)
            self._save_in_file(plugin_id, enabled, self._save_state)
            return
        if enabled:
            self._server.enable(plugin_id)
            return
        try:
            self._server.disable(plugin_id)
        except PluginNotInstalled:
            self._save_disabled(plugin_id)

    def _save_in_file(self, plugin_id: str, enabled: bool, save: Callable[[str, bool], None]) -> None:
        """Save a state for the server, and wait until it works with it: an old one watches its file in its own time."""
        save(plugin_id, enabled)
        deadline = self._clock() + STATE_TIMEOUT
        while not self._has_taken_over(plugin_id, enabled):
            if self._clock() >= deadline:
                raise OperatorError(
                    f"the server does not read the state of {plugin_id} from its configuration file",
                    where=self._server.where,
                    wanted="enabled" if enabled else "disabled",
                    remedy="restart the server, then run again; a variable MM_PLUGINSETTINGS_PLUGINSTATES would "
                    "override the file",
                )
            self._pause(_POLL)

    def _has_taken_over(self, plugin_id: str, enabled: bool) -> bool:
        try:
            return self._is_enabled(plugin_id) == enabled
        except ServerUnreachable:  # servers before 5.0 drop connections while they read their file again
            return False

    def _is_enabled(self, plugin_id: str) -> bool:
        return enabled_ids(self._settings().get(STATES) or {}).get(plugin_id, False)

    def _settings(self) -> FoldedMap:
        return self._section(SECTION)

    def _section(self, name: str) -> FoldedMap:
        """A section of the server's configuration.

        :raises OperatorError: it holds what no server answers
        """
        return section_in(self._server.get_config(), name, f"the configuration that {self._server.where} answers")

    def _save_disabled(self, plugin_id: str) -> None:
        """In the configuration: the server's own route refuses an id that is not installed."""
        states = self._settings().get(STATES) or {}
        changed = {
            key: {**state, "Enable": False}
            for key, state in states.items()
            if key.lower() == plugin_id and (state or {}).get("Enable")
        }
        if changed:  # the whole map: it replaces the server's
            self._server.patch_config({SECTION: {STATES: {**states, **changed}}})

    def remove(self, plugin_id: str) -> None:
        """Remove the plugin with its stored bundle; a plugin that is gone already is no error."""
        with contextlib.suppress(PluginNotInstalled):
            self._server.remove(plugin_id)

    def wait_active(self, plugins: List[WantedPlugin], timeout: float = ACTIVATION_TIMEOUT) -> None:
        """Wait until the server runs each plugin in the wanted version.

        :raises OperatorError: names those that do not run in time, and why, as far as the server has logged it
        """
        deadline = self._clock() + timeout
        while True:
            active = self._server.running()
            missing = [plugin for plugin in plugins if active.get(plugin.id) != plugin.version]
            if not missing:
                return
            if self._clock() >= deadline:
                raise self._not_running({plugin.id: active.get(plugin.id, "inactive") for plugin in missing}, missing)
            self._pause(_POLL)

    def _not_running(self, found: Mapping[str, str], missing: List[WantedPlugin]) -> OperatorError:
        reasons = self._last_words(list(found)) if self._last_words else {}
        why = {plugin_id: f" ({reasons[plugin_id]})" if plugin_id in reasons else "" for plugin_id in found}
        return OperatorError(
            f"Mattermost {self._server.version()} does not run {', '.join(found)}",
            where=self._server.where,
            found=", ".join(f"{plugin_id}: {text}{why[plugin_id]}" for plugin_id, text in found.items()),
            wanted=", ".join(f"{plugin.id}: {plugin.version} active" for plugin in missing),
            remedy=_KNOWN_CAUSE_REMEDY if len(reasons) == len(found) else _UNKNOWN_CAUSE_REMEDY,
        )


def _spell(settings: Mapping[str, bool]) -> str:
    return ", ".join(f"{key}={value}" for key, value in settings.items())

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource "settings": PluginSettings as wanted, in the server's file or through the running server."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .._config.document import ABSENT, ConfigDocument, FoldedMap, same_value
from .._config.plugin_settings import (
    PLUGINS,
    SCALARS,
    SECTION,
    STATES,
    Change,
    changes,
    check_known,
    effective,
    enabled_ids,
    find_key,
    parse_wanted,
)
from .._config.source import FILE, ConfigSource, Override
from .._core.difference import Tracker
from .._core.errors import OperatorError
from .._core.resource import Pending, Resource
from .._core.server_version import ServerVersion
from .._node.node import Node
from .._server.client import SOCKET, Server
from .._startup.signatures import KEY as SIGNED
from .._startup.signatures import refuse_to_lose, stored_unsigned
from . import live_settings
from .channel import (
    API,
    AUTO,
    NAMES,
    choose_channel,
    is_restricted,
    refuse_locked_uploads_switch,
    refuse_restricted_keys,
    reloads,
    watches,
)
from .effective import live_section

_ATTEMPTS = 10  # of writing a file that others write, too
_WATCHER_SECONDS = 10.0  # a server that watches its file has read a change within 3 seconds


@dataclass(frozen=True)
class SettingsFound:
    """What is there.

    :param channel: that was chosen, ``file``, ``socket`` or ``api``
    :param server: the running one on that channel; None where none answers
    :param restricted: its REST API keeps the old value of many keys (ExperimentalSettings.RestrictSystemAdmin)
    :param section: PluginSettings as that channel has them: what is compared
    :param file: PluginSettings in the file that the server reads; None for a database or an unreadable file
    :param live: PluginSettings as the running server returns them; None where none answers
    :param overrides: values from the environment, by key
    :param unsigned: ids of stored bundles without signature, where signatures are about to be required
    """

    channel: str
    server: Optional[Server]
    restricted: bool
    section: FoldedMap
    source: ConfigSource
    version: Optional[ServerVersion]
    file: Optional[FoldedMap]
    live: Optional[FoldedMap]
    overrides: Dict[str, Override]
    unsigned: Sequence[str] = ()

    def effective(self) -> Dict[str, Any]:
        """What the server works with, or will when it starts."""
        section = self.section if self.live is None else self.live
        return effective(section, {name: item.value for name, item in self.overrides.items()}, self.version)


class Settings(Resource[SettingsFound]):
    """PluginSettings hold what is wanted; what is not named is left alone.

    :param settings: key of PluginSettings, in any case, that is no map -> value
    :param states: plugin id -> enabled
    :param plugins: plugin id -> its settings, merged key by key; secrets
    :param channel: one of :data:`CHANNELS`
    :param signatures_follow: ids of plugins that get their signature after the settings, or are removed
    :param backup: copy the file before it is changed
    :raises OperatorError: an unknown key or a value of the wrong type
    """

    name = "settings"

    def __init__(
        self,
        node: Node,
        settings: Mapping[str, Any],
        states: Mapping[str, bool],
        plugins: Mapping[str, Mapping[str, Any]],
        channel: str = AUTO,
        backup: bool = False,
        signatures_follow: Sequence[str] = (),
    ) -> None:
        self._node = node
        self._wanted = parse_wanted(settings, states, plugins)
        self._requested = channel
        self._keep_backup = backup
        self._signatures_follow = signatures_follow
        self._backup_file = ""

    # observe

    def observe(self) -> SettingsFound:
        source, version, server = self._node.config_source, self._node.version, self._server()
        check_known(self._wanted, version)
        config = server.get_config() if server else None
        channel = choose_channel(self._requested, source, version, server, config)
        file = self._file_section(source, must=channel == FILE)
        live = live_section(config, server) if config is not None and server is not None else None
        if channel == FILE:
            section = file
        else:
            section = None if live is None or version is None else live_settings.complete(live, file, version)
        if section is None:
            raise RuntimeError(f"the settings were to be read through the channel {channel}, which has none")
        restricted = is_restricted(config or {})
        overrides = source.overrides_for(version)
        unsigned = stored_unsigned(self._node) if self._requires_signatures(section) else ()
        return SettingsFound(channel, server, restricted, section, source, version, file, live, overrides, unsigned)

    def _requires_signatures(self, section: FoldedMap) -> bool:
        return any(change.key == SIGNED and change.wanted is True for change in self._needed(section))

    def _server(self) -> Optional[Server]:
        """The running server on the requested channel."""
        if self._requested == SOCKET:
            return self._node.socket_server
        if self._node.api_only and self._requested in (AUTO, API):
            return self._node.answering_server()
        return self._node.api_server if self._requested == API else self._node.server

    def _file_section(self, source: ConfigSource, must: bool) -> Optional[FoldedMap]:
        if source.kind != FILE:
            return None
        try:
            return self._node.config.section(SECTION)
        except OperatorError:
            if must:
                raise
            return None  # the socket alone may suffice; where it does not, its error names the file

    # compare

    def compare(self, found: SettingsFound) -> Tracker:
        refuse_to_lose(found.unsigned, self._signatures_follow)
        differences = Tracker()
        action = f"set in {found.source.path}" if found.channel == FILE else f"set through {NAMES[found.channel]}"
        for change in self._changes(found):
            wanted = None if change.wanted is ABSENT else change.wanted
            differences.add(change.name, change.found, wanted, action, change.secret)
        unread = self._unread(found) if self._reloads(found) else []
        if unread:
            differences.add(
                "settings.loaded",
                f"the running server has not read {', '.join(unread)}",
                f"what {found.source.path} holds",
                "let the server reload its configuration",
            )
        return differences

    def _needed(self, section: FoldedMap) -> List[Change]:
        """What must be set in a section so that it is as wanted."""
        return changes(section, self._wanted)

    def _changes(self, found: SettingsFound) -> List[Change]:
        needed = self._needed(found.section)
        if found.channel == FILE:
            return needed
        # The server answers 200 to a change of what the environment decides, and changes nothing.
        needed = [change for change in needed if change.key not in found.overrides]
        if found.version is not None:
            refuse_locked_uploads_switch(found.channel, found.version, needed)
            refuse_restricted_keys(found.channel, found.version, found.restricted, needed)
            live_settings.refuse_loss_of_hidden_settings(found.section, needed, found.file, found.version)
        return needed

    # apply

    def restart_reasons(self, found: SettingsFound, differences: Tracker) -> List[str]:
        if not self._node.running or self._node.api_only:  # whether that one has been restarted cannot be seen
            return []
        reasons = []
        for change in self._changes(found):
            key = find_key(change.key)
            if key is None or not key.restart or key.name in found.overrides:
                continue
            old = key.default if change.found is None else key.normal(change.found)
            if not same_value(old, key.normal(change.wanted)):
                reasons.append(f"{SECTION}.{key.name} changed from {old} to {key.normal(change.wanted)}")
        if found.channel == FILE and not watches(found.version) and not self._reloads(found):
            reasons.append(f"{found.source.path} was changed, and the server reads it when it starts")
        return reasons

    def require_restart(self, reason: str) -> None:
        self._node.require_restart(reason)

    def apply(self, found: SettingsFound, differences: Tracker) -> None:
        if found.channel == FILE:
            self._apply_to_file(found)
        else:
            self._apply_to_server(found)
        self._node.forget()

    @staticmethod
    def _reloads(found: SettingsFound) -> bool:
        return reloads(found.server, found.version, found.restricted)

    def _apply_to_file(self, found: SettingsFound) -> None:
        self._write(found.source.path)
        if self._reloads(found) and found.server is not None:
            # At once: a server that saves its configuration before it has read this writes its old values back.
            found.server.reload_config()

    def _write(self, path: str) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._write_once(path)
                return
            except OSError as error:
                if error.errno != errno.ESTALE or attempt == _ATTEMPTS:
                    raise

    def _write_once(self, path: str) -> None:
        """Edit the file once.

        :raises OSError: ESTALE: somebody else wrote the file meanwhile, it is as they left it
        """
        root = self._node.root
        real = root.real(root.resolve(path))  # what a link points at is replaced, the link stays
        # From the file as it is now: the server or a person may have written it since it was observed.
        with ConfigDocument.edited(real, path) as (document, edit):
            needed = self._needed(document.section(SECTION))
            if not needed:
                return
            if self._keep_backup and not self._backup_file:
                self._backup_file = root.host(edit.backup())
            edit.replace(document.set({change.path: change.wanted for change in needed}).render())

    def _apply_to_server(self, found: SettingsFound) -> None:
        server, version = found.server, found.version
        if server is None:
            raise RuntimeError(f"the settings were to be set through {found.channel}, and no server answers")
        if found.source.kind == FILE and version is not None:
            found = self._take_over_file(found, server, version)
        needed = self._changes(found)
        if not needed:
            return
        server.patch_config({SECTION: live_settings.patch(found.section, needed)})
        self._node.forget()
        left = [change.name for change in self._changes(self.observe())]
        if left:
            raise OperatorError(
                f"the server accepted the change and kept the old value: {', '.join(left)}",
                where=server.where,
                remedy=("ExperimentalSettings.RestrictSystemAdmin keeps it: " if found.restricted else "")
                + "use via: file; if the value is still kept, see the server's log",
            )

    def _take_over_file(self, found: SettingsFound, server: Server, version: ServerVersion) -> SettingsFound:
        """Let the server read its file before it saves: else the save would undo an edit that it has not read."""
        if self._reloads(found):
            server.reload_config()
            self._node.forget()
            return self.observe()
        deadline = time.monotonic() + (_WATCHER_SECONDS if watches(version) else 0.0)
        while True:
            names = self._unread(found)
            if not names:
                return found
            if time.monotonic() >= deadline:
                raise OperatorError(
                    "the file holds changes that the running server has not read; a change through it would write its "
                    "old values over them",
                    where=found.source.path,
                    found=", ".join(names),
                    remedy="restart the server and run again, or use via: file",
                )
            time.sleep(0.2)
            self._node.forget()
            found = self.observe()

    @staticmethod
    def _unread(found: SettingsFound) -> List[str]:
        if found.file is None or found.live is None:
            return []
        return live_settings.unread(found.file, found.live, found.overrides, found.version)

    # pending, warnings, facts

    def pending(self, found: SettingsFound) -> Pending:
        restart = self._node.pending_restart
        names = [] if watches(found.version) else self._unread(found)
        if not names:
            return Pending(restart)
        reason = f"the running server has not read {found.source.path}: {', '.join(names)}"
        return Pending(restart, [reason]) if self._reloads(found) else Pending([*restart, reason])

    def warnings(self, found: SettingsFound) -> List[str]:
        warnings = [
            f"{SECTION}.{name}: a server applies a change when it starts, and its REST API does not tell whether it "
            "has been restarted. Restart it after a change."
            for name in self._wanted.settings
            if self._node.api_only and (key := find_key(name)) is not None and key.restart
        ]
        works_with = found.effective()
        for name, override in found.overrides.items():
            ineffective = self._ineffective(name, works_with.get(name))
            if ineffective:
                warnings.append(
                    f"{override.variable} in {override.origin} overrides {SECTION}.{name}, so this is not in effect: "
                    f"{ineffective}. Remove the variable, or set it to what is wanted, and restart the service."
                )
        return warnings

    def _ineffective(self, name: str, value: Any) -> str:
        """What of the wanted settings an overriding value keeps out of effect, in words; empty if nothing."""
        if name == STATES:
            states = enabled_ids(value)
            wrong = [i for i, enabled in self._wanted.states.items() if states.get(i, False) != enabled]
            return ", ".join(f"{i} {'enabled' if self._wanted.states[i] else 'disabled'}" for i in wrong)
        if name == PLUGINS:
            plugins = FoldedMap(value, PLUGINS)
            return ", ".join(
                f"{plugin_id}.{setting} (values not shown)"
                for plugin_id, settings in self._wanted.plugins.items()
                for setting, wanted in settings.items()
                if not same_value(plugins.below(plugin_id).get(setting), wanted)
            )
        key = find_key(name)
        wanted = self._wanted.settings.get(name)
        if key is None or wanted is None or same_value(key.normal(value), key.normal(wanted)):
            return ""
        return f"wanted {wanted!r}, found {value!r}"

    def facts(self, found: SettingsFound) -> Dict[str, Any]:
        settings = found.effective()
        facts: Dict[str, Any] = {
            "via": found.channel,
            "config": {
                "kind": found.source.kind,
                "path": found.source.path,
                "evidence": found.source.evidence,
            },
            "overridden": [
                {"key": name, "variable": item.variable, "origin": item.origin}
                for name, item in found.overrides.items()
            ],
            "settings": {key.name: settings[key.name] for key in SCALARS if key.name in settings},
            "states": enabled_ids(settings[STATES]),
            "plugins": {plugin_id: sorted(entry or {}) for plugin_id, entry in settings[PLUGINS].items()},
        }
        if self._backup_file:
            facts["backup_file"] = self._backup_file
        return facts

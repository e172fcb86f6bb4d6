# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary of PluginSettings: which keys there are, what they take, and what changes when some are wanted.

The keys, types, defaults and first versions are those of ``PluginSettings`` in the server's model/config.go, 4.4 to 11.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .._core.errors import OperatorError
from .._core.server_version import ServerVersion
from .._server.features import FIRST_RELEASE
from .document import FoldedMap, Path, same_value

SECTION = "PluginSettings"
STATES = "PluginStates"
PLUGINS = "Plugins"
# What a server needs to take uploads.
TAKES_UPLOADS = {"Enable": True, "EnableUploads": True, "RequirePluginSignature": False}

_ID = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Key:
    """One key of PluginSettings.

    :param name: as Mattermost from 6.0 on writes it; read in any case (to 5.x: ``MarketplaceUrl``)
    :param option: the module's option for it
    :param type: ``bool``, ``str``, ``list`` (of strings) or ``map``
    :param default: what the server takes where the key is missing
    :param since: first server version that knows it
    :param restart: a running server does not take a change over, not even by a reload
    :param empty_is_default: the server takes an empty text for the default
    """

    name: str
    option: str
    type: str
    default: Any
    since: ServerVersion = FIRST_RELEASE
    restart: bool = False
    empty_is_default: bool = False

    def normal(self, value: Any) -> Any:
        """The value as the server understands it."""
        return self.default if self.empty_is_default and value == "" else value

    def in_version(self, version: Optional[ServerVersion]) -> bool:
        """Whether a server of this version knows it; where the version is not known, whether current servers do."""
        return version is None or version >= self.since


# In the server's own order of fields.
KEYS: Tuple[Key, ...] = (
    Key("Enable", "enable", "bool", True),
    Key("EnableUploads", "enable_uploads", "bool", False),
    Key("AllowInsecureDownloadURL", "allow_insecure_download_url", "bool", False, ServerVersion(5, 14)),
    Key("EnableHealthCheck", "enable_health_check", "bool", True, ServerVersion(5, 12)),
    Key("Directory", "directory", "str", "./plugins", restart=True, empty_is_default=True),
    Key(
        "ClientDirectory",
        "client_directory",
        "str",
        "./client/plugins",
        ServerVersion(4, 4, 4),
        restart=True,
        empty_is_default=True,
    ),
    Key(PLUGINS, "plugins", "map", {}),
    Key(STATES, "states", "map", {}),
    Key("EnableMarketplace", "enable_marketplace", "bool", True, ServerVersion(5, 16)),
    Key("EnableRemoteMarketplace", "enable_remote_marketplace", "bool", True, ServerVersion(5, 20)),
    Key("AutomaticPrepackagedPlugins", "automatic_prepackaged_plugins", "bool", True, ServerVersion(5, 20)),
    Key("RequirePluginSignature", "require_plugin_signature", "bool", False, ServerVersion(5, 18)),
    Key(
        "MarketplaceURL",
        "marketplace_url",
        "str",
        "https://api.integrations.mattermost.com",
        ServerVersion(5, 16),
        empty_is_default=True,
    ),
    Key("SignaturePublicKeyFiles", "signature_public_key_files", "list", [], ServerVersion(5, 18)),
    Key("ChimeraOAuthProxyURL", "chimera_oauth_proxy_url", "str", "", ServerVersion(6, 0)),
)
_BY_NAME: Dict[str, Key] = {key.name.lower(): key for key in KEYS}
_BY_NAME.update({key.option.replace("_", ""): key for key in KEYS})
SCALARS: Tuple[Key, ...] = tuple(key for key in KEYS if key.type != "map")


def find_key(name: str) -> Optional[Key]:
    """The key of that name, in any case: Mattermost's or the option's."""
    return _BY_NAME.get(name.replace("_", "").lower())


def option_types() -> Dict[str, Dict[str, Any]]:
    """Ansible's argument specification of the options that stand for single keys."""
    elements = {"list": {"elements": "str", "no_log": False}}  # names of public keys are no secret
    return {key.option: {"type": key.type, **elements.get(key.type, {})} for key in SCALARS}


def settings_of(options: Mapping[str, Any]) -> Dict[str, Any]:
    """The settings that a module's options give, singly or in ``settings``; options that are not set are left out.

    :raises OperatorError: a key is given twice
    """
    settings = dict(options.get("settings") or {})
    for key in SCALARS:
        if options.get(key.option) is None:
            continue
        if wanted_value(settings, key.name) is not None:
            raise OperatorError(f"{key.name} is given twice", remedy=f"give it as {key.option} or in settings")
        settings[key.name] = options[key.option]
    return settings


def wanted_value(settings: Mapping[str, Any], name: str) -> Any:
    """The value of the key ``name`` in ``settings``, in any spelling; None if it is missing."""
    return next((value for given, value in settings.items() if find_key(str(given)) == find_key(name)), None)


@dataclass(frozen=True)
class Wanted:
    """What is wanted, in the server's vocabulary. Made by :func:`parse_wanted`.

    :param settings: name of a key that is no map -> value
    :param states: plugin id, lower case -> enabled
    :param plugins: plugin id, lower case -> name of a setting -> value
    """

    settings: Dict[str, Any] = field(default_factory=dict)
    states: Dict[str, bool] = field(default_factory=dict)
    plugins: Dict[str, Dict[str, Any]] = field(default_factory=dict)

    def touched(self) -> List[str]:
        """The names of the keys of PluginSettings that are touched."""
        maps = [(STATES, self.states), (PLUGINS, self.plugins)]
        return [*self.settings, *(name for name, wanted in maps if wanted)]


def parse_wanted(
    settings: Mapping[str, Any], states: Mapping[str, Any], plugins: Mapping[str, Mapping[str, Any]]
) -> Wanted:
    """Check names and types. Values of ``plugins`` never stand in a message.

    :param settings: key in any case -> value
    :raises OperatorError: an unknown key, a wrong type, a key or id twice
    """
    return Wanted(_parse_settings(settings), _parse_states(states), _parse_plugins(plugins))


def check_known(wanted: Wanted, version: Optional[ServerVersion]) -> None:
    """Refuse what the server does not know yet; an unknown version refuses nothing.

    :raises OperatorError: names the key and both versions
    """
    for name in wanted.touched():
        key = _BY_NAME[name.lower()]
        if not key.in_version(version):
            raise OperatorError(
                f"this server does not know the setting {key.name}",
                found=f"server version {version}",
                wanted=f"at least {key.since}",
                remedy=f"leave {key.option} out for this server",
            )


@dataclass(frozen=True)
class Change:
    """One value that is to be set.

    :param name: the difference's name, e.g. ``settings.PluginStates.com.github.x``
    :param path: where it stands in the configuration, from the section on
    """

    name: str
    path: Path
    found: Any
    wanted: Any
    secret: bool = False

    @property
    def key(self) -> str:
        """The key of PluginSettings that it lies in."""
        return self.path[1]


def changes(section: FoldedMap, wanted: Wanted) -> List[Change]:
    """What is to be set in a section so that it has all that is wanted; nothing is ever taken away.

    Ids and the names of settings are compared in any case and keep the spelling that they have.

    :raises OperatorError: the section holds something else in place of a map, or a key twice
    """
    found: List[Change] = []
    for key in SCALARS:
        if key.name in wanted.settings:
            there, want = section.get(key.name), wanted.settings[key.name]
            if not same_value(key.normal(there), key.normal(want)):
                found.append(Change(f"settings.{key.name}", (SECTION, key.name), there, want))
    states = section.below(STATES)
    for plugin_id, enabled in wanted.states.items():
        state = states.below(plugin_id)
        there = state.get("Enable")
        if not same_value(there, enabled):
            path = (SECTION, STATES, states.spelling(plugin_id), state.spelling("Enable"))
            found.append(Change(f"settings.{STATES}.{plugin_id}", path, there, enabled))
    plugins = section.below(PLUGINS)
    for plugin_id, values in wanted.plugins.items():
        settings = plugins.below(plugin_id)
        for name, want in values.items():
            there = settings.get(name)
            if not same_value(there, want):
                path = (SECTION, PLUGINS, plugins.spelling(plugin_id), settings.spelling(name))
                found.append(Change(f"settings.{PLUGINS}.{plugin_id}.{name}", path, there, want, secret=True))
    return found


def effective(
    section: FoldedMap, overrides: Mapping[str, Any], version: Optional[ServerVersion] = None
) -> Dict[str, Any]:
    """The settings that the server works with: the environment first, then the section, then the defaults.

    Keys in the spelling of :data:`KEYS`, those that ``version`` does not know left out; ids in lower case.
    """
    settings: Dict[str, Any] = {}
    for key in KEYS:
        if not key.in_version(version):
            continue
        value = key.normal(overrides[key.name] if key.name in overrides else section.get(key.name))
        if key.type == "map":
            value = {plugin_id.lower(): entry for plugin_id, entry in (value or {}).items()}
        settings[key.name] = copy.deepcopy(key.default if value is None else value)
    return settings


def takes_uploads(settings: Mapping[str, Any]) -> bool:
    """Whether a server with these effective PluginSettings takes uploads."""
    return {key: bool(settings.get(key)) for key in TAKES_UPLOADS} == TAKES_UPLOADS


def enabled_ids(states: Mapping[str, Any]) -> Dict[str, bool]:
    """``PluginStates`` as id, lower case -> enabled."""
    return {
        plugin_id.lower(): FoldedMap(state, plugin_id).get("Enable") is True if isinstance(state, dict) else False
        for plugin_id, state in states.items()
    }


def _parse_settings(settings: Mapping[str, Any]) -> Dict[str, Any]:
    parsed: Dict[str, Any] = {}
    for name, value in settings.items():
        key = find_key(name) if isinstance(name, str) else None
        if key is None:
            raise OperatorError(
                f"PluginSettings has no key {name!r}",
                wanted=f"one of {', '.join(known.name for known in KEYS)}",
                remedy="correct its name; the settings of a single plugin belong under plugins",
            )
        if key.type == "map":
            raise OperatorError(
                f"{key.name} cannot be set as a whole",
                remedy=f"give it as {key.option}, which is merged by plugin id",
            )
        if key.name in parsed:
            raise OperatorError(f"{key.name} is given twice", remedy="give it once")
        _check_type(key, value)
        parsed[key.name] = value
    return parsed


def _check_type(key: Key, value: Any) -> None:
    wanted = {"bool": "true or false", "str": "a text", "list": "a list of texts"}[key.type]
    right = {
        "bool": isinstance(value, bool),
        "str": isinstance(value, str),
        "list": isinstance(value, list) and all(isinstance(item, str) for item in value),
    }[key.type]
    if not right:
        raise OperatorError(
            f"{key.name} has a value of the wrong type",
            found=f"{value!r} ({type(value).__name__})",
            wanted=wanted,
            remedy="correct the value, and mind the quotes",
        )


def _parse_states(states: Mapping[str, Any]) -> Dict[str, bool]:
    parsed: Dict[str, bool] = {}
    for plugin_id, enabled in states.items():
        if not isinstance(enabled, bool):
            raise OperatorError(
                f"the state of the plugin {plugin_id} is neither true nor false",
                found=f"{enabled!r} ({type(enabled).__name__})",
                wanted="true or false",
                remedy=f"write {plugin_id}: true",
            )
        parsed[_parse_id(plugin_id, parsed)] = enabled
    return parsed


def _parse_plugins(plugins: Mapping[str, Mapping[str, Any]]) -> Dict[str, Dict[str, Any]]:
    parsed: Dict[str, Dict[str, Any]] = {}
    for plugin_id, settings in plugins.items():
        if not isinstance(settings, Mapping):
            raise OperatorError(
                f"the settings of the plugin {plugin_id} are no dictionary",
                found=type(settings).__name__,
                wanted="name: value",
                remedy="write them as a dictionary",
            )
        where = f"the wanted settings of the plugin {plugin_id}"
        for name, value in FoldedMap({str(name): value for name, value in settings.items()}, where).items():
            _check_json(f"{plugin_id}.{name}", value)
        parsed[_parse_id(plugin_id, parsed)] = {str(name): value for name, value in settings.items()}
    return parsed


def _parse_id(plugin_id: Any, taken: Mapping[str, Any]) -> str:
    """In lower case, as servers keep ids (to 5.1 because their reader lowers keys, from 5.2 on purpose)."""
    if not isinstance(plugin_id, str) or not _ID.fullmatch(plugin_id):
        raise OperatorError(
            "this is no plugin id",
            found=repr(plugin_id),
            wanted="letters, digits, dot, hyphen and underscore",
            remedy="take the id from the plugin's manifest",
        )
    if plugin_id.lower() in taken:
        raise OperatorError(f"the plugin {plugin_id} is given twice, in another case", remedy="give it once")
    return plugin_id.lower()


def _check_json(name: str, value: Any) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise OperatorError(
            f"the setting {name} cannot be written as JSON",
            wanted="text, number, true, false, null, list or dictionary",
            remedy="correct its value (it is not shown: it may be a secret)",
        ) from None

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.json as the server keeps it: read, filled with defaults, overridden by environment, written back."""

from __future__ import annotations

import copy
import json
import os
import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Set, Tuple

from .config_defaults import KNOWN_SECTIONS, Config, defaults, generate_keys, seeded_states
from .versions import Traits

Listener = Callable[[Config, Config], None]
_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}
_MAPS = ("Plugins", "PluginStates")


class ConfigError(Exception):
    """The configuration cannot be read, is not valid, or cannot be saved."""


class ReadOnlyConfigError(ConfigError):
    """ClusterSettings.Enable together with ReadOnlyConfig."""


class ConfigStore:
    """`base` is what the file says (with defaults), `effective` is that with the environment laid over."""

    def __init__(self, traits: Traits, path: str, environment: Mapping[str, str]) -> None:
        self._traits = traits
        self.path = path
        self._environment = environment
        self.base: Config = {}
        self.effective: Config = {}
        self.overridden: Set[Tuple[str, str]] = set()
        self.listeners: List[Listener] = []
        self._signature: Optional[Tuple[int, int, int]] = None
        # Held while file and memory change, never while listeners run: these have locks of their own.
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read the file (make it if it is missing), fill it, write it back if that changed it, tell the listeners."""
        with self._lock:
            old = self._load()
        self._tell_listeners(old)

    def _load(self) -> Config:
        try:
            with open(self.path, "rb") as stream:
                content: Optional[bytes] = stream.read()
        except FileNotFoundError:
            content = None
        except OSError as error:
            raise ConfigError(f"failed to load config {self.path}: {error}") from error
        document: Any = {}
        if content or (content is not None and not self._traits.empty_file_means_defaults):
            try:
                document = json.loads(content.decode("utf-8"))
            except ValueError as error:
                raise ConfigError(f"failed to parse config {self.path}: {error}") from error
        base = self.complete(document)
        if encode(base) != content:
            self._write(base)
        self._signature = self._stat()
        return self._install(base)

    def complete(self, document: Any) -> Config:
        """The document in the server's spelling and order, filled with defaults; unknown sections are dropped."""
        if not isinstance(document, dict):
            raise ConfigError("json: cannot unmarshal into Go value of type model.Config")
        wanted = defaults(self._traits.version)
        given = {_spelling(name, KNOWN_SECTIONS): value for name, value in document.items()}
        config: Config = {}
        for name in KNOWN_SECTIONS:
            if name not in wanted and name not in given:
                continue
            section = given.get(name)
            config[name] = _complete_section(name, wanted.get(name, {}), {} if section is None else section)
        generate_keys(config)
        self._complete_plugin_maps(config)
        return config

    def _complete_plugin_maps(self, config: Config) -> None:
        settings = config["PluginSettings"]
        if self._traits.lower_cases_map_keys:
            for name in _MAPS:
                settings[name] = {key.lower(): value for key, value in settings[name].items()}
        states = settings["PluginStates"]
        for plugin_id, state in list(states.items()):
            if not isinstance(state, dict):
                raise ConfigError(f"json: cannot unmarshal PluginSettings.PluginStates[{plugin_id}]")
            enable = next((value for key, value in state.items() if key.lower() == "enable"), False)
            states[plugin_id] = {"Enable": bool(enable)}
        diagnostics = bool(config["LogSettings"]["EnableDiagnostics"])
        for plugin_id, enable in seeded_states(self._traits.version, diagnostics).items():
            states.setdefault(plugin_id, {"Enable": enable})
        for name in _MAPS:
            settings[name] = dict(sorted(settings[name].items()))

    def set(self, wanted: Config) -> None:
        """Save a complete effective configuration; keys that the environment overrides stay as the file has them."""
        cluster = self.effective["ClusterSettings"]
        if cluster["Enable"] and cluster["ReadOnlyConfig"]:
            raise ReadOnlyConfigError
        with self._lock:
            base = self.complete(wanted)
            for section, key in self.overridden:
                base[section][key] = copy.deepcopy(self.base[section][key])
            self._write(base)
            self._signature = self._stat()
            old = self._install(base)
        self._tell_listeners(old)

    def changed_on_disk(self) -> bool:
        """True once after each change that this process did not make."""
        with self._lock:
            current = self._stat()
            if current is None or current == self._signature:
                return False
            self._signature = current
            return True

    def normalized_patch(self, document: Any) -> Config:
        """The keys of a partial configuration in the server's spelling, with checked types; nulls are left out."""
        if not isinstance(document, dict):
            raise ConfigError("not an object")
        wanted = defaults(self._traits.version)
        patch: Config = {}
        for name, section in document.items():
            known = _spelling(name, KNOWN_SECTIONS)
            if known not in KNOWN_SECTIONS or section is None:
                continue
            full = _complete_section(known, wanted.get(known, {}), section)
            given = {_spelling(key, list(wanted.get(known, {}))) for key, value in section.items() if value is not None}
            patch[known] = {key: full[key] for key in given if key in full}
        return patch

    def _install(self, base: Config) -> Config:
        """Take a configuration into use; the effective one of before."""
        old = self.effective
        self.base = base
        effective = copy.deepcopy(base)
        overridden = set()
        for name, section in effective.items():
            if name == "PluginSettings" and not self._traits.plugin_env_overrides:
                continue
            for key, value in section.items():
                text = self._environment.get(f"MM_{name}_{key}".upper())
                parsed = None if text is None else self._parse_override(value, text)
                if parsed is not None:
                    section[key] = parsed
                    overridden.add((name, key))
        self.effective, self.overridden = effective, overridden
        return old

    def _tell_listeners(self, old: Config) -> None:
        for listener in self.listeners:
            listener(old, self.effective)

    def _parse_override(self, current: Any, text: str) -> Any:
        """The value in the type of the current one; None if it cannot be read, which leaves the key alone.

        Raises ConfigError where such a value keeps the server from starting.
        """
        if isinstance(current, bool):
            return True if text in _TRUE else False if text in _FALSE else self._bad_override(text)
        if isinstance(current, int):
            try:
                return int(text)
            except ValueError:
                return self._bad_override(text)
        if isinstance(current, list):
            return text.split(" ")
        if isinstance(current, dict):
            if not self._traits.map_env_overrides:
                return self._bad_override(text)
            try:
                parsed = json.loads(text)
            except ValueError:
                return None
            return parsed if isinstance(parsed, dict) else None
        return text

    def _bad_override(self, text: str) -> None:
        if self._traits.bad_overrides_are_fatal:
            raise ConfigError(f"failed to load: failed to unmarshal config with env overrides: {text!r}")

    def _write(self, config: Config) -> None:
        """In place, so that owner and mode of an existing file stay."""
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, self._traits.creates_config_mode)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(encode(config))
        except OSError as error:
            raise ConfigError(f"failed to write config {self.path}: {error.strerror}") from error

    def _stat(self) -> Optional[Tuple[int, int, int]]:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def encode(config: Config) -> bytes:
    """As Go's json.MarshalIndent with four blanks; `<`, `>` and `&` escaped."""
    text = json.dumps(config, indent=4, ensure_ascii=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()


def merge(base: Config, patch: Config, ignore_empty_plugins: bool) -> Config:
    """A patch as the server applies it: scalars, lists and whole maps replace."""
    merged = copy.deepcopy(base)
    for name, section in patch.items():
        for key, value in section.items():
            if ignore_empty_plugins and (name, key) == ("PluginSettings", "Plugins") and not value:
                continue
            merged.setdefault(name, {})[key] = copy.deepcopy(value)
    return merged


def _spelling(name: str, known: Any) -> str:
    """Go matches JSON keys without regard to case."""
    if name in known:
        return name
    return next((candidate for candidate in known if candidate.lower() == name.lower()), name)


def _complete_section(name: str, wanted: Mapping[str, Any], given: Any) -> Dict[str, Any]:
    if not isinstance(given, dict):
        raise ConfigError(f"json: cannot unmarshal into Go struct field Config.{name}")
    found = {_spelling(key, list(wanted)): value for key, value in given.items()}
    section: Dict[str, Any] = {}
    for key, default in wanted.items():
        value = found.pop(key, None)
        if value is None or (value == "" and key in ("Directory", "ClientDirectory")):
            value = copy.deepcopy(default)
        if type(value) is not type(default):
            raise ConfigError(
                f"json: cannot unmarshal {type(value).__name__} into Go struct field {name}.{key} "
                f"of type {type(default).__name__}"
            )
        section[key] = value
    if name != "PluginSettings":
        section.update(found)
    return section

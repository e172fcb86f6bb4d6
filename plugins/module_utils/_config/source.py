# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which configuration a server reads, by its unit's command line and environment, and what the environment overrides.

The command line wins over ``MM_CONFIG`` (from 5.10), that over ``config.json``. A name without a slash in front is
looked up around the working directory and, from 5.8 on, around the executable.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .._core.server_version import ServerVersion
from .._formats.json_reader import parse_json
from .._host.reading import is_directory, is_file
from .._host.root import Root
from .._server import features
from .._services.systemd_unit import Service
from .plugin_settings import KEYS, Key

FILE = "file"
DATABASE = "database"
REMOTE = "api"  # only the running server knows it

_PROGRAMS = ("mattermost", "platform")  # the second to 4.10
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_DSN = re.compile(r"(mysql|postgres|postgresql)://")
_DEFAULT_NAME = "config.json"
_PREFIX = "MM_PLUGINSETTINGS_"
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


@dataclass(frozen=True)
class Override:
    """A variable of the service's environment that overrides a setting.

    :param variable: its name, e.g. ``MM_PLUGINSETTINGS_ENABLEUPLOADS``
    :param value: as the server understands it; for ``Plugins`` it may hold secrets
    :param origin: host path of the file that sets it
    """

    variable: str
    value: Any
    origin: str


@dataclass(frozen=True)
class ConfigSource:
    """Where the configuration comes from.

    :param kind: ``file``, ``database`` or ``api``
    :param path: host path of the file that the server reads, its links not followed; empty if it reads no file
    :param evidence: what shows it, e.g. ``-c /etc/mm.json in /etc/systemd/system/mattermost.service``; never a DSN
    :param overrides: name of a key of PluginSettings -> what the environment puts in its place
    """

    kind: str
    path: str
    evidence: str
    overrides: Dict[str, Override] = field(default_factory=dict)

    def overrides_for(self, version: Optional[ServerVersion]) -> Dict[str, Override]:
        """Those that a server of this version reads; all of them if the version is not known."""
        return {
            name: override
            for name, override in self.overrides.items()
            if any(key.name == name and _reads_override(key, version) for key in KEYS)
        }


def find_config_source(
    service: Service,
    install_dir: str,
    working_directory: str,
    root: Root,
    version: Optional[ServerVersion],
) -> ConfigSource:
    """What the service's server reads its configuration from.

    :param working_directory: the one that the service will have; host path
    :param version: None is taken for a current one
    """
    _assignments, program, arguments = _split_command(service.exec_start)
    environment = server_environment(service)
    overrides = _overrides(environment, service, version)
    name, evidence = _name_and_evidence(arguments, environment, service, version)
    if _DSN.match(name):
        return ConfigSource(DATABASE, "", evidence, overrides)
    executable = program if program.startswith("/") else posixpath.join(install_dir, "bin", "mattermost")
    path = _locate(name, working_directory, executable, install_dir, root, version)
    return ConfigSource(FILE, path, evidence, overrides)


def server_environment(service: Service) -> Dict[str, str]:
    """The environment of the server's process, ``env NAME=value …`` before its program included; names in upper case,
    since the server reads them in any.
    """
    assignments, _program, _arguments = _split_command(service.exec_start)
    return {name.upper(): value for name, value in {**service.environment, **assignments}.items()}


def is_true(value: Any) -> bool:
    """As the server reads a flag, from JSON or the environment."""
    return str(value) in _TRUE


def _split_command(exec_start: Sequence[str]) -> Tuple[Dict[str, str], str, List[str]]:
    """Assignments before the server's program (``env NAME=value …``), the program, its arguments.

    A wrapper's own options are not the server's: ``sh -c …`` has nothing to do with a configuration.
    """
    assignments: Dict[str, str] = {}
    for index, word in enumerate(exec_start):
        if posixpath.basename(word) in _PROGRAMS:
            return assignments, word, list(exec_start[index + 1 :])
        if _ASSIGNMENT.match(word):
            variable, _separator, value = word.partition("=")
            assignments[variable] = value
    return {}, "", []


def _name_and_evidence(
    arguments: Sequence[str], environment: Dict[str, str], service: Service, version: Optional[ServerVersion]
) -> Tuple[str, str]:
    flag = _config_flag(arguments)
    if flag is not None:
        option, name = flag
        return name, f"{option} {_shown(name)} in {_command_origin(service)}"
    name = environment.get("MM_CONFIG", "")
    if name and features.MM_CONFIG.in_version(version):
        return name, f"MM_CONFIG={_shown(name)} in {_variable_origin('MM_CONFIG', service)}"
    return _DEFAULT_NAME, "default: neither -c nor MM_CONFIG is given"


def _config_flag(arguments: Sequence[str]) -> Optional[Tuple[str, str]]:
    """The last ``-c``/``--config`` and its value, in every spelling."""
    found = None
    words = iter(arguments)
    for word in words:
        if word == "--":
            break
        if word in ("-c", "--config", "-config"):
            found = (word, next(words, ""))
            continue
        for start in ("--config=", "-config=", "-c=", "-c"):
            if word.startswith(start):
                found = (start.rstrip("="), word[len(start) :])
                break
    return found if found and found[1] else None


def _shown(name: str) -> str:
    """A DSN holds a password: only its scheme is shown."""
    match = _DSN.match(name)
    return f"{match.group()}…" if match else name


def _command_origin(service: Service) -> str:
    # Which of the files sets ExecStart= is not known here: the unit and its drop-ins are named.
    return ", ".join(path for path in (service.fragment, *service.drop_ins) if path) or service.name


def _variable_origin(variable: str, service: Service) -> str:
    origin = {name.upper(): path for name, path in service.environment_origin.items()}.get(variable, "")
    if not origin:
        return _command_origin(service)
    is_unit = origin == service.fragment or origin in service.drop_ins
    return origin if is_unit else f"{origin} (EnvironmentFile)"


def _locate(
    name: str, working_directory: str, executable: str, install_dir: str, root: Root, version: Optional[ServerVersion]
) -> str:
    if name.startswith("/"):
        return posixpath.normpath(name)
    if not features.CONFIG_BESIDE_EXECUTABLE.in_version(version):
        near = [posixpath.join(working_directory, up) for up in ("config", "../config", "../../config", ".")]
        places = [posixpath.normpath(posixpath.join(place, name)) for place in near]
        return next((place for place in places if _is_file(place, root)), posixpath.join(install_dir, "config", name))
    bases = [working_directory, posixpath.dirname(root.resolve(executable))]
    parents = [
        posixpath.normpath(posixpath.join(base, up)) for base in bases for up in (".", "..", "../..", "../../..")
    ]
    places = [posixpath.join(parent, "config", name) for parent in parents]
    places += [posixpath.join(base, name) for base in bases]
    found = next((place for place in places if _is_file(place, root)), None)
    if found is None:
        # The server makes the file in the first config/ that it finds.
        folders = [posixpath.join(parent, "config") for parent in parents]
        found = posixpath.join(
            next((folder for folder in folders if _is_directory(folder, root)), posixpath.join(install_dir, "config")),
            name,
        )
    return posixpath.normpath(found)


def _is_file(path: str, root: Root) -> bool:
    return is_file(root.real(root.resolve(path)))


def _is_directory(path: str, root: Root) -> bool:
    return is_directory(root.real(root.resolve(path)))


def _overrides(environment: Dict[str, str], service: Service, version: Optional[ServerVersion]) -> Dict[str, Override]:
    found: Dict[str, Override] = {}
    for key in KEYS:
        variable = _PREFIX + key.name.upper()
        if variable in environment and _reads_override(key, version):
            value = _understood(key, environment[variable])
            if value is not None:
                found[key.name] = Override(variable, value, _variable_origin(variable, service))
    return found


def _reads_override(key: Key, version: Optional[ServerVersion]) -> bool:
    overrides = features.OVERRIDES_OF_MAPS if key.type == "map" else features.OVERRIDES
    return key.in_version(version) and overrides.in_version(version)


def _understood(key: Key, text: str) -> Any:
    """The value that the server reads from a text; None if it silently ignores the text."""
    if key.type == "bool":
        return True if text in _TRUE else False if text in _FALSE else None
    if key.type == "list":
        return text.split(" ")
    if key.type == "map":
        try:
            value = parse_json(text)
        except ValueError:
            return None
        # Each entry is an object to the server: where one is not, it ignores the whole variable.
        is_map = isinstance(value, dict) and all(entry is None or isinstance(entry, dict) for entry in value.values())
        return value if is_map else None
    return text

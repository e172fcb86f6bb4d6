# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plugins lie in a server's plugin directory, as the server would see them."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional

from .._core.errors import OperatorError
from .._host.reading import exists, open_at, open_directory, read_file, read_open
from .._host.root import Root
from .manifest import MANIFEST_LIMIT, MANIFEST_NAMES, Manifest, parse_manifest
from .tree import MARKER, DigestCache, Tree, read_tree


@dataclass(frozen=True)
class Installed:
    """One unpacked plugin.

    :param path: host path of its directory
    :param managed: the server installed it from its filestore and replaces it at its next start
    """

    id: str
    version: str
    path: str
    tree: Tree
    managed: bool


@dataclass(frozen=True)
class PluginDirectory:
    """What was found in the plugin directory.

    :param plugins: by manifest id
    :param duplicates: id -> host paths of the directories that all hold it
    :param unreadable: host path -> why the server skips this directory
    """

    plugins: Dict[str, Installed]
    duplicates: Dict[str, List[str]]
    unreadable: Dict[str, str]


def scan_plugins(directory: str, root: Root, cache: Optional[DigestCache]) -> PluginDirectory:
    """Read the plugin directory as a server does: real directories, one level deep, no dot names, no links.

    :param directory: host path of PluginSettings.Directory
    :raises OperatorError: this process may not read it, or something in it; what the server skips is no error
    """
    real = root.real(root.resolve(directory))
    with _readable(real, root):
        return _scan(real, directory, cache)


@contextlib.contextmanager
def _readable(real: str, root: Root) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise OperatorError(
            "the plugin directory cannot be read",
            where=root.host(os.fsdecode(error.filename or real)),
            found=error.strerror or str(error),
            remedy="run as root (become: true), or as the service's user",
        ) from error


def find_plugins(directory: str, root: Root) -> Dict[str, Manifest]:
    """Host path of each plugin -> its manifest, without reading its other files.

    :raises OperatorError: as :func:`scan_plugins`
    """
    real = root.real(root.resolve(directory))
    with _readable(real, root):
        return _manifests(real, directory, {})


def _manifests(real: str, directory: str, unreadable: Dict[str, str]) -> Dict[str, Manifest]:
    """Host path -> manifest. What a server would skip goes into ``unreadable``, with the reason."""
    found = {}
    for name in _candidates(real):
        path = os.path.join(directory, name)
        try:
            found[path] = read_manifest(os.path.join(real, name), path)
        except OperatorError as error:
            unreadable[path] = str(error)
    return found


def _scan(real: str, directory: str, cache: Optional[DigestCache]) -> PluginDirectory:
    found: Dict[str, Installed] = {}
    places: Dict[str, List[str]] = {}
    unreadable: Dict[str, str] = {}
    for path, manifest in _manifests(real, directory, unreadable).items():
        name = os.path.basename(path)
        try:
            tree = read_tree(os.path.join(real, name), cache)
        except FileNotFoundError:  # a running server replaces it at this moment
            continue
        places.setdefault(manifest.id, []).append(path)
        found[manifest.id] = Installed(
            id=manifest.id,
            version=manifest.version,
            path=path,
            tree=tree,
            managed=exists(os.path.join(real, name, MARKER)),
        )
    duplicates = {plugin_id: paths for plugin_id, paths in places.items() if len(paths) > 1}
    return PluginDirectory(found, duplicates, unreadable)


def read_manifest(real: str, path: str) -> Manifest:
    """The manifest of an unpacked plugin; the first that exists counts, YAML before JSON.

    :param real: where this process finds the plugin's directory
    :param path: how messages name it
    :raises OperatorError: there is none that a server could read
    :raises PermissionError: a server might read it, this process may not
    """
    with open_directory(real) as handle:
        for name in MANIFEST_NAMES:
            try:
                data = _read_in(handle, name, os.path.join(real, name))
            except FileNotFoundError:
                continue
            except PermissionError:
                raise
            except OSError as error:
                raise OperatorError(
                    "the plugin's manifest cannot be read",
                    where=os.path.join(path, name),
                    found=error.strerror or str(error),
                ) from error
            return parse_manifest(name, data)
    raise OperatorError("no plugin manifest", where=path, wanted=" or ".join(MANIFEST_NAMES))


def _read_in(directory: int, name: str, real: str) -> bytes:
    if stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        return read_file(real, MANIFEST_LIMIT)  # a link of root's is followed, as the server does
    with open_at(directory, name, real) as source:
        return read_open(source, MANIFEST_LIMIT, real)


def _candidates(real: str) -> List[str]:
    try:
        with open_directory(real) as handle, os.scandir(handle) as entries:
            return sorted(
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            )
    except (FileNotFoundError, NotADirectoryError):  # the directories' resource reports it
        return []

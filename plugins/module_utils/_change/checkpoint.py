# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints: what a node ran before each change, as files in its state directory, and which of them to restore."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Collection, Dict, List, Optional, Sequence

from .._config.document import same_value
from .._core.errors import OperatorError
from .._formats.json_reader import parse_json
from .._host.directories import make_directories, make_directory
from .._host.reading import OWN_RECORD_LIMIT, names_in, read_file
from .._host.writing import fsync_directory, unlink, write_atomic

DIRECTORY = "checkpoints"
_FORMAT = 1
_FILE = re.compile(r"([0-9]{6})-(.+)\.json")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600  # it holds the secrets of plugins' settings

# How a plugin was installed; the words stand in checkpoints.
UNPACKED, MARKED, FILESTORE = "unpacked", "marked", "filestore"


@dataclass(frozen=True)
class RecordedPlugin:
    """One plugin as it was when the checkpoint was taken.

    :param tree: digest of its files
    :param how: ``unpacked``, ``filestore`` (the server has its bundle in the filestore) or ``marked`` (by a server
        to 10.x as its own, without a bundle there: prepackaged)
    :param sha256: of a bundle that unpacks to these files; empty if none was needed
    :param signature: of that bundle, base64; empty if none is known
    :param ran: whether the server ran it; None: not known
    """

    version: str
    tree: str
    enabled: bool
    how: str
    sha256: str = ""
    signature: str = ""
    ran: Optional[bool] = None

    def is_same(self, other: Optional[RecordedPlugin]) -> bool:
        """Whether version, files and state are the same."""
        mine = (self.version, self.tree, self.enabled)
        return other is not None and mine == (other.version, other.tree, other.enabled)


@dataclass(frozen=True)
class RecordedBundle:
    """One bundle that came with the server, as it was when the checkpoint was taken.

    :param id: of the plugin
    :param sha256: empty if no change was to replace or remove it
    :param signature: base64; empty if there was none
    """

    id: str
    version: str
    sha256: str = ""
    signature: str = ""

    def is_same(self, other: RecordedBundle) -> bool:
        """Whether it is the same bundle, as far as that is known."""
        known = self.sha256 and other.sha256
        return (self.id, self.version) == (other.id, other.version) and (not known or self == other)


@dataclass(frozen=True)
class State:
    """What a node runs.

    :param plugins: by id
    :param settings: PluginSettings as the configuration has them; secrets
    :param drop_in: our drop-in of the service; None if there is none
    :param prepackaged: the bundles that came with the server, by file name
    """

    plugins: Dict[str, RecordedPlugin]
    settings: Dict[str, Any] = field(repr=False)
    drop_in: Optional[str] = None
    prepackaged: Dict[str, RecordedBundle] = field(default_factory=dict)

    def is_same(self, other: State) -> bool:
        """Whether a node that runs one runs the other."""
        plugins = self.plugins.keys() == other.plugins.keys() and all(
            plugin.is_same(other.plugins[plugin_id]) for plugin_id, plugin in self.plugins.items()
        )
        prepackaged = self.prepackaged.keys() == other.prepackaged.keys() and all(
            bundle.is_same(other.prepackaged[name]) for name, bundle in self.prepackaged.items()
        )
        return plugins and prepackaged and same_value(self.settings, other.settings) and self.drop_in == other.drop_in


@dataclass(frozen=True)
class Checkpoint:
    """What a node ran before a change.

    :param number: counts the node's checkpoints; clocks may be set back, this only rises
    :param taken: when, UTC, for people
    :param change: stands for what the change wanted; checkpoints with the same one belong to one change that took
        several runs. A secret may be in it, as a digest
    :param reverts: name of the checkpoint that the change restored; empty: it was no rollback
    :param reverted: the ids that were restored; None: the whole node
    """

    number: int
    name: str
    taken: str
    state: State
    change: str = field(default="", repr=False)
    reverts: str = ""
    reverted: Optional[List[str]] = None

    def facts(self) -> Dict[str, Any]:
        """What may be shown of it."""
        return {
            "name": self.name,
            "taken": self.taken,
            "rollback_to": self.reverts or None,
            "plugins": {plugin_id: plugin.version for plugin_id, plugin in sorted(self.state.plugins.items())},
        }


class Checkpoints:
    """The checkpoints of a node.

    :param directory: real path; made when the first one is taken
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def list(self) -> List[Checkpoint]:
        """All of them, the oldest first.

        :raises OperatorError: one cannot be read
        """
        try:
            names = names_in(self._directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OperatorError(
                "the checkpoints of this node cannot be read",
                where=self._directory,
                found=error.strerror or str(error),
                remedy="run as root (become)",
            ) from error
        return [self._read(name) for name in sorted(names) if _FILE.fullmatch(name)]

    def _read(self, file_name: str) -> Checkpoint:
        path = os.path.join(self._directory, file_name)
        try:
            return _parsed(parse_json(read_file(path, OWN_RECORD_LIMIT)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            what = error.strerror if isinstance(error, OSError) else type(error).__name__  # a value may be a secret
            raise OperatorError(
                "this checkpoint cannot be read",
                where=path,
                found=str(what),
                remedy="run as root (become); if the file is damaged, remove it",
            ) from error

    def write(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint.

        :raises OperatorError: it cannot be written; nothing was changed
        """
        content = {"format": _FORMAT, **asdict(checkpoint)}
        data = json.dumps(content, indent=1).encode("ascii")
        try:
            make_directories(os.path.dirname(self._directory))
            with contextlib.suppress(FileExistsError):
                make_directory(self._directory, _DIRECTORY_MODE)
            write_atomic(self._path(checkpoint), data, mode=_FILE_MODE)
        except OSError as error:
            raise OperatorError(
                "the checkpoint cannot be written, so nothing was changed",
                where=self._directory,
                found=error.strerror or str(error),
                remedy="check free space and write permission there",
            ) from error

    def remove(self, checkpoint: Checkpoint) -> None:
        """Remove a checkpoint; one that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            unlink(self._path(checkpoint))
            fsync_directory(self._directory)

    def _path(self, checkpoint: Checkpoint) -> str:
        return os.path.join(self._directory, f"{checkpoint.number:06d}-{checkpoint.name}.json")


def _parsed(content: Dict[str, Any]) -> Checkpoint:
    if content.pop("format") != _FORMAT:
        raise ValueError("another format")
    state = content.pop("state")
    plugins = {plugin_id: RecordedPlugin(**plugin) for plugin_id, plugin in state.pop("plugins").items()}
    # Checkpoints of the first releases do not have them.
    prepackaged = {name: RecordedBundle(**bundle) for name, bundle in state.pop("prepackaged", {}).items()}
    return Checkpoint(state=State(plugins=plugins, prepackaged=prepackaged, **state), **content)


def check_name(name: str) -> str:
    """The name, which becomes part of a file name.

    :raises OperatorError: it cannot be one
    """
    if not _NAME.fullmatch(name):
        raise OperatorError(
            "this cannot be the name of a checkpoint",
            found=repr(name[:200]),
            wanted="letters, digits, dot, hyphen and underscore, at most 100",
            remedy="correct it, or leave it out: the time is the default",
        )
    return name


def new_name(taken: Collection[str]) -> str:
    """The time, in UTC; a number is added if that name is taken."""
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    more = (f"{name}.{number}" for number in range(2, len(taken) + 3))
    return next(candidate for candidate in (name, *more) if candidate not in taken)


def find(checkpoints: Sequence[Checkpoint], name: str) -> Checkpoint:
    """The checkpoint of that name.

    :raises OperatorError: there is none; the error lists the names of all
    """
    found = [checkpoint for checkpoint in checkpoints if checkpoint.name == name]
    if not found:
        raise OperatorError(
            f"this node has no checkpoint {name}",
            found=", ".join(checkpoint.name for checkpoint in checkpoints) or "none at all",
            remedy="name one of these; a node has one only of the runs that changed it",
        )
    return found[-1]


def previous(checkpoints: Sequence[Checkpoint], now: State, only: Optional[Collection[str]]) -> Checkpoint:
    """The checkpoint to restore if none is named: what the node ran before its last change.

    A change that took several runs is one change. A rollback is none: after it the state before the same change is
    still the one to restore, so that a rollback that was interrupted is finished by the next one, and after a complete
    one there is nothing to do.

    :param now: what the node runs
    :param only: ids; then it is the last change of one of these
    :raises OperatorError: there is none
    """
    at = len(checkpoints) - 1
    while at >= 0:
        last = checkpoints[at]
        if last.reverts:
            # A rollback of other plugins does not matter here.
            if last.reverted is None or (only is not None and set(only) & set(last.reverted)):
                return find(checkpoints, last.reverts)
            at -= 1
            continue
        at = _start_of_change(checkpoints, at)
        if only is None or _differs(checkpoints[at].state, now, only):
            return checkpoints[at]
        at -= 1
    raise OperatorError(
        "this node has no checkpoint of a change" + (f" of {', '.join(sorted(only))}" if only else ""),
        found=", ".join(checkpoint.name for checkpoint in checkpoints) or "none at all",
        remedy="name a checkpoint, or put the wanted versions into the list of plugins and run site.yml",
    )


def _start_of_change(checkpoints: Sequence[Checkpoint], at: int) -> int:
    """Where the change begins that the checkpoint at this place belongs to."""
    change = checkpoints[at].change
    while at > 0 and not checkpoints[at - 1].reverts and checkpoints[at - 1].change == change:
        at -= 1
    return at


def _differs(recorded: State, now: State, only: Collection[str]) -> bool:
    for plugin_id in only:
        plugin, current = recorded.plugins.get(plugin_id), now.plugins.get(plugin_id)
        if (plugin is None) != (current is None) or (plugin is not None and not plugin.is_same(current)):
            return True
    return False


def outdated(checkpoints: Sequence[Checkpoint], keep: int) -> List[Checkpoint]:
    """Those that may be removed: not of the last ``keep``, and not needed to roll back the last change.

    :param keep: at least 1
    """
    kept = list(checkpoints[-keep:])
    names = {checkpoint.reverts for checkpoint in kept if checkpoint.reverts}
    changes = [at for at, checkpoint in enumerate(checkpoints) if not checkpoint.reverts]
    if changes:
        names.add(checkpoints[_start_of_change(checkpoints, changes[-1])].name)
    return [item for item in checkpoints if item not in kept and item.name not in names]

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plugin directories of a node: they exist, and the service account can really write in them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .._core.blocker import Blocker
from .._core.difference import Tracker
from .._core.errors import OperatorError
from .._core.resource import Pending, Resource
from .._host.access import ALL, SEARCH, ask, attempt_write, mode_grants
from .._host.account import Account
from .._host.accounts import can_switch, owner_name
from .._host.attributes import change_flags
from .._host.directories import make_directory, make_whole_directory
from .._host.path_walk import PathWalk, walk
from .._host.reading import open_directory
from .._node.node import Node
from .._node.territory import Territory
from .._settings.effective import read_plugin_settings
from .blockers import find_blockers, unexplained, unlisted
from .content import Content, fix_content, scan_content
from .plan import CONTENT, CREATE, MODE, OWNER, Change, WantedDirectory, octal, plan

DIRECTORY, CLIENT_DIRECTORY = "Directory", "ClientDirectory"
DEFAULTS = {DIRECTORY: "./plugins", CLIENT_DIRECTORY: "./client/plugins"}
DEFAULT_MODE = "0755"
_REASON = "plugin directories changed: "


@dataclass(frozen=True)
class FoundDirectory:
    """One of the two directories.

    :param setting: ``Directory`` or ``ClientDirectory``
    :param owner: ``user:group``, empty where the directory is missing
    :param writable: the account can create and remove entries in it, as it is now
    :param blockers: what no change of owner or mode can fix
    """

    setting: str
    path_walk: PathWalk
    owner: str
    writable: bool
    blockers: Tuple[Blocker, ...]
    changes: Tuple[Change, ...]

    def fatal(self) -> List[Blocker]:
        """The blockers that forbid every change."""
        return [blocker for blocker in self.blockers if blocker.fatal]


@dataclass(frozen=True)
class FoundDirectories:
    """Both directories, and the account that needs them."""

    account: Account
    directories: Tuple[FoundDirectory, ...]

    def changes(self) -> List[Change]:
        """Every change once, in order: both directories may need the same parent."""
        by_name: Dict[str, Change] = {}
        for directory in self.directories:
            for change in directory.changes:
                by_name.setdefault(change.name, change)
        return list(by_name.values())


class Directories(Resource[FoundDirectories]):
    """``Directory`` and ``ClientDirectory`` exist, belong to the service account and can be written by it.

    The proof has two parts. :meth:`observe` asks the kernel as the account (access(2)) and writes nothing: it serves
    check mode and plan. :meth:`prove` creates and removes a file as the account; :meth:`apply` ends with it.

    :param directory: as in PluginSettings; None or empty for the value of the server's configuration
    :param client_directory: likewise
    :param mode: octal, of both directories and of parents that must be made
    :raises OperatorError: the mode is no mode, or locks the owner out
    """

    name = "directories"

    def __init__(
        self, node: Node, directory: Optional[str], client_directory: Optional[str], mode: str = DEFAULT_MODE
    ) -> None:
        self._node = node
        self._wanted = {DIRECTORY: directory, CLIENT_DIRECTORY: client_directory}
        self._mode = parse_mode(mode)

    def observe(self) -> FoundDirectories:
        """Both directories, and what blocks the account there.

        :raises OperatorError: both settings name one directory, or the account or configuration cannot be found
        """
        paths = self.paths()  # an audit observes the same directories again
        return self._node.once(f"directories {paths} {self._mode:o}", lambda: self._observe(paths))

    def _observe(self, paths: Dict[str, str]) -> FoundDirectories:
        path_walks = {setting: walk(self._node.root, path) for setting, path in paths.items()}
        if len({path_walk.end for path_walk in path_walks.values()}) == 1:
            raise OperatorError(
                "Directory and ClientDirectory are the same directory; the server would delete plugins there when it "
                "renews their web parts",
                where=path_walks[DIRECTORY].end,
                remedy=f"set them apart, for example to {DEFAULTS[DIRECTORY]} and {DEFAULTS[CLIENT_DIRECTORY]}",
            )
        account = self._node.account
        wanted = WantedDirectory(account, self._mode, self._territory(path_walks), os.geteuid())
        return FoundDirectories(
            account, tuple(self._look(setting, path_walk, wanted) for setting, path_walk in path_walks.items())
        )

    def _territory(self, path_walks: Mapping[str, PathWalk]) -> Territory:
        """The bounds, with the paths that options name; those that only the configuration has do not widen them."""
        known = self._node.territory
        named = (
            path_walk.end
            for setting, path_walk in path_walks.items()
            if self._wanted[setting] and not path_walk.blocked
        )
        return replace(known, named=(*known.named, *named))

    def compare(self, found: FoundDirectories) -> Tracker:
        """What differs.

        :raises OperatorError: a blocker that no change of owner or mode can fix; ``found`` and
            :meth:`facts` name it too
        """
        self._refuse(found)
        tracker = Tracker()
        for change in found.changes():
            tracker.add(change.name, change.found, change.wanted, change.action)
        return tracker

    def restart_reasons(self, found: FoundDirectories, differences: Tracker) -> List[str]:
        """A server whose plugin start-up failed on the directories does not try again by itself."""
        changes = [change for change in self._changes(found, differences) if change.serves]
        reason = _REASON + ", ".join(sorted({change.path for change in changes}))
        recorded = reason in self._node.pending_restart
        return [reason] if changes and self._node.running and not recorded else []

    def require_restart(self, reason: str) -> None:
        self._node.require_restart(reason)

    def apply(self, found: FoundDirectories, differences: Tracker) -> None:
        for change in self._changes(found, differences):
            self._make(change, found.account)
        self._node.forget()
        self.prove()

    def prove(self) -> None:
        """Create and remove a file in each directory as the account. For real runs only: it writes.

        :raises OperatorError: the account cannot
        """
        account = self._node.account
        if can_switch(account):
            for path in self.paths().values():
                attempt_write(account, self._node.root, self._node.root.resolve(path))

    def pending(self, found: FoundDirectories) -> Pending:
        """A restart that was recorded at a change, or that is needed because plugin start-up failed."""
        reasons = [reason for reason in self._node.pending_restart if reason.startswith(_REASON)]
        to_change = any(change.serves for change in found.changes())  # which gives a reason of its own
        if not reasons and not to_change and self._start_up_failed():
            reasons.append("plugins are enabled, but the running server's plugin system is off")
        return Pending(restart=reasons)

    def facts(self, found: FoundDirectories) -> Dict[str, Any]:
        return {directory.setting: _facts(directory) for directory in found.directories}

    def warnings(self, found: FoundDirectories) -> List[str]:
        texts = [
            f"{directory.setting}: {blocker.path}: {blocker.evidence}. What to do: {blocker.remedy}."
            for directory in found.directories
            for blocker in directory.blockers
            if not blocker.fatal
        ]
        if not can_switch(found.account):
            texts.append(
                f"only root can try as user {found.account.name} whether it can write in the plugin directories; "
                "owner and mode were looked at, ACLs were not"
            )
        return texts

    def paths(self) -> Dict[str, str]:
        """Setting -> absolute host path, links not followed."""
        wanted = dict(self._wanted)
        if not all(wanted.values()):
            configured = read_plugin_settings(self._node)
            wanted = {setting: wanted[setting] or configured.get(setting) for setting in wanted}
        return {setting: self._node.resolve(wanted[setting] or DEFAULTS[setting]) for setting in wanted}

    def _start_up_failed(self) -> bool:
        is_off = self._node.running and self._node.plugin_system == "off"
        return is_off and bool(read_plugin_settings(self._node)["Enable"])

    def _look(self, setting: str, path_walk: PathWalk, wanted: WantedDirectory) -> FoundDirectory:
        root = self._node.root
        if path_walk.blocked:
            return FoundDirectory(setting, path_walk, "", False, (path_walk.blocked,), ())
        claim = wanted.territory.blocker(f"PluginSettings.{setting}", path_walk.path, path_walk.end)
        if claim:
            return FoundDirectory(setting, path_walk, "", False, (claim,), ())
        questions = [(step, SEARCH) for step in path_walk.steps]
        if path_walk.last:
            questions.append((path_walk.last, ALL))
        if can_switch(wanted.account):
            answers = ask(wanted.account, root, questions)
        else:
            answers = [mode_grants(step, wanted.account, rights) for step, rights in questions]
        searchable = answers[: len(path_walk.steps)]
        owner = owner_name(path_walk.last.uid, path_walk.last.gid, root) if path_walk.last else ""
        try:
            content = scan_content(root.real(path_walk.end), wanted.account) if path_walk.last else Content()
        except PermissionError:  # only where we are not root
            return FoundDirectory(setting, path_walk, owner, False, (unlisted(path_walk.end, wanted),), ())
        changes = plan(path_walk, searchable, owner, content, wanted)
        blockers = find_blockers(
            self._node, path_walk, searchable, content, changes, wanted, executes=setting == DIRECTORY
        )
        works = path_walk.last is not None and all(answers)
        if path_walk.last and not works and not changes and not blockers:
            blockers.append(unexplained(path_walk.last, wanted))
        fatal = any(blocker.fatal for blocker in blockers)
        return FoundDirectory(setting, path_walk, owner, works and not fatal, tuple(blockers), changes)

    def _refuse(self, found: FoundDirectories) -> None:
        blocked = [directory for directory in found.directories if directory.fatal()]
        blockers = list(dict.fromkeys(blocker for directory in blocked for blocker in directory.fatal()))
        if blockers:
            raise OperatorError(
                f"user {found.account.name} cannot be given {' and '.join(directory.setting for directory in blocked)} "
                "to write in, nothing was changed",
                where=", ".join(directory.path_walk.path for directory in blocked),
                found="; ".join(f"{blocker.path}: {blocker.evidence}" for blocker in blockers),
                remedy="; then ".join(dict.fromkeys(blocker.remedy for blocker in blockers)),
            )

    def _changes(self, found: FoundDirectories, differences: Tracker) -> List[Change]:
        names = set(differences.names())
        return [change for change in found.changes() if change.name in names]

    def _make(self, change: Change, account: Account) -> None:
        root = self._node.root
        if change.kind == CREATE:
            self._create(change, account)
            return
        with open_directory(root.real(change.path), strict=True) as handle:
            if change.kind == OWNER:
                os.fchown(handle, account.uid, account.gid)
            elif change.kind == MODE:
                os.fchmod(handle, change.mode)
            elif change.kind == CONTENT:
                fix_content(handle, account)

    def _create(self, change: Change, account: Account) -> None:
        real = self._node.root.real(change.path)
        # An append-only directory takes a new name and changes none.
        make = make_directory if change_flags(os.path.dirname(real)) else make_whole_directory
        make(real, change.mode, account.uid, account.gid)


def parse_mode(text: str) -> int:
    """An octal mode such as ``0755`` or ``750``.

    :raises OperatorError: it is none, or does not give the owner read, write and search
    """
    if not re.fullmatch(r"[0-7]{3,4}", text) or int(text, 8) & 0o700 != 0o700:
        raise OperatorError(
            "the mode of the plugin directories must be octal and give the owner rwx",
            found=repr(text),
            wanted='for example "0755" or "0750"',
            remedy="write it in quotes, YAML reads a bare 0755 as the number 493",
        )
    return int(text, 8)


def _facts(found: FoundDirectory) -> Dict[str, Any]:
    last = found.path_walk.last
    return {
        "path": found.path_walk.path,
        "target": found.path_walk.end,
        "exists": last is not None,
        "owner": found.owner if last else None,
        "mode": octal(last.mode) if last else None,
        "writable": found.writable,
        "obstacles": [blocker.as_dict() for blocker in found.blockers],
    }

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk from / to a directory, links followed as the host would follow them."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from dataclasses import dataclass
from typing import Iterator, List, Optional, Tuple

from .._core.blocker import HIDDEN, NOT_A_DIRECTORY, UNTRUSTED_LINK, Blocker
from .accounts import owner_name
from .paths import held, may_follow, parts_of
from .reading import lstat, read_link
from .root import Root

_MAX_LINKS = 40  # Linux gives up after as many


@dataclass(frozen=True)
class Step:
    """One directory; ``path`` is its host path and holds no link."""

    path: str
    uid: int
    gid: int
    mode: int
    device: int
    inode: int


@dataclass(frozen=True)
class PathWalk:
    """Where a path leads.

    :param path: as requested
    :param end: the host path that it leads to, without links, whether that exists or not
    :param steps: every directory that is searched, ``/`` first, the end itself not among them; without the
        ``/`` of an image or sandbox, whose owner and mode tell nothing about its host's
    :param last: the directory at the end; None where it is missing or something blocks the walk
    :param missing: host paths that do not exist, outermost first, ``end`` last
    :param blocked: what blocks; neither ``last`` nor ``missing`` mean anything then
    """

    path: str
    end: str
    steps: Tuple[Step, ...] = ()
    last: Optional[Step] = None
    missing: Tuple[str, ...] = ()
    blocked: Optional[Blocker] = None


@dataclass
class _Link:
    path: str
    target: str
    parts_behind: int  # how many parts of the path lie behind the link's own target


def walk(root: Root, path: str) -> PathWalk:
    """Follow the absolute host path ``path``; changes nothing and never raises for what it finds there."""
    steps = [_step(root, "/")] if root.is_live else []
    links: List[_Link] = []
    followed = 0
    done = "/"
    rest = parts_of(path)
    while rest:
        part = rest.pop(0)
        if part == "..":
            done = os.path.dirname(done)
            continue
        links = [link for link in links if link.parts_behind <= len(rest)]
        candidate = os.path.join(done, part)
        real = _real(root, candidate)
        try:
            found = lstat(real)
        except FileNotFoundError:
            if links:
                return PathWalk(path, candidate, tuple(steps), blocked=_dangling(links[0], candidate))
            missing = [os.path.join(candidate, *rest[:count]) for count in range(len(rest) + 1)]
            return PathWalk(path, missing[-1], tuple(steps), missing=tuple(missing))
        except OSError as error:
            return PathWalk(path, candidate, tuple(steps), blocked=_unseen(candidate, error))
        if stat.S_ISLNK(found.st_mode):
            if not may_follow(found):
                return PathWalk(path, candidate, tuple(steps), blocked=_foreign(candidate, found, root))
            followed += 1
            if followed > _MAX_LINKS:
                return PathWalk(path, candidate, tuple(steps), blocked=_loop(candidate))
            target = read_link(real)
            links.append(_Link(candidate, target, len(rest)))
            if target.startswith("/"):
                done = "/"
            rest = parts_of(target) + rest
        elif not stat.S_ISDIR(found.st_mode):
            return PathWalk(path, candidate, tuple(steps), blocked=_other(candidate, found))
        else:
            done = candidate
            step = _step(root, done)
            if step not in steps:
                steps.append(step)
    last = _step(root, done)
    return PathWalk(path, done, tuple(step for step in steps if step != last), last=last)


@contextlib.contextmanager
def opened(root: Root, path: str) -> Iterator[int]:
    """A descriptor (O_PATH) of the directory ``path``, which holds no link.

    Refuses a link that was put in its place meanwhile: whoever owns a part of the path cannot lead root elsewhere.

    :raises OSError: there is no such directory any more (ENOTDIR: a link is in its place)
    """
    with held(_real(root, path)) as handle:
        yield handle


def _real(root: Root, physical: str) -> str:
    # Every link before the last part has been followed by then, so no second resolution is needed.
    return physical if root.is_live else os.path.join(root.prefix, physical.lstrip("/")).rstrip("/")


def _step(root: Root, physical: str) -> Step:
    found = lstat(_real(root, physical))
    return Step(physical, found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode), found.st_dev, found.st_ino)


def _dangling(link: _Link, missing: str) -> Blocker:
    return Blocker(
        NOT_A_DIRECTORY,
        link.path,
        f"it is a link to {link.target}, and {missing} does not exist",
        f"create {missing}, or remove the link {link.path}",
    )


def _foreign(path: str, link: os.stat_result, root: Root) -> Blocker:
    return Blocker(
        UNTRUSTED_LINK,
        path,
        f"it is a link of {owner_name(link.st_uid, link.st_gid, root)}, who could lead root anywhere with it; "
        "only links made by root are followed",
        f"check where it leads; if that is right, make root its owner: chown -h root: {shlex.quote(path)}",
    )


def _loop(path: str) -> Blocker:
    return Blocker(
        NOT_A_DIRECTORY,
        path,
        "it is part of a loop of symbolic links",
        f"remove the link {path}, or point it elsewhere",
    )


def _unseen(path: str, error: OSError) -> Blocker:
    return Blocker(
        HIDDEN,
        path,
        f"user id {os.geteuid()} cannot access it: {error.strerror}",
        "run as root (become)",
    )


def _other(path: str, found: os.stat_result) -> Blocker:
    kinds = (
        (stat.S_ISREG, "a file"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISCHR, "a device"),
    )
    kind = next((name for test, name in kinds if test(found.st_mode)), "no directory")
    return Blocker(
        NOT_A_DIRECTORY,
        path,
        f"it is {kind}, not a directory",
        f"check what it is for, then move it away: mv {shlex.quote(path)} {shlex.quote(path + '.old')}",
    )

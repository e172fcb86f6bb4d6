# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From ``/`` to a file, one name at a time: no link of another account leads this process anywhere."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from typing import Iterator, List, Optional

_MAX_LINKS = 40  # Linux gives up after as many
_MAX_DEPTH = 200  # a descriptor each is open meanwhile
_STEP = getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC


class UntrustedLink(OSError):
    """A link that another account made, or could have put there: it is not followed."""


@dataclass(frozen=True)
class Spot:
    """The place of one name in an open directory.

    :param parent: descriptor (O_PATH) of the directory that holds it
    :param name: its name there; ``.`` for the top of the walk
    :param path: how this process names it, without links
    :param found: what is there, not followed; None where there is nothing
    """

    parent: int
    name: str
    path: str
    found: Optional[os.stat_result]

    def present(self) -> os.stat_result:
        """What is there.

        :raises FileNotFoundError: nothing
        """
        if self.found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)
        return self.found


@contextlib.contextmanager
def at(path: str, follow: bool = True, top: str = "/", strict: bool = False) -> Iterator[Spot]:
    """Where ``path`` leads; valid inside the block only.

    :param path: a relative one is taken from ``top``, without that from the directory that this process runs in
    :param follow: a link in the last place is followed, too
    :param top: directory that is taken for ``/``, also for absolute links; no ``..`` leads out of it
    :param strict: the path has been resolved: no link is followed, of root's neither
    :raises UntrustedLink: a link in the path was not made by root or by this user
    :raises OSError: a directory in the path is missing, is none, or cannot be searched; the error names the path
    """
    walk = _Walk(path, follow and not strict, top, strict)
    try:
        yield walk.spot()
    finally:
        walk.close()


def resolve(path: str, top: str = "/") -> str:
    """``path`` without links; a missing rest is kept as it is, and one behind what may not be searched.

    :param top: see :func:`at`
    :raises UntrustedLink: one of the links is not to be followed
    :raises OSError: there are too many
    """
    walk = _Walk(path, True, top, False)
    try:
        return walk.spot().path
    except UntrustedLink:
        raise
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES) or error.filename is None:
            raise
        kept, rest = error.filename, walk.rest
    finally:
        walk.close()
    if ".." not in rest:
        return os.path.normpath(os.path.join(kept, *rest))
    up = rest.index("..") + 1  # back in what exists, links count again
    return resolve(os.path.join(os.path.normpath(os.path.join(kept, *rest[:up])), *rest[up:]), top)


@contextlib.contextmanager
def held(path: str) -> Iterator[int]:
    """A descriptor (O_PATH) of a directory whose path has been resolved, to query it.

    :raises OSError: there is no such directory (ENOTDIR: a link is in the path now)
    """
    with at(path, strict=True) as spot:
        handle = _open_directory(spot)
    try:
        yield handle
    finally:
        os.close(handle)


def may_follow(link: os.stat_result) -> bool:
    """Whether a link was made by somebody who may send this process elsewhere.

    A link with a second name may be root's own from elsewhere, put here by whoever owns this directory.
    """
    return link.st_uid in (0, os.geteuid()) and link.st_nlink == 1


def untrusted(path: str, link: os.stat_result) -> UntrustedLink:
    """The error for a link that :func:`may_follow` does not allow."""
    made = f"a link of uid {link.st_uid}" if link.st_nlink == 1 else f"a link with {link.st_nlink} names"
    return UntrustedLink(errno.ELOOP, f"it is {made}, only links made by root are followed", path)


def parts_of(path: str) -> List[str]:
    """The names of a path that mean a step: ``..`` among them, ``.`` not."""
    return [part for part in path.split("/") if part and part != "."]


def _open_top(top: str) -> int:
    if top == "/":
        return os.open("/", _STEP | os.O_DIRECTORY)
    with at(top) as spot:
        return _open_directory(spot)


def _open_directory(spot: Spot) -> int:
    spot.present()
    try:
        return os.open(spot.name, _STEP | os.O_DIRECTORY, dir_fd=spot.parent)
    except OSError as error:
        error.filename = spot.path
        raise


class _Walk:
    def __init__(self, path: str, follow: bool, top: str, strict: bool) -> None:
        self._path = path
        self._strict = strict
        self._follow = follow
        self.rest = parts_of(path if path.startswith("/") or top != "/" else os.path.join(os.getcwd(), path))
        self._done: List[str] = []
        self._open: List[int] = [_open_top(top)]  # one more than names are done
        self._links = 0

    def spot(self) -> Spot:
        while True:
            if not self.rest:
                return self._end()
            name = self.rest.pop(0)
            if name == "..":
                self._up()
            elif self.rest:
                self._enter(name)
            else:
                found = self._look(name)
                if found is None or not (self._follow and stat.S_ISLNK(found.st_mode)):
                    return Spot(self._open[-1], name, self._name(name), found)
                self._enter(name)

    def close(self) -> None:
        for handle in self._open:
            os.close(handle)

    def _end(self) -> Spot:
        """The path ends in a directory that has been entered: by ``..``, or ``/`` itself."""
        if not self._done:
            return Spot(self._open[0], ".", "/", os.fstat(self._open[0]))
        name = self._done[-1]
        found = os.fstat(self._open[-1])
        self._up()
        return Spot(self._open[-1], name, self._name(name), found)

    def _up(self) -> None:
        if self._done:
            self._done.pop()
            os.close(self._open.pop())

    def _look(self, name: str) -> Optional[os.stat_result]:
        try:
            return os.stat(name, dir_fd=self._open[-1], follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._named(error, name) from None

    def _enter(self, name: str) -> None:
        """Go into the directory, or to where a link leads."""
        if len(self._done) >= _MAX_DEPTH:
            raise OSError(errno.ENAMETOOLONG, f"it lies more than {_MAX_DEPTH} directories deep", self._path)
        try:
            handle = os.open(name, _STEP, dir_fd=self._open[-1])
        except OSError as error:
            link = self._look(name) if error.errno == errno.ELOOP else None
            if link is not None:  # no Linux: a link cannot be opened
                self._turn(name, link, os.readlink(name, dir_fd=self._open[-1]))
                return
            raise self._named(error, name) from None
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            self._open.append(handle)
            self._done.append(name)
            return
        try:
            if not stat.S_ISLNK(found.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self._name(name))
            self._turn(name, found, os.readlink("", dir_fd=handle))
        finally:
            os.close(handle)

    def _turn(self, name: str, link: os.stat_result, target: str) -> None:
        if self._strict:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self._name(name))
        if not may_follow(link):
            raise untrusted(self._name(name), link)
        self._links += 1
        if self._links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._path)
        if target.startswith("/"):
            while self._done:
                self._up()
        self.rest = parts_of(target) + self.rest

    def _name(self, name: str) -> str:
        return "/" + "/".join([*self._done, name])

    def _named(self, error: OSError, name: str) -> OSError:
        number = error.errno or errno.EIO
        return OSError(number, os.strerror(number), self._name(name))

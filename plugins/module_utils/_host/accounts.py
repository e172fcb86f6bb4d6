# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The accounts of a host, by name and by number."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shlex
from typing import List, NamedTuple, Optional, Tuple, Union

from .._core.errors import OperatorError
from .account import Account
from .reading import is_file, read_text
from .root import Root


class _User(NamedTuple):
    name: str
    uid: int
    gid: int


class _Group(NamedTuple):
    name: str
    gid: int
    members: Tuple[str, ...]


def find_account(user: str, group: Optional[str], root: Root) -> Account:
    """The account of that name or number.

    On the live system every source of names counts (NSS: files, LDAP …). In an image its own etc/passwd and
    etc/group decide; where it has none (a sandbox), the names of this machine are used.

    :param group: None for the user's own group
    :raises OperatorError: there is no such user or group
    """
    names = _names(root)
    found = names.user(user)
    if found is None:
        if not user.isdigit() or group is None:
            raise OperatorError(
                f"the service user {user} does not exist",
                where=names.source,
                remedy=f"create it (useradd --system --user-group {shlex.quote(user)}), "
                "or name the right one in service_user",
            )
        found = _User(user, int(user), -1)  # systemd runs a bare number too
    gid = found.gid
    if group is not None:
        known = names.group(group)
        if known is None and not group.isdigit():
            raise OperatorError(
                f"the group {group} does not exist",
                where=names.source,
                remedy=f"create it (groupadd --system {shlex.quote(group)}), or name the right one in service_group",
            )
        gid = known.gid if known else int(group)
    return Account(found.name, found.uid, gid, names.group_name(gid), names.groups_of(found.name, gid))


def owner_name(uid: int, gid: int, root: Root) -> str:
    """``user:group`` as the host names them, numbers where it has no names."""
    names = _names(root)
    return f"{names.user_name(uid)}:{names.group_name(gid)}"


def can_switch(account: Account) -> bool:
    """Whether :func:`.worker.act_as` really acts as that account."""
    return os.geteuid() in (0, account.uid)


class _LiveNames:
    """The names of this machine, from every source of its own."""

    source = "the users and groups of this host"

    def user(self, user: str) -> Optional[_User]:
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(user)
            return _User(found.pw_name, found.pw_uid, found.pw_gid)
        with contextlib.suppress(KeyError, ValueError, OverflowError):
            found = pwd.getpwuid(int(user))
            return _User(found.pw_name, found.pw_uid, found.pw_gid)
        return None

    def group(self, group: str) -> Optional[_Group]:
        with contextlib.suppress(KeyError):
            found = grp.getgrnam(group)
            return _Group(found.gr_name, found.gr_gid, ())
        with contextlib.suppress(KeyError, ValueError, OverflowError):
            found = grp.getgrgid(int(group))
            return _Group(found.gr_name, found.gr_gid, ())
        return None

    def user_name(self, uid: int) -> str:
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)

    def group_name(self, gid: int) -> str:
        try:
            return grp.getgrgid(gid).gr_name
        except KeyError:
            return str(gid)

    def groups_of(self, user: str, gid: int) -> Tuple[int, ...]:
        return tuple(sorted({*os.getgrouplist(user, gid), gid}))


class _FileNames:
    """The names of an image, from its own passwd(5) and group(5)."""

    def __init__(self, passwd: str, group: Optional[str], source: str) -> None:
        self.source = source
        self._users = [
            _User(line[0], int(line[2]), int(line[3])) for line in _colon_lines(passwd, 4) if _numbers(line[2:4])
        ]
        self._groups = [
            _Group(line[0], int(line[2]), tuple(name for name in line[3].split(",") if name))
            for line in (_colon_lines(group, 4) if group else [])
            if _numbers(line[2:3])
        ]

    def user(self, user: str) -> Optional[_User]:
        by_name = [known for known in self._users if known.name == user]
        by_number = [known for known in self._users if str(known.uid) == user]
        return next(iter(by_name + by_number), None)

    def group(self, group: str) -> Optional[_Group]:
        by_name = [known for known in self._groups if known.name == group]
        by_number = [known for known in self._groups if str(known.gid) == group]
        return next(iter(by_name + by_number), None)

    def user_name(self, uid: int) -> str:
        return next((known.name for known in self._users if known.uid == uid), str(uid))

    def group_name(self, gid: int) -> str:
        return next((known.name for known in self._groups if known.gid == gid), str(gid))

    def groups_of(self, user: str, gid: int) -> Tuple[int, ...]:
        return tuple(sorted({known.gid for known in self._groups if user in known.members} | {gid}))


def _names(root: Root) -> Union[_LiveNames, _FileNames]:
    if root.is_live:
        return _LiveNames()
    passwd = root.real(root.resolve("/etc/passwd"))
    group = root.real(root.resolve("/etc/group"))
    if not is_file(passwd):
        return _LiveNames()
    return _FileNames(passwd, group if is_file(group) else None, f"/etc/passwd below {root.prefix}")


def _colon_lines(path: str, least: int) -> List[List[str]]:
    lines = [line.split(":") for line in read_text(path).split("\n") if not line.startswith("#")]
    return [line for line in lines if len(line) >= least]


def _numbers(fields: List[str]) -> bool:
    return all(field.isdigit() for field in fields)

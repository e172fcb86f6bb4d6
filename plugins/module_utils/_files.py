# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.

"""The one way to write a file: whole or not at all, owner and mode kept."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from typing import BinaryIO, Callable, Iterator, Optional, Tuple, Union

_CHUNK = 1024 * 1024
_PREFIX = ".plugops-"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # NFS without its lock service, some of FUSE
# What a rename would lose besides owner and mode: SELinux label and ACL.
_KEPT_ATTRIBUTES = ("security.selinux", "system.posix_acl_access")


def write_atomic(
    path: str, data: bytes, *, mode: Optional[int] = None, uid: Optional[int] = None, gid: Optional[int] = None
) -> None:
    """Replace the content of ``path``; a crash at any instant leaves the old file or the new one.

    Where ``path`` is a link its target is replaced and the link stays. An existing file keeps owner, mode,
    ACL and SELinux label unless told otherwise; a new one gets ``mode`` (0644) whatever the umask.

    :raises OSError: nothing was changed
    """
    create_atomic(path, lambda out: _write(out, data), mode=mode, uid=uid, gid=gid)


def create_atomic(
    path: str,
    fill: Callable[[BinaryIO], None],
    *,
    mode: Optional[int] = None,
    uid: Optional[int] = None,
    gid: Optional[int] = None,
) -> None:
    """As :func:`write_atomic`, with the content written by ``fill``; nothing is changed where it raises."""
    target = os.path.realpath(path)
    _replace(target, fill, target if os.path.lexists(target) else None, mode, uid, gid)


def create_in_place_of(path: str, fill: Callable[[BinaryIO], None], mode: int, uid: int, gid: int) -> None:
    """As :func:`create_atomic`, for a directory that others may write: what is at ``path`` is replaced, a link itself
    and not its target, and nothing of the old file is kept."""
    _replace(path, fill, None, mode, uid, gid)


def backup(path: str) -> str:
    """Copy ``path`` beside itself under Ansible's name for backups, owner, mode, ACL and label kept.

    :returns: the copy's path
    """
    copy = "{}.{}.{}~".format(path, os.getpid(), time.strftime("%Y-%m-%d@%H:%M:%S"))
    with open(path, "rb") as source:
        _replace(copy, lambda out: shutil.copyfileobj(source, out, _CHUNK), os.path.realpath(path))
    return copy


def fsync_directory(path: str) -> None:
    """Make a rename in ``path`` last; file systems that cannot do it are left alone."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def alone(directory: str) -> Iterator[None]:
    """Only one process at a time is in such a block for a directory; one that is killed leaves it."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # whoever needs it will say what is wrong with it
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def sha256_of(path: str) -> str:
    """The SHA-256 of a file, as 64 hex digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        for chunk in iter(lambda: source.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _replace(
    target: str,
    fill: Callable[[BinaryIO], None],
    model: Optional[str],
    mode: Optional[int] = None,
    uid: Optional[int] = None,
    gid: Optional[int] = None,
) -> None:
    """Fill a file beside ``target`` and rename it there; what is not told is taken from the file ``model``."""
    if model is not None:
        found = os.stat(model)
        if not stat.S_ISREG(found.st_mode):  # a rename would put a file in the place of, say, /dev/null
            raise OSError(errno.EINVAL, "Not a regular file, it is not replaced", model)
        mode = stat.S_IMODE(found.st_mode) if mode is None else mode
        uid = found.st_uid if uid is None else uid
        gid = found.st_gid if gid is None else gid
    directory = os.path.dirname(target)
    _clear(directory)
    handle, temporary = _temporary(directory)
    try:
        with os.fdopen(handle, "wb") as out:
            fill(out)
            out.flush()
            _set_owner(out.fileno(), uid, gid)
            if model is not None:
                _copy_attributes(model, out.fileno())
            os.fchmod(out.fileno(), 0o644 if mode is None else mode)
            os.fsync(out.fileno())
            os.rename(temporary, target)  # while it is locked
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    fsync_directory(directory)


def _temporary(directory: str) -> Tuple[int, str]:
    """A new file, 0600: nobody reads it half-written. It is locked as long as it is open, see :func:`_clear`.

    Where the file system knows no locks, it goes without; there nothing is cleared away either.
    """
    while True:
        handle, path = tempfile.mkstemp(prefix=_PREFIX, dir=directory)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(handle)
                os.unlink(path)
                raise
        if os.fstat(handle).st_nlink:
            return handle, path
        os.close(handle)  # taken for what a killed run has left, before it was locked


def _clear(directory: str) -> None:
    """Remove what killed runs have left: their locks died with them."""
    with os.scandir(directory) as entries:
        found = [entry.path for entry in entries if entry.name.startswith(_PREFIX)]
    for path in found:
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if stat.S_ISREG(os.fstat(handle).st_mode):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(path)
            finally:
                os.close(handle)


def _write(out: BinaryIO, data: bytes) -> None:
    out.write(data)


def _set_owner(handle: int, uid: Optional[int], gid: Optional[int]) -> None:
    found = os.fstat(handle)
    wanted_uid = found.st_uid if uid is None else uid
    wanted_gid = found.st_gid if gid is None else gid
    if (wanted_uid, wanted_gid) != (found.st_uid, found.st_gid):
        os.fchown(handle, wanted_uid, wanted_gid)


def _copy_attributes(source: str, target: int) -> None:
    """To a descriptor: whoever owns the directory may put a link in the place of a name, and get rights elsewhere."""
    if not hasattr(os, "getxattr"):  # not Linux
        return
    for name in _KEPT_ATTRIBUTES:
        wanted = _attribute(source, name)
        if wanted == _attribute(target, name):
            continue
        try:
            if wanted is None:  # the directory's default ACL, which the old file did not have
                os.removexattr(target, name)
            else:
                os.setxattr(target, name, wanted)
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise


def _attribute(path: Union[str, int], name: str) -> Optional[bytes]:
    try:
        return os.getxattr(path, name)
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.ENOTSUP, errno.EPERM):
            raise
        return None

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The place to change a node's files: whole or not at all, owner and mode kept, in the directory that was opened."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
import time
from typing import IO, BinaryIO, Callable, Dict, Iterable, Iterator, Optional, Tuple, Union

from .descriptors import PREFIX, fsync, fsync_at, names_at, set_owner
from .paths import Spot, at
from .reading import open_at, open_directory, open_file, read_open

_CHUNK = 1024 * 1024
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # NFS without its lock service, some of FUSE
_ATTEMPTS = 20
# What a rename would lose besides owner and mode: SELinux label and ACL.
_KEPT_ATTRIBUTES = ("security.selinux", "system.posix_acl_access")


def write_atomic(
    path: str, data: bytes, *, mode: Optional[int] = None, uid: Optional[int] = None, gid: Optional[int] = None
) -> None:
    """Replace the content of ``path``; a crash at any instant leaves the old file or the new one.

    Where ``path`` is a link of root's its target is replaced and the link stays. An existing file keeps owner, mode,
    ACL and SELinux label unless told otherwise; a new one gets ``mode`` (0644) regardless of the umask.

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
    with at(path) as spot:
        _replace(spot, fill, spot.name if spot.found else None, mode, uid, gid)


def create_in_place_of(
    path: str, fill: Callable[[BinaryIO], None], mode: int, uid: int, gid: int, strict: bool = False
) -> None:
    """As :func:`create_atomic`, for a directory that others may write: what is at ``path`` is replaced, a link itself
    and not its target, and nothing of the old file is kept.

    :param strict: see :func:`.paths.at`, here and below
    """
    with at(path, follow=False, strict=strict) as spot:
        _replace(spot, fill, None, mode, uid, gid)


class Edit:
    """A file that is read and then replaced where it was read: in the same directory, the same inode.

    :ivar data: its content
    :ivar modified: when it was written last, in seconds since the epoch
    """

    def __init__(self, spot: Spot, source: BinaryIO, limit: int) -> None:
        self._spot = spot
        self._read = os.fstat(source.fileno())
        self.modified = self._read.st_mtime
        self.data = read_open(source, limit, spot.path)

    def replace(self, data: bytes) -> None:
        """Put other content in its place, as :func:`write_atomic`.

        :raises OSError: ESTALE: it is not the file any more that was read, nothing was changed; read it again
        """
        self._refuse_changed()
        _replace(self._spot, lambda out: _write(out, data), self._spot.name, found=self._read)

    def backup(self) -> str:
        """Copy what was read beside the file under Ansible's name for backups, owner, mode, ACL and label kept.

        :returns: the copy's path
        """
        self._refuse_changed()
        name = "{}.{}.{}~".format(self._spot.name, os.getpid(), time.strftime("%Y-%m-%d@%H:%M:%S"))
        path = os.path.join(os.path.dirname(self._spot.path), name)
        copy = Spot(self._spot.parent, name, path, None)
        _replace(copy, lambda out: _write(out, self.data), self._spot.name, found=self._read)
        return path

    def _refuse_changed(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            now = os.stat(self._spot.name, dir_fd=self._spot.parent, follow_symlinks=False)
            if _version(now) == _version(self._read):
                return
        raise OSError(errno.ESTALE, "another process changed it while it was read", self._spot.path)


@contextlib.contextmanager
def editing(path: str, limit: int) -> Iterator[Edit]:
    """Read a file in order to replace it.

    :param limit: in bytes, see :func:`.reading.read_file`
    :raises OSError: it cannot be read
    """
    with at(path) as spot:
        spot.present()
        with open_at(spot.parent, spot.name) as source:
            yield Edit(spot, source, limit)


def unlink(path: str, strict: bool = False) -> None:
    """Remove a name, a link itself and not its target."""
    with at(path, follow=False, strict=strict) as spot:
        spot.present()
        os.unlink(spot.name, dir_fd=spot.parent)


def rename(old: str, new: str, strict: bool = False) -> None:
    """Give what is at ``old`` the name ``new``, as rename(2)."""
    with at(old, follow=False, strict=strict) as source, at(new, follow=False, strict=strict) as target:
        source.present()
        os.rename(source.name, target.name, src_dir_fd=source.parent, dst_dir_fd=target.parent)


def fsync_directory(path: str) -> None:
    """Make a rename in ``path`` last; file systems that cannot do it are left alone."""
    with open_directory(path) as handle:
        fsync(handle)


def create_new(path: str, chunks: Iterable[bytes], mode: int, strict: bool = False) -> None:
    """Write a new file; a killed run leaves it half-written, so its place is one that the next run clears.

    :raises FileExistsError: something is there
    """
    with at(path, follow=False, strict=strict) as spot:
        handle = os.open(
            spot.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=spot.parent
        )
        with os.fdopen(handle, "wb") as out:
            for chunk in chunks:
                out.write(chunk)
            os.fchmod(out.fileno(), mode)


def copy_file(source: str, target: str, strict: bool = False) -> None:
    """A new file with content and rights of another, no setuid bit: it is this user's; see :func:`create_new`."""
    with open_file(source) as content:
        mode = os.fstat(content.fileno()).st_mode & 0o777
        create_new(target, iter(lambda: content.read(_CHUNK), b""), mode, strict)


def link_or_copy(source: str, target: str, strict: bool = False) -> None:
    """A second name for a file, or a copy where there cannot be one: across file systems."""
    try:
        with at(source, follow=False) as old, at(target, follow=False, strict=strict) as new:
            os.link(old.name, new.name, src_dir_fd=old.parent, dst_dir_fd=new.parent, follow_symlinks=False)
    except OSError:
        copy_file(source, target, strict)


def copy_into(source: IO[bytes]) -> Callable[[BinaryIO], None]:
    """For :func:`create_atomic`: the content is that of an open file."""
    return lambda out: shutil.copyfileobj(source, out, _CHUNK)


def _replace(
    spot: Spot,
    fill: Callable[[BinaryIO], None],
    model: Optional[str],
    mode: Optional[int] = None,
    uid: Optional[int] = None,
    gid: Optional[int] = None,
    found: Optional[os.stat_result] = None,
) -> None:
    """Fill a file beside a name and rename it there.

    :param model: name in the same directory of the file from which comes what is not told
    :param found: what the model must be
    """
    attributes = {}
    if model is not None:
        found = found or os.stat(model, dir_fd=spot.parent, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):  # a rename would put a file in the place of /dev/null, for example
            raise OSError(errno.EINVAL, "not a regular file, it is not replaced", spot.path)
        mode = stat.S_IMODE(found.st_mode) if mode is None else mode
        uid = found.st_uid if uid is None else uid
        gid = found.st_gid if gid is None else gid
        attributes = _attributes_of(model, spot.parent, found)
    _clear(spot.parent)
    handle, temporary = _temporary(spot)
    try:
        with os.fdopen(handle, "wb") as out:
            fill(out)
            out.flush()
            set_owner(out.fileno(), uid, gid)
            if model is not None:
                _set_attributes(attributes, out.fileno())
            os.fchmod(out.fileno(), 0o644 if mode is None else mode)
            os.fsync(out.fileno())
            os.rename(temporary, spot.name, src_dir_fd=spot.parent, dst_dir_fd=spot.parent)  # while it is locked
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=spot.parent)
        raise
    fsync_at(spot.parent)


def _version(found: os.stat_result) -> Tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _temporary(spot: Spot) -> Tuple[int, str]:
    """A new file, 0600: nobody reads it half-written. It is locked as long as it is open, see :func:`_clear`.

    Where the file system knows no locks, it goes without; there nothing is cleared away either.
    """
    for _attempt in range(_ATTEMPTS):
        name = PREFIX + secrets.token_hex(8)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            handle = os.open(name, flags, 0o600, dir_fd=spot.parent)
        except OSError as error:
            error.filename = spot.path
            raise
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(handle)
                os.unlink(name, dir_fd=spot.parent)
                raise
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)  # taken for what a killed run has left, before it was locked
    raise OSError(errno.EBUSY, "another process removes every new file beside it", spot.path)


def _clear(directory: int) -> None:
    """Remove what killed runs have left: their locks died with them."""
    for name in names_at(directory, PREFIX):
        with contextlib.suppress(OSError), open_at(directory, name) as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=directory)


def _write(out: BinaryIO, data: bytes) -> None:
    out.write(data)


def _attributes_of(name: str, directory: int, found: os.stat_result) -> Dict[str, Optional[bytes]]:
    """Of the file that was seen, not of what may have taken its name since."""
    if not hasattr(os, "getxattr"):  # not Linux
        return {}
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        if not os.path.samestat(os.fstat(handle), found):
            raise OSError(errno.ESTALE, "another process changed it meanwhile", name)
        # getxattr(2) takes no O_PATH descriptor; /proc names exactly the file that was opened.
        return {key: _attribute(f"/proc/self/fd/{handle}", key) for key in _KEPT_ATTRIBUTES}
    finally:
        os.close(handle)


def _set_attributes(wanted: Dict[str, Optional[bytes]], target: int) -> None:
    for name, value in wanted.items():
        if value == _attribute(target, name):
            continue
        try:
            if value is None:  # the directory's default ACL, which the old file did not have
                os.removexattr(target, name)
            else:
                os.setxattr(target, name, value)
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

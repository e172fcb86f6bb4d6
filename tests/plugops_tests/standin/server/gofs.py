# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File operations that do what Go's do and fail with Go's words, e.g. `mkdir ./client/plugins: permission denied`."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from typing import List, Optional


class GoError(Exception):
    """An error whose text is what a Go program would print."""


class PathError(GoError):
    """Go's os.PathError: operation, path as the caller wrote it, reason."""

    def __init__(self, operation: str, path: str, number: int) -> None:
        super().__init__(operation, path, number)
        self.operation, self.path, self.number = operation, path, number

    def __str__(self) -> str:
        return f"{self.operation} {self.path}: {os.strerror(self.number).lower()}"


def _errno(error: OSError) -> int:
    return error.errno if error.errno is not None else errno.EIO


def clean_join(*parts: str) -> str:
    """filepath.Join: drops empty parts and cleans, so `./plugins` + `x` is `plugins/x`."""
    return os.path.normpath("/".join(part for part in parts if part))


def mkdir(path: str, mode: int) -> None:
    """One level; an existing entry of any kind is an error (EEXIST)."""
    try:
        os.mkdir(path, mode)
    except OSError as error:
        raise PathError("mkdir", path, _errno(error)) from error


def mkdir_temp(prefix: str) -> str:
    """In $TMPDIR or /tmp, and nowhere else."""
    base = os.environ.get("TMPDIR") or "/tmp"
    if not os.path.exists(base):
        raise PathError("stat", base, errno.ENOENT)
    path = clean_join(base, f"{prefix}{secrets.randbelow(2**32)}")
    mkdir(path, 0o700)
    return path


def mkdir_all(path: str, mode: int) -> None:
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent and parent != path:
        mkdir_all(parent, mode)
    try:
        mkdir(path, mode)
    except PathError:
        if not os.path.isdir(path):
            raise


def read_dir(path: str, lstat_entries: bool = False) -> List[str]:
    """Names in order. Old Go looked at every entry, so a directory without search permission made it fail."""
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise PathError("open", path, _errno(error)) from error
    if lstat_entries:
        for name in names:
            try:
                os.lstat(os.path.join(path, name))
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise PathError("lstat", path + "/" + name, _errno(error)) from error
    return names


def real_directories(path: str, lstat_entries: bool = False) -> List[str]:
    """Names of entries that are directories themselves: a symbolic link to one is not."""
    names = set(read_dir(path, lstat_entries))
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.name in names and entry.is_dir(follow_symlinks=False))


def read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except IsADirectoryError as error:
        raise PathError("read", path, errno.EISDIR) from error
    except OSError as error:
        raise PathError("open", path, _errno(error)) from error


def write_file(path: str, content: bytes, mode: int) -> None:
    """Create or truncate; the mode holds for a new file, masked by umask."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    except OSError as error:
        raise PathError("open", path, _errno(error)) from error
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def remove_all(path: str) -> None:
    """Remove what can be removed, go on after errors, report the first one."""
    parent, base = os.path.split(path.rstrip("/"))
    try:
        parent_fd = os.open(parent or ".", os.O_RDONLY)
    except FileNotFoundError:
        return
    except OSError as error:
        raise PathError("open", parent or ".", _errno(error)) from error
    try:
        failure = _remove_from(parent_fd, base)
    finally:
        os.close(parent_fd)
    if failure is not None:
        failure.path = f"{parent}/{failure.path}" if parent else failure.path
        raise failure


def _remove_from(parent_fd: int, base: str) -> Optional[PathError]:
    try:
        os.unlink(base, dir_fd=parent_fd)
        return None
    except FileNotFoundError:
        return None
    except OSError as error:
        failure = PathError("unlinkat", base, _errno(error))
    try:
        is_directory = stat.S_ISDIR(os.stat(base, dir_fd=parent_fd, follow_symlinks=False).st_mode)
    except OSError as error:
        return PathError("fstatat", base, _errno(error))
    if not is_directory:
        return failure
    inner_failure = _remove_entries(parent_fd, base)
    try:
        os.rmdir(base, dir_fd=parent_fd)
        return None
    except FileNotFoundError:
        return None
    except OSError as error:
        return inner_failure or PathError("unlinkat", base, _errno(error))


def _remove_entries(parent_fd: int, base: str) -> Optional[PathError]:
    try:
        directory_fd = os.open(base, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=parent_fd)
    except OSError as error:
        return PathError("openfdat", base, _errno(error))
    first: Optional[PathError] = None
    try:
        for name in sorted(os.listdir(directory_fd)):
            failure = _remove_from(directory_fd, name)
            if failure is not None and first is None:
                failure.path = f"{base}/{failure.path}"
                first = failure
    finally:
        os.close(directory_fd)
    return first


def copy_dir(source: str, destination: str) -> None:
    """Recursive copy that keeps modes and refuses an existing destination."""
    source, destination = os.path.normpath(source), os.path.normpath(destination)
    try:
        mode = os.stat(source).st_mode
    except OSError as error:
        raise PathError("stat", source, _errno(error)) from error
    if not stat.S_ISDIR(mode):
        raise GoError("source must be a directory")
    try:
        os.stat(destination)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise PathError("stat", destination, _errno(error)) from error
    else:
        raise GoError("destination already exists")
    mkdir_all(destination, stat.S_IMODE(mode))
    for name in read_dir(source):
        entry = os.path.join(source, name)
        target = os.path.join(destination, name)
        if os.path.islink(entry):
            continue
        if os.path.isdir(entry):
            copy_dir(entry, target)
        else:
            copy_file(entry, target)


def copy_file(source: str, destination: str) -> None:
    try:
        with open(source, "rb") as reader:
            mode = stat.S_IMODE(os.fstat(reader.fileno()).st_mode)
            try:
                with open(destination, "wb") as writer:
                    shutil.copyfileobj(reader, writer)
                    os.fchmod(writer.fileno(), mode)
            except OSError as error:
                raise PathError("open", destination, _errno(error)) from error
    except OSError as error:
        raise PathError("open", source, _errno(error)) from error

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The atomic write: killed at every instant, refused by every call, against what the kernel then shows."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import random
import signal
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, ContextManager, Iterator, List, Set, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._host import writing
from ansible_collections.plugops.mattermost.plugins.module_utils._host.reading import sha256_of
from ansible_collections.plugops.mattermost.plugins.module_utils._host.writing import (
    create_atomic,
    create_in_place_of,
    editing,
    fsync_directory,
    write_atomic,
)
from hypothesis import given
from hypothesis import strategies as st

OLD = b'{"old": true}\n' * 4000
NEW = b'{"new": true}\n' * 5000
ACL = "system.posix_acl_access"
DEFAULT_ACL = "system.posix_acl_default"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away and act as others")


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _acl(**users: int) -> bytes:
    """user::rw-, user:<id>:<rights>…, group::---, mask::rw-, other::--- in the kernel's binary form."""
    entries = [(0x01, 6, 0xFFFFFFFF)]
    entries += [(0x02, rights, int(name[1:])) for name, rights in sorted(users.items())]
    entries += [(0x04, 0, 0xFFFFFFFF), (0x10, 6, 0xFFFFFFFF), (0x20, 0, 0xFFFFFFFF)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _set_acl(path: Path, name: str, acl: bytes) -> None:
    try:
        os.setxattr(path, name, acl)
    except OSError as error:
        pytest.skip(f"no ACLs on the file system of {path}: {error.strerror}")


def _may_read(path: Path, uid: int, gid: int = 65533) -> bool:
    """Whether that user can read the file: tried, in a child process that is this user."""
    path.parent.chmod(0o755)  # the parents are not looked at: the child has the directory open
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            directory = os.open(path.parent, os.O_PATH)
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            os.close(os.open(path.name, os.O_RDONLY, dir_fd=directory))
            os._exit(0)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def backup(path: str) -> str:
    with editing(path, 1 << 20) as edit:
        return edit.backup()


# content and mode


@given(st.binary(max_size=3000), st.integers(0, 0o777), st.sampled_from([0, 0o022, 0o077, 0o777]))
def test_new_file_whatever_the_umask(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, mode: int, mask: int
) -> None:
    path = tmp_path_factory.getbasetemp() / f"new-{time.monotonic_ns()}"
    before = os.umask(mask)
    try:
        write_atomic(str(path), data, mode=mode)
    finally:
        os.umask(before)
    assert _mode(path) == mode
    path.chmod(0o600)
    assert path.read_bytes() == data
    assert sha256_of(str(path)) == hashlib.sha256(data).hexdigest()
    path.unlink()


def test_default_mode_of_a_new_file(tmp_path: Path, umask: Callable[[int], int]) -> None:
    umask(0o077)
    write_atomic(str(tmp_path / "new"), b"x")
    assert _mode(tmp_path / "new") == 0o644


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o4755, 0o444])
def test_existing_file_keeps_its_mode(tmp_path: Path, umask: Callable[[int], int], mode: int) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    path.chmod(mode)
    umask(0o077)
    write_atomic(str(path), NEW)
    assert (path.read_bytes(), _mode(path)) == (NEW, mode)
    write_atomic(str(path), OLD, mode=0o604)
    assert _mode(path) == 0o604


@needs_root
def test_existing_file_keeps_its_owner_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    os.chown(path, 4123, 4124)
    path.chmod(0o6750)
    write_atomic(str(path), NEW)
    found = path.stat()
    assert (found.st_uid, found.st_gid, _mode(path)) == (4123, 4124, 0o6750)
    write_atomic(str(path), OLD, gid=4125)
    assert (path.stat().st_uid, path.stat().st_gid) == (4123, 4125)
    write_atomic(str(tmp_path / "new"), b"", uid=4126, gid=4127)
    assert ((tmp_path / "new").stat().st_uid, (tmp_path / "new").stat().st_gid) == (4126, 4127)


@needs_root
def test_acl_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    _set_acl(path, ACL, _acl(u4123=4))
    assert (_may_read(path, 4123), _may_read(path, 4124)) == (True, False)
    write_atomic(str(path), NEW)
    assert os.getxattr(path, ACL) == _acl(u4123=4)
    assert (_may_read(path, 4123), _may_read(path, 4124)) == (True, False)


@needs_root
def test_file_without_acl_does_not_take_the_directorys(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    path.chmod(0o640)
    _set_acl(tmp_path, DEFAULT_ACL, _acl(u4123=4))
    assert not _may_read(path, 4123)
    write_atomic(str(path), NEW)
    assert not _may_read(path, 4123), "who could not read the secrets before can read them now"
    assert _mode(path) == 0o640


@needs_root
def test_a_link_put_in_the_place_of_the_half_written_file_gains_no_rights_elsewhere(tmp_path: Path) -> None:
    directory, victim = tmp_path / "service", tmp_path / "victim"
    directory.mkdir()
    victim.write_bytes(OLD)
    victim.chmod(0o600)
    path = directory / "config.json"
    path.write_bytes(OLD)
    _set_acl(path, ACL, _acl(u4123=6))

    def fill(out: Any) -> None:
        out.write(NEW)
        (temporary,) = set(directory.iterdir()) - {path}
        temporary.unlink()
        temporary.symlink_to(victim)

    create_atomic(str(path), fill)
    assert not _may_read(victim, 4123)
    assert ACL not in os.listxattr(victim)
    assert (victim.read_bytes(), _mode(victim), victim.stat().st_uid) == (OLD, 0o600, 0)


# links and other things in the way


def test_target_of_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "real.json").write_bytes(OLD)
    (tmp_path / "middle").symlink_to("etc/real.json")
    (tmp_path / "config.json").symlink_to(tmp_path / "middle")
    write_atomic(str(tmp_path / "config.json"), NEW)
    assert os.readlink(tmp_path / "config.json") == str(tmp_path / "middle")
    assert os.readlink(tmp_path / "middle") == "etc/real.json"
    assert (tmp_path / "etc" / "real.json").read_bytes() == NEW
    assert not (tmp_path / "etc" / "real.json").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["config.json", "etc", "middle"]
    assert os.listdir(tmp_path / "etc") == ["real.json"]


def test_dangling_link_gets_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("later")
    write_atomic(str(tmp_path / "link"), NEW)
    assert (tmp_path / "later").read_bytes() == NEW
    assert (tmp_path / "link").is_symlink()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _null_device(path: Path) -> None:
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("may not make device nodes here")


@pytest.mark.parametrize("make", [_fifo, _null_device, Path.mkdir])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A drop-in that an administrator has masked is a link to /dev/null: the device must survive."""
    make(tmp_path / "thing")
    (tmp_path / "link").symlink_to("thing")
    kind = stat.S_IFMT((tmp_path / "thing").stat().st_mode)
    for path in ("thing", "link"):
        with pytest.raises(OSError) as raised:  # noqa: PT011 - the kind is looked at below
            write_atomic(str(tmp_path / path), NEW)
        assert str(tmp_path / "thing") in str(raised.value)
    assert stat.S_IFMT((tmp_path / "thing").stat().st_mode) == kind
    assert sorted(os.listdir(tmp_path)) == ["link", "thing"]


def test_loop_and_missing_directory_are_errors(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        write_atomic(str(tmp_path / "loop"), NEW)
    with pytest.raises(FileNotFoundError):
        write_atomic(str(tmp_path / "no" / "file"), NEW)
    assert os.listdir(tmp_path) == ["loop"]


# whole or not at all

CALLS = ("mkstemp", "write", "fchown", "fchmod", "setxattr", "fsync", "rename")


def _failing(monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    if call == "mkstemp":
        monkeypatch.setattr(writing, "_temporary", fail)
    elif call == "write":
        monkeypatch.setattr(writing, "_write", fail)
    else:
        monkeypatch.setattr(writing.os, call, fail)


@needs_root
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", CALLS)
def test_every_call_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    os.chown(path, 4123, 4124)
    _set_acl(path, ACL, _acl(u4123=4))
    before = path.stat()
    with monkeypatch.context() as patched:
        _failing(patched, call, error)
        with pytest.raises(type(error)):
            write_atomic(str(path), NEW)
    assert path.stat() == before
    assert path.read_bytes() == OLD
    assert os.listdir(tmp_path) == ["config.json"]


def test_content_is_on_disk_before_the_rename_and_the_rename_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    seen: List[Tuple[str, Any]] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(handle: int) -> None:
        kind = "directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        seen.append((f"fsync {kind}", os.fstat(handle).st_size if kind == "file" else path.read_bytes() == NEW))
        real_fsync(handle)

    def rename(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        assert src_dir_fd == dst_dir_fd, "a rename over file systems is no rename"
        seen.append(("rename", stat.S_IMODE(os.stat(old, dir_fd=src_dir_fd).st_mode)))
        real_rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(writing.os, "fsync", fsync)
    monkeypatch.setattr(writing.os, "rename", rename)
    path.chmod(0o640)
    write_atomic(str(path), NEW)
    assert seen == [("fsync file", len(NEW)), ("rename", 0o640), ("fsync directory", True)]


def test_nobody_reads_it_half_written(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    path.chmod(0o644)

    def fill(out: Any) -> None:
        out.write(NEW[:100])
        out.flush()
        (temporary,) = set(tmp_path.iterdir()) - {path}
        assert temporary.name.startswith(".")
        assert _mode(temporary) == 0o600
        assert path.read_bytes() == OLD
        out.write(NEW[100:])

    create_atomic(str(path), fill)
    assert (path.read_bytes(), _mode(path)) == (NEW, 0o644)


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.plugops.mattermost.plugins.module_utils._host.writing import write_atomic
old, new = (open(name, "rb").read() for name in sys.argv[3:5])
print("ready", flush=True)
while True:
    write_atomic(sys.argv[2], new)
    write_atomic(sys.argv[2], old)
"""


def test_killed_at_any_instant(tmp_path: Path) -> None:
    """SIGKILL at random moments of a process that does nothing but write."""
    collections = next(parent for parent in Path(__file__).resolve().parents if (parent / "collections").is_dir())
    place = tmp_path / "place"
    place.mkdir()
    target = place / "config.json"
    for name, content in (("old", OLD), ("new", NEW)):
        (tmp_path / name).write_bytes(content)
    target.write_bytes(OLD)
    target.chmod(0o640)
    chance = random.Random(5)
    kills = 0
    seen: Set[bytes] = set()
    while kills < 12 or (len(seen) < 2 and kills < 60):
        kills += 1
        command = [sys.executable, "-c", WRITER, str(collections / "collections"), str(target)]
        with subprocess.Popen(
            [*command, str(tmp_path / "old"), str(tmp_path / "new")], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0, 0.02))  # the instant is the point; nothing is waited for
            writer.send_signal(signal.SIGKILL)
        content = target.read_bytes()
        assert content in (OLD, NEW), f"{len(content)} bytes: neither the old file nor the new one"
        assert _mode(target) == 0o640
        assert all(name == target.name or name.startswith(".plugops-") for name in os.listdir(place))
        seen.add(content)
    assert seen == {OLD, NEW}, "the writer was never caught on both sides of a write"


POINTS = ("mkstemp", "write", "fchmod", "fsync", "rename", "renamed")


@pytest.mark.parametrize("point", POINTS)
def test_killed_right_before_each_call(tmp_path: Path, point: str) -> None:
    """The same at every step, each once: a child that kills itself in place of the call."""
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    child = os.fork()
    if child == 0:
        try:
            _die_at(point)
            write_atomic(str(path), NEW)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert path.read_bytes() == (NEW if point == "renamed" else OLD)
    write_atomic(str(path), b"next run")
    assert path.read_bytes() == b"next run"


def _die_at(point: str) -> None:
    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if point == "mkstemp":
        writing._temporary = die
    elif point == "write":
        writing._write = die
    elif point == "renamed":
        writing.fsync_at = die
    else:
        setattr(writing.os, point, die)


# the rest


@pytest.mark.parametrize(
    ("number", "works"),
    [(errno.ENOLCK, True), (errno.ENOSYS, True), (errno.EOPNOTSUPP, True), (errno.EIO, False)],
)
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, works: bool) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    path = tmp_path / "file"
    path.write_text("old")
    if works:
        write_atomic(str(path), b"new")
    else:
        with pytest.raises(OSError, match=os.strerror(number)):
            write_atomic(str(path), b"new")
    assert path.read_text() == ("new" if works else "old")
    assert os.listdir(tmp_path) == ["file"]


def test_backup_lies_beside_with_owner_mode_and_acl(tmp_path: Path, umask: Callable[[int], int]) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    path.chmod(0o640)
    umask(0o077)
    copy = Path(backup(str(path)))
    assert copy.parent == tmp_path
    assert copy.name.startswith("config.json.")
    assert copy.name.endswith("~")
    assert (copy.read_bytes(), _mode(copy)) == (OLD, 0o640)
    assert (path.read_bytes(), _mode(path)) == (OLD, 0o640)


@needs_root
def test_backup_of_a_file_with_acl_opens_it_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(OLD)
    os.chown(path, 4123, 4124)
    _set_acl(path, ACL, _acl(u4125=4))

    def readers(file: Path) -> List[bool]:
        return [_may_read(file, 4123), _may_read(file, 4125), _may_read(file, 4126, gid=4124), _may_read(file, 4127)]

    assert readers(path) == [True, True, False, False]
    assert readers(Path(backup(str(path)))) == [True, True, False, False]


@pytest.mark.parametrize(("number", "silent"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_directory_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, silent: bool) -> None:
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(writing.os, "fsync", fsync)
    expected: ContextManager[Any] = contextlib.nullcontext() if silent else pytest.raises(OSError, match="Input/output")
    with expected:
        fsync_directory(str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before


def test_sha256_of_more_than_one_chunk(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(2_500_000)
    (tmp_path / "big").write_bytes(data)
    assert sha256_of(str(tmp_path / "big")) == hashlib.sha256(data).hexdigest()


# a file that is read and replaced where it was read


@pytest.mark.parametrize("by", ["another file", "a link", "nothing", "other bytes"])
def test_a_file_that_is_not_the_one_read_is_not_replaced(tmp_path: Path, by: str) -> None:
    path, victim = tmp_path / "config.json", tmp_path / "victim"
    path.write_bytes(OLD)
    victim.write_bytes(b"victim")
    with editing(str(path), 1 << 20) as edit:
        assert edit.data == OLD
        if by == "other bytes":
            path.write_bytes(OLD + b"\n")
        else:
            path.unlink()
        if by == "a link":
            path.symlink_to(victim)
        elif by == "another file":
            path.write_bytes(OLD)
        for change in (lambda: edit.replace(NEW), edit.backup):
            with pytest.raises(OSError, match="another process") as raised:
                change()
            assert raised.value.errno == errno.ESTALE
    assert victim.read_bytes() == b"victim"
    assert not [name for name in os.listdir(tmp_path) if name.endswith("~") or name.startswith(".")]


def test_a_link_in_the_place_of_a_name_is_replaced_itself(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"victim")
    (tmp_path / "bundle").symlink_to("victim")
    create_in_place_of(
        str(tmp_path / "bundle"), lambda out: writing._write(out, NEW), 0o600, os.geteuid(), os.getegid()
    )
    assert not (tmp_path / "bundle").is_symlink()
    assert ((tmp_path / "bundle").read_bytes(), (tmp_path / "victim").read_bytes()) == (NEW, b"victim")

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of plugins: digest, cache, differences in words, swap."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any, BinaryIO, Dict

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle import tree as tree_module
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.tree import (
    DigestCache,
    FileEntry,
    describe_changes,
    read_tree,
    remove_tree,
    swap_in,
    tree_digest,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._host import trees as host_trees
from ansible_collections.plugops.mattermost.plugins.module_utils._host.account import Account
from ansible_collections.plugops.mattermost.plugins.module_utils._host.paths import at
from ansible_collections.plugops.mattermost.plugins.module_utils._host.trees import MAX_DEPTH, exchange
from ansible_collections.plugops.mattermost.plugins.module_utils._host.worker import act_as
from hypothesis import given
from hypothesis import strategies as st

entries = st.builds(FileEntry, st.sampled_from(["a" * 64, "b" * 64, "link:x - y"]), st.integers(0, 9), st.booleans())
trees = st.dictionaries(st.text(st.sampled_from("ab/ -x\n\udc80é"), min_size=1, max_size=4), entries, max_size=4)


def write_files(top: Path, files: Dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
    return top


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is three seconds later than the kernel thinks when it stamps files, so that a new file may be cached."""
    ahead = types.SimpleNamespace(time_ns=lambda: time.time_ns() + 3_000_000_000)
    monkeypatch.setattr(tree_module, "time", ahead)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def contents(top: Path) -> Dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


# --- digest


@given(trees, trees)
def test_digest_is_the_same_exactly_for_the_same_tree(one: Dict[str, FileEntry], other: Dict[str, FileEntry]) -> None:
    def essence(files: Dict[str, FileEntry]) -> object:
        return {path: (entry.sha256, entry.executable) for path, entry in files.items()}

    assert (tree_digest(one) == tree_digest(other)) == (essence(one) == essence(other))
    assert tree_digest(dict(reversed(list(one.items())))) == tree_digest(one)


def test_digest_as_the_coreutils_count_it(tmp_path: Path) -> None:
    top = write_files(tmp_path / "t", {"plugin.json": b"{}", "server/run": b"x", "webapp/a b.js": b"y"})
    (top / "server/run").chmod(0o755)
    script = (
        "find . -type f -printf '%P\\n' | LC_ALL=C sort | while read -r f; do"
        ' if [ -x "$f" ]; then x=x; else x=-; fi;'
        ' printf "%s %s %s\\0" "$(sha256sum < "$f" | cut -c1-64)" "$x" "$f"; done | sha256sum'
    )
    wanted = subprocess.run(["sh", "-c", script], cwd=top, capture_output=True, check=True, text=True).stdout
    assert read_tree(str(top)).digest == wanted.split()[0]


# --- reading


def test_reads_files_and_what_is_none(tmp_path: Path) -> None:
    top = write_files(tmp_path / "t", {"plugin.json": b"{}", "a/b/c.js": b"c", ".filestore": b"", "a/.filestore": b""})
    (top / "empty").mkdir()
    (top / "run").write_bytes(b"#!/bin/sh\n")
    (top / "run").chmod(0o744)
    (top / "group").write_bytes(b"")
    (top / "group").chmod(0o654)
    (top / "link").symlink_to("a/b")
    os.mkfifo(top / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(top / "socket"))
    (Path(os.fsdecode(bytes(top) + b"/caf\xe9"))).write_bytes(b"latin")
    found = read_tree(str(top))
    assert found.files == {
        "plugin.json": FileEntry(sha256(b"{}"), 2, False),
        "a/b/c.js": FileEntry(sha256(b"c"), 1, False),
        "a/.filestore": FileEntry(sha256(b""), 0, False),
        "run": FileEntry(sha256(b"#!/bin/sh\n"), 10, True),
        "group": FileEntry(sha256(b""), 0, False),
        "link": FileEntry("link:a/b", 0, False),
        "fifo": FileEntry("fifo", 0, False),
        "socket": FileEntry("socket", 0, False),
        "caf\udce9": FileEntry(sha256(b"latin"), 5, False),
    }
    assert found.digest == tree_digest(found.files)


def test_a_large_file_and_a_deep_tree(tmp_path: Path) -> None:
    deep = "/".join("d" * 1 for _ in range(MAX_DEPTH)) + "/f"
    top = write_files(tmp_path / "t", {"big": b"z" * 3_000_001})
    subprocess.run(["sh", "-c", f"mkdir -p {os.path.dirname(deep)} && echo x > {deep}"], cwd=top, check=True)
    found = read_tree(str(top)).files
    assert found["big"] == FileEntry(sha256(b"z" * 3_000_001), 3_000_001, False)
    assert found[deep].sha256 == sha256(b"x\n")
    (top / os.path.dirname(deep) / "e").mkdir()
    with pytest.raises(OperatorError, match=f"more than {MAX_DEPTH} deep"):
        read_tree(str(top))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as the modules have it")
def test_a_tree_too_deep_for_any_stack_is_refused_and_removed(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)
    with pytest.raises(OperatorError, match=f"more than {MAX_DEPTH} deep"):
        read_tree(str(tmp_path))
    remove_tree(str(tmp_path / "d"))
    assert os.listdir(tmp_path) == []


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    top = write_files(tmp_path / "t", {"a": b"a"})
    with open(top / "huge", "wb") as out:
        out.truncate(1 << 42)
    started = time.monotonic()
    assert read_tree(str(top)).files["huge"] == FileEntry("too large", 0, False)
    assert time.monotonic() - started < 5


def test_no_tree(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tree(str(tmp_path / "none"))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")  # servers skip links
    (tmp_path / "file").write_bytes(b"")
    for name in ("link", "file"):
        with pytest.raises(NotADirectoryError):
            read_tree(str(tmp_path / name))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to drop to a user who may not read")
def test_unreadable_part_is_named() -> None:
    with tempfile.TemporaryDirectory() as place:  # below what everybody may search
        os.chmod(place, 0o755)
        top = write_files(Path(place) / "t", {"plugin.json": b"{}", "secret/x": b"x"})
        (top / "secret").chmod(0o700)

        def message() -> str:
            try:
                read_tree(str(top))
            except OperatorError as error:
                return str(error)
            return ""

        said = act_as(Account("nobody", 65534, 65534, "nogroup", (65534,)), message)
    assert f"{top}/secret" in said
    assert "Permission denied" in said
    assert "run as root" in said


def test_what_vanishes_meanwhile_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = write_files(tmp_path / "t", {"a": b"a", "b": b"b", "d/x": b"x"})
    real_open = tree_module.open_at

    def open_after_removal(directory: int, name: str) -> BinaryIO:
        remove_tree(str(top / "d"))
        if name == "b":
            os.unlink(name, dir_fd=directory)
        return real_open(directory, name)

    monkeypatch.setattr(tree_module, "open_at", open_after_removal)
    assert set(read_tree(str(top)).files) == {"a"}


# --- cache


def counting(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The files whose bytes were read."""
    read: list[bytes] = []
    real_open = tree_module.open_at

    def count(directory: int, name: str) -> BinaryIO:
        read.append(os.fsencode(name))
        return real_open(directory, name)

    monkeypatch.setattr(tree_module, "open_at", count)
    return read


@pytest.mark.usefixtures("later")
def test_cache_reads_again_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = write_files(tmp_path / "t", {"a": b"aaaa", "b": b"bbbb", "sub/c": b"c"})
    store = str(tmp_path / "state/sub/cache.json")
    cache = DigestCache(store)
    wanted = read_tree(str(top), cache)
    cache.save()
    assert stat.S_IMODE(os.stat(store).st_mode) == 0o600

    read = counting(monkeypatch)
    assert read_tree(str(top), DigestCache(store)) == wanted == read_tree(str(top))
    assert sorted(read) == [b"a", b"b", b"c"]  # all by the call without a cache

    # Same size, same mtime, same inode: ctime alone tells.
    before = (top / "a").stat()
    with open(top / "a", "r+b") as file:
        file.write(b"AAAA")
    os.utime(top / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    # Another file under the name, moved there with old times.
    write_files(tmp_path, {"other": b"cc"})
    os.rename(tmp_path / "other", top / "sub/c")
    read.clear()
    found = read_tree(str(top), DigestCache(store))
    assert sorted(read) == [b"a", b"c"]
    assert (found.files["a"].sha256, found.files["sub/c"].sha256) == (sha256(b"AAAA"), sha256(b"cc"))


@pytest.mark.usefixtures("later")
def test_a_change_of_mode_needs_no_reading_twice(tmp_path: Path) -> None:
    top = write_files(tmp_path / "t", {"a": b"a"})
    cache = DigestCache(str(tmp_path / "cache"))
    read_tree(str(top), cache)
    (top / "a").chmod(0o755)
    assert read_tree(str(top), cache).files["a"].executable


def test_a_young_file_is_not_trusted(tmp_path: Path) -> None:
    """Changed within the clock tick in which it was read, it would look unchanged for ever."""
    top = write_files(tmp_path / "t", {"a": b"one"})
    cache = DigestCache(str(tmp_path / "cache"))
    read_tree(str(top), cache)
    assert cache.get(str(top), "a", (top / "a").stat()) is None
    cache.save()
    assert not os.path.exists(tmp_path / "cache")


def test_cache_judges_age_by_when_a_file_was_read(tmp_path: Path) -> None:
    path = write_files(tmp_path, {"a": b"a"}) / "a"
    found = path.stat()
    cache = DigestCache(str(tmp_path / "cache"))
    cache.put("t", "a", found, "0" * 64, found.st_ctime_ns + 1_999_999_999)
    assert cache.get("t", "a", found) is None
    cache.put("t", "a", found, "0" * 64, found.st_ctime_ns + 2_000_000_000)
    assert cache.get("t", "a", found) == "0" * 64
    assert cache.get("other", "a", found) is None


@pytest.mark.parametrize("field", ["st_size", "st_mtime_ns", "st_ctime_ns", "st_ino"])
def test_cache_looks_at(field: str, tmp_path: Path) -> None:
    found = {"st_size": 1, "st_mtime_ns": 2, "st_ctime_ns": 3, "st_ino": 4}
    cache: Any = DigestCache(str(tmp_path / "cache"))
    cache.put("t", "a", types.SimpleNamespace(**found), "0" * 64, time.time_ns())
    assert cache.get("t", "a", types.SimpleNamespace(**found)) == "0" * 64
    assert cache.get("t", "a", types.SimpleNamespace(**{**found, field: 9})) is None


@pytest.mark.usefixtures("later")
def test_a_cache_of_another_format_is_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top, store = write_files(tmp_path / "t", {"a": b"a"}), tmp_path / "cache"
    cache = DigestCache(str(store))
    read_tree(str(top), cache)
    cache.save()
    store.write_bytes(store.read_bytes().replace(b'"format":1', b'"format":2'))
    read = counting(monkeypatch)
    read_tree(str(top), DigestCache(str(store)))
    assert read == [b"a"]


@pytest.mark.parametrize("swapped", ["link", "fifo", "directory"])
def test_a_file_swapped_while_it_is_read_is_neither_followed_nor_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    write_files(tmp_path, {"secret": b"s"})
    top = write_files(tmp_path / "t", {"a": b"a"})
    real_open = tree_module.open_at

    def open_after_swap(directory: int, name: str) -> BinaryIO:
        os.unlink(name, dir_fd=directory)
        if swapped == "link":
            os.symlink("../secret", name, dir_fd=directory)
        elif swapped == "fifo":
            os.mkfifo(name, dir_fd=directory)
        else:
            os.mkdir(name, dir_fd=directory)
        return real_open(directory, name)

    monkeypatch.setattr(tree_module, "open_at", open_after_swap)
    signal.alarm(20)  # ends the test where it would hang
    try:
        assert read_tree(str(top)).files["a"].sha256 == "changing"
    finally:
        signal.alarm(0)


@pytest.mark.usefixtures("later")
def test_cache_forgets_what_is_gone(tmp_path: Path) -> None:
    one = write_files(tmp_path / "one", {"a": b"a", "b": b"b"})
    two = write_files(tmp_path / "two", {"a": b"a"})
    store = tmp_path / "cache"
    cache = DigestCache(str(store))
    read_tree(str(one), cache)
    read_tree(str(two), cache)
    cache.save()
    assert {tree: sorted(files) for tree, files in json.loads(store.read_bytes())["trees"].items()} == {
        str(one): ["a", "b"],
        str(two): ["a"],
    }
    (one / "b").unlink()
    remove_tree(str(two))
    cache = DigestCache(str(store))
    read_tree(str(one), cache)
    cache.save()
    assert {tree: sorted(files) for tree, files in json.loads(store.read_bytes())["trees"].items()} == {str(one): ["a"]}
    written = store.stat()
    cache = DigestCache(str(store))
    read_tree(str(one), cache)
    cache.save()
    assert store.stat().st_ino == written.st_ino, "nothing changed, so nothing is written"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"format": 2, "trees": {}}', b'{"format": 1}', b'{"format": 1, "trees": []}', b"\xff",
     b'{"format": 1, "trees": {"TOP": {"a": 5}}}', b'{"format": 1, "trees": {"TOP": {"a": [1]}}}',
     b'{"format": 1, "trees": {"TOP": 5}}', b"[" * 100_000],
    ids=range(12),
)  # fmt: skip
def test_a_damaged_cache_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    top = write_files(tmp_path / "t", {"a": b"a"})
    (tmp_path / "cache").write_bytes(content.replace(b"TOP", bytes(top)))
    cache = DigestCache(str(tmp_path / "cache"))
    assert read_tree(str(top), cache) == read_tree(str(top))
    cache.save()


@pytest.mark.usefixtures("later")
def test_a_warm_cache_costs_one_stat_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tops = [tmp_path / f"p{number}" for number in range(20)]
    for top in tops:
        write_files(top, {f"d{number % 7}/f{number}": b"x" * number for number in range(100)})
    cache = DigestCache(str(tmp_path / "cache"))
    for top in tops:
        read_tree(str(top), cache)
    cache.save()
    read = counting(monkeypatch)
    best = 9.0
    for _ in range(5):
        started = time.process_time()
        warm = DigestCache(str(tmp_path / "cache"))
        assert sum(len(read_tree(str(top), warm).files) for top in tops) == 2000
        warm.save()
        best = min(best, time.process_time() - started)
    assert read == []
    assert best < 0.1


# --- differences in words


def test_changes_are_told_by_name() -> None:
    plain, other, run = FileEntry("a", 1, False), FileEntry("b", 1, False), FileEntry("a", 1, True)
    wanted = {"same": plain, "edited": plain, "gone": plain, "bin": run, "text": plain, "caf\udce9\n": plain}
    found = {"same": plain, "edited": other, "new": plain, "bin": plain, "text": run}
    assert describe_changes(found, wanted) == (
        "changed: edited; missing: caf\\xe9\\n, gone; added: new; not executable: bin; needlessly executable: text"
    )
    assert describe_changes(wanted, wanted) == ""


def test_many_changes_are_counted() -> None:
    wanted = {f"f{number}": FileEntry("a", 1, False) for number in range(7)}
    assert describe_changes({}, wanted) == "missing: f0, f1, f2, f3, f4, and 2 more"
    assert describe_changes({}, wanted, limit=7) == "missing: f0, f1, f2, f3, f4, f5, f6"


@given(trees, trees)
def test_words_exactly_where_the_digest_differs(found: Dict[str, FileEntry], wanted: Dict[str, FileEntry]) -> None:
    assert (describe_changes(found, wanted) == "") == (tree_digest(found) == tree_digest(wanted))


# --- swap


def cannot_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_module, "exchange", lambda *places: False)


def exchanged(one: Path, other: Path) -> bool:
    """Whether this host can, and has."""
    with at(str(one)) as here, at(str(other)) as there:
        return exchange(here.parent, here.name, there.parent, there.name)


@pytest.fixture(params=["exchange", "two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    if request.param == "two renames":
        cannot_exchange(monkeypatch)
        return str(request.param)
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
    if not exchanged(tmp_path / "x", tmp_path / "y"):
        pytest.skip("this kernel or file system cannot exchange two names")
    for name in ("x", "y"):
        (tmp_path / name).rmdir()
    return str(request.param)


def test_exchange_really_exchanges(tmp_path: Path) -> None:
    write_files(tmp_path, {"one/a": b"1", "other/b": b"2"})
    if not exchanged(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this kernel or file system cannot exchange two names")
    assert contents(tmp_path) == {"one/b": b"2", "other/a": b"1"}


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EINVAL])
def test_no_exchange_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    class Library:
        def renameat2(self, *_: object) -> int:
            ctypes.set_errno(code)
            return -1

    monkeypatch.setattr(host_trees.ctypes, "CDLL", lambda *_, **__: Library())
    write_files(tmp_path, {"staged/a": b"new", "plugins/p/a": b"old"})
    swap_in(str(tmp_path / "staged"), str(tmp_path / "plugins/p"), str(tmp_path / "trash"))
    assert contents(tmp_path) == {"plugins/p/a": b"new"}


def test_an_old_c_library_has_no_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_trees.ctypes, "CDLL", lambda *_, **__: object())
    assert exchanged(tmp_path / "a", tmp_path / "b") is False


def test_swap_leaves_the_new_tree_alone(way: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"staged/a": b"new", "plugins/p/a": b"old", "plugins/p/sub/b": b"old", "trash/x": b"earlier"})
    inode = (tmp_path / "staged").stat().st_ino
    swap_in(str(tmp_path / "staged"), str(tmp_path / "plugins/p"), str(tmp_path / "trash"))
    assert contents(tmp_path) == {"plugins/p/a": b"new"}
    assert sorted(os.listdir(tmp_path)) == ["plugins"]
    assert (tmp_path / "plugins/p").stat().st_ino == inode


def test_swap_where_nothing_was(way: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"staged/a": b"new", "plugins/other": b"o"})
    swap_in(str(tmp_path / "staged"), str(tmp_path / "plugins/p"), str(tmp_path / "trash"))
    assert contents(tmp_path) == {"plugins/p/a": b"new", "plugins/other": b"o"}
    assert sorted(os.listdir(tmp_path)) == ["plugins"]


@pytest.mark.parametrize("in_the_way", ["file", "link", "dangling link"])
def test_swap_with_something_else_in_the_way(way: str, tmp_path: Path, in_the_way: str) -> None:
    write_files(tmp_path, {"staged/a": b"new", "elsewhere/keep": b"k"})
    target = tmp_path / "p"
    if in_the_way == "file":
        target.write_bytes(b"old")
    else:
        target.symlink_to("elsewhere" if in_the_way == "link" else "nowhere")
    swap_in(str(tmp_path / "staged"), str(target), str(tmp_path / "trash"))
    assert contents(tmp_path) == {"p/a": b"new", "elsewhere/keep": b"k"}
    assert not target.is_symlink()


def test_swap_that_fails_changes_nothing(way: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"p/a": b"old"})
    with pytest.raises(OperatorError, match="cannot be installed"):
        swap_in(str(tmp_path / "staged"), str(tmp_path / "p"), str(tmp_path / "trash"))
    assert contents(tmp_path) == {"p/a": b"old"}
    assert sorted(os.listdir(tmp_path)) == ["p"]


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs a second file system")
def test_swap_across_file_systems_is_refused(way: str, tmp_path: Path) -> None:
    if os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    staged = Path("/dev/shm") / f"plugops-test-{os.getpid()}"
    try:
        write_files(staged, {"a": b"new"})
        write_files(tmp_path, {"p/a": b"old"})
        with pytest.raises(OperatorError, match="one file system"):
            swap_in(str(staged), str(tmp_path / "p"), str(tmp_path / "trash"))
        assert contents(tmp_path) == {"p/a": b"old"}
        assert contents(staged) == {"a": b"new"}
    finally:
        remove_tree(str(staged))


READER = """
import os, sys
path, missing, torn = sys.argv[1], 0, 0
print("ready", flush=True)
while not os.path.exists(path + ".stop"):
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        missing += 1
        continue
    os.close(handle)
print(missing)
"""


def test_an_exchanged_target_is_never_missing(tmp_path: Path) -> None:
    """Seen by another process, over many swaps."""
    write_files(tmp_path, {"p/a": b"0", "probe/a": b"0"})
    if not exchanged(tmp_path / "p", tmp_path / "probe"):
        pytest.skip("this kernel or file system cannot exchange two names")
    reader = subprocess.Popen([sys.executable, "-c", READER, str(tmp_path / "p")], stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        for number in range(100):
            write_files(tmp_path, {"staged/a": str(number).encode()})
            swap_in(str(tmp_path / "staged"), str(tmp_path / "p"), str(tmp_path / "trash"))
        (tmp_path / "p.stop").write_bytes(b"")
        assert reader.communicate(timeout=30)[0] == "0\n"
    finally:
        reader.kill()
        reader.wait()
    assert contents(tmp_path / "p") == {"a": b"99"}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to set the immutable flag")
def test_old_files_that_cannot_be_removed_are_named(way: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"staged/a": b"new", "p/stuck": b"old"})
    stuck = tmp_path / "p/stuck"
    if subprocess.run(["chattr", "+i", str(stuck)], capture_output=True).returncode != 0:
        pytest.skip("this file system has no immutable flag")
    try:
        with pytest.raises(OperatorError, match="new files are installed") as error:
            swap_in(str(tmp_path / "staged"), str(tmp_path / "p"), str(tmp_path / "trash"))
        assert "stuck" in str(error.value)
        assert contents(tmp_path / "p") == {"a": b"new"}
    finally:
        for found in tmp_path.rglob("stuck"):
            subprocess.run(["chattr", "-i", str(found)], check=True)


def test_remove_tree_does_not_follow_links(tmp_path: Path) -> None:
    write_files(tmp_path, {"keep/a": b"k", "t/b": b"b"})
    (tmp_path / "t/link").symlink_to("../keep")
    (tmp_path / "link").symlink_to("keep")
    for name in ("t", "link", "none"):
        remove_tree(str(tmp_path / name))
    assert contents(tmp_path) == {"keep/a": b"k"}
    assert os.listdir(tmp_path) == ["keep"]

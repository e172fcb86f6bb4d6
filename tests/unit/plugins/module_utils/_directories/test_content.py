# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in a plugin directory, against find(1)."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from pathlib import Path
from typing import Dict, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._directories.content import (
    Content,
    fix_content,
    scan_content,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._host.account import Account
from ansible_collections.plugops.mattermost.plugins.module_utils._host.reading import open_directory
from hypothesis import given, settings
from hypothesis import strategies as st

from plugops_tests.support.chattr import chattr

ACCOUNT = Account("tester", 4123, 4124, "4124", (4124,))
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make files of other users")


def _find(top: Path, *tests: str) -> Tuple[str, ...]:
    done = subprocess.run(
        ["find", str(top), "-mindepth", "1", *tests, "-printf", r"%P\n"], capture_output=True, check=True
    )
    return tuple(sorted(done.stdout.decode().splitlines()))


def _state(top: Path) -> Dict[str, Tuple[int, ...]]:
    found = {}
    for path in [top, *top.rglob("*")]:
        now = path.lstat()
        found[str(path)] = (now.st_uid, now.st_gid, now.st_mode, now.st_mtime_ns, now.st_ino)
    return found


def _own(top: Path, uid: int = 4123, gid: int = 4124) -> None:
    for path in [top, *top.rglob("*")]:
        os.chown(path, uid, gid, follow_symlinks=False)


def _fix(top: Path, account: Account) -> None:
    with open_directory(str(top)) as handle:
        fix_content(handle, account)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "plugins"
    (top / "com.example.todo/server/dist").mkdir(parents=True)
    (top / "com.example.todo/plugin.json").write_text("{}")
    binary = top / "com.example.todo/server/dist/plugin"
    binary.write_text("x")
    binary.chmod(0o755)
    (top / "note").write_text("n")
    return top


@needs_root
def test_foreign_entries_are_found_and_given_over_and_nothing_else_is_touched(tree: Path) -> None:
    _own(tree)
    os.chown(tree / "note", 0, 0)
    os.chown(tree / "com.example.todo/server", 4999, 4124)
    os.chown(tree / "com.example.todo/plugin.json", 4123, 0)  # a foreign group is no foreign owner
    before = _state(tree)
    found = scan_content(str(tree), ACCOUNT)
    assert found.foreign == _find(tree, "!", "-uid", "4123") == ("com.example.todo/server", "note")
    assert (found.closed, found.flagged, found.not_given) == ((), (), ())
    assert found.describe("tester") == "2 entries not owned by tester: com.example.todo/server, note"
    assert _state(tree) == before
    _fix(tree, ACCOUNT)
    assert not scan_content(str(tree), ACCOUNT)
    changed = {path for path, state in _state(tree).items() if state != before[path]}
    assert changed == {str(tree / "note"), str(tree / "com.example.todo/server")}
    assert (tree / "com.example.todo/server/dist/plugin").stat().st_mode & 0o7777 == 0o755
    assert ((tree / "note").stat().st_uid, (tree / "note").stat().st_gid) == (4123, 4124)


@needs_root
def test_links_are_neither_changed_nor_followed(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    (outside / "file").chmod(0)
    (tree / "to-directory").symlink_to(outside)
    (tree / "to-file").symlink_to(outside / "file")
    (tree / "dangling").symlink_to("gone")
    before = _state(outside)
    assert not {"to-directory", "to-file", "dangling"} & set(scan_content(str(tree), ACCOUNT).foreign)
    _fix(tree, ACCOUNT)
    assert _state(outside) == before
    assert {(tree / name).lstat().st_uid for name in ("to-directory", "to-file", "dangling")} == {0}, "still root's"


@needs_root
def test_a_file_with_a_second_name_is_never_given_away(tree: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    _own(tree)
    os.link(secret, tree / "com.example.todo/stolen")
    found = scan_content(str(tree), ACCOUNT)
    assert (found.foreign, found.not_given) == ((), ("com.example.todo/stolen",))
    assert found.describe_not_given("tester") == "1 entry that is not given to tester: com.example.todo/stolen"
    _fix(tree, ACCOUNT)
    assert (secret.stat().st_uid, secret.stat().st_mode & 0o7777) == (0, 0o644)


@needs_root
def test_a_file_of_a_third_account_is_never_given_away(tree: Path) -> None:
    _own(tree)
    os.chown(tree / "note", 4999, 4999)
    assert scan_content(str(tree), ACCOUNT).not_given == ("note",)
    _fix(tree, ACCOUNT)
    assert (tree / "note").stat().st_uid == 4999


@needs_root
def test_after_a_new_account_of_the_same_name_all_is_given(tree: Path) -> None:
    _own(tree, 4999, 4999)
    assert scan_content(str(tree), ACCOUNT).not_given == ()
    _fix(tree, ACCOUNT)
    assert _find(tree, "!", "-uid", "4123") == ()


@needs_root
def test_a_secret_that_the_account_could_have_moved_here_is_never_given_away(tree: Path) -> None:
    _own(tree)
    for place in ("note", "com.example.todo/server/dist/plugin"):
        os.chown(tree / place, 0, 0)
        (tree / place).chmod(0o600)
    os.chown(tree / "com.example.todo/server/dist", 0, 0)  # only root could put the program there
    found = scan_content(str(tree), ACCOUNT)
    assert found.not_given == ("note",)
    assert found.foreign == ("com.example.todo/server/dist", "com.example.todo/server/dist/plugin")
    _fix(tree, ACCOUNT)
    assert ((tree / "note").stat().st_uid, (tree / "note").stat().st_mode & 0o777) == (0, 0o600)
    assert (tree / "com.example.todo/server/dist/plugin").stat().st_uid == 4123


@needs_root
@pytest.mark.parametrize(("inside", "given"), [("plugin.json", True), ("x_1f_bundle.js", True), ("id_rsa", False)])
def test_a_closed_directory_of_roots_is_given_only_if_it_is_a_plugins(tree: Path, inside: str, given: bool) -> None:
    _own(tree)
    closed = tree / "closed"
    closed.mkdir(0o700)
    (closed / inside).write_text("x")
    assert bool(scan_content(str(tree), ACCOUNT).foreign) == given
    _fix(tree, ACCOUNT)
    assert (closed.stat().st_uid == 4123) == ((closed / inside).stat().st_uid == 4123) == given


@needs_root
def test_closed_to_the_owner(tree: Path) -> None:
    _own(tree)
    (tree / "com.example.todo/server").chmod(0o455)
    (tree / "note").chmod(0o044)
    (tree / "com.example.todo/plugin.json").chmod(0o400)  # it can be read, and replaced
    found = scan_content(str(tree), ACCOUNT)
    assert (found.foreign, found.closed) == ((), ("com.example.todo/server", "note"))
    assert found.describe("x") == "2 entries closed to the owner: com.example.todo/server, note"
    _fix(tree, ACCOUNT)
    assert (tree / "com.example.todo/server").stat().st_mode & 0o7777 == 0o755
    assert (tree / "note").stat().st_mode & 0o7777 == 0o444
    assert (tree / "com.example.todo/plugin.json").stat().st_mode & 0o7777 == 0o400


@needs_root
def test_foreign_and_closed_at_once(tree: Path) -> None:
    _own(tree)
    (tree / "com.example.todo/server").chmod(0o055)
    os.chown(tree / "com.example.todo/server", 0, 0)
    _fix(tree, ACCOUNT)
    found = (tree / "com.example.todo/server").stat()
    assert (found.st_uid, found.st_mode & 0o7777) == (4123, 0o755)


def test_own_closed_directory_without_root(tree: Path) -> None:
    me = Account("me", os.geteuid(), os.getegid(), "", ())
    inner = tree / "com.example.todo/server"
    inner.chmod(0)
    assert "com.example.todo/server" in scan_content(str(tree), me).closed
    _fix(tree, me)
    assert stat.S_IMODE(inner.stat().st_mode) == 0o700
    assert not scan_content(str(tree), me)


def test_special_files_need_no_rights(tree: Path) -> None:
    me = Account("me", os.geteuid(), os.getegid(), "", ())
    os.mkfifo(tree / "fifo", 0)
    assert not scan_content(str(tree), me)


@needs_root
@given(
    st.dictionaries(st.integers(0, 8), st.tuples(st.sampled_from([0, 4123, 4999]), st.integers(0, 0o777)), max_size=6)
)
@settings(max_examples=20)
def test_fixed_is_what_find_says_is_whole(
    tmp_path_factory: pytest.TempPathFactory, drawn: Dict[int, Tuple[int, int]]
) -> None:
    top = tmp_path_factory.mktemp("content")
    for directory in ("a/b/c", "d"):
        (top / directory).mkdir(parents=True)
    for file in ("f", "a/f", "a/b/f", "d/f"):
        (top / file).touch()
    _own(top)
    places = sorted(top.rglob("*"))
    for number, (uid, mode) in drawn.items():
        place = places[number % len(places)]
        os.chown(place, uid, 4124)
        place.chmod(mode)
    found = scan_content(str(top), ACCOUNT)
    assert tuple(sorted({*found.foreign, *found.not_given})) == _find(top, "!", "-uid", "4123")
    closed = ["-uid", "4123", "(", "-type", "d", "!", "-perm", "-700", "-o", "-type", "f", "!", "-perm", "-400", ")"]
    assert found.closed == _find(top, *closed)
    _fix(top, ACCOUNT)
    assert _find(top, "!", "-uid", "4123") == found.not_given
    assert _find(top, *closed) == ()


@needs_root
def test_entries_that_chattr_has_closed(tree: Path) -> None:
    _own(tree)
    os.chown(tree / "note", 0, 0)
    try:
        chattr("+i", tree / "note")
        chattr("+a", tree / "com.example.todo")
        chattr("+i", tree / "com.example.todo/plugin.json")  # deep down and as wanted: not looked at
        found = scan_content(str(tree), ACCOUNT)
        assert found.flagged == ("com.example.todo", "note")
        assert found.describe_flagged() == "2 entries with the immutable or append-only flag: com.example.todo, note"
        with pytest.raises(PermissionError):
            _fix(tree, ACCOUNT)
    finally:
        subprocess.run(["chattr", "-R", "-i", "-a", str(tree)], check=False)


def test_words() -> None:
    assert Content(foreign=("a",)).describe("mm") == "1 entry not owned by mm: a"
    assert Content(foreign=tuple("abcde")).describe("mm") == "5 entries not owned by mm: a, b, c and 2 more"
    assert Content(("a",), ("b",)).describe("mm") == "1 entry not owned by mm: a; 1 entry closed to the owner: b"
    assert not Content(flagged=("a",))


def test_two_thousand_entries_are_quick(tmp_path: Path) -> None:
    for number in range(20):
        for part in ("server", "webapp"):
            (tmp_path / f"plugin{number}" / part).mkdir(parents=True)
            for file in range(48):
                (tmp_path / f"plugin{number}" / part / str(file)).touch()
    me = Account("me", os.geteuid(), os.getegid(), "", ())
    times = []
    for _ in range(5):
        start = time.perf_counter()
        assert not scan_content(str(tmp_path), me)
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    seen = sum(
        1 for directory, _, names in os.walk(tmp_path) for name in names if os.lstat(os.path.join(directory, name))
    )
    plain = time.perf_counter() - start
    assert seen == 1920
    assert min(times) < 4 * plain, "much slower than one lstat for each"

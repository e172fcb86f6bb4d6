# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement of a trace: recorded lines of each kind, and what each must be taken for."""

from __future__ import annotations

from typing import List

import pytest

from plugops_tests.security import strace
from plugops_tests.security.strace import MARK, Hit, Territory, UnknownCall, calls, led_astray

INSTALL = "/srv/opt/mattermost"
THEIRS = Territory(
    frozenset({INSTALL, f"{INSTALL}/config", f"{INSTALL}/plugins", "/srv/run"}),
    {"/srv/opt/mm": "mattermost", "/srv/conf.json": f"{INSTALL}/config/config.json"},
)
BEGIN = f'10 newfstatat(AT_FDCWD</root>, "{MARK}/case", 0x7ffd5c0, 0) = -1 ENOENT (No such file or directory)'
END = f'10 newfstatat(AT_FDCWD</root>, "{MARK}/end", 0x7ffd5c0, 0) = -1 ENOENT (No such file or directory)'
STAT = "{st_mode=S_IFREG|0644, st_size=3, ...}"


def judged(*lines: str) -> List[Hit]:
    return led_astray([BEGIN, *lines, END], {"case": THEIRS})


ASTRAY = [
    f'10 openat(AT_FDCWD</root>, "{INSTALL}/config/config.json", O_RDONLY|O_CLOEXEC) = 3<{INSTALL}/config/config.json>',
    f'10 openat(AT_FDCWD</root>, "{INSTALL}/plugins", O_RDONLY|O_NOFOLLOW|O_PATH) = 3<{INSTALL}/plugins>',
    f'10 open("{INSTALL}/a", O_WRONLY|O_CREAT|O_EXCL, 0600) = 3<{INSTALL}/a>',
    f'10 newfstatat(AT_FDCWD</root>, "{INSTALL}/plugins", {STAT}, AT_SYMLINK_NOFOLLOW) = 0',
    f'10 lstat("{INSTALL}/plugins", 0x7ffd5c0) = -1 ENOENT (No such file or directory)',
    # By a link of root's, in the last place and on the way.
    f'10 stat("/srv/conf.json", {STAT}) = 0',
    '10 unlink("/srv/opt/mm/x") = -1 ENOENT (No such file or directory)',
    # Relative to a descriptor, but more than one name, or a link would be followed, or up from there.
    f'10 openat(3<{INSTALL}>, "config/config.json", O_RDONLY|O_NOFOLLOW) = 4<{INSTALL}/config/config.json>',
    f'10 openat(3<{INSTALL}>, "config", O_RDONLY) = 4<{INSTALL}/config>',
    f'10 openat(3<{INSTALL}>, "a", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 4<{INSTALL}/a>',
    f'10 openat(3<{INSTALL}>, "config/", O_RDONLY|O_NOFOLLOW) = 4<{INSTALL}/config>',
    f'10 openat(3<{INSTALL}/plugins>, "..", O_RDONLY|O_NOFOLLOW) = 4<{INSTALL}>',
    f'10 openat(3</srv>, "opt/mattermost/config", O_RDONLY|O_NOFOLLOW) = 4<{INSTALL}/config>',
    f'10 newfstatat(3<{INSTALL}>, "config", {STAT}, 0) = 0',
    f'10 statx(3<{INSTALL}>, "config", AT_STATX_SYNC_AS_STAT, STATX_MODE, {{stx_mask=STATX_MODE}}) = 0',
    f'10 fchownat(3<{INSTALL}>, "config", 65534, 65534, 0) = 0',
    f'10 fchmodat(3<{INSTALL}>, "config", 0755) = 0',
    f'10 utimensat(3<{INSTALL}>, "config", NULL, 0) = 0',
    f'10 faccessat(3<{INSTALL}>, "config", W_OK) = 0',
    f'10 faccessat2(3<{INSTALL}>, "config", W_OK, AT_EACCESS) = 0',
    f'10 linkat(3<{INSTALL}>, "a", 4</srv>, "b", AT_SYMLINK_FOLLOW) = 0',
    f'10 linkat(4</srv>, "a", AT_FDCWD</root>, "{INSTALL}/b", 0) = 0',
    f'10 openat2(3<{INSTALL}>, "config", {{flags=O_RDONLY, resolve=0}}, 24) = 4<{INSTALL}/config>',
    # The second of two paths.
    f'10 rename("/srv/a", "{INSTALL}/a") = 0',
    f'10 renameat2(3</srv>, "a", 4<{INSTALL}>, "plugins/a", RENAME_NOREPLACE) = 0',
    f'10 symlink("/etc", "{INSTALL}/plugins/a") = 0',
    f'10 symlinkat("/etc", 3<{INSTALL}>, "plugins/a") = 0',
    f'10 mkdir("{INSTALL}/plugins/a", 0755) = 0',
    f'10 mknod("{INSTALL}/a", S_IFIFO|0600) = 0',
    f'10 unlinkat(3<{INSTALL}>, "plugins/a", 0) = 0',
    f'10 readlinkat(AT_FDCWD</root>, "{INSTALL}/a", 0x7ffd, 4096) = -1 EINVAL (Invalid argument)',
    f'10 lgetxattr("{INSTALL}/a", "system.posix_acl_access", 0x7ffd, 132) = -1 ENODATA (No data available)',
    f'10 setxattr("{INSTALL}/a", "user.a", "\\1\\2,", 3, 0) = 0',
    f'10 chdir("{INSTALL}/plugins") = 0',
    f'10 statfs("{INSTALL}/plugins", {{f_type=EXT2_SUPER_MAGIC, f_bsize=4096, ...}}) = 0',
    f'10 execve("{INSTALL}/bin/mattermost", ["mattermost", "version"], 0x7ffd /* 3 vars */) = 0',
    f'10 truncate("{INSTALL}/a", 0) = 0',
    f'10 inotify_add_watch(3<anon_inode:inotify>, "{INSTALL}/a", IN_ACCESS) = 1',
    f'10 mount("{INSTALL}/a", "/mnt", NULL, MS_BIND, NULL) = 0',
    '10 connect(3<socket:[17904]>, {sa_family=AF_UNIX, sun_path="/srv/run/m.sock"}, 18) = 0',
    f'10 bind(3<socket:[17904]>, {{sa_family=AF_UNIX, sun_path="{INSTALL}/m.sock"}}, 40) = 0',
    # With the working directory as what it is relative to.
    f'10 openat(AT_FDCWD<{INSTALL}>, "config", O_RDONLY|O_CLOEXEC) = 3<{INSTALL}/config>',
    '10 openat(AT_FDCWD</srv/opt>, "mm/a\\"b\\303\\274", O_RDONLY) = -1 ENOENT (No such file or directory)',
]


@pytest.mark.parametrize("line", ASTRAY)
def test_root_can_be_led_elsewhere(line: str) -> None:
    (hit,) = judged(line)
    assert hit.label == "case"
    assert hit.through in THEIRS.writable


SAFE = [
    f'10 openat(AT_FDCWD</root>, "{INSTALL}", O_RDONLY|O_NOFOLLOW|O_PATH) = 3<{INSTALL}>',
    f'10 lstat("{INSTALL}", 0x7ffd5c0) = 0',
    '10 lstat("/srv/conf.json", 0x7ffd5c0) = 0',
    '10 readlink("/srv/conf.json", "x", 4096) = 1',
    '10 openat(AT_FDCWD</root>, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3</etc/passwd>',
    f'10 openat(3<{INSTALL}>, "config", O_RDONLY|O_NOFOLLOW|O_PATH) = 4<{INSTALL}/config>',
    f'10 openat(3<{INSTALL}>, "./config", O_RDONLY|O_NOFOLLOW) = 4<{INSTALL}/config>',
    f'10 openat(3<{INSTALL}>, ".", O_RDONLY) = 4<{INSTALL}>',
    f'10 openat(3<{INSTALL}>, "a", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 4<{INSTALL}/a>',
    f'10 openat2(3<{INSTALL}>, "a", {{flags=O_RDONLY|O_NOFOLLOW, resolve=0}}, 24) = 4<{INSTALL}/a>',
    f'10 newfstatat(3<{INSTALL}>, "config", {STAT}, AT_SYMLINK_NOFOLLOW) = 0',
    f'10 newfstatat(3<{INSTALL}/config>, "", {STAT}, AT_EMPTY_PATH) = 0',
    f'10 fchownat(3<{INSTALL}/a>, "", 65534, 65534, AT_SYMLINK_NOFOLLOW|AT_EMPTY_PATH) = 0',
    f"10 utimensat(3<{INSTALL}/a>, NULL, NULL, 0) = 0",
    f'10 utimensat(3<{INSTALL}>, "a", [UTIME_NOW, UTIME_OMIT], AT_SYMLINK_NOFOLLOW) = 0',
    f'10 unlinkat(3<{INSTALL}>, "plugins", AT_REMOVEDIR) = -1 ENOTEMPTY (Directory not empty)',
    f'10 mkdirat(3<{INSTALL}>, "new", 0700) = 0',
    f'10 renameat(3</srv>, "a", 4<{INSTALL}>, "a") = 0',
    f'10 linkat(3<{INSTALL}>, "a", 3<{INSTALL}>, "b", 0) = 0',
    f'10 symlinkat("plugins/a/b", 3<{INSTALL}>, "a") = 0',
    f'10 readlinkat(3<{INSTALL}/a>, "", 0x7ffd, 4096) = 5',
    '10 chmod("/proc/self/fd/3", 0644) = 0',
    '10 connect(3<socket:[17904]>, {sa_family=AF_UNIX, sun_path="/proc/self/fd/4"}, 18) = 0',
    '10 connect(3<socket:[17904]>, {sa_family=AF_UNIX, sun_path=@"abstract"}, 18) = 0',
    '10 connect(3<socket:[1]>, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = 0',
    f'10 openat(AT_FDCWD<{INSTALL}>, "config", O_RDONLY|O_NOFOLLOW) = 3<{INSTALL}/config>',
    '10 getcwd("/srv/opt/mattermost", 1024) = 20',
    f"10 fchdir(3<{INSTALL}/plugins>) = 0",
    "10 +++ exited with 0 +++",
]


@pytest.mark.parametrize("line", SAFE)
def test_root_cannot_be_led_elsewhere(line: str) -> None:
    assert judged(line) == []


STEP = f'openat(AT_FDCWD</root>, "{INSTALL}/plugins", O_RDONLY) = 3<{INSTALL}/plugins>'


def test_only_what_root_asks_for_counts() -> None:
    after = {
        "setuid(65534) = 0": 0,
        "setresuid(65534, 65534, 65534) = 0": 0,
        "setreuid(-1, 65534) = 0": 0,
        "setuid(65534) = -1 EPERM (Operation not permitted)": 1,
        "setresuid(65534, -1, -1) = 0": 1,
        "setgroups(0, []) = 0": 1,
    }
    for call, hits in after.items():
        assert len(judged(f"10 {call}", f"10 {STEP}")) == hits, call
    assert (
        len(judged("10 setresuid(-1, 65534, -1) = 0", f"10 {STEP}", "10 setresuid(-1, 0, -1) = 0", f"10 {STEP}")) == 1
    )


def test_a_child_is_who_its_parent_was() -> None:
    born = "10 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f) = 11"
    assert len(judged(born, f"11 {STEP}")) == 1
    assert judged("10 setuid(65534) = 0", born, f"11 {STEP}") == []
    # The child drops its rights; those of its parent stay as they are.
    assert [hit.call.pid for hit in judged(born, "11 setuid(65534) = 0", f"11 {STEP}", f"10 {STEP}")] == [10]
    # The first call of a child may be told before the birth has ended.
    assert len(judged("10 vfork( <unfinished ...>", f"11 {STEP}", "10 <... vfork resumed>) = 11")) == 1
    begun = "10 clone3({flags=CLONE_VM, exit_signal=SIGCHLD, stack=0x7f, stack_size=0x9000}, 88 <unfinished ...>"
    assert len(judged(begun, f"11 {STEP}", "10 <... clone3 resumed> => {parent_tid=[0]}) = 11")) == 1


def test_only_the_module_counts() -> None:
    """Not what a test does around it, and no process that the test has started."""
    lines = [f"10 {STEP}", "10 fork() = 12", BEGIN, f"12 {STEP}", "10 fork() = 13", f"13 {STEP}", END, f"10 {STEP}"]
    assert [hit.call.pid for hit in led_astray(lines, {"case": THEIRS})] == [13]


def test_two_halves_are_put_together() -> None:
    (hit,) = judged(
        f'10 newfstatat(AT_FDCWD</root>, "{INSTALL}/a",  <unfinished ...>',
        "11 openat(AT_FDCWD</root>, <unfinished ...>",
        f"10 <... newfstatat resumed>{STAT}, 0) = 0",
    )
    assert hit.path == f"{INSTALL}/a"
    assert hit.call.arguments[2:] == [STAT, "0"]
    opened = f'10 openat(AT_FDCWD</root>, "{INSTALL}/a", O_RDONLY'
    assert len(judged(f"{opened} <unfinished ...>", f"10 <... openat resumed>) = 3<{INSTALL}/a>")) == 1


def test_what_is_named_through_proc_is_relative_to_that_descriptor() -> None:
    seen = f'10 openat(AT_FDCWD</srv/opt>, "mattermost", O_RDONLY|O_NOFOLLOW|O_PATH) = 3<{INSTALL}>'
    for name, hits in (("config", 0), ("config/config.json", 1), ("", 0)):
        assert len(judged(seen, f'10 lstat("/proc/self/fd/3/{name}", 0x7ffd5c0) = 0')) == hits, name
        assert len(judged(seen, f'10 stat("/proc/self/fd/3/{name}", 0x7ffd5c0) = 0')) == bool(name), name
    (hit,) = judged('10 stat("/proc/self/fd/9/config", 0x7ffd5c0) = 0')
    assert hit.through == strace.UNKNOWN


def test_strings_are_what_they_were() -> None:
    line = '10 openat(3</a\\74b\\76, (c>, "x,\\"y)\\n\\303\\274\\\\", O_RDONLY) = 4</a\\74b\\76, (c/x>'
    (call,) = calls([line])
    assert call.text(1) == 'x,"y)\nü\\'
    assert strace.named_by(call.arguments[0]) == "/a<b>, (c"
    assert call.flags(2) == {"O_RDONLY"}


def test_what_it_does_not_know_it_does_not_pass() -> None:
    with pytest.raises(UnknownCall, match="fspick"):
        judged(f'10 fspick(AT_FDCWD</root>, "{INSTALL}/a", 0) = 3')

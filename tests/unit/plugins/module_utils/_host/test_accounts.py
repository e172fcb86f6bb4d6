# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, against the machine's own id(1), and acting as one, against what the kernel then allows."""

from __future__ import annotations

import errno
import os
import pwd
import subprocess
from pathlib import Path
from typing import Any, Set, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._host.account import Account
from ansible_collections.plugops.mattermost.plugins.module_utils._host.accounts import (
    can_switch,
    find_account,
    owner_name,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
from ansible_collections.plugops.mattermost.plugins.module_utils._host.worker import act_as

LIVE = Root()
NOBODY = Account("nobody", 65534, 65534, "nogroup", (65534,))
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as another user")


@pytest.fixture
def image(tmp_path: Path) -> Root:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\n"
        "# a remark: 1:2:3\n"
        "broken line\n"
        "mattermost:x:7001:7002:,,,:/opt/mattermost:/usr/sbin/nologin\n"
        "+::::::\n"
    )
    (etc / "group").write_text("root:x:0:\nmattermost:x:7002:\nplugins:x:7003:other,mattermost\nother:x:7004:other\n")
    return Root(str(tmp_path))


def _id(*argv: str) -> str:
    return subprocess.run(["id", *argv], capture_output=True, check=True, text=True).stdout.strip()


@pytest.mark.parametrize("user", sorted({"root", "nobody", "daemon", pwd.getpwuid(os.geteuid()).pw_name}))
def test_live_account_is_what_id_says(user: str) -> None:
    found = find_account(user, None, LIVE)
    assert (found.name, found.uid, found.gid) == (user, int(_id("-u", user)), int(_id("-g", user)))
    assert found.group == _id("-gn", user)
    assert set(found.groups) == {int(number) for number in _id("-G", user).split()}
    assert find_account(str(found.uid), None, LIVE) == found


def test_group_of_the_service_wins_and_stays_among_the_groups() -> None:
    found = find_account("nobody", "daemon", LIVE)
    assert (found.gid, found.group) == (int(_id("-g", "daemon")), "daemon")
    assert set(found.groups) >= {found.gid}
    assert found.owner == "nobody:daemon"
    assert find_account("nobody", str(found.gid), LIVE) == found


def test_numbers_without_names() -> None:
    assert find_account("4123", "4124", LIVE) == Account("4123", 4123, 4124, "4124", (4124,))
    assert owner_name(4123, 4124, LIVE) == "4123:4124"


@pytest.mark.parametrize(
    ("user", "group", "named"),
    [
        ("no-such-user", None, "no-such-user"),
        ("nobody", "no-such-group", "no-such-group"),
        ("4123", None, "4123"),
        ("99999999999999999999", None, "99999999999999999999"),
    ],
)
def test_unknown_names_are_told_with_a_remedy(user: str, group: Any, named: str) -> None:
    with pytest.raises(OperatorError, match=named) as raised:
        find_account(user, group, LIVE)
    assert "What to do: create it" in str(raised.value)


def test_image_has_its_own_names(image: Root) -> None:
    expected = Account("mattermost", 7001, 7002, "mattermost", (7002, 7003))
    assert find_account("mattermost", None, image) == expected
    assert find_account("7001", None, image) == expected
    assert find_account("mattermost", "other", image) == Account("mattermost", 7001, 7004, "other", (7003, 7004))
    assert owner_name(7001, 7004, image) == "mattermost:other"
    assert owner_name(65534, 65534, image) == "65534:65534"


def test_image_that_lacks_the_user_does_not_borrow_this_machines(image: Root) -> None:
    with pytest.raises(OperatorError, match="nobody"):
        find_account("nobody", None, image)


def test_sandbox_without_names_borrows_this_machines(tmp_path: Path) -> None:
    assert find_account("nobody", None, Root(str(tmp_path))) == find_account("nobody", None, LIVE)


def test_image_whose_passwd_is_a_link(image: Root) -> None:
    etc = Path(image.prefix) / "etc"
    (etc / "passwd").rename(etc / "passwd.real")
    (etc / "passwd").symlink_to("/etc/passwd.real")  # absolute: must not leave the image
    assert find_account("mattermost", None, image).uid == 7001


@needs_root
def test_child_has_user_and_groups_and_parent_keeps_its_own() -> None:
    account = Account("x", 4123, 4124, "4124", (4124, 4125))

    def identity() -> Tuple[Any, ...]:
        return os.getresuid(), os.getresgid(), sorted(os.getgroups())

    before = identity()
    assert act_as(account, identity) == [[4123] * 3, [4124] * 3, [4124, 4125]]
    assert identity() == before


@needs_root
def test_kernel_refuses_what_the_account_may_not(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    with pytest.raises(OSError, match="Permission denied") as raised:
        act_as(NOBODY, lambda: os.listdir("/root") and open(secret).close())
    assert raised.value.errno == errno.EACCES
    assert raised.value.filename in ("/root", str(secret))


def test_errors_and_values_come_back() -> None:
    me = find_account(str(os.geteuid()), None, LIVE)
    assert can_switch(me)
    assert act_as(me, lambda: {"a": [1, None, "ä"]}) == {"a": [1, None, "ä"]}
    with pytest.raises(RuntimeError, match="KeyError: 'lost'"):
        act_as(me, lambda: {}["lost"])
    with pytest.raises(OperatorError, match="without an answer"):
        act_as(me, lambda: os._exit(3))
    large = "x" * 300_000  # more than a pipe holds
    assert act_as(me, lambda: large) == large


def test_no_child_and_no_descriptor_is_left() -> None:
    me = find_account(str(os.geteuid()), None, LIVE)
    before = len(os.listdir("/proc/self/fd"))
    children = _children()  # other tests of the same run may have some
    for _ in range(20):
        act_as(me, lambda: 1)
    assert len(os.listdir("/proc/self/fd")) == before
    assert _children() <= children


def _children() -> Set[int]:
    """Process ids of the children of this process, those that nobody has waited for among them."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid():
            found.add(int(stat.parent.name))
    return found


@needs_root
def test_switch_that_the_kernel_refuses() -> None:
    with pytest.raises(OperatorError, match="cannot act as user x"):
        act_as(Account("x", -1, 4124, "4124", (4124,)), lambda: 1)


@needs_root
def test_other_users_may_not_switch() -> None:
    assert can_switch(Account("x", 4123, 4124, "4124", (4124,)))
    assert act_as(NOBODY, lambda: [can_switch(NOBODY), can_switch(Account("x", 4123, 4124, "4124", ()))]) == [
        True,
        False,
    ]

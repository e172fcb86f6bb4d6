# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account may do: the prediction against a real attempt of that account."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._host.access import (
    ALL,
    SEARCH,
    ask,
    attempt_write,
    mode_bits,
    mode_grants,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._host.account import Account
from ansible_collections.plugops.mattermost.plugins.module_utils._host.accounts import find_account
from ansible_collections.plugops.mattermost.plugins.module_utils._host.path_walk import walk
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
from hypothesis import given, settings
from hypothesis import strategies as st

from plugops_tests.support.acl import give_acl

LIVE = Root()
ACCOUNT = Account("tester", 4123, 4124, "4124", (4124, 4125))
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as another user")

OWNERS = st.sampled_from([(4123, 4124), (4123, 0), (0, 4124), (0, 4125), (0, 0), (4999, 4999)])
MODES = st.integers(min_value=0, max_value=0o777)


def _try_by_hand(path: str) -> bool:
    """The oracle: setpriv and touch, none of the code under test."""
    argv = ["setpriv", "--reuid=4123", "--regid=4124", "--groups=4124,4125"]
    script = 'touch "$1/x" && rm "$1/x"'
    return subprocess.run([*argv, "sh", "-c", script, "sh", path], capture_output=True, check=False).returncode == 0


@given(st.lists(st.tuples(OWNERS, MODES), min_size=1, max_size=3))
@settings(max_examples=30)
def test_prediction_is_what_a_real_attempt_shows(chain: List[Tuple[Tuple[int, int], int]]) -> None:
    top = tempfile.mkdtemp(prefix="plugops-access-")
    try:
        os.chmod(top, 0o755)
        path = top
        for number, ((uid, gid), mode) in enumerate(chain):
            path = os.path.join(path, str(number))
            os.mkdir(path)
            os.chown(path, uid, gid)
            os.chmod(path, mode)
        path_walk = walk(LIVE, path)
        assert path_walk.last is not None
        questions = [(step, SEARCH) for step in path_walk.steps] + [(path_walk.last, ALL)]
        asked = ask(ACCOUNT, LIVE, questions)
        assert asked == [mode_grants(step, ACCOUNT, wanted) for step, wanted in questions]
        try:
            attempt_write(ACCOUNT, LIVE, path)
            written = True
        except OperatorError:
            written = False
        assert written == _try_by_hand(path)
        assert os.listdir(path) == []
        # Read is asked for too, and a file can be made without it.
        last_bits = mode_bits(path_walk.last.uid, path_walk.last.gid, ACCOUNT, os.W_OK | os.X_OK)
        assert written == (all(asked[:-1]) and path_walk.last.mode & last_bits == last_bits)
        assert written or not all(asked)
    finally:
        shutil.rmtree(top)


@given(OWNERS, MODES)
@settings(max_examples=50)
def test_added_bits_are_the_ones_that_count(owner: Tuple[int, int], mode: int) -> None:
    with tempfile.TemporaryDirectory(prefix="plugops-access-") as top:
        os.chmod(top, 0o755)
        path = os.path.join(top, "d")
        os.mkdir(path)
        os.chown(path, *owner)
        os.chmod(path, mode | mode_bits(owner[0], owner[1], ACCOUNT, SEARCH))
        last = walk(LIVE, path).last
        assert last is not None
        assert ask(ACCOUNT, LIVE, [(last, SEARCH)]) == [True]


def test_closed_directory_does_not_hide_the_next(tmp_path: Path) -> None:
    inner = tmp_path / "closed/open"
    inner.mkdir(parents=True)
    os.chmod(inner, 0o777)
    os.chmod(inner.parent, 0o700)
    path_walk = walk(LIVE, str(inner))
    assert path_walk.last is not None
    assert ask(ACCOUNT, LIVE, [(path_walk.steps[-1], SEARCH), (path_walk.last, ALL)]) == [False, True]


def test_acl_is_in_the_answer_though_not_in_the_mode(tmp_path: Path) -> None:
    place = tmp_path / "d"
    place.mkdir(mode=0o700)
    last = walk(LIVE, str(place)).last
    assert last is not None
    assert ask(ACCOUNT, LIVE, [(last, ALL)]) == [False]
    give_acl(place, 4123, 0o7)
    assert ask(ACCOUNT, LIVE, [(last, ALL)]) == [True]


def test_attempt_tells_what_is_wrong(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    with pytest.raises(OperatorError, match="user tester cannot write") as raised:
        attempt_write(ACCOUNT, LIVE, str(tmp_path))
    assert "Permission denied" in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_what_lies_above_an_image_does_not_count(tmp_path: Path) -> None:
    place = tmp_path / "image/opt/plugins"
    place.mkdir(parents=True)
    os.chown(place, 4123, 4124)
    os.chmod(place.parent, 0o755)
    os.chmod(tmp_path, 0o700)
    os.chmod(tmp_path / "image", 0o700)
    attempt_write(ACCOUNT, Root(str(tmp_path / "image")), "/opt/plugins")
    os.chmod(place.parent, 0o700)  # this one does
    with pytest.raises(OperatorError):
        attempt_write(ACCOUNT, Root(str(tmp_path / "image")), "/opt/plugins")


def test_root_may_everything(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0)
    last: Any = walk(LIVE, str(tmp_path)).last
    root = find_account("root", None, LIVE)
    assert mode_grants(last, root, ALL)
    assert ask(root, LIVE, [(last, ALL)]) == [True]

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way a bundle takes: a table of versions, and what holds for all of them."""

from __future__ import annotations

from typing import Optional, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import ServerVersion
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.strategy import AUTO, UNPACK, UPLOAD, choose
from hypothesis import given
from hypothesis import strategies as st

VERSIONS = st.builds(ServerVersion, st.integers(4, 13), st.integers(0, 40), st.integers(0, 9))


@pytest.mark.parametrize(
    ("asked", "version", "reachable", "chosen"),
    [
        (AUTO, (4, 4), False, UNPACK),
        (AUTO, (5, 36, 1), False, UNPACK),
        (AUTO, (5, 36, 1), True, UPLOAD),
        (AUTO, (10, 4, 9), False, UNPACK),
        (AUTO, (10, 5), True, UPLOAD),
        (AUTO, (11, 6), True, UPLOAD),
        (UNPACK, (5, 36), True, UNPACK),
        (UNPACK, (10, 5), True, UNPACK),
        (UNPACK, (10, 12, 3), False, UNPACK),
        (UPLOAD, (5, 24), True, UPLOAD),
    ],
)
def test_way(asked: str, version: Tuple[int, ...], reachable: bool, chosen: str) -> None:
    way = choose(asked, ServerVersion(*version), reachable)
    assert way.name == chosen
    assert ("does not support unpacked plugins" in way.warning) == (chosen == UNPACK and version >= (10, 5))


@pytest.mark.parametrize(
    ("asked", "version", "reachable", "problem", "remedy"),
    [
        (AUTO, (10, 5), False, "not supported by this version", "EnableLocalMode"),
        (AUTO, (11, 0), False, "deletes at its next start", "EnableLocalMode"),
        (UNPACK, (11, 0), True, "deletes at its next start", "EnableLocalMode"),
        (UNPACK, (12, 3), False, "deletes at its next start", "EnableLocalMode"),
        (UPLOAD, (5, 36), False, "needs a running server", "start the server"),
        (UPLOAD, None, False, "needs a running server", "start the server"),
        (AUTO, None, False, "depends on the server's version", "server_version"),
        (UNPACK, None, False, "depends on the server's version", "server_version"),
    ],
)
def test_no_way(asked: str, version: Optional[Tuple[int, ...]], reachable: bool, problem: str, remedy: str) -> None:
    with pytest.raises(OperatorError, match=problem) as raised:
        choose(asked, ServerVersion(*version) if version else None, reachable)
    assert remedy in raised.value.remedy
    if version and asked != UPLOAD:
        assert str(ServerVersion(*version)) in raised.value.found


@given(st.sampled_from([AUTO, UNPACK, UPLOAD]), VERSIONS, st.booleans())
def test_for_all(asked: str, version: ServerVersion, reachable: bool) -> None:
    try:
        way = choose(asked, version, reachable)
    except OperatorError:
        return  # the table above has what is said then
    assert way.reason
    assert way.name == asked or asked == AUTO
    if way.name == UPLOAD:
        assert reachable
    else:
        assert version < ServerVersion(11, 0), "the server would delete what was unpacked"
        assert bool(way.warning) == (version >= ServerVersion(10, 5))
    if asked == AUTO and reachable:
        assert way.name == UPLOAD, "no restart where none is needed"
        assert str(version) in way.reason

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which strategy is chosen: a table of versions, and what holds for all of them."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import ServerVersion
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.situation import Situation
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.strategies.registry import (
    NAMES,
    STRATEGIES,
    strategy_named,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.strategies.strategy import Choice
from hypothesis import given
from hypothesis import strategies as st

AUTO, UPLOAD, FILESTORE, UNPACK, PREPACKAGED = NAMES
VERSIONS = st.builds(ServerVersion, st.integers(4, 13), st.integers(0, 40), st.integers(0, 9))
REMOTE = "FileSettings.DriverName is amazons3"


def choose(
    requested: str, version: Optional[ServerVersion], reachable: bool, filestore_blocker: str = REMOTE, **more: bool
) -> Choice:
    more.setdefault("uploads", True)
    return strategy_named(requested).choose(Situation(version, reachable, filestore_blocker=filestore_blocker, **more))


@pytest.mark.parametrize(
    ("requested", "version", "reachable", "chosen"),
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
        (PREPACKAGED, (5, 2), False, PREPACKAGED),
    ],
)
def test_chosen_without_a_local_filestore(
    requested: str, version: Tuple[int, ...], reachable: bool, chosen: str
) -> None:
    choice = choose(requested, ServerVersion(*version), reachable)
    assert choice.name == chosen
    assert ("does not support unpacked plugins" in choice.warning) == (chosen == UNPACK and version >= (10, 5))


@pytest.mark.parametrize(
    ("version", "reachable", "uploads", "managed", "chosen"),
    [
        ((5, 13), True, False, True, UNPACK),  # installs nothing from its filestore
        ((5, 36), False, False, False, UNPACK),
        ((5, 36), False, False, True, FILESTORE),
        ((5, 36), True, False, False, FILESTORE),
        ((5, 36), True, True, True, UPLOAD),
        ((10, 5), False, False, False, FILESTORE),
        ((11, 0), True, False, False, FILESTORE),
    ],
)
def test_auto_with_a_local_filestore(
    version: Tuple[int, ...], reachable: bool, uploads: bool, managed: bool, chosen: str
) -> None:
    choice = choose(AUTO, ServerVersion(*version), reachable, "", uploads=uploads, managed=managed)
    assert choice.name == chosen
    if chosen == FILESTORE:
        assert ("takes no uploads" if reachable else "no running server") in choice.reason


@pytest.mark.parametrize(
    ("requested", "version", "reachable", "problem", "remedy"),
    [
        (AUTO, (10, 5), False, "not supported by this version", "EnableLocalMode"),
        (AUTO, (11, 0), False, "deletes every plugin at its next start", "EnableLocalMode"),
        (UNPACK, (11, 0), True, "deletes every plugin at its next start", "EnableLocalMode"),
        (UNPACK, (12, 3), False, "deletes every plugin at its next start", "EnableLocalMode"),
        (FILESTORE, (5, 13), True, "install plugins from their filestore", "auto or unpack"),
        (PREPACKAGED, (5, 1), True, "bring plugins along", "auto or unpack"),
        (UPLOAD, (5, 36), False, "needs a running server", "start the server"),
        (UPLOAD, None, False, "needs a running server", "start the server"),
        *((name, None, False, "depends on the server's version", "server_version") for name in (AUTO, UNPACK)),
        *((name, None, True, "depends on the server's version", "server_version") for name in (FILESTORE, PREPACKAGED)),
    ],
)
def test_refused(
    requested: str, version: Optional[Tuple[int, ...]], reachable: bool, problem: str, remedy: str
) -> None:
    with pytest.raises(OperatorError, match=problem) as raised:
        choose(requested, ServerVersion(*version) if version else None, reachable)
    assert remedy in raised.value.remedy
    if version and requested != UPLOAD:
        assert str(ServerVersion(*version)) in raised.value.found


def test_a_filestore_elsewhere_is_named() -> None:
    with pytest.raises(OperatorError, match="needs a filestore on this host's disk") as raised:
        choose(FILESTORE, ServerVersion(5, 36), True)
    assert raised.value.found == REMOTE


@pytest.mark.parametrize("requested", NAMES)
def test_an_api_alone_is_enough_for_uploads_only(requested: str) -> None:
    situation = Situation(ServerVersion(9, 11), True, api_url="https://chat.example.com")
    if requested in (AUTO, UPLOAD):
        assert strategy_named(requested).choose(situation).name == UPLOAD
        return
    with pytest.raises(OperatorError, match="reached through its API alone") as raised:
        strategy_named(requested).choose(situation)
    assert (raised.value.where, raised.value.found) == ("https://chat.example.com", "api_only: true")


@given(st.sampled_from([AUTO, UNPACK, UPLOAD]), VERSIONS, st.booleans())
def test_for_all(requested: str, version: ServerVersion, reachable: bool) -> None:
    try:
        choice = choose(requested, version, reachable)
    except OperatorError:
        return  # the table above has the messages
    assert choice.reason
    assert choice.name == requested or requested == AUTO
    if choice.name == UPLOAD:
        assert reachable
    else:
        assert version < ServerVersion(11, 0), "the server would delete what was unpacked"
        assert bool(choice.warning) == (version >= ServerVersion(10, 5))
    if requested == AUTO and reachable:
        assert choice.name == UPLOAD, "no restart where none is needed"
        assert str(version) in choice.reason


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_a_checkpoint_makes_nothing_prepackaged_that_was_not(strategy: Any) -> None:
    assert strategy.to_restore(was_prepackaged=True) == strategy.name
    assert strategy.to_restore(was_prepackaged=False) == (AUTO if strategy.name == PREPACKAGED else strategy.name)

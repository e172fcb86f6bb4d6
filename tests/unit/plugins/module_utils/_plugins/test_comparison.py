# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A comparison is a function of what was found: it opens nothing, asks nobody, and says the same thing twice."""

from __future__ import annotations

import builtins
import contextlib
import os
import socket
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.store import STORE, Store
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import ensure
from ansible_collections.plugops.mattermost.plugins.module_utils._node.node import Node
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NodeOptions
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.observed import PluginsFound
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.observer import Observer
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.plugin_set import PluginSet
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.staging import Staging
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.wanted import BundleFacts, wanted_plugins

from plugops_tests.sandbox.app_server import NEW, OLD, PLUGIN_ID, AppServer, make_sandbox, remove_sandbox
from plugops_tests.support.bundles import make_bundle

IO = (
    *((os, name) for name in ("open", "stat", "lstat", "fstat", "scandir", "listdir", "readlink")),
    (builtins, "open"),
    (socket, "socket"),
)


@contextlib.contextmanager
def _app_server() -> Iterator[AppServer]:
    """An app server that has the plugin in its old version and does not run."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "sandbox"
        Path(directory).chmod(0o755)
        try:
            yield make_sandbox(place)[2]
        finally:
            remove_sandbox(place)


@pytest.fixture
def server() -> Iterator[AppServer]:
    with _app_server() as made:
        yield made


@pytest.fixture(scope="module")
def unchanged() -> Iterator[AppServer]:
    """For tests that only look."""
    with _app_server() as made:
        yield made


def plugin_set(server: AppServer, entry: Dict[str, Any], *, stored: bool = True, **options: Any) -> PluginSet:
    node = Node(NodeOptions(root=str(server.root), server_version="9.11.0"), lambda argv: (1, "", "no commands here"))
    wanted, sources = wanted_plugins([entry], str, BundleFacts(str(server.root / "facts.json")))
    for sha256, path in sources.items() if stored else ():
        Store(node.state_path(STORE)).add(sha256, path)
    return PluginSet(node, wanted, settings={"Enable": True}, **options)


def bundle(server: AppServer, version: str) -> Dict[str, Any]:
    folder = server.root / f"bundle-{version}-{len(list(server.root.iterdir()))}"
    folder.mkdir()
    return {"src": str(make_bundle(folder, PLUGIN_ID, version))}


@pytest.mark.parametrize("strategy", ["auto", "filestore", "unpack", "prepackaged"])
@pytest.mark.parametrize("case", ["another version", "other files", "absent", "brought along"])
def test_nothing_is_read(unchanged: AppServer, monkeypatch: pytest.MonkeyPatch, strategy: str, case: str) -> None:
    enabled = strategy != "prepackaged"  # an enabled one would be kept as it is
    entry = {
        "another version": lambda: {**bundle(unchanged, NEW), "enabled": enabled},
        "other files": lambda: {**bundle(unchanged, OLD), "enabled": enabled},
        "absent": lambda: {"id": PLUGIN_ID, "state": "absent"},
        "brought along": lambda: {"id": PLUGIN_ID},
    }[case]()
    made = plugin_set(unchanged, entry, strategy=strategy)
    found = made.observe()

    def fail(*arguments: Any, **options: Any) -> Any:
        raise AssertionError(f"a comparison reads {arguments}")

    with monkeypatch.context() as patched:
        for module, name in IO:
            patched.setattr(module, name, fail)
        with pytest.raises(AssertionError, match="a comparison reads"):
            made.observe()
        once, again = made.compare(found), made.compare(found)
        made.pending(found)
        reasons = made.restart_reasons
    assert once.as_list() == again.as_list()
    assert once.names(), "nothing differs, so hardly anything was compared"
    assert made.chosen is None, "a comparison leaves no trace"
    assert reasons(found, once) == [], "the server does not run"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    """What is done, in its order."""
    done: List[str] = []
    observe, compare, check = Observer.observe, PluginSet.compare, PluginSet.check_preconditions

    def observed(self: Observer) -> PluginsFound:
        done.append("observe")
        return observe(self)

    def compared(self: PluginSet, found: PluginsFound) -> Any:
        done.append("compare")
        return compare(self, found)

    def checked(self: PluginSet, found: PluginsFound, differences: Any) -> None:
        done.append("check")
        check(self, found, differences)

    monkeypatch.setattr(Observer, "observe", observed)
    monkeypatch.setattr(PluginSet, "compare", compared)
    monkeypatch.setattr(PluginSet, "check_preconditions", checked)
    return done


def test_a_change_looks_before_and_after(server: AppServer, looks: List[str]) -> None:
    ensure(plugin_set(server, bundle(server, NEW)), check_mode=False)
    assert looks == ["observe", "compare", "check", "observe", "compare"]


def test_so_does_staging(server: AppServer, looks: List[str]) -> None:
    """Nothing is lacking here; the choice of the strategy is reported all the same."""
    made = plugin_set(server, bundle(server, NEW))
    assert not ensure(Staging(made), check_mode=False).result()["changed"]
    assert looks == ["observe", "compare", "check"]
    assert made.chosen is not None
    assert made.chosen.name == "unpack"


def test_what_must_be_sent_is_known_after_one_look(server: AppServer, looks: List[str]) -> None:
    made = plugin_set(server, bundle(server, NEW), stored=False)
    assert len(made.to_send()) == 1
    assert looks == ["observe", "compare", "check"]

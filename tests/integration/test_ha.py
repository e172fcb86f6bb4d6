# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin is upgraded across the cluster while clients ask through the load balancer all the time: none is let down.

With MATTERMOST_RELEASE=<tarball> the real server takes part, with a PostgreSQL that all three share.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from plugops_tests.clusters import broken as cluster
from plugops_tests.clusters.ha import APPS, BALANCER, Client, HaCluster, ha_cluster
from plugops_tests.servers import postgres
from plugops_tests.standin.release import build_release
from plugops_tests.support.bundles import make_bundle

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.matrix]

IDS = ("com.example.a", "com.example.b")
OLD, NEW = "1.0.0", "1.1.0"
# Server, whether the filestore is shared.
STAND_INS = [(version, shared) for version in ("5.36.1", "9.10.0", "11.6.0") for shared in (True, False)]
REAL = os.environ.get("MATTERMOST_RELEASE", "")


@pytest.fixture(scope="module")
def ha() -> Iterator[HaCluster]:
    missing = cluster.missing()
    if missing:
        pytest.skip(f"no test hosts on this machine: {'; '.join(missing)}")
    with ha_cluster() as found:
        for plugin_id in IDS:
            for version in (OLD, NEW):
                make_bundle(found.place, plugin_id, version)
        yield found


@contextlib.contextmanager
def data_source(ha: HaCluster) -> Iterator[str]:
    """A database that the hosts reach."""
    reason = postgres.missing()
    if reason:
        pytest.skip(reason)
    with postgres.TemporaryPostgres(ha.controller, "198.18.0.0/15") as found:
        found.create_database("ha")
        yield found.url("ha")


def upgrade(ha: HaCluster) -> None:
    """From the old versions to the new ones, with clients; looked at from outside."""
    ha.site(plugins(ha, OLD))
    assert {host: own(ha, host) for host in APPS} == dict.fromkeys(APPS, dict.fromkeys(IDS, OLD))
    with Client(ha.addresses[BALANCER]) as client:
        run = ha.site(plugins(ha, NEW))
    assert client.failures == [], f"{len(client.failures)} of {client.requests}"
    assert client.requests > 100
    assert {host: own(ha, host) for host in APPS} == dict.fromkeys(APPS, dict.fromkeys(IDS, NEW)), run.output
    assert "down" not in ha.ssh(BALANCER, "cat /etc/nginx/conf.d/mattermost.conf")
    assert ha.site(plugins(ha, NEW)).changed() == []
    print(f"{client.requests} requests, the slowest took {client.slowest:.2f} s")


def own(ha: HaCluster, host: str) -> Dict[str, str]:
    """A real server has plugins of its own, too."""
    return {plugin_id: version for plugin_id, version in ha.running(host).items() if plugin_id in IDS}


def plugins(ha: HaCluster, version: str) -> List[Dict[str, Any]]:
    return [{"src": str(ha.place / f"{plugin_id}-{version}.tar.gz")} for plugin_id in IDS]


@pytest.mark.parametrize(("version", "shared"), STAND_INS)
def test_nobody_notices_with_the_stand_in(ha: HaCluster, version: str, shared: bool) -> None:
    ha.install(build_release(version, ha.place), shared)
    upgrade(ha)


@pytest.mark.skipif(not REAL, reason="no real server: set MATTERMOST_RELEASE to a release tarball")
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "own"])
def test_nobody_notices_with_a_real_server(ha: HaCluster, shared: bool) -> None:
    with data_source(ha) as source:
        ha.install(Path(REAL), shared, source)
        upgrade(ha)

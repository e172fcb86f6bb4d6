# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which servers the contract is held against.

Always: the stand-in, in the versions of STANDIN_VERSIONS (comma-separated, or "all"). By default each test runs against
the oldest and the newest era that it is for, and against the one in EVERY_RUN; the others are in the matrix.
With MATTERMOST_RELEASE=<tarball>[:<tarball>…]: those real releases too, each with a PostgreSQL of the tests' own;
`-k real` leaves the stand-in out.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import pytest

from plugops_tests.servers import postgres as postgres_support
from plugops_tests.servers.deployment import Deployment, Release, Server
from plugops_tests.servers.postgres import TemporaryPostgres
from plugops_tests.standin.release import SUPPORTED, build_release

ONE_OF_EACH_ERA = ("4.6.0", "5.13.0", "5.36.1", "9.10.0", "11.6.0")
EVERY_RUN = "5.36.1"
Target = Tuple[str, str]  # ("standin", version) or ("real", path)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "since(major, minor): servers of this version and later")
    config.addinivalue_line("markers", "before(major, minor): servers older than this version")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "release" not in metafunc.fixturenames:
        return
    targets: List[Target] = [("standin", version) for version in _versions(metafunc.definition)]
    in_matrix = set() if "STANDIN_VERSIONS" in os.environ else {*targets[1:-1]} - {("standin", EVERY_RUN)}
    targets += [("real", path) for path in os.environ.get("MATTERMOST_RELEASE", "").split(os.pathsep) if path]
    parameters = [
        pytest.param(
            (kind, name),
            id=f"{kind}-{Path(name).name.replace('.tar.gz', '')}",
            marks=[pytest.mark.matrix] if (kind, name) in in_matrix else [],
        )
        for kind, name in targets
    ]
    metafunc.parametrize("release", parameters, indirect=True, scope="session")


def _versions(item: pytest.Item) -> List[str]:
    """Versions of the stand-in that a test runs against, the oldest first."""
    chosen = os.environ.get("STANDIN_VERSIONS", ",".join(ONE_OF_EACH_ERA))
    versions = SUPPORTED if chosen == "all" else [version.strip() for version in chosen.split(",")]
    return [version for version in versions if _applies(item, tuple(int(part) for part in version.split("."))) is None]


def _applies(item: pytest.Item, version: Tuple[int, ...]) -> Optional[str]:
    """None, or why this test is not for this version."""
    for marker in item.iter_markers("since"):
        if version < marker.args:
            return f"for servers since {'.'.join(map(str, marker.args))}"
    for marker in item.iter_markers("before"):
        if version >= marker.args:
            return f"for servers before {'.'.join(map(str, marker.args))}"
    return None


@pytest.fixture(scope="session")
def postgres() -> Iterator[TemporaryPostgres]:
    reason = postgres_support.missing()
    if reason is not None:
        pytest.skip(reason)
    with TemporaryPostgres() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    kind, name = request.param
    if kind == "standin":
        made = Release(build_release(name, tmp_path_factory.mktemp("release")), f"standin-{name}", None)
    else:
        tarball = Path(name)
        if not tarball.is_file():
            pytest.fail(f"MATTERMOST_RELEASE names {name}, which is no file")
        made = Release(tarball, tarball.name.replace(".tar.gz", ""), request.getfixturevalue("postgres"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True)
def only_for_its_versions(request: pytest.FixtureRequest) -> None:
    if "release" in request.fixturenames:
        reason = _applies(request.node, request.getfixturevalue("release").version)
        if reason is not None:
            pytest.skip(reason)


@pytest.fixture
def version(release: Release) -> Tuple[int, ...]:
    """As the server itself says it, in X-Version-Id."""
    return release.version


@pytest.fixture
def deployment(release: Release) -> Iterator[Deployment]:
    """A server of this test alone, not started."""
    with release.deploy() as made:
        yield made


@pytest.fixture(scope="session")
def shared_deployment(release: Release) -> Iterator[Deployment]:
    with release.deploy() as made:
        yield made


@pytest.fixture(scope="session")
def shared(shared_deployment: Deployment) -> Iterator[Server]:
    """A running server for tests that change nothing but a plugin of their own id."""
    with shared_deployment.running() as server:
        yield server

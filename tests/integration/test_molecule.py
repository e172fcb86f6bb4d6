# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecule's scenarios, as `molecule test` runs them: create, prepare, converge, idempotence, verify, destroy."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from plugops_tests.clusters import broken as cluster
from plugops_tests.support.playbooks import REPOSITORY, clean_environment, program
from plugops_tests.windows import machine as machines

pytestmark = [pytest.mark.hosts, pytest.mark.slow]


ON_REQUEST = pytest.mark.matrix


@pytest.mark.parametrize(
    "scenario",
    ["default", *(pytest.param(name, marks=ON_REQUEST) for name in ("windows", "ha", "test_cluster"))],
)
def test_scenario(scenario: str, tmp_path: Path) -> None:
    missing = machines.missing() if scenario == "windows" else cluster.missing()
    if missing:
        pytest.skip(f"no test hosts on this machine: {'; '.join(missing)}")
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    done = subprocess.run(
        [program("molecule"), "test", "--scenario-name", scenario, "--destroy", "always"],
        cwd=REPOSITORY,
        # Molecule's own choice depends on the name of the clone's directory alone: two clones would meet there.
        env=clean_environment(PATH=path, MOLECULE_EPHEMERAL_DIRECTORY=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:]

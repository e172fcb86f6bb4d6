# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo` does what it promises, and begins from the same broken servers where its sandbox is there already."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from plugops_tests.sandbox import demo
from plugops_tests.sandbox.app_server import make_sandbox, remove_sandbox
from plugops_tests.support.playbooks import REPOSITORY

pytestmark = pytest.mark.slow


COMPLAINT = "Failed to start up plugins: mkdir ./plugins: permission denied"


def test_demo_and_what_the_next_one_begins_with() -> None:
    remove_sandbox(demo.SANDBOX)
    paths = os.pathsep.join(
        str(REPOSITORY / name) for name in ("tests", "collections", "tests/plugops_tests/support/compiled")
    )
    done = subprocess.run(
        [sys.executable, "-m", "plugops_tests.sandbox.demo"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert COMPLAINT in done.stdout
    assert done.stdout.count("GET /api/v4/plugins/webapp: 501") == 3
    assert "after:  3 of 3 app servers run the plugin" in done.stdout
    assert "a second run of site.yml changed 0 things" in done.stdout
    again = [demo.show(server) for server in make_sandbox(demo.SANDBOX)]
    assert [seen.status for seen in again] == [501] * 3
    assert all(seen.complaint for seen in again)
    assert any(COMPLAINT in seen.complaint for seen in again)

"""`make demo` does what it promises, also where its sandbox is there already."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from support.playbooks import REPOSITORY

pytestmark = pytest.mark.slow


def test_demo_twice() -> None:
    paths = os.pathsep.join(str(REPOSITORY / name) for name in ("tests", "collections", "tests/support/compiled"))
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "sandbox.demo"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert "Failed to start up plugins: mkdir ./plugins: permission denied" in done.stdout
        assert done.stdout.count("GET /api/v4/plugins/webapp: 501") == 3
        assert "after:  3 of 3 app servers run the plugin" in done.stdout
        assert "a second run of site.yml changed 0 things" in done.stdout

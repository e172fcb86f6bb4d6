# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit's sandboxing leaves of a path: the prediction against services that a real systemd starts."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._services.systemd_sandbox import sandbox_blockers

from plugops_tests.hosts import requirements, rootfs

pytestmark = pytest.mark.hosts
REPOSITORY = Path(__file__).parents[2]
SUITE = "bookworm"
PLUGINS = "/opt/mattermost/plugins"
PLACES = (
    PLUGINS,
    "/etc/mm/plugins",
    "/usr/share/mm",
    "/home/mm/plugins",
    "/root/plugins",
    "/var/tmp/mm",
    "/var/lib/mm",
)

# Settings of a unit, and the path to look at.
CASES: List[Tuple[Dict[str, str], str]] = [
    ({}, PLUGINS),
    ({"ProtectSystem": "yes"}, PLUGINS),
    ({"ProtectSystem": "yes"}, "/usr/share/mm"),
    ({"ProtectSystem": "yes"}, "/etc/mm/plugins"),
    ({"ProtectSystem": "full"}, "/etc/mm/plugins"),
    ({"ProtectSystem": "full"}, PLUGINS),
    ({"ProtectSystem": "strict"}, PLUGINS),
    ({"ProtectSystem": "strict"}, "/home/mm/plugins"),
    ({"ProtectSystem": "strict"}, "/root/plugins"),
    ({"ProtectSystem": "strict", "ReadWritePaths": "/opt/mattermost"}, PLUGINS),
    ({"ProtectSystem": "strict", "ReadWritePaths": "-/missing /opt/link/plugins"}, PLUGINS),
    ({"ProtectSystem": "strict", "ReadWritePaths": "/"}, PLUGINS),
    ({"ProtectSystem": "strict", "StateDirectory": "mm"}, "/var/lib/mm"),
    ({"ReadOnlyPaths": "/opt"}, PLUGINS),
    ({"ReadOnlyPaths": "/opt", "ReadWritePaths": "/opt/mattermost"}, PLUGINS),
    ({"ReadOnlyPaths": "/opt/mattermost", "ReadWritePaths": "/opt"}, PLUGINS),
    ({"ReadOnlyPaths": PLUGINS, "ReadWritePaths": PLUGINS}, PLUGINS),
    ({"InaccessiblePaths": "/opt"}, PLUGINS),
    ({"InaccessiblePaths": "/opt", "ReadWritePaths": "-/opt/mattermost"}, PLUGINS),
    ({"InaccessiblePaths": "/opt", "BindPaths": "-/opt/mattermost"}, PLUGINS),
    ({"TemporaryFileSystem": "/opt"}, PLUGINS),
    ({"TemporaryFileSystem": "/opt:ro", "BindPaths": "/opt/mattermost"}, PLUGINS),
    ({"TemporaryFileSystem": "/opt", "BindReadOnlyPaths": "/opt/mattermost"}, PLUGINS),
    ({"TemporaryFileSystem": "/opt", "ReadWritePaths": "-/opt/mattermost"}, PLUGINS),
    ({"BindPaths": "/srv/other:/opt/mattermost/plugins"}, PLUGINS),
    ({"ProtectHome": "yes"}, "/home/mm/plugins"),
    ({"ProtectHome": "yes", "ReadWritePaths": "-/home/mm"}, "/home/mm/plugins"),
    ({"ProtectHome": "read-only"}, "/root/plugins"),
    ({"ProtectHome": "read-only", "ReadWritePaths": "/root/plugins"}, "/root/plugins"),
    ({"ProtectHome": "read-only", "ReadWritePaths": "/root"}, "/root/plugins"),
    ({"ProtectHome": "tmpfs"}, "/home/mm/plugins"),
    ({"ProtectHome": "tmpfs", "BindPaths": "/home/mm"}, "/home/mm/plugins"),
    ({"ProtectSystem": "strict", "ProtectHome": "read-only"}, "/home/mm/plugins"),
    ({"PrivateTmp": "yes"}, "/var/tmp/mm"),
    ({"PrivateTmp": "no"}, "/var/tmp/mm"),
    ({"DynamicUser": "yes"}, PLUGINS),
    ({"DynamicUser": "yes"}, "/var/tmp/mm"),
    ({"DynamicUser": "yes", "ReadWritePaths": PLUGINS}, PLUGINS),
    ({"NoExecPaths": "/opt"}, PLUGINS),
    ({"NoExecPaths": "/opt", "ExecPaths": "/opt/mattermost"}, PLUGINS),
    ({"NoExecPaths": "/", "ExecPaths": "/usr /lib /lib64 /bin"}, PLUGINS),
    ({"NoExecPaths": "/opt/mattermost", "ExecPaths": "/opt"}, PLUGINS),
    ({"NoExecPaths": "/opt", "ReadOnlyPaths": "/opt"}, PLUGINS),
    ({"NoExecPaths": "/opt", "ExecPaths": PLUGINS, "ReadWritePaths": PLUGINS}, PLUGINS),
]

PREPARE = f"""
set -eu
mkdir -p /srv/other
for place in {" ".join(PLACES)}; do
    mkdir -p $place
    touch $place/marker
    cp /bin/true $place/program
    chmod 0777 $place
done
chmod 0755 /root /root/plugins /home/mm  # DynamicUser= is no root
chmod 0777 /root/plugins
ln -sfn mattermost /opt/link
"""
# What the service itself sees; one line each.
LOOK = """
[ -e "$0/marker" ] || { echo sandbox-hidden; exit; }
{ probe=$(mktemp "$0/probe.XXXXXX") && rm "$probe"; } 2>/dev/null || echo sandbox-read-only
"$0/program" 2>/dev/null || echo sandbox-noexec
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[List[List[str]]]:
    """For each case what a service with these settings found."""
    lacking = requirements.missing(SUITE, rootfs.DEFAULT_CACHE, "")
    if lacking:
        pytest.skip(f"real hosts need: {'; '.join(lacking)}")
    state = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "plugops_tests.hosts"]
    place = ["--state-dir", str(state)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    try:
        up = [*command, "up", "--suite", SUITE, "--host", "sandbox1", "--user", "root", *place]
        done = subprocess.run(up, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        config = json.loads(done.stdout)["ssh_config"]
        ssh = subprocess.run(
            ["ssh", "-F", config, "sandbox1", "bash", "-s"],
            input=PREPARE + "\n".join(_start(sandbox, path) for sandbox, path in CASES),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert ssh.returncode == 0, ssh.stderr
        answers = ssh.stdout.split("-- done\n")
        assert len(answers) == len(CASES) + 1
        yield [answer.split() for answer in answers[:-1]]
    finally:
        subprocess.run([*command, "down", *place], env=environment, capture_output=True, check=True)


def _start(sandbox: Dict[str, str], path: str) -> str:
    argv = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect"]
    for setting, value in sandbox.items():
        argv += ["-p", f"{setting}={value}"]
    # Standard input is the script that runs all this.
    return f"{shlex.join([*argv, '/bin/sh', '-c', LOOK, path])} </dev/null || echo failed; echo -- done"


def _resolve(path: str) -> str:
    return path.replace("/opt/link", "/opt/mattermost")


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{sandbox} {path}" for sandbox, path in CASES])
def test_service_finds_what_is_predicted(number: int, seen: List[List[str]]) -> None:
    sandbox, path = CASES[number]
    predicted = [found.kind for found in sandbox_blockers(path, sandbox, "mm.service", True, _resolve)]
    assert seen[number] == predicted

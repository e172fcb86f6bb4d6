# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin's server part: a child process in the server's own working directory, with its environment."""

from __future__ import annotations

import hashlib
import os
import re
import select
import subprocess
import time
from typing import Any, Mapping

from .gofs import GoError, PathError, clean_join, read_file
from .manifest import executable_of
from .versions import Traits

START_TIMEOUT = 3.0
STOP_TIMEOUT = 10.0
_TIMED_OUT = "timed out waiting for plugin"
_HANDSHAKE = re.compile(rb"\d+\|\d+\|(unix|tcp)\|[^|]+\|\w+")


class PluginProcess:
    """A started plugin. Its standard input is a pipe that closes with the server."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    def stop(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()


def start(directory: str, manifest: Mapping[str, Any], traits: Traits) -> PluginProcess:
    """Start the executable that the manifest names for this machine. Raises GoError with the server's words."""
    named = executable_of(manifest, traits)
    if not named and traits.knows_missing_executable:
        machine = os.uname().machine.replace("x86_64", "amd64").replace("aarch64", "arm64")
        raise GoError(f"backend executable not found for environment: linux/{machine}")
    relative = os.path.normpath(named or ".")
    if relative.startswith(".."):
        raise GoError("invalid backend executable")
    path = clean_join(directory, relative)
    if traits.checks_executable_sum:
        try:
            hashlib.sha256(read_file(path)).digest()
        except GoError as error:
            raise GoError(f"unable to generate plugin checksum: {error}") from error
    environment = dict(os.environ)
    if traits.rpc_plugins:
        environment["MATTERMOST_PLUGIN"] = "Securely message teams, anywhere."
    try:
        # Go executes the path as it is, relative to the working directory: never searched in PATH.
        child = subprocess.Popen(
            [path],
            executable=path if "/" in path else "./" + path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
    except OSError as error:
        raise PathError("fork/exec", path, error.errno or 0) from error
    process = PluginProcess(child)
    try:
        _await_handshake(child, traits)
    except GoError:
        child.kill()
        process.stop()
        raise
    return process


def _await_handshake(child: subprocess.Popen[bytes], traits: Traits) -> None:
    assert child.stdout is not None
    deadline = time.monotonic() + START_TIMEOUT
    line = b""
    while b"\n" not in line:
        ready, _, _ = select.select([child.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise GoError("timeout while waiting for plugin to start" if traits.rpc_plugins else _TIMED_OUT)
        chunk = os.read(child.stdout.fileno(), 4096)
        if not chunk and traits.rpc_plugins:
            raise GoError("plugin exited before we could connect")
        if not chunk:  # 4.x starts it again every second, as long as it waits
            time.sleep(max(0.0, deadline - time.monotonic()))
            raise GoError(_TIMED_OUT)
        line += chunk
    if not _HANDSHAKE.match(line):
        text = line.split(b"\n")[0].decode("utf-8", "replace")
        raise GoError(
            f"Unrecognized remote plugin message: {text}\n\nThis usually means that the plugin is either invalid "
            "or simply\nneeds to be recompiled to support the latest protocol."
        )

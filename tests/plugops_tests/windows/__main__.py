# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m plugops_tests.windows up | down`: a Windows machine that stays until it is taken down.

Results go to stdout as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from . import machine
from .machine import INSTALL_DIR, MATTERMOST, ODD, ODD_DIR
from .wine import wait_for

_STATE = "machine.json"
_LOG = "machine.log"
_TIMEOUT = 300.0
_SERVICES = {MATTERMOST: INSTALL_DIR, ODD: ODD_DIR}


def up(place: Path) -> int:
    """Started by a process of its own, since the machine ends with who has started it."""
    state = place / _STATE
    changed = not state.exists()
    if changed:
        place.mkdir(parents=True, exist_ok=True)
        with open(place / _LOG, "wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "plugops_tests.windows", "serve", "--state-dir", str(place)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(lambda: state.exists() or child.poll() is not None, "the machine", _TIMEOUT)
        if not state.exists():
            print(f"windows up: {(place / _LOG).read_text(encoding='utf-8', errors='replace')}", file=sys.stderr)
            return 1
    print(json.dumps({"changed": changed, **json.loads(state.read_text(encoding="utf-8"))}))
    return 0


def serve(place: Path) -> int:
    """Until SIGTERM. Each service as an operator leaves it: running, in the wrong directory."""
    signals = {signal.SIGTERM, signal.SIGINT}
    missing = machine.missing()
    if missing:
        print(f"no Windows machine here: {'; '.join(missing)}")
        return 1
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with machine.running(machine.template()) as found:
        registry = {service: found.registry(service) for service in _SERVICES}
        for directory in _SERVICES.values():
            found.runs_in(directory)
        state = place / _STATE
        text = {
            "pid": os.getpid(),
            "directory": str(found.directory),
            "variables": found.variables(),
            "registry": registry,
        }
        state.with_suffix(".new").write_text(json.dumps(text), encoding="utf-8")
        state.with_suffix(".new").rename(state)
        signal.sigwait(signals)
    return 0


def down(place: Path) -> int:
    state = place / _STATE
    changed = state.exists()
    if changed:
        pid = json.loads(state.read_text(encoding="utf-8"))["pid"]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not _is_there(pid), "the end of the machine", _TIMEOUT)
        state.unlink()
    print(json.dumps({"changed": changed}))
    return 0


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="windows", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "serve"])
    parser.add_argument("--state-dir", type=Path, required=True)
    options = parser.parse_args()
    sys.exit({"up": up, "down": down, "serve": serve}[options.command](options.state_dir))

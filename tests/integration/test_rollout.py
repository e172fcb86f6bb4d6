# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml over three app servers behind nginx: what happens when something goes wrong on the way.

All tests share one cluster; each brings the app servers into the state that it starts from.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from plugops_tests.clusters import broken as cluster
from plugops_tests.clusters.ha import APPS, BALANCER, HaCluster, ha_cluster
from plugops_tests.standin.release import build_release
from plugops_tests.support.bundles import SERVER_EXECUTABLE, make_bundle

pytestmark = [pytest.mark.hosts, pytest.mark.slow]

VERSION = "5.36.1"
ID, WEB_ID = "com.example.a", "com.example.b"
OLD, NEW = "1.0.0", "1.1.0"
LARGE_ID, LARGE = "com.example.large", 8 * 1024 * 1024
# Version 1.1.0 does not start on a host with this file.
FAULT = "/etc/no-new-plugin"
SCRIPT = b"""#!/bin/sh
[ -e %s ] && exit 1
echo "1|1|unix|${TMPDIR:-/tmp}/plugin-$$|netrpc"
exec cat >/dev/null
"""
AT_ONCE = {"mattermost_rolling_batch": "100%"}  # where the order is not what is tested
# Bytes of all that a roll-out may change, but for what servers and runs keep for themselves.
CONTENT = (
    "cd / && find opt/mattermost etc/systemd/system -type f -not -path '*/logs/*' -exec sha256sum {} + | sort -k2; "
    "find opt/mattermost etc/systemd/system -not -path '*/logs/*' -printf '%p %u %g %m %l\\n' | sort"
)
# The same, and when it was changed, and which process runs.
UNTOUCHED = (
    "cd / && find opt/mattermost etc/systemd/system -not -path '*/logs/*' -printf '%p %u %g %m %T@ %C@ %s\\n' | sort; "
    "systemctl show -p MainPID -p ExecMainStartTimestampMonotonic mattermost"
)
LEFTOVERS = " -o ".join(f"-name '{name}'" for name in (".plugops*", "plugops-*", "run-lock.json", "ansible-tmp-*"))


@pytest.fixture(scope="module")
def ha() -> Iterator[HaCluster]:
    missing = cluster.missing()
    if missing:
        pytest.skip(f"no test hosts on this machine: {'; '.join(missing)}")
    with ha_cluster() as found:
        for version in (OLD, NEW):
            script = SCRIPT % FAULT.encode() if version == NEW else SCRIPT % b"/nowhere"
            make_bundle(found.place, ID, version, server=True, files={SERVER_EXECUTABLE: script})
            make_bundle(found.place, WEB_ID, version)
        yield found


def plugins(ha: HaCluster, version: str) -> List[Dict[str, Any]]:
    return [{"src": str(ha.place / f"{plugin_id}-{version}.tar.gz")} for plugin_id in (ID, WEB_ID)]


def start_from_old(ha: HaCluster, local_mode: bool = False) -> None:
    """Healthy app servers that run the old versions; installed unless the test before has left them like that."""
    if has_old(ha, local_mode):
        return
    release = ha.place / f"mattermost-{VERSION}.tar.gz"
    if not release.exists():
        build_release(VERSION, ha.place)
    ha.install(release, shared=False, local_mode=local_mode)
    ha.site(plugins(ha, OLD), **AT_ONCE)


def has_old(ha: HaCluster, local_mode: bool) -> bool:
    found = ha.ssh("app1", "cat /opt/mattermost/config/config.json", check=False)
    as_wanted = bool(found) and json.loads(found)["ServiceSettings"]["EnableLocalMode"] == local_mode
    return as_wanted and running(ha) == dict.fromkeys(APPS, both(OLD))


def running(ha: HaCluster) -> Dict[str, Dict[str, str]]:
    return {host: ha.running(host) for host in APPS}


def both(version: str) -> Dict[str, str]:
    return {ID: version, WEB_ID: version}


def assert_nothing_left(ha: HaCluster) -> None:
    """No staging, no temporary file, no lock; and the load balancer uses all."""
    for host in APPS:
        left = ha.ssh(host, f"find /opt /etc/systemd /var /tmp /home /root \\( {LEFTOVERS} \\)")
        assert left == "", host
    assert "down" not in ha.ssh(BALANCER, "cat /etc/nginx/conf.d/mattermost.conf")


def test_one_that_cannot_be_reached_stops_the_run_before_any_change(ha: HaCluster) -> None:
    start_from_old(ha)
    untouched = {host: ha.ssh(host, UNTOUCHED) for host in APPS}
    with cut_off(ha, "app2"):
        run = ha.site(plugins(ha, NEW), may_fail=True, ansible_timeout=5)
        others = {host: ha.ssh(host, UNTOUCHED) for host in ("app1", "app3")}
        assert run.returncode == 2
        assert others == {host: untouched[host] for host in others}
        (failed,) = [task for task in run.tasks if task["status"] == "failed" and task["host"] == "app2"]
        assert "cannot be reached" in failed["result"]["msg"]
        assert "mattermost_allow_unreachable" in failed["result"]["msg"]
    assert ha.ssh("app2", UNTOUCHED) == untouched["app2"]
    assert_nothing_left(ha)


@pytest.mark.parametrize(
    "local_mode", [pytest.param(True, id="uploaded", marks=pytest.mark.matrix), pytest.param(False, id="unpacked")]
)
def test_the_second_fails_its_gate(ha: HaCluster, local_mode: bool) -> None:
    """The first has the change, the second is as it was, the third was never touched; and the run says so.

    The next run may leave out one that cannot be reached.
    """
    start_from_old(ha, local_mode)
    before = {host: ha.ssh(host, CONTENT) for host in APPS}
    untouched = ha.ssh("app3", UNTOUCHED)
    ha.ssh("app2", f"touch {FAULT}")
    try:
        run = ha.site(plugins(ha, NEW), may_fail=True, mattermost_health_timeout=10)
    finally:
        ha.ssh("app2", f"rm {FAULT}")
    assert run.returncode == 2, run.output
    assert ha.ssh("app3", UNTOUCHED) == untouched
    assert ha.ssh("app2", CONTENT) == before["app2"]
    assert ha.ssh("app1", CONTENT) != before["app1"]
    assert running(ha) == {"app1": both(NEW), "app2": both(OLD), "app3": both(OLD)}
    message = run.tasks[-1]["result"]["msg"]
    assert run.tasks[-1]["host"] == "app2"
    for words in (ID, "was restored to its state", "Have the change: app1.", "Were not touched: app3."):
        assert words in message
    assert_nothing_left(ha)
    with cut_off(ha, "app3"):
        again = ha.site(plugins(ha, NEW), mattermost_allow_unreachable=True, ansible_timeout=5, **AT_ONCE)
    assert running(ha) == {"app1": both(NEW), "app2": both(NEW), "app3": both(OLD)}, again.output
    assert ha.ssh("app3", UNTOUCHED) == untouched
    assert_nothing_left(ha)


@pytest.mark.matrix
def test_all_are_restored_where_the_operator_says_so(ha: HaCluster) -> None:
    start_from_old(ha, local_mode=True)
    before = {host: ha.ssh(host, CONTENT) for host in APPS}
    ha.ssh("app3", f"touch {FAULT}")
    try:
        run = ha.site(
            plugins(ha, NEW), may_fail=True, mattermost_health_timeout=10, mattermost_rollback_on_failure="all"
        )
    finally:
        ha.ssh("app3", f"rm {FAULT}")
    assert run.returncode == 2
    assert {host: ha.ssh(host, CONTENT) for host in APPS} == before
    assert "Had the change and were restored: app1, app2." in run.tasks[-1]["result"]["msg"]
    assert_nothing_left(ha)


@pytest.mark.matrix
def test_going_back_sends_no_bundle(ha: HaCluster) -> None:
    start_from_old(ha)
    large = {"large": os.urandom(LARGE)}
    bundles = {version: make_bundle(ha.place, LARGE_ID, version, files=large) for version in (OLD, NEW)}
    ha.site([*plugins(ha, OLD), {"src": str(bundles[OLD])}])
    before = {host: ha.ssh(host, CONTENT) for host in APPS}
    ha.site([*plugins(ha, NEW), {"src": str(bundles[NEW])}])
    assert running(ha) == {host: {**both(NEW), LARGE_ID: NEW} for host in APPS}
    sent = {host: ha.sent(host) for host in APPS}
    run = ha.rollback()
    sent = {host: ha.sent(host) - sent[host] for host in APPS}
    assert {host: ha.ssh(host, CONTENT) for host in APPS} == before, run.output
    assert running(ha) == {host: {**both(OLD), LARGE_ID: OLD} for host in APPS}
    print(f"bytes sent: {sent}, a bundle has {LARGE}")
    assert max(sent.values()) < LARGE / 2, "more than modules"
    assert_nothing_left(ha)


@contextlib.contextmanager
def cut_off(ha: HaCluster, host: str) -> Iterator[None]:
    """The host's cable is pulled. Ansible's open connections to it are closed before: a new one must be made."""
    subprocess.run(["ip", "link", "set", ha.veth(host), "down"], check=True)
    with contextlib.suppress(FileNotFoundError):
        for control in Path(ha.control_path_dir).iterdir():
            subprocess.run(
                ["ssh", "-F", "/dev/null", "-O", "exit", "-o", f"ControlPath={control}", "x"],
                check=False,
                capture_output=True,
            )
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "set", ha.veth(host), "up"], check=True)
        ha.wait_answer(host)  # until its neighbours have found it again


# Runs that are cut off.

WATCHER = r"""
import glob, hashlib, json, os, sys
directory, config, out = sys.argv[1:4]
seen = set()
def digest(plugin):
    found = []
    for top, names, files in os.walk(plugin):
        names.sort()
        for name in sorted(files):
            path = os.path.join(top, name)
            if name != ".filestore":
                with open(path, "rb") as source:
                    found.append((os.path.relpath(path, plugin), hashlib.sha256(source.read()).hexdigest()))
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()
while not os.path.exists(out + ".end"):
    for name in sorted(os.listdir(directory)):
        if name.startswith("."):
            continue
        path = os.path.join(directory, name)
        try:
            inode = os.stat(path).st_ino
            item = name + " " + digest(path)
            if os.stat(path).st_ino != inode:
                continue  # swapped while it was read
        except FileNotFoundError:
            continue
        if item not in seen:
            seen.add(item)
            print(item, flush=True)
    try:
        with open(config, "rb") as source:
            json.loads(source.read().decode())
    except ValueError as error:
        print("config", error, flush=True)
"""


@contextlib.contextmanager
def watched(ha: HaCluster, host: str) -> Iterator[Callable[[], List[str]]]:
    """Reads the plugin directory and config.json all the time; gives what it has ever seen."""
    out = "/run/watcher"
    ha.ssh(host, f"cat > {out}.py <<'END'\n{WATCHER}\nEND")
    ha.ssh(host, f"rm -f {out}.end {out}.out; systemd-run -q --unit=watcher -p StandardOutput=file:{out}.out "
                 f"python3 {out}.py /opt/mattermost/plugins /opt/mattermost/config/config.json {out}")  # fmt: skip
    try:
        yield lambda: ha.ssh(host, f"cat {out}.out").splitlines()
        assert ha.ssh(host, "systemctl is-active watcher") == "active"
    finally:
        ha.ssh(host, f"touch {out}.end")


def trees(lines: List[str]) -> Dict[str, int]:
    """Plugin -> in how many forms it was ever seen."""
    found: Dict[str, set[str]] = {}
    for line in lines:
        name, _, digest = line.partition(" ")
        found.setdefault(name, set()).add(digest)
    return {name: len(digests) for name, digests in found.items()}


def wait_for_task(output: Path, name: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not re.search(rf"TASK \[[^]]*{re.escape(name)}\]", output.read_text(errors="replace")):
        assert process.poll() is None, output.read_text(errors="replace")[-3000:]
        assert time.monotonic() < deadline, f"never came to {name}"
        time.sleep(0.01)


UNREACHABLE = 4  # of ansible-playbook
# In the order in which one run after another comes further.
STEPS = (
    "Acquire the run lock",
    "Stage bundles on the node",
    "Take a checkpoint",
    "Ensure the plugins",
    "Restart or start the service",
    "Enable the app server in the load balancer",
)


@pytest.mark.matrix
@pytest.mark.parametrize("victim", ["controller", "connection"])
def test_a_run_that_is_cut_off_is_simply_run_again(ha: HaCluster, victim: str, tmp_path: Path) -> None:
    """Killed in each step in turn; in the end the change is made, and nothing half-made was ever to be seen."""
    start_from_old(ha)
    with watched(ha, "app1") as seen:
        for number, step in enumerate(STEPS):
            output = tmp_path / f"{number}.log"
            process = ha.start_site(plugins(ha, NEW), output)
            try:
                wait_for_task(output, step, process)
                if victim == "controller":
                    process.kill()
                while process.poll() is None:
                    ha.ssh("app1", "pkill -KILL -f '^sshd: deploy' || true")
                assert process.returncode == (-signal.SIGKILL if victim == "controller" else UNREACHABLE), step
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        ha.site(plugins(ha, NEW))
        lines = seen()
    assert [line for line in lines if line.startswith("config")] == []
    assert trees(lines) == {ID: 2, WEB_ID: 2}
    assert running(ha) == dict.fromkeys(APPS, both(NEW))
    assert_nothing_left(ha)
    assert ha.site(plugins(ha, NEW)).changed() == []

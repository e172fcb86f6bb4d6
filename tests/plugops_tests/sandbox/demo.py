# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: three broken Mattermost app servers, one playbook, three healthy ones.

python -m plugops_tests.sandbox.demo (with tests/ on the path); runs without root, touches only .sandbox and loopback.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import List, NamedTuple

from plugops_tests.sandbox.app_server import NEW, PLUGIN_ID, AppServer, make_sandbox, plugin_version
from plugops_tests.servers.server_process import ServerProcess
from plugops_tests.support.playbooks import REPOSITORY, clean_environment, program

SANDBOX = REPOSITORY / ".sandbox"


class Seen(NamedTuple):
    """What an operator sees of one running server."""

    status: int
    running: List[str]
    complaint: str


def main() -> int:
    title("1. Three app servers, broken as they are found in the field")
    servers = make_sandbox(SANDBOX)
    before = [show(server) for server in servers]

    title("2. What site.yml would change (playbooks/plan.yml changes nothing)")
    playbook("plan.yml")

    title("3. Make it so, and prove that all app servers agree (playbooks/site.yml)")
    playbook("site.yml")

    title("4. Once more: nothing left to do")
    again = playbook("site.yml")

    title("5. The same servers, started again")
    after = [show(server) for server in servers]

    title("Summary")
    changed = sum(int(count) for count in re.findall(r"changed=(\d+)", again))
    print(f"  before: {describe(before)}")
    print(f"  after:  {describe(after)}")
    print(f"  a second run of site.yml changed {changed} things")
    print(f"  look around: {SANDBOX.relative_to(REPOSITORY)}/app1/opt/mattermost; your own cluster: README.md")
    broken = all(seen.status == 501 and seen.complaint for seen in before)
    healthy = all(seen.status == 200 and f"{PLUGIN_ID} {NEW}" in seen.running for seen in after)
    if not (broken and healthy and changed == 0):
        print("The demo did not go as it should.", file=sys.stderr)
        return 1
    return 0


def title(text: str) -> None:
    print(f"\n=== {text}\n", flush=True)


def show(server: AppServer) -> Seen:
    """Start the server as its unit says, look at it from outside, stop it."""
    with server.process() as process:
        seen = look(process)
    on_disk = plugin_version(server) or "missing"
    print(f"  {server.name}: started in {'/' + str(server.working_directory().relative_to(server.root)).lstrip('.')}")
    print(f"    plugin on disk: {PLUGIN_ID} {on_disk}")
    print(f"    GET /api/v4/plugins/webapp: {seen.status} {', '.join(seen.running)}")
    if seen.complaint:
        print(f"    log: {seen.complaint}")
    return seen


def look(process: ServerProcess) -> Seen:
    connection = process.connect()
    connection.request("GET", "/api/v4/plugins/webapp")
    answer = connection.getresponse()
    body = json.loads(answer.read().decode("utf-8"))
    running = [f"{item['id']} {item['version']}" for item in body] if answer.status == 200 else []
    complaints = process.find_log("Failed to start up plugins")
    return Seen(answer.status, running, complaints[0].text if complaints else "")


def describe(all_seen: List[Seen]) -> str:
    healthy = sum(1 for seen in all_seen if seen.running)
    return f"{healthy} of {len(all_seen)} app servers run the plugin"


def playbook(name: str) -> str:
    """Run a playbook on the sandbox; its output is shown and returned."""
    command = [program("ansible-playbook"), f"playbooks/{name}"]
    # What the person has set for other projects does not count here, and nothing is left in the home directory.
    environment = clean_environment(
        PYTHONUNBUFFERED="1", ANSIBLE_HOME=str(SANDBOX / "ansible"), XDG_CACHE_HOME=str(SANDBOX / "cache")
    )
    lines: List[str] = []
    with subprocess.Popen(
        [*command, "-i", "inventories/sandbox"],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if run.returncode != 0:
        raise SystemExit(f"playbooks/{name} ended with {run.returncode}")
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main())

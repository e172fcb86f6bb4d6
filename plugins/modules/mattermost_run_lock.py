#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep two runs from changing one app server at the same time."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_run_lock
short_description: Hold an app server for one run, so that no other run changes it meanwhile
version_added: 0.1.0
description:
  - Records on the app server which run of Ansible is changing it. Another run, of this or another controller, waits or
    fails with a message that names the holder of the lock and since when it holds it.
  - The lock of a run that ended without releasing it (it was killed) is taken over. A run on the same controller, which
    finds that the process no longer exists, does so at once; on another controller, and after a reboot of the
    controller, the lock is taken over when its lease has expired.
  - The playbook C(plugops.mattermost.site) uses this module. It takes no lock if nothing differs.
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.node
attributes:
  action:
    description: Part of the module runs on the controller.
    support: full
options:
  state:
    description:
      - V(held) takes the lock, or renews its lease if this run already holds it.
      - V(released) releases the lock. The lock of another run is not released, unless O(force) is set.
    type: str
    choices: [held, released]
    default: held
  timeout:
    description: Seconds to wait for another run that holds the lock. With the default, the module fails at once.
    type: int
    default: 0
  lease:
    description: Seconds after which the lock expires, if it is not renewed before.
    type: int
    default: 3600
  force:
    description: Take or release the lock of another run. Use it only if that run has certainly ended.
    type: bool
    default: false
  unfinished:
    description:
      - With O(state=released), whether the change has not ended, for example because the app server is still out of
        service. Other runs can take the lock, but M(plugops.mattermost.mattermost_plugin_info) does not report the app
        server as healthy until a later run has taken and released the lock.
    type: bool
    default: false
  run:
    description: Set by the module's action plugin; do not set it.
    type: dict
  gone:
    description: Set by the module's action plugin; do not set it.
    type: str
  patience:
    description: Set by the module's action plugin; do not set it.
    type: int
    default: 0
seealso:
  - module: plugops.mattermost.mattermost_plugin
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Acquire the run lock
  plugops.mattermost.mattermost_run_lock:
    timeout: 300
  become: true

- name: Release the run lock
  plugops.mattermost.mattermost_run_lock:
    state: released
  become: true
"""

RETURN = r"""
differences:
  description: The holder, if it is not the wanted one.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Always V(run_lock).
      type: str
      sample: run_lock
    found:
      description: The run that held the lock; null for none.
      type: str
    wanted:
      description: The run that holds the lock now; null for none.
      type: str
    action:
      description: What was done.
      type: str
waited:
  description: Whether the module waited for another run. A plan that was made before may be outdated.
  returned: success
  type: bool
"""

import time
from typing import Any, Dict, Optional

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._change.run_lock import FILE_NAME, Holder, RunLock
from ..module_utils._core.difference import Tracker
from ..module_utils._core.errors import OperatorError
from ..module_utils._node.module import answer, build_node
from ..module_utils._node.options import NODE_ARGUMENTS

_POLL = 0.25


def run(module: AnsibleModule) -> Dict[str, Any]:
    """Hold or release the lock; if another run holds it, return that (``refused``) for the action plugin to decide."""
    params = module.params
    if not params["run"]:
        raise OperatorError(
            "who runs is not known",
            where="the module was called without its action plugin",
            remedy="install the collection and call it by its full name, plugops.mattermost.mattermost_run_lock",
        )
    lock = RunLock(build_node(module).state_path(FILE_NAME))
    mine = Holder.from_dict(params["run"])
    work = _hold if params["state"] == "held" else _release
    return work(lock, mine, params, module.check_mode)


def _hold(lock: RunLock, mine: Holder, params: Dict[str, Any], check_mode: bool) -> Dict[str, Any]:
    differences = Tracker()
    before = lock.holder()
    differences.add("run_lock", before and before.run, mine.run, "acquire the lock")
    other = _take(lock, mine, params, check_mode)
    return _answer(differences) if other is None else {"changed": False, "refused": other.to_dict()}


def _release(lock: RunLock, mine: Holder, params: Dict[str, Any], check_mode: bool) -> Dict[str, Any]:
    differences = Tracker()
    recorded = lock.recorded()
    if recorded is not None and (recorded.run == mine.run or params["force"]):
        wanted = f"{recorded.run}, not ended" if params["unfinished"] else None
        differences.add(
            "run_lock", recorded.run if recorded.expires else f"{recorded.run}, not ended", wanted, "release the lock"
        )
    if not check_mode:
        lock.release(mine.run, params["force"], params["unfinished"])
    return _answer(differences)


def _answer(differences: Tracker) -> Dict[str, Any]:
    return {"changed": len(differences) > 0, "differences": differences.as_list(), "diff": differences.diff()}


def _take(lock: RunLock, mine: Holder, params: Dict[str, Any], check_mode: bool) -> Optional[Holder]:
    """Take the lock as soon as it is free; returns its holder if it is not free in time."""
    deadline = time.monotonic() + params["patience"]
    gone, force = params["gone"] or "", params["force"]
    while True:
        other = (
            lock.blocking_holder(mine.run, gone, force) if check_mode else lock.take(mine, params["lease"], gone, force)
        )
        if other is None or time.monotonic() >= deadline:
            return other
        time.sleep(_POLL)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **NODE_ARGUMENTS,
            "state": {"type": "str", "choices": ["held", "released"], "default": "held"},
            "timeout": {"type": "int", "default": 0},
            "lease": {"type": "int", "default": 3600},
            "force": {"type": "bool", "default": False},
            "unfinished": {"type": "bool", "default": False},
            "run": {"type": "dict"},
            "gone": {"type": "str"},
            "patience": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    answer(module, lambda: run(module))


if __name__ == "__main__":
    main()

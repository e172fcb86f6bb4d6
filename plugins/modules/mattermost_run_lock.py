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
  - Notes on the app server which run of Ansible is changing it. Another run, of this controller or of another one,
    waits or is refused, and is told who holds the lock and since when.
  - A run that has ended without giving the lock back (it was killed) does not stand in the way. Its lock is taken
    over at once where it ran on the same controller, which sees that its process is gone; elsewhere, and after a
    reboot of the controller, when its lease is over.
  - The playbook C(plugops.mattermost.site) does this by itself. It takes no lock where nothing differs.
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.node
attributes:
  action:
    description: Has a half that runs on the controller.
    support: full
options:
  state:
    description:
      - V(held) takes the lock, or keeps it for another lease where this run holds it already.
      - V(released) gives it back. Somebody else's stays, unless O(force) is set.
    type: str
    choices: [held, released]
    default: held
  timeout:
    description: Seconds to wait for a run that holds it. The default is to refuse at once.
    type: int
    default: 0
  lease:
    description: Seconds after which the lock counts no more, if it is not taken again before.
    type: int
    default: 3600
  force:
    description: Take or release it whoever holds it. Only for a run that you know to have ended.
    type: bool
    default: false
  unfinished:
    description:
      - With O(state=released), that the change is not ended, for example since the app server is still out of service.
        Nobody is kept from the app server, but M(plugops.mattermost.mattermost_plugin_info) does not call it healthy
        until a later run has taken and released the lock.
    type: bool
    default: false
  run:
    description: Set by the controller half of the module; do not set it.
    type: dict
  gone:
    description: Set by the controller half of the module; do not set it.
    type: str
  patience:
    description: Set by the controller half of the module; do not set it.
    type: int
    default: 0
seealso:
  - module: plugops.mattermost.mattermost_plugin
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: No other run changes this app server from here on
  plugops.mattermost.mattermost_run_lock:
    timeout: 300
  become: true

- name: Others may
  plugops.mattermost.mattermost_run_lock:
    state: released
  become: true
"""

RETURN = r"""
differences:
  description: The holder, where it is another one than wanted.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Always V(run_lock).
      type: str
      sample: run_lock
    found:
      description: Who held it; null for nobody.
      type: str
    wanted:
      description: Who holds it now; null for nobody.
      type: str
    action:
      description: What was done.
      type: str
waited:
  description: Whether another run had to be waited for. What was planned before may not be true any more.
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
    """Hold or release the lock; where another run holds it say so (``refused``), the controller half decides."""
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
    differences.add("run_lock", before and before.run, mine.run, "take it")
    other = _take(lock, mine, params, check_mode)
    return _answer(differences) if other is None else {"changed": False, "refused": other.to_dict()}


def _release(lock: RunLock, mine: Holder, params: Dict[str, Any], check_mode: bool) -> Dict[str, Any]:
    differences = Tracker()
    noted = lock.noted()
    if noted is not None and (noted.run == mine.run or params["force"]):
        wanted = f"{noted.run}, not ended" if params["unfinished"] else None
        differences.add("run_lock", noted.run if noted.expires else f"{noted.run}, not ended", wanted, "give it back")
    if not check_mode:
        lock.release(mine.run, params["force"], params["unfinished"])
    return _answer(differences)


def _answer(differences: Tracker) -> Dict[str, Any]:
    return {"changed": len(differences) > 0, "differences": differences.as_list(), "diff": differences.diff()}


def _take(lock: RunLock, mine: Holder, params: Dict[str, Any], check_mode: bool) -> Optional[Holder]:
    """Take it as soon as nobody is in the way; the one who still is when the time is over."""
    deadline = time.monotonic() + params["patience"]
    gone, force = params["gone"] or "", params["force"]
    while True:
        other = lock.in_the_way(mine.run, gone, force) if check_mode else lock.take(mine, params["lease"], gone, force)
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

#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a checkpoint of the plugins of one app server, go back to one, drop one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_plugin_checkpoint
short_description: Take a checkpoint of an app server's plugins before a change, and go back to it
version_added: 0.1.0
description:
  - A checkpoint says what the app server runs. Every installed plugin with its version, the digest of its files and
    its state, the whole C(PluginSettings), and this collection's drop-in of the service.
  - It is a file below C(checkpoints) in O(state_dir) that only root can read, since the settings of plugins hold
    secrets. None of them is ever shown.
  - The bundles of the plugins that are going to change are kept in the node's store, packed anew from the unpacked
    files where no bundle of them is at hand. To go back needs no transfer, and leads to the same bytes.
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.node
  - plugops.mattermost.sources
  - plugops.mattermost.sources.lock
attributes:
  action:
    description: Has a half that runs on the controller.
    support: full
options:
  state:
    description:
      - With V(taken), there is a checkpoint of what the app server runs now. Nothing is written where the newest one
        says the same.
      - With V(restored), the app server runs what a checkpoint says. Plugins that were not there are removed, keys and
        settings that were not there are gone or have their default again. Before that a checkpoint is taken.
      - With V(dropped), the checkpoint O(name) is gone.
    type: str
    choices: [taken, restored, dropped]
    default: taken
  name:
    description:
      - Name of the checkpoint. Give all app servers the same name, so that it can be named for all of them.
      - With O(state=taken), the default is the time. Where there is one of that name already, it stays as it is.
      - With O(state=restored), the default is what the app server ran before its last change. A change that took
        several runs counts as one, and a rollback as none. To undo a rollback, name the checkpoint that it took.
    type: str
  plugins:
    description:
      - With O(state=taken), what the coming change wants, as for M(plugops.mattermost.mattermost_plugin), or ids.
        Only the bundles of plugins that differ from that, or have one of the ids, are seen to. The default is all
        plugins.
      - With O(state=restored), ids of the plugins to bring back, each with its state and its settings, and nothing
        else. The default is everything.
    type: list
    elements: raw
  change:
    description:
      - With O(state=taken), a text that stands for what the change wants, for example a digest of all wanted settings.
        Checkpoints in a row with the same text, and the same O(plugins), belong to one change. Never shown.
    type: str
  undo_name:
    description: With O(state=restored), name of the checkpoint that is taken before. The default is the time.
    type: str
  keep:
    description:
      - With O(state=taken), how many checkpoints are kept. Older ones go, but never the one to go back to from the last
        change.
    type: int
    default: 5
  keep_bundles:
    description:
      - With O(state=taken), how many bundles of each plugin stay in the store, the last ones, though neither a
        checkpoint nor the coming change needs them and they are not installed.
    type: int
    default: 3
  strategy:
    description:
      - With O(state=restored), as for M(plugops.mattermost.mattermost_plugin).
      - V(prepackaged) is for the plugins whose bundle was prepackaged when the checkpoint was taken; the others go by
        V(auto). Prepackaged bundles that were replaced or taken away since are put back by every strategy.
    type: str
    choices: [auto, upload, filestore, unpack, prepackaged]
    default: auto
  bundles:
    description: Set by the controller half of the module; do not set it.
    type: list
    elements: dict
seealso:
  - module: plugops.mattermost.mattermost_plugin
  - module: plugops.mattermost.mattermost_plugin_info
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Before a change
  plugops.mattermost.mattermost_plugin_checkpoint:
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
  become: true

- name: Back to what ran before the last change
  plugops.mattermost.mattermost_plugin_checkpoint:
    state: restored
    server_version: 5.36.1
  become: true
  register: restored

- name: Restart where the running server cannot take it over
  ansible.builtin.systemd_service:
    name: mattermost
    state: restarted
  become: true
  when: restored.restart_required
"""

RETURN = r"""
differences:
  description: What differed, in the order in which it was mended.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What differed.
      type: str
      sample: checkpoint.state
    found:
      description: What was found. A setting of a plugin is shown as asterisks.
      type: raw
    wanted:
      description: What was wanted. A setting of a plugin is shown as asterisks.
      type: raw
    action:
      description: What mends it.
      type: str
checkpoint:
  description:
    - With O(state=taken) the newest checkpoint or the one of the wanted name, null in check mode where there is none
      yet. With O(state=restored) the one that was gone back to.
  returned: success
  type: dict
  sample: {name: 20261124T062617Z, taken: "2026-11-24T06:26:17Z", rollback_to: null, plugins: {com.example.todo: 1.1.0}}
checkpoints:
  description: All checkpoints of the app server, the oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    taken:
      description: When it was taken, UTC.
      type: str
    rollback_to:
      description: Of one that a rollback took, the checkpoint that the rollback went back to.
      type: str
    plugins:
      description: Plugin id to version.
      type: dict
restored:
  description: What was put back.
  returned: with O(state=restored)
  type: dict
  sample: {plugins: [com.example.todo], settings: [EnableUploads], drop_in: false}
strategy:
  description: The way that the bundles took, and why; null where nothing had to be installed.
  returned: with O(state=restored)
  type: dict
restart_required:
  description: Whether the running server must be restarted, from the state of its process.
  returned: success
  type: bool
reload_required:
  description: Whether the running server must reload its configuration.
  returned: success
  type: bool
pending:
  description: The reasons for a restart or a reload.
  returned: success
  type: dict
"""

from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._change.checkpoint import DIRECTORY, Checkpoint, Checkpoints
from ..module_utils._change.checkpoint_restore import Restored
from ..module_utils._change.checkpoint_take import KEEP, KEEP_BUNDLES, Dropped, Taken
from ..module_utils._core.errors import OperatorError
from ..module_utils._core.resource import Resource, ensure
from ..module_utils._node.module import answer, node_to_change, warn
from ..module_utils._node.node import Node
from ..module_utils._node.options import NODE_ARGUMENTS
from ..module_utils._node.source_options import SOURCE_ARGUMENTS
from ..module_utils._plugins.strategy import STRATEGIES
from ..module_utils._plugins.wanted import WantedPlugin


def resource_of(node: Node, params: Dict[str, Any]) -> Resource[Any]:
    """What ``state`` asks for."""
    name = params["name"] or ""
    if params["state"] == "dropped":
        return Dropped(node, name)
    ids = params["plugins"]
    if not all(isinstance(item, str) for item in ids or []):
        raise OperatorError(
            "plugins must be ids here",
            where=f"state: {params['state']}",
            remedy="write the plugins' ids; entries with bundles are for state: taken, and for the module called by "
            "its full name, plugops.mattermost.mattermost_plugin_checkpoint",
        )
    if params["state"] == "restored":
        undo_name = params["undo_name"] or ""
        return Restored(node, name=name, only=ids, undo_name=undo_name, strategy=params["strategy"])
    coming = params["bundles"]
    return Taken(
        node,
        name=name,
        coming=None if coming is None else [WantedPlugin.from_dict(item) for item in coming],
        only=ids,
        change=params["change"] or "",
        keep=params["keep"],
        keep_bundles=params["keep_bundles"],
    )


def newest(checkpoints: List[Checkpoint], name: str) -> Optional[Checkpoint]:
    """The one of that name, else the last."""
    named = [checkpoint for checkpoint in checkpoints if checkpoint.name == name]
    return next(iter([*named, *checkpoints[-1:]]), None)


def run(module: AnsibleModule) -> Dict[str, Any]:
    """Ensure the state."""
    with node_to_change(module) as node:
        warn(module, node.warnings)
        return ensure_state(module, node)


def ensure_state(module: AnsibleModule, node: Node) -> Dict[str, Any]:
    params = module.params
    resource = resource_of(node, params)
    outcome = ensure(resource, module.check_mode)
    warn(module, outcome.warnings)
    checkpoints = Checkpoints(node.state_path(DIRECTORY)).list()
    result = outcome.result()
    result["checkpoints"] = [checkpoint.facts() for checkpoint in checkpoints]
    if isinstance(resource, Restored):
        shown = resource.target
        result["restored"] = resource.put_back(outcome.differences)
        chosen = resource.chosen
        result["strategy"] = chosen and {"name": chosen.name, "reason": chosen.reason}
        if not module.check_mode:
            resource.plugin_set.save_cache()
    else:
        shown = newest(checkpoints, params["name"] or "")
    result["checkpoint"] = None if shown is None else shown.facts()
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **NODE_ARGUMENTS,
            **SOURCE_ARGUMENTS,
            "state": {"type": "str", "choices": ["taken", "restored", "dropped"], "default": "taken"},
            "name": {"type": "str"},
            "plugins": {"type": "list", "elements": "raw"},
            "change": {"type": "str", "no_log": True},
            "undo_name": {"type": "str"},
            "keep": {"type": "int", "default": KEEP},
            "keep_bundles": {"type": "int", "default": KEEP_BUNDLES},
            "strategy": {"type": "str", "choices": list(STRATEGIES), "default": "auto"},
            "bundles": {"type": "list", "elements": "dict"},
        },
        required_if=[("state", "dropped", ["name"])],
        supports_check_mode=True,
    )
    answer(module, lambda: run(module), secret_options=["change"])


if __name__ == "__main__":
    main()

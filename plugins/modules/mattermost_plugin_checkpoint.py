#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take, restore or drop a checkpoint of the plugins of one app server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_plugin_checkpoint
short_description: Take a checkpoint of an app server's plugins before a change, and restore it
version_added: 0.1.0
description:
  - A checkpoint records what the app server runs (every installed plugin with its version, the digest of its files and
    its state), the whole C(PluginSettings), and this collection's drop-in of the service.
  - It is a file below C(checkpoints) in O(state_dir) that only root can read, since the settings of plugins contain
    secrets. They are never shown.
  - The bundles of the plugins that the change affects are kept in the node's store, packed again from the unpacked
    files if no bundle of them is available. Restoring requires no transfer, and results in the same bytes.
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.node
  - plugops.mattermost.sources
  - plugops.mattermost.sources.lock
attributes:
  action:
    description: Part of the module runs on the controller.
    support: full
options:
  state:
    description:
      - V(taken) ensures a checkpoint of what the app server runs now. Nothing is written if the newest one is the same.
      - V(restored) ensures that the app server runs what a checkpoint recorded. Plugins that it does not contain are
        removed, and so are keys and settings, or they get their default again. Before that a checkpoint is taken.
      - V(dropped) removes the checkpoint O(name).
    type: str
    choices: [taken, restored, dropped]
    default: taken
  name:
    description:
      - Name of the checkpoint. Use the same name on all app servers, so that they can be restored together.
      - With O(state=taken), the default is the time. An existing checkpoint of that name is not changed.
      - With O(state=restored), the default is what the app server ran before its last change. A change that took
        several runs counts as one change; a rollback does not count. To undo a rollback, specify the checkpoint that it
        took.
    type: str
  plugins:
    description:
      - With O(state=taken), the plugins that the coming change wants, each an id or an entry as for the option
        C(plugins) of M(plugops.mattermost.mattermost_plugin). Only the bundles of plugins that differ from these
        entries, or have one of the ids, are kept. The default is all plugins.
      - With O(state=restored), ids of the only plugins to restore, each with its state and its settings. The default is
        everything.
    type: list
    elements: raw
  change:
    description:
      - With O(state=taken), a text that identifies what the change wants, for example a digest of all wanted settings.
        Successive checkpoints with the same text and the same O(plugins) belong to one change. Never shown.
    type: str
  undo_name:
    description: With O(state=restored), name of the checkpoint that is taken before. The default is the time.
    type: str
  keep:
    description:
      - With O(state=taken), how many checkpoints are kept. Older ones are removed, but never the one that restores the
        state before the last change.
    type: int
    default: 5
  keep_bundles:
    description:
      - With O(state=taken), how many of the latest bundles of each plugin stay in the store even if they are not
        installed and neither a checkpoint nor the coming change requires them.
    type: int
    default: 3
  strategy:
    description:
      - With O(state=restored), as for M(plugops.mattermost.mattermost_plugin).
      - V(prepackaged) applies to the plugins whose bundle was prepackaged when the checkpoint was taken, and V(auto) to
        the others. Prepackaged bundles that were replaced or removed since then are restored by every strategy.
    type: str
    choices: [auto, upload, filestore, unpack, prepackaged]
    default: auto
  bundles:
    description: Set by the module's action plugin; do not set it.
    type: list
    elements: dict
seealso:
  - module: plugops.mattermost.mattermost_plugin
  - module: plugops.mattermost.mattermost_plugin_info
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Take a checkpoint before a change
  plugops.mattermost.mattermost_plugin_checkpoint:
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
  become: true

- name: Restore what ran before the last change
  plugops.mattermost.mattermost_plugin_checkpoint:
    state: restored
    server_version: 5.36.1
  become: true
  register: restored

- name: Restart the service if the running server cannot apply the change
  ansible.builtin.systemd_service:
    name: mattermost
    state: restarted
  become: true
  when: restored.restart_required
"""

RETURN = r"""
differences:
  description: What differed, in the order in which it was fixed.
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
      description: What fixes it.
      type: str
checkpoint:
  description:
    - With O(state=taken), the newest checkpoint or the one of the specified name, null in check mode if it does not
      exist yet. With O(state=restored), the restored one.
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
      description: For a checkpoint that a rollback took, the checkpoint that the rollback restored.
      type: str
    plugins:
      description: Plugin id to version.
      type: dict
restored:
  description: What was restored.
  returned: with O(state=restored)
  type: dict
  sample: {plugins: [com.example.todo], settings: [EnableUploads], drop_in: false}
strategy:
  description: The chosen strategy and the reason; null if nothing had to be installed.
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
from ..module_utils._change.checkpoint_restore import CheckpointRestored
from ..module_utils._change.checkpoint_take import KEEP, KEEP_BUNDLES, CheckpointRemoved, CheckpointTaken
from ..module_utils._core.errors import OperatorError
from ..module_utils._core.resource import Resource, ensure
from ..module_utils._node.module import answer, node_to_change, warn
from ..module_utils._node.node import Node
from ..module_utils._node.options import NODE_ARGUMENTS
from ..module_utils._node.source_options import SOURCE_ARGUMENTS
from ..module_utils._plugins.strategies.registry import DEFAULT, NAMES
from ..module_utils._plugins.wanted import WantedPlugin


def resource_of(node: Node, params: Dict[str, Any]) -> Resource[Any]:
    """The resource for ``state``."""
    name = params["name"] or ""
    if params["state"] == "dropped":
        return CheckpointRemoved(node, name)
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
        return CheckpointRestored(node, name=name, only=ids, undo_name=undo_name, strategy=params["strategy"])
    coming = params["bundles"]
    return CheckpointTaken(
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
    if isinstance(resource, CheckpointRestored):
        shown = resource.target
        result["restored"] = resource.restored_parts(outcome.differences)
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
            "strategy": {"type": "str", "choices": list(NAMES), "default": DEFAULT},
            "bundles": {"type": "list", "elements": "dict"},
        },
        required_if=[("state", "dropped", ["name"])],
        supports_check_mode=True,
    )
    answer(module, lambda: run(module), secret_options=["change"])


if __name__ == "__main__":
    main()

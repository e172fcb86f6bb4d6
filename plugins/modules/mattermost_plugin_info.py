#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One read-only report of an app server: what is there, and what differs from what is wanted."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_plugin_info
short_description: Report plugin settings, directories, service and plugins of an app server
version_added: 0.1.0
description:
  - Reads everything that the other modules of this collection ensure and compares it with what is wanted, in one
    call. It uses the same code as they do, up to the point where they change something.
  - The plan is what this module returns; the parity of a cluster is a comparison of what it returns on each node.
  - Does not fail if something cannot be ensured, but returns it in RV(errors).
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.node
  - plugops.mattermost.sources
  - plugops.mattermost.sources.lock
  - plugops.mattermost.plugins
attributes:
  action:
    description: Part of the module runs on the controller.
    support: full
options:
  plugins:
    default: []
  strategy:
    description: As for M(plugops.mattermost.mattermost_plugin).
    type: str
    choices: [auto, upload, filestore, unpack, prepackaged]
    default: auto
  settings:
    description: The wanted C(PluginSettings), key to value, as for M(plugops.mattermost.mattermost_plugin_settings).
    type: dict
    default: {}
  states:
    description: The wanted states of plugins, id to boolean.
    type: dict
    default: {}
  plugin_settings:
    description: The wanted settings of plugins, id to settings. Never shown.
    type: dict
    default: {}
  via:
    description: As for M(plugops.mattermost.mattermost_plugin_settings).
    type: str
    choices: [auto, file, socket, api]
    default: auto
  directory_mode:
    description: The wanted mode of the two plugin directories.
    type: str
    default: "0755"
  files:
    description: Also return the digest of every file of every plugin, to name the files in which nodes differ.
    type: bool
    default: false
  findings:
    description:
      - Also search for everything that keeps plugins from working on this app server, and for its traces in the
        server's log since its last start, and return it in RV(findings).
      - Reads more than a plan requires, so it is off by default.
    type: bool
    default: false
  bundle_digests:
    description:
      - Also return the SHA-256 of the bundles that installed plugins come from, in the node's store and in the server's
        filestore, so that nodes and a lock file can be compared. Reads these bundles.
    type: bool
    default: false
  fingerprint_key:
    description:
      - A random text of at least 32 characters, the same for all nodes of one comparison and stored nowhere. With it,
        the settings of plugins are returned as keyed hashes, so that nodes can be compared while no value can be
        read or guessed.
    type: str
  verify:
    description: As for M(plugops.mattermost.mattermost_plugin).
    type: str
    choices: [cached, full]
    default: cached
  update_cache:
    description:
      - Keep computed digests in O(state_dir), so that the next report does not read unchanged files again.
      - The module writes nothing else, and nothing in check mode.
    type: bool
    default: false
  wait:
    description:
      - Seconds to wait until the node is RV(healthy).
      - After this time the last report is returned; the module does not fail.
    type: int
    default: 0
  bundles:
    description: Set by the module's action plugin; do not set it.
    type: list
    elements: dict
seealso:
  - module: plugops.mattermost.mattermost_plugin_parity
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Report the state of the app server
  plugops.mattermost.mattermost_plugin_info:
  become: true
  register: report

- name: Plan a change
  plugops.mattermost.mattermost_plugin_info:
    settings:
      EnableUploads: true
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
  become: true
  register: plan

- name: Audit the app server
  plugops.mattermost.mattermost_plugin_info:
    findings: true
  become: true
  register: audit
"""

RETURN = r"""
differences:
  description: What differs from what is wanted, in the order in which it would be fixed.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What differs.
      type: str
      sample: settings.EnableUploads
    found:
      description: What was found. A secret is shown as asterisks.
      type: raw
    wanted:
      description: What is wanted. A secret is shown as asterisks.
      type: raw
    action:
      description: What fixes it.
      type: str
errors:
  description: What blocks a change, one item for each resource that cannot be ensured.
  returned: success
  type: list
  elements: dict
  contains:
    resource:
      description: One of service, directories, settings, plugins.
      type: str
    msg:
      description: What is wrong, where, found and wanted, and what to do.
      type: str
findings:
  description:
    - What is wrong on the app server, one item for each cause, the worst first. C(docs/findings) has a page for each
      code.
  returned: with O(findings)
  type: list
  elements: dict
  contains:
    code:
      description: Kind of the finding; stable.
      type: str
      sample: working-directory-wrong
    severity:
      description: V(error) (plugins do not work, now or at the next start), V(warning) or V(note) (no fault).
      type: str
    title:
      description: The finding in a few words.
      type: str
    subject:
      description: A path, the id of a plugin or a setting that is affected; empty for the app server itself.
      type: str
    evidence:
      description: What was found, on the app server and in logs.
      type: list
      elements: str
    source:
      description: V(disk), or V(log) if the log of the server is the only evidence.
      type: str
    cause:
      description: What is wrong.
      type: str
    leads_to:
      description: What it leads to.
      type: str
    remedy:
      description: What to do, in words.
      type: str
    command:
      description: What to do, as a command on the app server; empty if one command is not enough.
      type: str
    mended_by_site:
      description: Whether C(site.yml) fixes it.
      type: bool
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
expected_restart:
  description: Why the running server will have to be restarted once the differences are fixed.
  returned: success
  type: list
  elements: str
healthy:
  description: >-
    Whether nothing differs, nothing blocks a change, no restart or reload is required, and a server that must run does.
  returned: success
  type: bool
unhealthy:
  description: What makes it unhealthy, in words.
  returned: success
  type: list
  elements: str
running:
  description: Whether the service has a process.
  returned: success
  type: bool
systemd:
  description: Whether systemd runs on the node and O(root) is not used.
  returned: success
  type: bool
plugin_system:
  description: V(on), V(off) (disabled, or its start-up failed), or V(unknown) if no server answers.
  returned: success
  type: str
checkpoints:
  description:
    - The checkpoints that M(plugops.mattermost.mattermost_plugin_checkpoint) has taken, the oldest first.
    - Null if this user cannot read them.
  returned: success
  type: list
  elements: dict
unfinished:
  description:
    - The run that holds or held the run lock (M(plugops.mattermost.mattermost_run_lock)) and has not ended its change;
      the app server is then not healthy. Null if there is no such run, or if it is this run.
  returned: success
  type: dict
running_plugins:
  description: Whether the server runs each wanted and enabled plugin in the wanted version; empty if no server runs.
  returned: success
  type: dict
  sample: {com.example.todo: {runs: true, by: the server's list of plugins, found: version 1.2.0}}
signatures_follow:
  description: Ids of the wanted plugins that get a signature, or are removed.
  returned: success
  type: list
  elements: str
strategy:
  description: The strategy for the bundles and the reason; null if nothing has to be installed.
  returned: success
  type: dict
service:
  description: The state of the service.
  returned: when it could be read
  type: dict
directories:
  description: The state of the directories.
  returned: when it could be read
  type: dict
settings:
  description: The settings, without the values of plugin settings.
  returned: when it could be read
  type: dict
plugins:
  description:
    - The state of the plugins.
    - With O(files), each item of C(installed) has C(paths), path to digest; a star marks an executable file.
    - With O(bundle_digests), each item of C(installed) has C(bundle), the SHA-256 of a bundle with these very files,
      and C(filestore), that of the server's own copy; null if it does not exist.
  returned: when it could be read
  type: dict
"""

import time
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._change.checkpoint import DIRECTORY, Checkpoints
from ..module_utils._change.run_lock import FILE_NAME, RunLock
from ..module_utils._core.errors import OperatorError
from ..module_utils._directories.directories import DEFAULT_MODE
from ..module_utils._node.module import answer, build_node, warn
from ..module_utils._node.node import Node
from ..module_utils._node.options import NODE_ARGUMENTS
from ..module_utils._node.source_options import SOURCE_ARGUMENTS
from ..module_utils._plugins.arguments import PLUGINS_ARGUMENT
from ..module_utils._plugins.strategies.registry import DEFAULT, NAMES
from ..module_utils._plugins.wanted import wanted_of
from ..module_utils._report.inspection import add_comparable, inspect_node, signatures_follow
from ..module_utils._settings.channel import CHANNELS

_POLL = 0.5


def add_findings(node: Node, params: Dict[str, Any], result: Dict[str, Any]) -> None:
    """Add what only an audit needs, and load it only then: a plan must be quick."""
    from ..module_utils._audit.audit import Audit

    node.refuse_api_only("what keeps plugins from working")
    result["findings"] = Audit(node, wanted_of(params)).findings(result)


def run(module: AnsibleModule) -> Dict[str, Any]:
    """Report, and with ``wait`` report again until the node is healthy or the time is over."""
    with build_node(module) as node:
        return report_node(module, node)


def report_node(module: AnsibleModule, node: Node) -> Dict[str, Any]:
    params = module.params
    deadline = time.monotonic() + params["wait"]
    while True:
        report, plugin_set = inspect_node(node, params, params["update_cache"] and not module.check_mode)
        result = report.result()
        if result["healthy"] or time.monotonic() >= deadline:
            break
        time.sleep(_POLL)
        node.forget()
    if params["findings"]:
        add_findings(node, params, result)
    if params["bundle_digests"] or params["fingerprint_key"]:
        add_comparable(node, params, result)
    warn(module, [*node.warnings, *report.warnings])
    chosen = plugin_set.chosen
    return {
        **result,
        "strategy": chosen and {"name": chosen.name, "reason": chosen.reason},
        "signatures_follow": signatures_follow(params),
        "checkpoints": known_checkpoints(node),
        "unfinished": _unfinished(node),
    }


def _unfinished(node: Node) -> Optional[Dict[str, Any]]:
    found = RunLock(node.state_path(FILE_NAME)).recorded()
    return None if found is None else found.to_dict()


def known_checkpoints(node: Node) -> Optional[List[Dict[str, Any]]]:
    """What may be shown of them; None if this user cannot read them."""
    try:
        return [checkpoint.facts() for checkpoint in Checkpoints(node.state_path(DIRECTORY)).list()]
    except OperatorError:
        return None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **NODE_ARGUMENTS,
            **SOURCE_ARGUMENTS,
            "plugins": {**PLUGINS_ARGUMENT, "default": []},
            "strategy": {"type": "str", "choices": list(NAMES), "default": DEFAULT},
            "settings": {"type": "dict", "default": {}},
            "states": {"type": "dict", "default": {}},
            "plugin_settings": {"type": "dict", "default": {}, "no_log": True},
            "via": {"type": "str", "choices": list(CHANNELS), "default": "auto"},
            "directory_mode": {"type": "str", "default": DEFAULT_MODE},
            "files": {"type": "bool", "default": False},
            "findings": {"type": "bool", "default": False},
            "bundle_digests": {"type": "bool", "default": False},
            "fingerprint_key": {"type": "str", "no_log": True},
            "verify": {"type": "str", "choices": ["cached", "full"], "default": "cached"},
            "update_cache": {"type": "bool", "default": False},
            "wait": {"type": "int", "default": 0},
            "bundles": {"type": "list", "elements": "dict"},
        },
        supports_check_mode=True,
    )
    answer(module, lambda: run(module), secret_options=["plugin_settings", "fingerprint_key"])


if __name__ == "__main__":
    main()

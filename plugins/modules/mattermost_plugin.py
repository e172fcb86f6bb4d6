#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure a list of Mattermost plugins on one app server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_plugin
short_description: Ensure that plugins are present at a version and hash, enabled or disabled, or absent
version_added: 0.1.0
description:
  - Ensures a list of Mattermost plugins on one app server in one call.
  - A plugin is as wanted when its manifest has the version of the bundle, its unpacked files are byte for byte
    those of the bundle, its state in the configuration is the wanted one and, if a server answers, the server
    runs it.
  - Bundles are on the controller. A host is sent only those that it lacks, all in one transfer, and keeps them in its
    store below O(state_dir).
  - Plugins that are not listed are not changed.
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
    description:
      - The wanted plugins. Each id may be listed once.
      - May be omitted where O(bundle_directory) or O(lock) specifies what is wanted.
  strategy:
    description:
      - V(upload) uploads bundles to the running server through its local-mode socket (5.24 and later) or its REST API.
        Uploads must be on. No restart is required.
      - V(filestore) puts bundles and their signatures into the server's local filestore (5.14 and later), where an
        upload puts them. The server installs them at its next start, even if uploads are off or
        C(RequirePluginSignature) is on.
      - V(unpack) exchanges the unpacked bundle in the plugin directory. The server must be restarted. Refused from 11.0
        on, where the server deletes such plugins; from 10.5 on it is not supported and must be specified explicitly.
      - V(prepackaged) puts bundles and their signatures into C(prepackaged_plugins) of the install directory (5.2 and
        later), and replaces other bundles of the same plugin there. The server installs them at its next start, if the
        plugin is enabled and its filestore and plugin directory have no version that is as new; servers before 5.20
        install all of them at every start. It is an error if the server would not install the bundle, also because
        C(AutomaticPrepackagedPlugins) is off or because the signature is missing that servers from 10.11 on, or
        C(RequirePluginSignature), require. V(auto) never chooses this strategy.
      - With every other strategy, a newer prepackaged bundle that the server would install over the wanted one at its
        next start is removed from C(prepackaged_plugins). The node's store keeps it.
      - V(auto) uploads if the server runs and accepts uploads. Otherwise it uses the filestore of a server from 10.5
        on, of one that runs, or of one that already manages one of the plugins, and unpacks for all others.
    type: str
    choices: [auto, upload, filestore, unpack, prepackaged]
    default: auto
  stage_only:
    description:
      - Only put those bundles into the node's store that it lacks and requires for the change. Nothing else changes.
      - A later call without this option then requires no transfer.
    type: bool
    default: false
  directory:
    description: C(PluginSettings.Directory) that the server will have. The default is the configured one.
    type: str
  client_directory:
    description: C(PluginSettings.ClientDirectory) that the server will have. The default is the configured one.
    type: str
  verify:
    description:
      - V(cached) trusts the known digest of a file whose size, times and inode have not changed.
      - V(full) reads every file again.
    type: str
    choices: [cached, full]
    default: cached
  bundles:
    description: Set by the module's action plugin; do not set it.
    type: list
    elements: dict
  delivery:
    description: Set by the module's action plugin; do not set it.
    type: path
seealso:
  - module: plugops.mattermost.mattermost_plugin_settings
  - module: plugops.mattermost.mattermost_plugin_info
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Ensure two plugins, one of them disabled, and remove a third one
  plugops.mattermost.mattermost_plugin:
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
        sha256: "{{ todo_sha256 }}"
      - src: files/com.example.poll-2.0.1.tar.gz
        enabled: false
      - id: com.example.old
        state: absent
  become: true

- name: Stage a bundle on the node without installing it
  plugops.mattermost.mattermost_plugin:
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
    stage_only: true
  become: true

- name: Let the server install a bundle at its next start, with uploads off
  plugops.mattermost.mattermost_plugin:
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
    strategy: filestore
    server_version: 9.10.0
  become: true
  notify: Restart Mattermost

- name: Prepackage a plugin, enable one that comes with the server and remove another one
  plugops.mattermost.mattermost_plugin:
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
        strategy: prepackaged
      - id: com.mattermost.calls
      - id: com.mattermost.nps
        state: absent
    server_version: 9.10.0
  become: true
  notify: Restart Mattermost

- name: Unpack a plugin for a 5.36 server that does not run
  plugops.mattermost.mattermost_plugin:
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
    strategy: unpack
    server_version: 5.36.1
  become: true
  notify: Restart Mattermost
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
      sample: plugins.com.example.todo.version
    found:
      description: What was found; null for what did not exist.
      type: raw
    wanted:
      description: What is wanted; null for what must not exist.
      type: raw
    action:
      description: What fixes it.
      type: str
strategy:
  description: The chosen strategy and the reason; not returned if nothing had to be installed.
  returned: when something differed
  type: dict
  sample: {name: upload, reason: the running server (9.10.0) answers and takes uploads}
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
plugins:
  description: What the node has after the run.
  returned: success
  type: dict
  contains:
    directory:
      description: Plugin directory.
      type: str
    client_directory:
      description: Client plugin directory.
      type: str
    server_version:
      description: Version of the server, null if not known.
      type: str
    filestore:
      description: Plugin id to the bundle that the server installs at its next start, and whether it is signed.
      type: dict
    prepackaged:
      description:
        - Plugin id to the newest prepackaged bundle (C(path), C(version), and whether it is C(signed)).
      type: dict
    installed:
      description:
        - Plugin id to version, digest of its files, and state.
        - With O(api_only), C(tree) and C(uploaded) are those of the bundle that was uploaded last, null if no upload
          of the server's version is recorded.
      type: dict
    stored:
      description: SHA-256 of the bundles in the node's store.
      type: list
      elements: str
delivered:
  description: SHA-256 of the bundles that were sent to the node.
  returned: when some were sent
  type: list
  elements: str
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.formatters import human_to_bytes

from ..module_utils._bundle.delivery import clear_deliveries
from ..module_utils._bundle.node_downloads import NodeDownloads
from ..module_utils._change.run_lock import FILE_NAME as LOCK
from ..module_utils._change.run_lock import RunLock
from ..module_utils._core.resource import Resource, ensure
from ..module_utils._http.transfer import Transfer
from ..module_utils._node.module import answer, node_to_change, warn
from ..module_utils._node.node import Node
from ..module_utils._node.options import NODE_ARGUMENTS
from ..module_utils._node.source_options import SOURCE_ARGUMENTS
from ..module_utils._plugins.arguments import PLUGINS_ARGUMENT
from ..module_utils._plugins.for_node import plugin_set_class
from ..module_utils._plugins.staging import Staging
from ..module_utils._plugins.strategies.registry import DEFAULT, NAMES
from ..module_utils._plugins.wanted import wanted_of

DOWNLOADS = "downloads"  # in the state directory


def run(module: AnsibleModule) -> Dict[str, Any]:
    """Ensure the list, or report which bundles the action plugin must send first."""
    with node_to_change(module, by_api=True) as node:
        warn(module, node.warnings)
        try:
            return ensure_plugins(module, node)
        finally:
            if module.params["delivery"]:
                holder = RunLock(node.state_path(LOCK)).holder()
                clear_deliveries(module.params["delivery"], holder.run if holder else None)


def ensure_plugins(module: AnsibleModule, node: Node) -> Dict[str, Any]:
    params = module.params
    plugin_set = plugin_set_class(node)(
        node,
        wanted_of(params),
        strategy=params["strategy"],
        directory=params["directory"],
        client_directory=params["client_directory"],
        delivery=params["delivery"],
        download=NodeDownloads(
            node.state_path(DOWNLOADS),
            Transfer(params["download_timeout"], params["download_ca_path"]),
            human_to_bytes(params["download_limit"]),
        ).bring,
        full=params["verify"] == "full",
    )
    if not module.check_mode and not params["delivery"]:
        lacking = plugin_set.to_send()
        if lacking:
            return {"changed": False, "lacking": lacking}
    resource: Resource[Any] = Staging(plugin_set) if params["stage_only"] else plugin_set
    outcome = ensure(resource, module.check_mode)
    if not module.check_mode:
        plugin_set.save_cache()
    warn(module, outcome.warnings)
    result = outcome.result()
    result["plugins"] = outcome.facts
    if plugin_set.chosen is not None:
        result["strategy"] = {"name": plugin_set.chosen.name, "reason": plugin_set.chosen.reason}
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **NODE_ARGUMENTS,
            **SOURCE_ARGUMENTS,
            "plugins": PLUGINS_ARGUMENT,
            "strategy": {"type": "str", "choices": list(NAMES), "default": DEFAULT},
            "stage_only": {"type": "bool", "default": False},
            "directory": {"type": "str"},
            "client_directory": {"type": "str"},
            "verify": {"type": "str", "choices": ["cached", "full"], "default": "cached"},
            "bundles": {"type": "list", "elements": "dict"},
            "delivery": {"type": "path"},
        },
        required_one_of=[("plugins", "bundles", "bundle_directory", "lock")],
        supports_check_mode=True,
    )
    answer(module, lambda: run(module))


if __name__ == "__main__":
    main()

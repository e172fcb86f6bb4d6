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
  - Ensures a whole list of Mattermost plugins on one app server in one call, by unpacking or by uploading.
  - A plugin is as wanted when its manifest has the version of the bundle, its unpacked files are byte for byte
    those of the bundle, its state in the configuration is the wanted one and, where a running server can be asked,
    the server runs it.
  - Bundles lie on the controller. A host is sent only those that it lacks, all in one transfer, and keeps them in
    its store below O(state_dir).
  - Plugins that are not listed are left alone.
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.node
  - plugops.mattermost.sources
  - plugops.mattermost.sources.lock
  - plugops.mattermost.plugins
attributes:
  action:
    description: Has a half that runs on the controller.
    support: full
options:
  plugins:
    description:
      - The wanted plugins. Each id may be listed once.
      - May be omitted where O(bundle_directory) or O(lock) specifies what is wanted.
  strategy:
    description:
      - V(upload) hands bundles to the running server through its local-mode socket (5.24 and later) or its REST API.
        Uploads must be on. No restart is needed.
      - V(filestore) puts bundles, and their signatures, where an upload would have put them, into the server's local
        filestore (5.14 and later). The server installs them when it starts next, with uploads off and with
        C(RequirePluginSignature), too.
      - V(unpack) swaps the unpacked bundle into the plugin directory. The server must be restarted. Refused from
        11.0 on, where the server deletes such plugins; from 10.5 on it is not supported and has to be asked for.
      - V(prepackaged) puts bundles, and their signatures, into C(prepackaged_plugins) of the install directory (5.2 and
        later), in place of other bundles of the same plugin there. The server installs them when it starts next, if the
        plugin is enabled, and nothing as new lies in its filestore or was unpacked by hand; servers before 5.20 install
        all of them at every start. It is an error where the server would not take the bundle, also where
        C(AutomaticPrepackagedPlugins) is off, and where the signature is missing that servers from 10.11 on, or
        C(RequirePluginSignature), ask for. V(auto) never takes this way.
      - By every other way, a newer prepackaged bundle that the server would install over the wanted one at its next
        start is taken out of C(prepackaged_plugins). The node's store keeps it.
      - V(auto) uploads where the server runs and takes uploads. Else it takes the filestore where the server does,
        that is from 10.5 on, where the server runs or manages one of the plugins already; and unpacks elsewhere.
    type: str
    choices: [auto, upload, filestore, unpack, prepackaged]
    default: auto
  stage_only:
    description:
      - Only bring those bundles into the node's store that it lacks and would need to make the plugins as wanted.
        Nothing else changes.
      - A later call without it then needs no transfer.
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
    description: Set by the controller half of the module; do not set it.
    type: list
    elements: dict
  delivery:
    description: Set by the controller half of the module; do not set it.
    type: path
seealso:
  - module: plugops.mattermost.mattermost_plugin_settings
  - module: plugops.mattermost.mattermost_plugin_info
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Two plugins, one of them disabled, and one that shall go
  plugops.mattermost.mattermost_plugin:
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
        sha256: "{{ todo_sha256 }}"
      - src: files/com.example.poll-2.0.1.tar.gz
        enabled: false
      - id: com.example.old
        state: absent
  become: true

- name: Bring the bundles to the node, and install nothing yet
  plugops.mattermost.mattermost_plugin:
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
    stage_only: true
  become: true

- name: Uploads stay off; the server takes the bundle at its next start
  plugops.mattermost.mattermost_plugin:
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
    strategy: filestore
    server_version: 9.10.0
  become: true
  notify: Restart Mattermost

- name: A plugin of the operator's comes along with the server; of those that it brings itself one runs and one goes
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

- name: The server is down; unpack for a 5.36 server
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
  description: What differed, in the order in which it was mended.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What differed.
      type: str
      sample: plugins.com.example.todo.version
    found:
      description: What was found; null where there was nothing.
      type: raw
    wanted:
      description: What was wanted; null where nothing shall be.
      type: raw
    action:
      description: What mends it.
      type: str
strategy:
  description: The chosen way and why; absent where nothing had to be installed.
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
      description: Plugin id to the bundle that the server installs when it starts next, and whether it is signed.
      type: dict
    prepackaged:
      description:
        - Plugin id to the newest bundle that the server brings along (C(path), C(version), and whether it is
          C(signed)).
      type: dict
    installed:
      description:
        - Plugin id to version, digest of its files, and state.
        - With O(api_only), C(tree) and C(uploaded) are those of the bundle that was uploaded last, null where no
          upload of the version that the server has is on record.
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
from ..module_utils._core.resource import ensure
from ..module_utils._http.transfer import Transfer
from ..module_utils._node.module import answer, node_to_change, warn
from ..module_utils._node.node import Node
from ..module_utils._node.options import NODE_ARGUMENTS
from ..module_utils._node.source_options import SOURCE_ARGUMENTS
from ..module_utils._plugins.arguments import PLUGINS_ARGUMENT
from ..module_utils._plugins.for_node import plugin_set_class
from ..module_utils._plugins.staging import Staging
from ..module_utils._plugins.strategy import STRATEGIES
from ..module_utils._plugins.wanted import wanted_of

DOWNLOADS = "downloads"  # in the state directory


def run(module: AnsibleModule) -> Dict[str, Any]:
    """Ensure the list, or say which bundles the controller half has to send first."""
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
        lacking = plugin_set.to_send(plugin_set.compare(plugin_set.observe()))
        if lacking:
            return {"changed": False, "lacking": lacking}
    outcome = ensure(Staging(plugin_set) if params["stage_only"] else plugin_set, module.check_mode)
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
            "strategy": {"type": "str", "choices": list(STRATEGIES), "default": "auto"},
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

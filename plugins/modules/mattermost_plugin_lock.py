# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of mattermost_plugin_lock; the work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_plugin_lock
short_description: Ensure that a lock file pins plugins by id, version, hash and source
version_added: 0.1.0
description:
  - Writes a lock file on the controller, from bundles (O(plugins), O(bundle_directory)) or from what app servers run
    (O(adopt)). M(plugops.mattermost.mattermost_plugin) deploys from it with its option C(lock).
  - Bundles are downloaded and signatures verified before anything is pinned.
  - A pinned plugin that is not listed stays pinned, unless O(purge) is set.
  - Runs on the controller and contacts no host.
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.sources
  - plugops.mattermost.plugins
attributes:
  action:
    description: Runs on the controller.
    support: full
options:
  path:
    description:
      - The lock file, YAML. Paths in it are relative to its directory.
      - Relative to the directory in which Ansible was started.
    type: path
    required: true
  plugins:
    description:
      - The plugins to pin. An entry that specifies no bundle keeps the pinned one and changes what else it specifies,
        for example O(plugins[].enabled=false).
    default: []
  purge:
    description: Whether plugins that are not listed are no longer pinned.
    type: bool
    default: false
  adopt:
    description:
      - Name of the app server in O(reports) whose plugins are pinned as they are, or V(majority) for what most app
        servers agree on.
      - A plugin is pinned to a bundle with exactly its files in the node's store or the server's filestore. A plugin
        without such a bundle is listed in RV(unknown), a plugin that comes with the server in RV(left_out).
      - If O(bundle_directory) has the bundle, the lock file refers to it; otherwise only nodes that have it in their
        stores can deploy it.
    type: str
  reports:
    description:
      - Name of each app server to what M(plugops.mattermost.mattermost_plugin_info) returned there with
        C(bundle_digests=true).
    type: dict
    default: {}
seealso:
  - module: plugops.mattermost.mattermost_plugin
  - module: plugops.mattermost.mattermost_plugin_parity
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Pin two plugins
  plugops.mattermost.mattermost_plugin_lock:
    path: "{{ lock_file }}"
    plugins:
      - src: files/com.example.todo-1.2.0.tar.gz
      - src: files/com.example.poll-2.0.1.tar.gz
        enabled: false
  run_once: true
"""

RETURN = r"""
path:
  description: The lock file.
  returned: success
  type: str
plugins:
  description: Plugin id to its pin in the lock file after the run.
  returned: success
  type: dict
differences:
  description: What was pinned differently, or not at all.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What differed.
      type: str
      sample: lock.com.example.todo.version
    found:
      description: What the lock file contained; null if it contained nothing.
      type: raw
    wanted:
      description: What it contains now; null if it contains nothing.
      type: raw
    action:
      description: What fixes it.
      type: str
unknown:
  description: With O(adopt), id of each plugin that could not be pinned, to the reason.
  returned: success
  type: dict
left_out:
  description: With O(adopt), ids of the plugins that come with the server.
  returned: success
  type: list
  elements: str
"""

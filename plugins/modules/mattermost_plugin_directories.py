#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure that the plugin directories of an app server exist and the server can write them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_plugin_directories
short_description: Make the plugin directories writable for the Mattermost server
version_added: 0.1.0
description:
  - Ensures that C(PluginSettings.Directory) and C(PluginSettings.ClientDirectory) exist, belong to the account that
    the server runs under, and are writable for it.
  - The server cannot create them without the rights for that, and then keeps running with its plugin system off.
    Content of another owner makes single plugins fail, and from 5.14 on disappear.
  - Relative directories are resolved against O(working_directory), as the server resolves them against the directory
    that it runs in.
  - A missing directory is created, with missing parents if these are below O(install_dir).
  - Content that belongs to another user, or that its owner cannot read or write, is given to the server's account entry
    by entry. Entries that are correct are not changed, and links are never followed.
  - Parents below O(install_dir) that the account cannot search get the fewest rights that suffice. Parents above it are
    not changed but reported.
  - What a change of owner and mode cannot fix is reported before anything is changed, with what to do about it. That
    includes a file or a dangling link in place of a directory, a mount that is read-only or noexec, an immutable flag,
    an ACL, and a sandbox of the systemd unit (C(ProtectSystem=), C(ProtectHome=), C(ReadOnlyPaths=),
    C(InaccessiblePaths=), C(TemporaryFileSystem=), C(NoExecPaths=) and others).
  - Finally a file is created and removed in each directory as the server's account. In check mode the rights of that
    account are checked without writing.
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.node
options:
  directory:
    description:
      - C(PluginSettings.Directory) that the server will have.
      - The default, also for an empty string, is the directory of the server's configuration, else V(./plugins).
    type: str
  client_directory:
    description:
      - C(PluginSettings.ClientDirectory) that the server will have.
      - The default, also for an empty string, is the directory of the server's configuration, else V(./client/plugins).
    type: str
  mode:
    description:
      - Mode of both directories, and of parents that must be created, regardless of the umask. Octal and quoted.
      - It must give the owner read, write and search. Directories that the server creates have V(0744), which other
        accounts, such as that of a backup, cannot search.
    type: str
    default: "0755"
notes:
  - Requires root (C(become)), or the server's own account if everything already belongs to it.
seealso:
  - module: plugops.mattermost.mattermost_plugin_settings
  - module: plugops.mattermost.mattermost_service_directory
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Ensure that the server can write the directories in config.json
  plugops.mattermost.mattermost_plugin_directories:
  become: true

- name: Ensure plugin directories on another volume, closed to other accounts
  plugops.mattermost.mattermost_plugin_directories:
    directory: /srv/mattermost/plugins
    client_directory: /srv/mattermost/client-plugins
    mode: "0750"
  become: true

- name: Ensure the directories in an image
  plugops.mattermost.mattermost_plugin_directories:
    root: /var/lib/machines/app1
    service_user: mattermost
  become: true
"""

RETURN = r"""
differences:
  description: What differed from what is wanted, in the order in which it was, or would be, fixed.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What differed.
      type: str
      sample: directories./opt/mattermost/client/plugins.owner
    found:
      description: What was found, V(null) for a missing directory.
      type: str
      sample: root:root
    wanted:
      description: What is wanted.
      type: str
      sample: mattermost:mattermost
    action:
      description: What fixes it.
      type: str
      sample: chown mattermost:mattermost /opt/mattermost/client/plugins
restart_required:
  description:
    - Whether the running server must be restarted to use the directories. It does not notice by itself that they were
      fixed.
    - Remains true until the restart.
  returned: success
  type: bool
reload_required:
  description: Always false, a reload of the configuration is not enough.
  returned: success
  type: bool
pending:
  description: The reasons.
  returned: success
  type: dict
  contains:
    restart:
      description: Why a restart is required.
      type: list
      elements: str
      sample: ["plugin directories changed: /opt/mattermost/client/plugins"]
    reload:
      description: Always empty.
      type: list
      elements: str
directories:
  description:
    - C(Directory) and C(ClientDirectory), as they are after the run, or in check mode as they were found.
  returned: success
  type: dict
  contains:
    Directory:
      description: The directory of the plugins.
      type: dict
      contains: &directory
        path:
          description: Its absolute path.
          type: str
          sample: /opt/mattermost/plugins
        target:
          description: The same with links followed.
          type: str
          sample: /srv/mattermost/plugins
        exists:
          description: Whether it exists.
          type: bool
        owner:
          description: User and group, V(null) if it is missing.
          type: str
          sample: mattermost:mattermost
        mode:
          description: Its mode, V(null) if it is missing.
          type: str
          sample: "0755"
        writable:
          description: Whether the server can write in it.
          type: bool
        obstacles:
          description: Blockers that do not make the module fail.
          type: list
          elements: dict
          contains:
            kind:
              description: Kind of the blocker; stable.
              type: str
              sample: selinux-label
            path:
              description: Where it is.
              type: str
            evidence:
              description: What was found.
              type: str
            remedy:
              description: What to do.
              type: str
            fatal:
              description: Whether it keeps plugins from working.
              type: bool
    ClientDirectory:
      description: The directory of the plugins' web parts.
      type: dict
      contains: *directory
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.resource import ensure
from ..module_utils._directories.directories import DEFAULT_MODE, Directories
from ..module_utils._node.module import answer, node_to_change, warn
from ..module_utils._node.options import NODE_ARGUMENTS


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **NODE_ARGUMENTS,
            "directory": {"type": "str"},
            "client_directory": {"type": "str"},
            "mode": {"type": "str", "default": DEFAULT_MODE},
        },
        supports_check_mode=True,
    )
    answer(module, lambda: _work(module))


def _work(module: AnsibleModule) -> Dict[str, Any]:
    params = module.params
    with node_to_change(module) as node:
        resource = Directories(node, params["directory"], params["client_directory"], params["mode"])
        outcome = ensure(resource, module.check_mode)
        if not module.check_mode and not len(outcome.differences):
            resource.prove()  # after a change this has been done
    warn(module, [*node.warnings, *outcome.warnings])
    return {**outcome.result(), resource.name: outcome.facts}


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure the release of an install directory, and keep what belongs to the deployment."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_release
short_description: Ensure the Mattermost release of an install directory, and keep its plugins and data
version_added: 0.1.0
description:
  - Unpacks a release tarball once per host into O(store), and makes O(install_dir) that release.
  - An upgrade does not change C(config), C(data), C(logs), C(plugins) and C(client/plugins). Plugins disappear with
    installers that replace the whole tree.
  - The release's files belong to the user that runs the module, and the service cannot write to them. If O(install_dir)
    belongs to the same user, they are hard links to those in O(store), which several install directories of a host
    share. If it belongs to the service user, they are copies, so that a change of the directory's owner cannot affect
    the store.
  - The release that was put into O(install_dir) is recorded in O(state_dir), where the service user cannot write. The
    record that an earlier version left in O(install_dir) is used if it belongs to root and has one hard link.
  - Missing directories among those that are kept are created for the service user, with the content that the release
    ships. A link in place of one is not changed, and nothing is written to its target. C(client) may be a link that
    root made, also to another file system.
  - Files in O(install_dir) that do not belong to the release are kept.
  - The tarball is checked before and while it is unpacked, and every release in the store is complete. A run that was
    killed is continued by the next run.
  - Fails before any change if O(archive) does not have O(sha256), if the service runs while its release must be
    exchanged, if O(install_dir) contains something that is not Mattermost, if a file system is mounted in what must be
    exchanged, if C(client) is a link of another user, or if others than root can write to O(store) or to a directory
    above it.
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.node
options:
  archive:
    description:
      - Release tarball on this host, also with O(root). Required if O(store) does not have the release yet.
    type: path
  sha256:
    description: SHA-256 of the tarball, which identifies the wanted release.
    type: str
    required: true
  store:
    description:
      - Directory for unpacked releases. If it is not on the file system of O(install_dir), files are copied.
      - Only root may be able to write to it and to all directories above it, except those above it with the sticky bit.
    type: str
    default: /opt/mattermost-releases
  stage_only:
    description: Unpack into O(store) and do not change O(install_dir). The service may run meanwhile.
    type: bool
    default: false
notes:
  - Requires root (O(ignore:become)), since the kept directories are given to the service user.
  - Never stops or starts the service. The database is upgraded by the server at its next start.
seealso:
  - module: plugops.mattermost.mattermost_plugin_directories
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Unpack the new release while the old one runs
  plugops.mattermost.mattermost_release:
    archive: files/mattermost-9.10.0-linux-amd64.tar.gz
    sha256: "{{ release_sha256 }}"
    stage_only: true
  become: true

- name: Exchange the release after the service was stopped, and keep plugins and data
  plugops.mattermost.mattermost_release:
    sha256: "{{ release_sha256 }}"
  become: true
"""

RETURN = r"""
differences:
  description: What differed from what is wanted.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What differed.
      type: str
      sample: release.install_dir
    found:
      description: >-
        SHA-256 of the release found, V(unknown) for one that this module did not install or whose program was exchanged
        since, V(incomplete) after a run that was killed, V(null) for nothing.
      type: str
    wanted:
      description: SHA-256 of the release wanted, or what must be there.
      type: str
    action:
      description: What fixes it.
      type: str
      sample: exchange the release in /opt/mattermost; config, data, logs, plugins, client/plugins stay
restart_required:
  description: Always false, the release is exchanged while the service does not run.
  returned: success
  type: bool
reload_required:
  description: Always false.
  returned: success
  type: bool
pending:
  description: Always empty reasons.
  returned: success
  type: dict
  contains:
    restart:
      description: Always empty.
      type: list
      elements: str
    reload:
      description: Always empty.
      type: list
      elements: str
release:
  description: The release in O(install_dir) after the run, or in check mode as it was found.
  returned: success
  type: dict
  contains:
    sha256:
      description: SHA-256 of its tarball, V(null) if it is unknown or incomplete.
      type: str
    program:
      description: The server's program below O(install_dir), V(null) if it is missing.
      type: str
      sample: bin/mattermost
    store:
      description: Directory of the unpacked releases, as the module sees it.
      type: str
      sample: /opt/mattermost-releases
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._install.release import Release
from ..module_utils._node.module import run_resource
from ..module_utils._node.options import NODE_ARGUMENTS


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **NODE_ARGUMENTS,
            "archive": {"type": "path"},
            "sha256": {"type": "str", "required": True},
            "store": {"type": "str", "default": "/opt/mattermost-releases"},
            "stage_only": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    run_resource(
        module,
        lambda node: Release(node, params["archive"] or "", params["sha256"], params["store"], params["stage_only"]),
    )


if __name__ == "__main__":
    main()

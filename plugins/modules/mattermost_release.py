#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The install directory holds a release; what belongs to the deployment survives."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_release
short_description: Ensure the Mattermost release of an install directory, plugins and data kept
version_added: 0.1.0
description:
  - Unpacks a release tarball once per host into O(store), and makes O(install_dir) that release.
  - On an upgrade C(config), C(data), C(logs), C(plugins) and C(client/plugins) are not touched. Installers that
    replace the whole tree are why plugins vanish.
  - The release's files belong to the user that runs the module, and the service cannot write to them. In an
    O(install_dir) of that user's they are hard links to those in O(store), which several install directories of a host
    share. In one that belongs to the service user they are copies, so that nobody gives the store away together with
    the directory.
  - What has been put into O(install_dir) is noted in O(state_dir), where the service user cannot write. The note that
    an earlier version left in O(install_dir) is taken over if it belongs to root and has one name.
  - The kept directories are made for the service user where they are missing, with what the release ships in them. A
    link in the place of one is left as it is, and nothing is put where it leads. C(client) may be a link that root
    made, also to another file system.
  - Files that lie in O(install_dir) and are not of the release stay.
  - The tarball is checked before anything is unpacked and while it is, and every release in the store is whole. A run
    that was killed goes on where it stopped when it is run again.
  - Fails before any change where O(archive) is another file than wanted, where the service runs while its release has
    to be exchanged, where O(install_dir) holds something that is no Mattermost, where a file system is mounted in what
    has to be exchanged, where C(client) is a link of another user's, and where others than root can write to O(store)
    or to a directory above it.
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.node
options:
  archive:
    description:
      - Release tarball on this host, also with O(root). Needed where O(store) does not have the release yet.
    type: path
  sha256:
    description: SHA-256 of the tarball, which says which release is wanted.
    type: str
    required: true
  store:
    description:
      - Directory that keeps unpacked releases. On the file system of O(install_dir), or files are copied.
      - It and all directories above it must be writable for root alone, or have the sticky bit above it.
    type: str
    default: /opt/mattermost-releases
  stage_only:
    description: Unpack into O(store), leave O(install_dir) alone. It may be done while the service runs.
    type: bool
    default: false
notes:
  - Needs root (O(ignore:become)), as the kept directories are given to the service user.
  - Never stops or starts the service. The database is upgraded by the server at its next start.
seealso:
  - module: plugops.mattermost.mattermost_plugin_directories
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: The new release is unpacked while the old one serves on
  plugops.mattermost.mattermost_release:
    archive: files/mattermost-9.10.0-linux-amd64.tar.gz
    sha256: "{{ release_sha256 }}"
    stage_only: true
  become: true

- name: The service has been stopped, the install directory gets the new release, plugins and data kept
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
        SHA-256 of the release found, V(unknown) for one that this module did not put there, also where its program was
        exchanged since, V(incomplete) after a run that was killed, V(null) for nothing.
      type: str
    wanted:
      description: SHA-256 of the release wanted, or what must be there.
      type: str
    action:
      description: What corrects it.
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
  description: The release in O(install_dir) after the run. In check mode, as it was found.
  returned: success
  type: dict
  contains:
    sha256:
      description: SHA-256 of its tarball, V(null) where it is not known or not complete.
      type: str
    program:
      description: The server's program below O(install_dir), V(null) where there is none.
      type: str
      sample: bin/mattermost
    store:
      description: Where unpacked releases lie, as the module sees it.
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

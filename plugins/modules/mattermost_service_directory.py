#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure that the Mattermost service runs in the right directory."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_service_directory
short_description: Ensure the working directory of the Mattermost service
version_added: 0.1.0
description:
  - Ensures that the effective C(WorkingDirectory) of the systemd service is O(working_directory).
  - The server resolves relative plugin directories against the directory that it runs in. If it is started in another
    directory, it runs without plugins, and its log contains C(Failed to start up plugins).
  - If the unit file or one of its drop-ins already sets the wanted directory, nothing is written. Otherwise the drop-in
    C(zz-plugops-working-directory.conf) below C(/etc/systemd/system/<service>.d) is written, and systemd reloads its
    files. Nothing else of the unit is changed.
  - C(WorkingDirectory=-/path) counts as V(/path), because a missing directory is an error here. C(~) counts as the
    home of the unit's user.
  - With C(RootDirectory=) in the unit, O(working_directory) is a path inside it, as C(WorkingDirectory=) is.
  - Fails before any change if the unit does not exist, is masked or refused by systemd, if the directory is missing, or
    if another drop-in would override the change. The message names the file and the line.
  - Never restarts the service, see RV(restart_required).
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.node
notes:
  - Requires root (O(ignore:become)) if something must be written.
  - With O(root), and on a machine that was not booted with systemd, only the unit files are read, and systemd is not
    notified of a change.
seealso:
  - module: plugops.mattermost.mattermost_plugin_directories
  - name: systemd.exec(5)
    description: How C(WorkingDirectory=) works.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Ensure that the server is started in its install directory
  plugops.mattermost.mattermost_service_directory:
  become: true
  register: mattermost_directory

- name: Restart the service if it runs in another directory
  ansible.builtin.systemd_service:
    name: mattermost
    state: restarted
  become: true
  when: mattermost_directory.restart_required

- name: Ensure the directory of a release elsewhere, with another service name
  plugops.mattermost.mattermost_service_directory:
    install_dir: /srv/mattermost
    service: mattermost-server.service
  become: true

- name: Ensure the directory in an image
  plugops.mattermost.mattermost_service_directory:
    root: /var/lib/machines/app1
  become: true
"""

RETURN = r"""
differences:
  description: What differed from what is wanted. Empty, or one entry.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What differed.
      type: str
      sample: service.WorkingDirectory
    found:
      description: The directory that systemd had loaded, V(null) if the unit sets none and the process gets V(/).
      type: str
      sample: /opt/mattermost/bin
    wanted:
      description: The wanted directory.
      type: str
      sample: /opt/mattermost
    action:
      description: What fixes it.
      type: str
      sample: >-
        write /etc/systemd/system/mattermost.service.d/zz-plugops-working-directory.conf, systemctl daemon-reload
restart_required:
  description:
    - Whether the service's process runs in another directory than O(working_directory), regardless of the unit files.
    - Remains true until the restart.
  returned: success
  type: bool
reload_required:
  description: Always false, a process keeps its directory when the server reloads its configuration.
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
      sample: ["mattermost.service (pid 812) runs in /opt/mattermost/bin, wanted /opt/mattermost: restart it"]
    reload:
      description: Always empty.
      type: list
      elements: str
service:
  description: The service as it is after the run, or in check mode as it was found.
  returned: success
  type: dict
  contains:
    name:
      description: The unit's own name, even if O(service) is an alias.
      type: str
      sample: mattermost.service
    load_state:
      description: State of its files according to systemd.
      type: str
      sample: loaded
    active_state:
      description: State of its process according to systemd, V(unknown) if systemd does not run.
      type: str
      sample: active
    user:
      description: User that it runs as, empty for root.
      type: str
      sample: mattermost
    group:
      description: Group that it runs as, empty for the user's own.
      type: str
      sample: mattermost
    working_directory:
      description: The effective setting, empty if it is not set, V(~) for the home of the user.
      type: str
      sample: /opt/mattermost
    working_directory_optional:
      description: Whether it is written with C(-), so that the process gets V(/) if the directory is missing.
      type: bool
    working_directory_origin:
      description: The file that sets it, empty if no file does.
      type: str
      sample: /etc/systemd/system/mattermost.service.d/zz-plugops-working-directory.conf
    pid:
      description: Id of the main process, V(0) if it does not run.
      type: int
      sample: 812
    running_directory:
      description: The directory that the main process runs in, links resolved. Empty if it is unknown.
      type: str
      sample: /opt/mattermost
    fragment:
      description: The unit file.
      type: str
      sample: /etc/systemd/system/mattermost.service
    drop_ins:
      description: The unit's drop-ins in the order in which systemd reads them.
      type: list
      elements: str
    needs_daemon_reload:
      description: Whether the files have changed since systemd read them.
      type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._install.working_directory import ServiceDirectory
from ..module_utils._node.module import run_resource
from ..module_utils._node.options import NODE_ARGUMENTS


def main() -> None:
    module = AnsibleModule(argument_spec=NODE_ARGUMENTS, supports_check_mode=True)
    run_resource(module, lambda node: ServiceDirectory(node, node.wanted_working_directory))


if __name__ == "__main__":
    main()

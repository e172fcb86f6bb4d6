#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of an action: plugins/action/windows_plugin_directories.py does the work, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: windows_plugin_directories
short_description: Make the plugin directories writable for the Mattermost server on Windows
version_added: 0.1.0
description:
  - Ensures that C(PluginSettings.Directory) and C(PluginSettings.ClientDirectory) exist, and that the account that the
    service runs as has the right C(Modify) in them, in everything that is created there, and in every directory
    directly in them.
  - The account is that of the service, C(LocalSystem), C(NT AUTHORITY\NetworkService), C(NT SERVICE\name), an account
    of the host or of a domain, or a group managed service account. Accounts are compared by their security identifier,
    independent of the language of the host. The rights are read as C(icacls /save) writes them.
  - A right that already exists, is wider, inherited from a directory above, or given to a group that contains every
    service, is not a difference. A missing right is granted with C(icacls /grant), in addition to the existing ones; no
    right is removed, and no owner is changed.
  - A missing directory is created, with missing parents if these are below O(path).
  - Anybody who can write in a directory can put a link or junction there. So a right is granted only to a directory
    that is not a link and is not reached through one, by a command that runs in the directory, which keeps it from
    being moved; C(icacls) never recurses. If something must be changed and the path contains a link, the module fails.
    Files and links in the directories get no right; a warning names them.
  - Directories of Windows itself are always refused. C(\Windows), C(\ProgramData\Microsoft), C(\Program Files\Common
    Files), C(\System Volume Information), C(\$Recycle.Bin), C(\Boot), C(\EFI) and C(\Recovery) are refused with
    everything below them. The root of a drive or share, C(\Program Files), C(\ProgramData), C(\Users) and an account's
    own directory are refused without what is below them. They are recognized on every drive, and by the host's
    variables.
  - An entry that the account cannot change and whose name C(cmd.exe) could misinterpret is refused; such a name is
    passed to no command. It contains a quote, a percent sign, C(& | < > ^ !), or letters that a code page converts into
    these.
  - What a grant cannot fix is reported before anything is changed, with what to do about it. That includes a file in
    place of a directory, an entry that denies, an account that the host does not know, and a connection without
    administrator rights.
  - The result is verified by the rights that the host reports afterwards, evaluated by the rules of Windows. No file is
    written as the account, since that would require its password. Groups of the account other than those that contain
    every service are unknown; a warning names those that are denied to write.
  - Never restarts the service, see RV(restart_required) and M(plugops.mattermost.nssm_service).
extends_documentation_fragment:
  - plugops.mattermost.windows
  - plugops.mattermost.attributes
options:
  path:
    description:
      - Directory that the service runs in, absolute. Relative directories are resolved against it, as the server does.
      - For Mattermost, the directory of its release, for example V(c:\\mattermost).
    type: str
    required: true
  directory:
    description: C(PluginSettings.Directory), V(./plugins) if it is not specified or empty.
    type: str
  client_directory:
    description: C(PluginSettings.ClientDirectory), V(./client/plugins) if it is not specified or empty.
    type: str
notes:
  - The configuration of the server is not read, since the server itself can write it. If it contains other directories
    than the server's defaults, specify them here as well.
  - The module relies on Windows not to move a directory in which a process runs, and not to inherit rights through a
    junction. The tests run under wine, which verifies the commands, not the file systems of Windows.
  - Connections and rights as for M(plugops.mattermost.nssm_app_directory). Two short files are created in C(%TEMP%) and
    removed, also in check mode, since C(icacls) writes its result to a file.
  - If a restart will be required, that is recorded below C(HKLM\SOFTWARE\plugops\mattermost) with the id of the
    process.
seealso:
  - module: plugops.mattermost.nssm_app_directory
  - module: plugops.mattermost.nssm_service
  - module: plugops.mattermost.mattermost_plugin_directories
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Ensure that the service's account can write the plugin directories
  plugops.mattermost.windows_plugin_directories:
    path: c:\mattermost
  register: plugin_directories

- name: Restart the service if it was started without them
  plugops.mattermost.nssm_service:
    state: restarted
  when: plugin_directories.restart_required

- name: Ensure the directories of another service
  plugops.mattermost.windows_plugin_directories:
    service: Team Chat
    path: '%ProgramFiles%\Team Chat'
    directory: '%SystemDrive%\chat plugins'
    client_directory: .\client\plugins
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
      sample: directories.c:\mattermost\plugins.rights
    found:
      description:
        - The right of the account, in the letters of C(icacls), V(N) for none. V(null) for a missing directory.
      type: str
      sample: RX
    wanted:
      description: What is wanted.
      type: str
      sample: M
    action:
      description: What fixes it.
      type: str
      sample: icacls "c:\mattermost\plugins" /grant "*S-1-5-20:(OI)(CI)M"
restart_required:
  description:
    - Whether the running server was started while its account could not write there, which it does not notice by
      itself.
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
      sample: ["mattermost (pid 812) was started before its account could write in the plugin directories: restart it"]
    reload:
      description: Always empty.
      type: list
      elements: str
directories:
  description: C(Directory) and C(ClientDirectory), as they are after the run, or in check mode as they were found.
  returned: success
  type: dict
  contains:
    Directory:
      description: The directory of the plugins.
      type: dict
      contains: &directory
        path:
          description: Its absolute path, variables replaced.
          type: str
          sample: c:\mattermost\plugins
        exists:
          description: Whether it exists.
          type: bool
        account:
          description: Account that the service runs as.
          type: str
          sample: NT AUTHORITY\NetworkService
        sid:
          description: Its security identifier.
          type: str
          sample: S-1-5-20
        rights:
          description: Its rights there, in the letters of C(icacls), V(null) if the directory is missing.
          type: str
          sample: M
        writable:
          description: Whether it can write there, in what is created there, and in every directory directly in it.
          type: bool
    ClientDirectory:
      description: The directory of the plugins' web parts.
      type: dict
      contains: *directory
"""

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
    service runs as has the right C(Modify) in them, in everything that is made there, and in every directory directly
    in them.
  - The account is the one that the service has, C(LocalSystem), C(NT AUTHORITY\NetworkService), C(NT SERVICE\name),
    an account of the host or of a domain, or a group managed service account. Accounts are compared by their security
    identifier, whatever the language of the host. The rights are read as C(icacls /save) writes them.
  - A right that is there already, wider, inherited from a directory above, or given to a group that every service is
    in, is no difference. What is missing is given with C(icacls /grant), in addition to what is there; nothing is
    taken away from anybody, and no owner is changed.
  - A missing directory is created, with missing parents where these lie below O(path).
  - Whoever may write in a directory may put a link or junction there. So a right is given only to a directory that is
    no link and is reached through none, while the line that gives it stands in the directory, which keeps it in its
    place; C(icacls) never walks what is in it. Where something is to be changed and a link is in the path, the module
    refuses. Files and links in the directories get no right, a warning names them.
  - Directories of Windows itself are refused always. With all below these are C(\Windows), C(\ProgramData\Microsoft),
    C(\Program Files\Common Files), C(\System Volume Information), C(\$Recycle.Bin), C(\Boot), C(\EFI) and
    C(\Recovery). Without what is below them, the root of a drive or share, C(\Program Files), C(\ProgramData),
    C(\Users) and an account's own directory. They are recognized on every drive, and where the host's variables name
    them.
  - An entry that the account may not change and whose name C(cmd.exe) could misread is refused, such a name is given to
    no command. It has a quote, a percent sign, C(& | < > ^ !), or letters that a code page turns into these.
  - What a grant cannot mend is reported before anything is changed, with what to do about it. That is a file in the
    way, an entry that denies, an account that the host does not know, a connection without administrator rights.
  - The proof is the list of rights that the host has afterwards, read by the rules of Windows. No file is written as
    the account, which would take its password. Groups that the account alone is in are not known here; if one of them
    is denied to write, a warning says so.
  - Never restarts the service, see RV(restart_required) and M(plugops.mattermost.nssm_service).
extends_documentation_fragment:
  - plugops.mattermost.windows
  - plugops.mattermost.attributes
options:
  path:
    description:
      - Directory that the service runs in, absolute. Relative directories are looked for in it, as the server does.
      - For Mattermost, where its release was unpacked, for example V(c:\mattermost).
    type: str
    required: true
  directory:
    description: C(PluginSettings.Directory), V(./plugins) where it is not given or empty.
    type: str
  client_directory:
    description: C(PluginSettings.ClientDirectory), V(./client/plugins) where it is not given or empty.
    type: str
notes:
  - The configuration of the server is not read, since the server itself can write it. Where it names other directories
    than the server's own defaults, name them here, too.
  - That Windows does not move a directory in which a process stands, nor gives an inherited right through a junction,
    is its own promise. The tests run under wine, which shows the commands, not Windows' file systems.
  - Connections and rights as for M(plugops.mattermost.nssm_app_directory). Two short files are made in C(%TEMP%) and
    removed, also in check mode, since C(icacls) gives its answer into a file.
  - Where a restart will be owed, that is noted below C(HKLM\SOFTWARE\plugops\mattermost) with the id of the process.
seealso:
  - module: plugops.mattermost.nssm_app_directory
  - module: plugops.mattermost.nssm_service
  - module: plugops.mattermost.mattermost_plugin_directories
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: The service's account can write the plugin directories
  plugops.mattermost.windows_plugin_directories:
    path: c:\mattermost
  register: plugin_directories

- name: The server starts anew where it did without them
  plugops.mattermost.nssm_service:
    state: restarted
  when: plugin_directories.restart_required

- name: Another service, and directories elsewhere
  plugops.mattermost.windows_plugin_directories:
    service: Team Chat
    path: '%ProgramFiles%\Team Chat'
    directory: '%SystemDrive%\chat plugins'
    client_directory: .\client\plugins
"""

RETURN = r"""
differences:
  description: What differed from what is wanted, in the order in which it was, or would be, mended.
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
        - The right that the account has, by the letters of C(icacls), V(N) for none. V(null) for a missing directory.
      type: str
      sample: RX
    wanted:
      description: What is wanted.
      type: str
      sample: M
    action:
      description: What mends it.
      type: str
      sample: icacls "c:\mattermost\plugins" /grant "*S-1-5-20:(OI)(CI)M"
restart_required:
  description:
    - The running server was started while its account could not write there, and does not notice by itself.
    - Stays true until it was restarted.
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
  description: C(Directory) and C(ClientDirectory), as they are after the run. In check mode, as they were found.
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
          description: Whether it is there.
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
          description: What it may do there, by the letters of C(icacls), V(null) where the directory is missing.
          type: str
          sample: M
        writable:
          description: Whether it may write there, in what is made there, and in every directory directly in it.
          type: bool
    ClientDirectory:
      description: The directory of what the plugins add to the web client.
      type: dict
      contains: *directory
"""

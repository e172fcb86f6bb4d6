# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that describe an app server, the same in every module."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  root:
    description:
      - Directory that stands for V(/) of the app server, for an image or a sandbox.
      - With O(root), systemd is not asked; unit files, accounts and links are read below O(root).
    type: path
  install_dir:
    description: Directory that the Mattermost release was unpacked into.
    type: str
    default: /opt/mattermost
  working_directory:
    description:
      - Directory that the service shall run in. Relative plugin directories are resolved against it.
      - The default is O(install_dir).
    type: str
  service:
    description: Name of the systemd service.
    type: str
    default: mattermost.service
  service_user:
    description: User that the server runs as. The default is C(User=) of the unit, else V(mattermost).
    type: str
  service_group:
    description: Group of the directories. The default is C(Group=) of the unit, else the user's own group.
    type: str
  config_path:
    description:
      - Configuration file. The default is the one that the server reads, found from the unit's C(-c) option,
        C(MM_CONFIG) and the server's own search.
      - A file that the server does not read is refused.
    type: str
  server_version:
    description:
      - Version of the server, for example V(10.11.2). Needed only where no running server can be asked.
      - A running server's own answer wins.
    type: str
  socket:
    description:
      - Local-mode socket of the server (5.24 and later).
      - The default is the one that the configuration enables, C(ServiceSettings.LocalModeSocketLocation).
    type: str
  api_url:
    description:
      - Address of the app server's REST API, for example V(https://app1.example.com:8065). It is asked where the
        local-mode socket does not answer.
      - In a cluster it must lead to this very app server, past the load balancer.
      - The certificate is verified. No redirect is followed.
      - An address only; one with an account, a query or a fragment is refused on the controller, since it would show a
        secret.
    type: str
  api_token:
    description: Personal access token of a system admin.
    type: str
  api_username:
    description:
      - Name or email address of a system admin, where there is no O(api_token).
      - One session is opened, and ended when the module is done.
    type: str
  api_password:
    description: Password for O(api_username).
    type: str
  api_ca_path:
    description: File or directory with the certificate authorities for O(api_url). The default is the system's.
    type: path
  api_proxy:
    description:
      - HTTP proxy for O(api_url), for example V(http://proxy.example.com:3128), with its account if it asks for one.
      - Proxies of the environment are not used.
    type: str
  api_only:
    description:
      - The app server is reached through its REST API alone, O(api_url), by a module that runs elsewhere, usually on
        the controller (C(delegate_to=localhost)). No file of the app server is read or written, and systemd is not
        asked.
      - Settings go through the API, plugins are uploaded. What needs files of the app server is refused, and so are
        O(socket) and O(config_path).
      - A plugin is as wanted when the server says the version of the bundle, and the last upload on record was of that
        very bundle. The record lies in O(state_dir) of the host that the module runs on, for each O(api_url) on its
        own. That the files are those of the bundle cannot be proved in this way; a warning says so.
    type: bool
    default: false
  state_dir:
    description:
      - Directory that keeps delivered bundles, checkpoints, cached digests and the note of a restart that is owed.
    type: str
    default: /var/lib/plugops
  allowed_directories:
    description:
      - Directories outside of O(install_dir) that the server's settings C(PluginSettings.Directory),
        C(PluginSettings.ClientDirectory) and C(FileSettings.Directory) may name. One that is neither named here nor in
        an option of the module for that directory is refused before any change, since whoever can write the server's
        configuration could claim any directory of the host otherwise.
      - A directory of the operating system, and one that holds such a directory, is refused always.
    type: list
    elements: str
    default: []
"""

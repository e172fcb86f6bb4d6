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
      - Directory that is used as V(/) of the app server, for an image or a sandbox.
      - With O(root), systemd is not queried; unit files, accounts and links are read below O(root).
    type: path
  install_dir:
    description: Directory that the Mattermost release was unpacked into.
    type: str
    default: /opt/mattermost
  working_directory:
    description:
      - Directory that the service must run in. Relative plugin directories are resolved against it.
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
      - Configuration file. The default is the file that the server reads, determined from the unit's C(-c) option,
        C(MM_CONFIG) and the server's own search.
      - A file that the server does not read is refused.
    type: str
  server_version:
    description:
      - Version of the server, for example V(10.11.2). Required only if no running server answers.
      - The version that a running server reports takes precedence.
    type: str
  socket:
    description:
      - Local-mode socket of the server (5.24 and later).
      - The default is the socket of the configuration, C(ServiceSettings.LocalModeSocketLocation).
    type: str
  api_url:
    description:
      - Address of the app server's REST API, for example V(https://app1.example.com:8065). It is used if the local-mode
        socket does not answer.
      - In a cluster it must be the address of this app server, not of a load balancer.
      - The certificate is verified. Redirects are not followed.
      - An address with an account, a query or a fragment is refused on the controller, since it would show a secret.
    type: str
  api_token:
    description: Personal access token of a system admin.
    type: str
  api_username:
    description:
      - Name or email address of a system admin, used without O(api_token).
      - One session is opened, and closed when the module ends.
    type: str
  api_password:
    description: Password for O(api_username).
    type: str
  api_ca_path:
    description: File or directory with the certificate authorities for O(api_url). The default is the system's.
    type: path
  api_proxy:
    description:
      - HTTP proxy for O(api_url), for example V(http://proxy.example.com:3128), with its account if it requires one.
      - Proxies of the environment are not used.
    type: str
  api_only:
    description:
      - Reach the app server only through its REST API at O(api_url), from a module that runs elsewhere, usually on the
        controller (C(delegate_to=localhost)). No file of the app server is read or written, and systemd is not queried.
      - Settings are changed through the API, and plugins are uploaded. What requires files of the app server is
        refused, and so are O(socket) and O(config_path).
      - A plugin is as wanted if the server reports the version of the bundle, and the last recorded upload was that of
        the same bundle. The record is in O(state_dir) of the host that the module runs on, one for each O(api_url). It
        cannot be verified that the files are those of the bundle; a warning reports this.
    type: bool
    default: false
  state_dir:
    description:
      - Directory for delivered bundles, checkpoints, cached digests and the record of a required restart.
    type: str
    default: /var/lib/plugops
  allowed_directories:
    description:
      - Directories outside of O(install_dir) that the server's settings C(PluginSettings.Directory),
        C(PluginSettings.ClientDirectory) and C(FileSettings.Directory) may name. A directory that is specified neither
        here nor in an option of the module for that directory is refused before any change, since anybody who can write
        the server's configuration could otherwise claim any directory of the host.
      - A directory of the operating system, and one that contains such a directory, is always refused.
    type: list
    elements: str
    default: []
"""

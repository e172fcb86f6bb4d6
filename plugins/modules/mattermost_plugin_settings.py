#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure keys of a Mattermost server's PluginSettings."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_plugin_settings
short_description: Ensure PluginSettings of a Mattermost server
version_added: 0.1.0
description:
  - Sets keys of C(PluginSettings), the states of plugins and their own settings, in the configuration file that the
    server reads, or in the running server through its local-mode socket or its REST API.
  - Additive. Options, plugins and settings that are not specified are not changed.
  - Parsed values are compared. Everything else in the file stays byte for byte, including unknown keys, order, indent,
    byte order mark and line ends; owner, mode and a symbolic link also stay.
  - Keys, ids of plugins and names of their settings are matched in any case and keep their spelling.
  - A configuration file that the server does not read is refused, with the reason why the server reads another one
    (C(-c), C(MM_CONFIG), a database). A variable C(MM_PLUGINSETTINGS_*) of the service that overrides a wanted value is
    reported as a warning.
extends_documentation_fragment:
  - plugops.mattermost.attributes
  - plugops.mattermost.node
options:
  enable:
    description: Whether the plugin system is on.
    type: bool
  enable_uploads:
    description: Whether plugins can be uploaded. A server refuses to change this over its REST API.
    type: bool
  directory:
    description:
      - Directory of the plugins, relative to the service's working directory or absolute.
      - A running server applies a change at its next start only, see RV(restart_required).
    type: str
  client_directory:
    description:
      - Directory of the plugins' web parts, relative to the service's working directory or absolute.
      - A running server applies a change at its next start only, see RV(restart_required).
    type: str
  enable_health_check:
    description: Whether crashed plugins are restarted. From 5.12.
    type: bool
  allow_insecure_download_url:
    description: Whether the server may download plugins by plain HTTP. From 5.14.
    type: bool
  enable_marketplace:
    description: Whether the marketplace is on. From 5.16.
    type: bool
  marketplace_url:
    description: Address of the marketplace. From 5.16.
    type: str
  require_plugin_signature:
    description: Whether only signed plugins run. From 5.18. Switches uploads off.
    type: bool
  signature_public_key_files:
    description: Files with public keys, relative to the configuration file's directory or absolute. From 5.18.
    type: list
    elements: str
  enable_remote_marketplace:
    description: Whether the marketplace queries O(marketplace_url). From 5.20.
    type: bool
  automatic_prepackaged_plugins:
    description: Whether enabled plugins that come with the server are installed and upgraded. From 5.20.
    type: bool
  chimera_oauth_proxy_url:
    description: Address of a Chimera OAuth proxy. From 6.0.
    type: str
  settings:
    description:
      - Keys and values in one dictionary, by Mattermost's names (C(EnableUploads)) or by the names of the options.
      - A key must not be specified both here and as an option.
    type: dict
    default: {}
  states:
    description: Plugin id to whether it is enabled. Merged with the existing states.
    type: dict
    default: {}
  plugins:
    description:
      - Plugin id to its settings, which are merged with the existing ones, name by name.
      - Values are never shown, neither in results nor in diffs nor in logs.
    type: dict
    default: {}
  via:
    description:
      - V(file) changes the configuration file. A running server up to 5.37 notices that by itself; a later one is made
        to reload at once, through its local-mode socket (from 6.0) or its REST API, or RV(restart_required) is set.
      - V(socket) changes the running server, which saves its configuration. Requires C(ServiceSettings.EnableLocalMode)
        (5.24 and later; O(enable_uploads) from 5.33).
      - V(api) does the same over the REST API, see O(api_url). A server from 4.8 on does not accept O(enable_uploads)
        there; this is refused before anything changes.
      - V(auto) uses the socket if a server from 5.33 on answers there, else the file. With C(ReadOnlyConfig) of a
        cluster it uses the file, and with the configuration in a database the socket or the API.
    type: str
    choices: [auto, file, socket, api]
    default: auto
  backup:
    description: Keep a copy of the configuration file beside it before it is changed. Only with V(file).
    type: bool
    default: false
  signatures_follow:
    description:
      - Ids of the plugins that get their signatures, or are removed, after this.
      - Switching O(require_plugin_signature) on is refused if the server's filestore has bundles of other plugins
        without a signature, since the server would remove these plugins at its next start. A filestore that is not on
        this host is not checked.
    type: list
    elements: str
    default: []
seealso:
  - module: plugops.mattermost.mattermost_plugin
  - module: plugops.mattermost.mattermost_plugin_directories
  - name: Mattermost plugin settings
    description: What the keys mean.
    link: https://docs.mattermost.com/configure/plugins-configuration-settings.html
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Switch uploads on, with absolute directories
  plugops.mattermost.mattermost_plugin_settings:
    enable_uploads: true
    directory: /opt/mattermost/plugins
    client_directory: /opt/mattermost/client/plugins
  become: true
  register: settings

- name: Restart the service if the running server cannot apply a change
  ansible.builtin.systemd_service:
    name: mattermost
    state: restarted
  become: true
  when: settings.restart_required

- name: Set a plugin's own settings and its state in the file of a server that does not run
  plugops.mattermost.mattermost_plugin_settings:
    plugins:
      com.example.todo:
        HideTeamSidebar: true
        WebhookSecret: "{{ vault_todo_webhook_secret }}"
    states:
      com.example.todo: true
      com.mattermost.nps: false
    via: file
    backup: true
    server_version: "10.11.2"
  become: true
"""

RETURN = r"""
differences:
  description: What differed from what is wanted, in the order in which it was fixed.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description:
        - C(settings.<key>), C(settings.PluginStates.<id>) or C(settings.Plugins.<id>.<name>).
      type: str
      sample: settings.EnableUploads
    found:
      description: What was found. A setting of a plugin is shown as asterisks.
      type: raw
      sample: false
    wanted:
      description: What is wanted. A setting of a plugin is shown as asterisks.
      type: raw
      sample: true
    action:
      description: What fixes it.
      type: str
      sample: set in /opt/mattermost/config/config.json
restart_required:
  description: Whether the running server must be restarted, from the state of its process.
  returned: success
  type: bool
reload_required:
  description: Whether the running server uses other settings than those in its file, which a reload fixes.
  returned: success
  type: bool
pending:
  description: The reasons for a restart or a reload.
  returned: success
  type: dict
  contains:
    restart:
      description: Why the server must be restarted.
      type: list
      elements: str
    reload:
      description: Why the server must reload its configuration.
      type: list
      elements: str
settings:
  description: What is in effect, without the values of plugins' settings.
  returned: success
  type: dict
  contains:
    via:
      description: The channel used, V(file), V(socket) or V(api).
      type: str
      sample: file
    config:
      description: The source of the server's configuration.
      type: dict
      sample:
        kind: file
        path: /opt/mattermost/config/config.json
        evidence: "default: neither -c nor MM_CONFIG is given"
    overridden:
      description: Keys that the service's environment overrides, each with its variable and the file that sets it.
      type: list
      elements: dict
      sample:
        - key: EnableUploads
          variable: MM_PLUGINSETTINGS_ENABLEUPLOADS
          origin: /etc/default/mattermost (EnvironmentFile)
    settings:
      description: Keys of C(PluginSettings) that the server knows, defaults included.
      type: dict
    states:
      description: Plugin id to whether it is enabled.
      type: dict
    plugins:
      description: Plugin id to the names of its settings.
      type: dict
    backup_file:
      description: The copy that O(backup) made, if any.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._config.plugin_settings import option_types, settings_of
from ..module_utils._node.module import run_resource
from ..module_utils._node.options import NODE_ARGUMENTS
from ..module_utils._settings.channel import AUTO, CHANNELS
from ..module_utils._settings.settings import Settings

ARGUMENTS = {
    **NODE_ARGUMENTS,
    **option_types(),
    "settings": {"type": "dict", "default": {}},
    "states": {"type": "dict", "default": {}},
    "plugins": {"type": "dict", "default": {}, "no_log": True},
    "via": {"type": "str", "choices": list(CHANNELS), "default": AUTO},
    "backup": {"type": "bool", "default": False},
    "signatures_follow": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options = module.params
    run_resource(
        module,
        lambda node: Settings(
            node,
            settings_of(options),
            options["states"],
            options["plugins"],
            channel=options["via"],
            backup=options["backup"],
            signatures_follow=options["signatures_follow"],
        ),
        secret_options=["plugins"],
        by_api=True,
    )


if __name__ == "__main__":
    main()

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option ``plugins``, the same in every module that takes a list of plugins."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  plugins:
    description: The wanted plugins. Each id may be listed once.
    type: list
    elements: dict
    suboptions:
      id:
        description: Id in the plugin's manifest. With a bundle, another id in the bundle is an error.
        type: str
      src:
        description:
          - Bundle (C(.tar.gz)) on the controller, absolute or relative as for M(ansible.builtin.copy).
          - May be omitted where O(plugins[].url), O(bundle_directory) or a lock file specifies the bundle, or where the
            nodes' stores already have it; the last case requires O(plugins[].id), O(plugins[].version) and
            O(plugins[].sha256).
          - An entry that specifies no bundle means a plugin that comes with the server (C(prepackaged_plugins), 5.2 and
            later), in the version that comes with it. It is enabled, which installs it at the next start, or disabled.
            It is an error if the server neither has nor provides it.
        type: str
      url:
        description:
          - URL (C(https), C(http) or C(file)) from which the controller downloads the bundle. Requires
            O(plugins[].sha256); O(plugins[].src) must not be specified as well.
          - A bundle is downloaded once, into the cache of the controller's user (C($XDG_CACHE_HOME/plugops)), for all
            hosts and in check mode too. An interrupted download is resumed. Proxies are taken from the environment
            (C(https_proxy), C(no_proxy)), passwords from C(~/.netrc).
        type: str
      version:
        description:
          - Version in the plugin's manifest, quoted, since YAML reads C(1.10) as the number 1.1.
          - With a bundle, another version in the bundle is an error.
        type: str
      sha256:
        description: SHA-256 of the bundle, 64 hex digits. A bundle with another one is an error.
        type: str
      signature:
        description:
          - Detached OpenPGP signature of the bundle, a path on the controller or a URL.
          - The default is the file with the name of O(plugins[].src) and C(.sig), if it exists.
        type: str
      enabled:
        description:
          - Whether the plugin must be enabled.
          - The default is what the lock file pins, and V(true) without a lock file.
        type: bool
      state:
        description:
          - V(absent) removes the plugin; its settings stay. Requires O(plugins[].id).
          - A plugin that comes with the server is also disabled, so that it is not installed again. Servers before 5.20
            install it regardless of its state, so there its bundle is removed from C(prepackaged_plugins).
        type: str
        choices: [present, absent]
        default: present
      strategy:
        description: As the option C(strategy) of M(plugops.mattermost.mattermost_plugin), for this plugin alone.
        type: str
        choices: [auto, upload, filestore, unpack, prepackaged]
"""

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options for the sources and signatures of bundles."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  bundle_directory:
    description:
      - Directory on the controller, absolute or relative as for M(ansible.builtin.copy). Every C(*.tar.gz) in it is the
        bundle of a wanted plugin; an entry of O(plugins) with its C(id) can specify more, for example C(enabled=false).
      - If it contains several bundles of one plugin, a lock file or an entry with C(id) and C(version) must choose one.
    type: path
  keyring:
    description:
      - File on the controller with the public keys that are trusted to sign bundles, as C(gpg --export) writes it,
        binary or ASCII-armoured.
      - Every signature is then verified on the controller with C(gpgv), else C(gpg), before anything is sent.
      - Without it, signatures are delivered unverified, and only the server verifies them.
      - Servers verify signatures of RSA, DSA and ECDSA (NIST) keys, but not of Ed25519 keys, which gpg creates by
        default; if C(RequirePluginSignature) is on, these are refused.
    type: path
  signatures_required:
    description: Whether every wanted bundle must have a valid signature. Needs O(keyring).
    type: bool
    default: false
  download_limit:
    description:
      - Maximum size of a downloaded bundle, for example V(500M).
      - A larger one is refused as soon as its size is known; nothing beyond the limit is written.
    type: str
    default: 1G
  download_timeout:
    description:
      - Seconds that a download server may send nothing.
      - A download also fails if it averages less than 64 KiB a second after the first two minutes, or after twice this
        time if that is longer. The next run resumes it.
    type: int
    default: 30
  download_ca_path:
    description:
      - File or directory on the controller with the CA certificates that verify download servers.
      - The default is the system's.
    type: path
"""

    # For modules that deploy from a lock file.
    LOCK = r"""
options:
  lock:
    description:
      - Lock file on the controller, as M(plugops.mattermost.mattermost_plugin_lock) writes it. All plugins that it pins
        are wanted; O(plugins) need not repeat them.
      - It is an error if O(plugins) or O(bundle_directory) contradict the lock file.
      - Relative to the directory in which Ansible was started; write V({{ inventory_dir }}/plugins.lock.yml) to be
        independent of it.
    type: path
  fetch:
    description:
      - Who downloads the bundles of entries with a C(url).
      - V(controller) downloads each once, for all nodes.
      - V(node) lets each node that lacks a bundle download it, for controllers with a slow line. The lock file must pin
        the plugin; the URL must have neither password nor query (C(~/.netrc) of the node's user is read), and
        O(keyring) cannot be used, since the controller does not see the bundle. A C(file) URL then refers to a file of
        the node. Proxies are taken from the environment of the task.
    type: str
    choices: [controller, node]
    default: controller
"""

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugin bundles and unpacked plugins as files: manifest, tree, store, unpacker, delivery.

What a node should have of them is decided in ``_plugins``.

Private: may change between minor releases without notice.
"""

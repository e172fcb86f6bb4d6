# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of text and archives that strangers may have written: JSON, YAML, OpenPGP packets, gzip, tar.

Pure: they get bytes or an open file and return what is in it, with limits. What the content means is decided elsewhere.

Private: may change between minor releases without notice.
"""

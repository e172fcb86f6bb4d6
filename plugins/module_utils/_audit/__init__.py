# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of a node: detectors, and the findings that they make.

Pages and other formats of an audit are made on the controller.

Private: may change between minor releases without notice.
"""

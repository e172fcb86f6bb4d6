# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real test hosts: Debian systems started by systemd-nspawn, with systemd and sshd, reached over ssh.

Run it as ``PYTHONPATH=tests python -m plugops_tests.hosts`` from the repository root; README.md says more.
"""

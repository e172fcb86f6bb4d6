# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""The one file in which bundles are sent to a node. A run that was killed cannot remove its own: the next one does."""

from __future__ import annotations

import contextlib
import glob
import os
from typing import Optional

# Ansible's name for the directories that it makes on hosts.
_DIRECTORIES = "ansible-tmp-*"


def delivery_name(run: str) -> str:
    """
    :param run: tells runs apart, as in the run lock
    """
    return f"plugops-{run}.tar"


def clear_deliveries(delivery: str, holder: Optional[str]) -> None:
    """Remove a delivery that was taken in, and those that other runs have left beside it.

    :param holder: the run that holds the node's lock; the others' are removed only if it is the one that delivered:
        then nobody else is at work here
    """
    _remove(delivery)
    if holder is None or os.path.basename(delivery) != delivery_name(holder):
        return
    place = os.path.dirname(os.path.dirname(delivery))
    for other in glob.glob(os.path.join(glob.escape(place), _DIRECTORIES, delivery_name("*"))):
        _remove(other)


def _remove(delivery: str) -> None:
    directory = os.path.dirname(delivery)
    if os.path.islink(directory):
        return
    with contextlib.suppress(OSError):
        os.unlink(delivery)
    if os.path.basename(directory).startswith(_DIRECTORIES[:-1]):
        with contextlib.suppress(OSError):  # there is more in it
            os.rmdir(directory)

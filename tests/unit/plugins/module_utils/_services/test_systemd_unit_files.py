# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit files: found, ordered and read as systemd finds, orders and reads them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Dict, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
from ansible_collections.plugops.mattermost.plugins.module_utils._services.systemd_unit_files import (
    UnitFiles,
    drop_in_directories,
    read_unit_files,
    similar_units,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugops_tests.support import systemd_oracle

ETC, RUN, USR = "etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system"
UNIT = "[Service]\nExecStart=/bin/true\n"


def write(root: Path, path: str, text: str = UNIT) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(text.encode())


def link(root: Path, path: str, target: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(target)


def read(root: Path, name: str = "mattermost.service") -> UnitFiles:
    return read_unit_files(name, Root(str(root)))


@pytest.fixture(scope="session")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> None:
    reason = systemd_oracle.missing(tmp_path_factory.mktemp("oracle"))
    if reason:
        pytest.skip(reason)


def agree(root: Path, name: str) -> UnitFiles:
    """Read the unit, and see that systemd reads the same files in the same order."""
    ours, theirs = read(root, name), systemd_oracle.load(root, name)
    if theirs.unit is None:
        assert (ours.load_state == "masked") == theirs.masked, theirs.log
        assert ours.load_state != "loaded", theirs.log
        return ours
    assert ours.load_state == "loaded"
    assert ours.name == theirs.unit.names[0]
    assert ours.fragment == theirs.unit.one("Fragment Path")
    assert list(ours.drop_ins) == theirs.unit.every("DropIn Path")
    last = ours.last("Service", "WorkingDirectory")
    assert (last.value if last and last.value else "/") == theirs.unit.one("WorkingDirectory")
    return ours


def test_unit_file_of_the_first_directory_counts(tmp_path: Path, oracle: None) -> None:
    write(tmp_path, f"{USR}/mattermost.service", UNIT + "WorkingDirectory=/usr\n")
    write(tmp_path, f"{RUN}/mattermost.service", UNIT + "WorkingDirectory=/run\n")
    assert agree(tmp_path, "mattermost.service").fragment == f"/{RUN}/mattermost.service"
    write(tmp_path, f"{ETC}/mattermost.service", UNIT + "WorkingDirectory=/etc\n")
    assert agree(tmp_path, "mattermost.service").fragment == f"/{ETC}/mattermost.service"


def test_drop_ins_are_ordered_by_file_name_and_hide_each_other(tmp_path: Path, oracle: None) -> None:
    write(tmp_path, f"{USR}/a-b.service")
    for directory in ("a-b.service.d", "a-.service.d", "service.d"):
        for place in (ETC, RUN, USR):
            write(tmp_path, f"{place}/{directory}/50-same.conf", f"[Service]\nWorkingDirectory=/{place}\n")
            write(tmp_path, f"{place}/{directory}/{directory[:4]}-{place[:3]}.conf", "[Service]\nUMask=0077\n")
    found = agree(tmp_path, "a-b.service")
    assert found.drop_ins[0] == f"/{ETC}/a-b.service.d/50-same.conf"
    names = [path.rpartition("/")[2] for path in found.drop_ins]
    assert len(names) == 10
    assert names == sorted(names)


def test_alias_leads_to_the_unit_and_adds_its_drop_ins(tmp_path: Path, oracle: None) -> None:
    write(tmp_path, f"{USR}/mattermost-server.service")
    link(tmp_path, f"{ETC}/mattermost.service", "/usr/lib/systemd/system/mattermost-server.service")
    write(tmp_path, f"{ETC}/mattermost.service.d/a.conf", "[Service]\nWorkingDirectory=/a\n")
    write(tmp_path, f"{ETC}/mattermost-server.service.d/b.conf", "[Service]\nUMask=0077\n")
    for name in ("mattermost.service", "mattermost-server.service"):
        found = agree(tmp_path, name)
        assert found.name == "mattermost-server.service"
        assert [path.rpartition("/")[2] for path in found.drop_ins] == ["a.conf", "b.conf"]


def test_link_to_a_file_elsewhere_is_the_unit_itself(tmp_path: Path, oracle: None) -> None:
    write(tmp_path, "opt/mattermost/anything", UNIT + "WorkingDirectory=/opt/mattermost\n")
    link(tmp_path, f"{ETC}/mattermost.service", "../../../opt/mattermost/anything")
    assert agree(tmp_path, "mattermost.service").fragment == f"/{ETC}/mattermost.service"


def test_absolute_link_stays_below_the_root(tmp_path: Path) -> None:
    # (systemd-analyze follows it out of its root, so it cannot be asked here)
    write(tmp_path, "opt/mattermost/anything", UNIT + "WorkingDirectory=/opt/mattermost\n")
    link(tmp_path, f"{ETC}/mattermost.service", "/opt/mattermost/anything")
    last = read(tmp_path).last("Service", "WorkingDirectory")
    assert last is not None
    assert last.where == f"/{ETC}/mattermost.service:3"


def test_link_to_the_same_unit_in_another_directory(tmp_path: Path, oracle: None) -> None:
    write(tmp_path, f"{USR}/mattermost.service", UNIT + "WorkingDirectory=/usr\n")
    link(tmp_path, f"{ETC}/mattermost.service", "../../../usr/lib/systemd/system/mattermost.service")
    ours, theirs = read(tmp_path), systemd_oracle.load(tmp_path, "mattermost.service").unit
    assert theirs is not None
    last = ours.last("Service", "WorkingDirectory")
    assert last is not None
    assert last.value == theirs.one("WorkingDirectory") == "/usr"


@pytest.mark.parametrize("target", ["/dev/null", ""])
def test_masked(tmp_path: Path, oracle: None, target: str) -> None:
    write(tmp_path, f"{USR}/mattermost.service")
    if target:
        link(tmp_path, f"{ETC}/mattermost.service", target)
    else:
        write(tmp_path, f"{ETC}/mattermost.service", "")
    found = agree(tmp_path, "mattermost.service")
    assert (found.load_state, found.fragment) == ("masked", f"/{ETC}/mattermost.service")


def test_masked_drop_in_hides_the_one_below(tmp_path: Path, oracle: None) -> None:
    write(tmp_path, f"{USR}/mattermost.service", UNIT + "WorkingDirectory=/usr\n")
    write(tmp_path, f"{USR}/mattermost.service.d/a.conf", "[Service]\nWorkingDirectory=/hidden\n")
    link(tmp_path, f"{ETC}/mattermost.service.d/a.conf", "/dev/null")
    last = agree(tmp_path, "mattermost.service").last("Service", "WorkingDirectory")
    assert last is not None
    assert last.value == "/usr"


def test_instance_takes_the_template_and_the_drop_ins_of_both(tmp_path: Path, oracle: None) -> None:
    write(tmp_path, f"{ETC}/matter-most@.service")
    write(tmp_path, f"{ETC}/matter-most@one.service.d/z.conf", "[Service]\nWorkingDirectory=/one\n")
    write(tmp_path, f"{ETC}/matter-most@.service.d/a.conf", "[Service]\nWorkingDirectory=/all\n")
    write(tmp_path, f"{ETC}/matter-@one.service.d/b.conf", "[Service]\nUMask=0077\n")
    write(tmp_path, f"{ETC}/matter-@.service.d/c.conf", "[Service]\nUMask=0077\n")
    write(tmp_path, f"{ETC}/service.d/d.conf", "[Service]\nUMask=0077\n")
    found = agree(tmp_path, "matter-most@one.service")
    assert [path.rpartition("/")[2] for path in found.drop_ins] == ["a.conf", "b.conf", "c.conf", "d.conf", "z.conf"]
    assert len(agree(tmp_path, "matter-most@two.service").drop_ins) == 3


def test_unit_that_is_not_there(tmp_path: Path, oracle: None) -> None:
    write(tmp_path, f"{USR}/mattermost-server.service")
    write(tmp_path, f"{USR}/other.service")
    write(tmp_path, f"{ETC}/mattermost.service.d/a.conf", UNIT)  # drop-ins alone make no unit
    assert agree(tmp_path, "mattermost.service").load_state == "not-found"
    assert similar_units("mattermost.service", Root(str(tmp_path))) == ["mattermost-server.service"]


def test_aliases_in_a_circle(tmp_path: Path) -> None:
    link(tmp_path, f"{ETC}/mattermost.service", f"/{USR}/other.service")
    link(tmp_path, f"{ETC}/other.service", f"/{USR}/mattermost.service")
    with pytest.raises(OperatorError, match="circle"):
        read(tmp_path)


def test_merged_usr_is_one_directory(tmp_path: Path) -> None:
    write(tmp_path, f"{USR}/mattermost.service")
    write(tmp_path, f"{USR}/mattermost.service.d/a.conf")
    link(tmp_path, "lib", "usr/lib")
    assert read(tmp_path).drop_ins == ("/lib/systemd/system/mattermost.service.d/a.conf",)


def test_directories_of_our_drop_in_come_before_those_of_the_type(tmp_path: Path) -> None:
    directories = drop_in_directories("mattermost.service", Root(str(tmp_path)))
    assert directories.index(f"/{ETC}/mattermost.service.d") < directories.index(f"/{ETC}/service.d")
    assert directories.index("/etc/systemd/system.control/mattermost.service.d") < directories.index(
        f"/{ETC}/mattermost.service.d"
    )


def test_lists_are_reset_by_an_empty_assignment(tmp_path: Path) -> None:
    text = (
        UNIT
        + "ReadWritePaths=/a\nReadWritePaths=\nReadWritePaths=/b\nReadWritePaths=/c\n[Install]\nReadWritePaths=/d\n"
    )
    write(tmp_path, f"{ETC}/mattermost.service", text)
    found = read(tmp_path)
    assert [(a.value, a.line) for a in found.all("Service", "ReadWritePaths")] == [("/b", 5), ("/c", 6)]


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ETC / "mattermost.service").mkdir(parents=True)
    with pytest.raises(OperatorError, match=r"/etc/systemd/system/mattermost\.service"):
        read(tmp_path)


PLACES = [ETC, RUN, USR, "usr/local/lib/systemd/system", "etc/systemd/system.control", "run/systemd/system.control"]
FRAGMENT_PLACES = PLACES[:4]
DROP_IN_DIRECTORIES = ["a-b-c.service.d", "a-b-.service.d", "a-.service.d", "service.d", "a-b.service.d", "b.service.d"]
Tree = Tuple[List[str], Dict[Tuple[str, str, str], int]]
TREES = st.tuples(
    st.lists(st.sampled_from(FRAGMENT_PLACES), min_size=1, unique=True),
    st.dictionaries(
        st.tuples(
            st.sampled_from(PLACES),
            st.sampled_from(DROP_IN_DIRECTORIES),
            st.sampled_from(["a.conf", "B.conf", "10-a.conf", "9.conf", "z.conf", ".x.conf", "no.txt", "zz~.conf"]),
        ),
        st.integers(0, 5),
        max_size=12,
    ),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_any_tree_is_read_as_systemd_reads_it(oracle: None, tree: Tree) -> None:
    fragments, drop_ins = tree
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for place in fragments:
            write(root, f"{place}/a-b-c.service", UNIT + f"WorkingDirectory=/{place}\n")
        for (place, unit, name), number in drop_ins.items():
            text = (
                ["", "WorkingDirectory=\n", "UMask=0077\n"][number] if number < 3 else f"WorkingDirectory=/{number}\n"
            )
            write(root, f"{place}/{unit}/{name}", f"[Service]\n{text}" if number else "")
        agree(root, "a-b-c.service")

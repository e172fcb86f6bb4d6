"""What runs that were killed have left of their deliveries."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._delivery import clear_deliveries, delivery_name


@pytest.fixture
def tmp(tmp_path: Path) -> Path:
    """A user's remote_tmp: our delivery, that of a run that is gone, and directories of other tasks."""
    for directory, name in (("ansible-tmp-1", "mine"), ("ansible-tmp-2", "gone")):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / delivery_name(name)).touch()
    (tmp_path / "ansible-tmp-3").mkdir()
    (tmp_path / "ansible-tmp-3" / "AnsiballZ_ping.py").touch()
    return tmp_path


def left(tmp: Path) -> list[str]:
    return sorted(path.name for path in tmp.iterdir())


def test_the_holder_of_the_lock_removes_what_others_have_left(tmp: Path) -> None:
    clear_deliveries(str(tmp / "ansible-tmp-1" / delivery_name("mine")), "mine")
    assert left(tmp) == ["ansible-tmp-3"]
    assert (tmp / "ansible-tmp-3" / "AnsiballZ_ping.py").exists()


@pytest.mark.parametrize("holder", [None, "gone"])
def test_without_the_lock_it_is_not_known_who_is_at_work(tmp: Path, holder: str | None) -> None:
    clear_deliveries(str(tmp / "ansible-tmp-1" / delivery_name("mine")), holder)
    assert left(tmp) == ["ansible-tmp-2", "ansible-tmp-3"]


def test_a_directory_that_is_a_link_is_not_followed(tmp: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / delivery_name("x")).touch()
    (tmp / "ansible-tmp-4").symlink_to(elsewhere)
    clear_deliveries(str(tmp / "ansible-tmp-1" / delivery_name("mine")), "mine")
    assert (elsewhere / delivery_name("x")).exists()


def test_what_is_not_in_a_directory_of_ansible_keeps_its_directory(tmp_path: Path) -> None:
    delivery = tmp_path / "bundles.tar"
    delivery.touch()
    clear_deliveries(str(delivery), None)
    assert left(tmp_path) == []

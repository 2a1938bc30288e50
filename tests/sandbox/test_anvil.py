"""What anvil, as we start it, leaves behind."""

import tempfile
from pathlib import Path

import pytest

from liqpass.sandbox.anvil import STATES_ON_DISK, Anvil

MORE_THAN_ARE_KEPT = STATES_ON_DISK + 1024


async def test_the_states_of_a_long_chain_fill_no_disk_and_are_gone_when_anvil_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    async with Anvil() as anvil:
        await anvil.rpc("anvil_mine", [hex(MORE_THAN_ARE_KEPT)])
        assert 0 < len(list(temporary.rglob("*.json"))) <= STATES_ON_DISK
    assert [*home.rglob("*"), *temporary.rglob("*")] == []

"""Personal columns: nothing of them in the file, nothing of them with another key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from central_server.crypto import Vault, blind, load_vault
from central_server.db import Database
from central_server.errors import UsageError
from central_server.schema import person
from tests.central_server.vault import VAULT


@given(st.text())
def test_what_was_sealed_is_opened_for_the_same_column_only(text: str) -> None:
    sealed = VAULT.seal(text, "person.name")
    assert VAULT.open(sealed, "person.name") == text
    for other, purpose in ((VAULT, "person.phone"), (Vault.make(), "person.name")):
        with pytest.raises(UsageError):
            other.open(sealed, purpose)


@given(st.integers(0, 400))
def test_a_flipped_bit_is_never_read_as_a_value(position: int) -> None:
    sealed = bytearray(VAULT.seal("13812345678", "person.phone"))
    sealed[position % len(sealed)] ^= 1 << position % 8
    with pytest.raises(UsageError):
        VAULT.open(bytes(sealed), "person.phone")


async def test_the_database_file_holds_nothing_that_can_be_read(db: Database) -> None:
    async with db.write() as connection:
        for number in range(50):
            name, phone = f"金丝雀{number}号", f"1380000{number:04d}"
            await connection.execute(
                insert(person).values(
                    code=f"p-{number}",
                    name=name,
                    name_index=blind(connection, name, "name"),
                    phone=phone,
                    phone_index=blind(connection, phone, "phone"),
                )
            )
    assert db.path is not None
    kept = b"".join(each.read_bytes() for each in db.path.parent.glob("central.db*"))
    assert "金丝雀".encode() not in kept
    assert b"1380000" not in kept
    async with db.read() as connection:
        found = select(person.c.name).where(person.c.name_index == blind(connection, " 金丝雀7号 ", "name"))
        assert (await connection.execute(found)).scalar_one() == "金丝雀7号"


async def test_without_the_key_nothing_is_read_and_nothing_is_written_plainly(db: Database) -> None:
    async with db.write() as connection:
        await connection.execute(insert(person).values(code="p", name="王芳", name_index=""))
    keyless = Database(str(db.url.set(drivername="sqlite")))
    with pytest.raises(UsageError, match="key file"):
        async with keyless.read() as connection:
            (await connection.execute(select(person.c.name))).all()
    with pytest.raises(Exception, match="key file"):
        async with keyless.write() as connection:
            await connection.execute(update(person).values(name="x"))
    await keyless.close()


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "data" / "central.key"
    sealed = load_vault(file, may_make=True).seal("x", "p")
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_vault(file, may_make=True).open(sealed, "p") == "x"


def test_a_missing_open_or_broken_key_is_told_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "central.key"
    with pytest.raises(UsageError, match="Restore it"):
        load_vault(file, may_make=False)
    file.write_text("short\n")
    file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        load_vault(file, may_make=True)
    file.chmod(0o600)
    with pytest.raises(UsageError, match="Restore it"):
        load_vault(file, may_make=True)

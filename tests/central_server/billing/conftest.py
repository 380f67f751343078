"""A small town in a real database: two units, an electricity and a water meter, and readings in batches."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from central_server import schema
from central_server.billing.charge import add_charge
from central_server.billing.model import Tariff
from central_server.billing.period import parse_instant, parse_period
from central_server.billing.run import RunResult
from central_server.billing.service import run_bills
from central_server.billing.tariff import load_tariffs
from central_server.db import Database
from central_server.migrate import migrate
from central_server.rbac import system
from protocols.quantity import Quality, to_scaled
from tests.central_server.blocks import put_reading
from tests.central_server.vault import VAULT

NOW = datetime(2026, 12, 1, 1, tzinfo=UTC)
DESK = system("desk")


def ms(text: str) -> int:
    """Read an instant of Shanghai."""
    return parse_instant(f"{text}+08:00")


@dataclass
class Town:
    """Builds the records and readings of a test, and runs bills on them."""

    db: Database
    tariffs: Mapping[str, Tariff] = field(default_factory=load_tariffs)
    seq: int = 0

    async def add(self, table: str, **values: Any) -> int:
        async with self.db.write() as conn:
            made = await conn.execute(insert(schema.metadata.tables[table]).values(**values))
            assert made.inserted_primary_key
            return int(made.inserted_primary_key[0])

    async def rows(self, table: str) -> list[Any]:
        async with self.db.read() as conn:
            return list((await conn.execute(select(schema.metadata.tables[table]))).all())

    async def meter(self, device: str, point: str, unit: str) -> int:
        gateway = (await self.rows("gateway"))[0].id
        made = await self.add(
            "device",
            gateway_id=gateway,
            code=device,
            name=f"meter {device}",
            kind="electricity",
            bus="line-1",
            profile="p",
            address="1",
            first_seen_at=0,
        )
        return await self.add("series", device_id=made, point=point, unit=unit)

    async def point(
        self, unit_id: int, code: str, kind: str, tariff: str, device: str, point: str, from_at: str, **more: Any
    ) -> int:
        made = await self.add("metering_point", unit_id=unit_id, code=code, kind=kind, tariff=tariff)
        await self.install(made, device, point, from_at, **more)
        return made

    async def install(
        self,
        point_id: int,
        device: str,
        point: str,
        from_at: str,
        *,
        to_at: str | None = None,
        multiplier: str = "1",
        initial: str | None = None,
    ) -> int:
        scaled = to_scaled(Decimal(initial)) if initial is not None else (None, None)
        return await self.add(
            "installation",
            metering_point_id=point_id,
            edge_id="gw-1",
            device_code=device,
            point=point,
            multiplier=multiplier,
            from_at=ms(from_at),
            to_at=None if to_at is None else ms(to_at),
            initial_mantissa=scaled[0],
            initial_exponent=scaled[1],
        )

    async def read(self, series: int, *reads: tuple[str, str | None], quality: Quality = Quality.GOOD) -> str:
        """Store one batch of readings; give its digest."""
        first = self.seq + 1
        self.seq += len(reads)
        digest = hashlib.sha256(f"{first}-{self.seq}".encode()).hexdigest()
        gateway = (await self.rows("gateway"))[0].id
        batch = await self.add(
            "batch",
            gateway_id=gateway,
            epoch="18446744073709551615",
            lane=2,
            first_seq=first,
            last_seq=self.seq,
            from_seq=first,
            digest=digest,
            received_at=0,
            expanded_at=0,
            packed_at=0,
            body=b"",
        )
        for seq, (when, value) in enumerate(reads, start=first):
            scaled = (None, None) if value is None else to_scaled(Decimal(value))
            async with self.db.write() as conn:
                await put_reading(
                    conn,
                    series_id=series,
                    taken_at=ms(when),
                    mantissa=scaled[0],
                    exponent=scaled[1],
                    quality=quality.value,
                    batch_id=batch,
                    seq=seq,
                )
        return digest

    async def change(self, table: str, **values: Any) -> None:
        async with self.db.write() as conn:
            await conn.execute(update(schema.metadata.tables[table]).values(**values))

    async def bill(
        self, period: str = "2026-10", *, through: str | None = None, now: datetime = NOW, **more: Any
    ) -> RunResult:
        until = None if through is None else ms(through)
        return await run_bills(
            self.db, parse_period(period), tariffs=self.tariffs, now=now, through=until, actor=DESK, **more
        )


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """A site with units 1-101 (electricity, owned by 王芳) and 1-102, and no readings yet."""
    db = Database(f"sqlite:///{tmp_path / 'central.db'}", VAULT)
    await migrate(db)
    made = Town(db)
    site = await made.add("site", code="lake", name="湖畔", zone="Asia/Shanghai")
    building = await made.add("building", site_id=site, code="1", name="1号楼")
    first = await made.add("unit", building_id=building, code="1-101", area_m2="97.41")
    await made.add("unit", building_id=building, code="1-102", area_m2="89.37")
    owner = await made.add("person", code="o-1", name="王芳", name_index=VAULT.blind("王芳", "name"))
    await made.add("ownership", unit_id=first, owner_id=owner, from_on="2020-01-01")
    await made.add("gateway", edge_id="gw-1", site_id=site, name="gw-1", secret_hash="ab", created_at=0)
    yield made
    await db.close()


@dataclass
class Home:
    """Unit 1-101: one electricity meter of Beijing prices from 1 October, with its series."""

    town: Town
    unit: int
    point: int
    electricity: int


@pytest.fixture
async def home(town: Town) -> Home:
    unit = (await town.rows("unit"))[0].id
    series = await town.meter("em-1", "energyImportTotal", "kWh")
    point = await town.point(
        unit,
        "1-101-E",
        "electricity",
        "beijing-electricity-residential",
        "em-1",
        "energyImportTotal",
        "2026-10-01T00:00",
    )
    return Home(town, unit, point, series)


async def charged(town: Town, amount_fen: int, key: str = "order:1", unit: int = 1, period: str = "2026-10") -> bool:
    """Charge a unit for a repair."""
    async with town.db.write() as connection:
        return await add_charge(
            connection,
            key=key,
            site_id=1,
            unit_id=unit,
            kind="repair",
            description={"key": "repair", "order": key.partition(":")[2]},
            amount_fen=amount_fen,
            period=period,
            trace={"steps": [{"key": "labour", "amount_fen": amount_fen}]},
        )


async def billed(town: Town, amount_fen: int, key: str = "order:1", unit: int = 1) -> str:
    """Issue a bill of an amount and give its number."""
    await charged(town, amount_fen, key, unit)
    return (await town.bill()).bills[0].number

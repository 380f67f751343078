"""A gateway with a secret wherever it has one, and wherever a person may have left one."""

from decimal import Decimal
from pathlib import Path

from edge_agent.store import Store
from protocols.sync import Event, Lane, Reading, Series
from tests.edge_agent.check.world import HEAD, World, meter, serial, table

SECRETS = {
    "the uplink's secret": "uplinkS3cretXYZ",
    "a key": "5e6f70819203a4b5c6d7e8f901122334",
    "a TLS key": "MIGHAgEAMBMGByqGSM49PLANTED",
    "the signing key": "9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    "a password in an address": "pa55phrase",
    "a password in a comment": "c0mmentPass",
    "a password in the log": "l0gPassw0rd",
    "a token in the log": "bearerT0kenValue",
    "a password in an unknown key": "unkn0wnKeyPass",
    "a card": "card-0badc0ffee",
}


async def plant(world: World) -> Path:
    """Put a secret wherever a gateway has one, and wherever a person may have left one."""
    world.put("gw-1.secret", SECRETS["the uplink's secret"] + "\n").chmod(0o600)
    world.put("door.key", SECRETS["a key"] + "\n").chmod(0o600)
    pem = f"-----BEGIN PRIVATE KEY-----\n{SECRETS['a TLS key']}\n-----END PRIVATE KEY-----\n"
    for name, text in {"tls.pem": pem, "sign.key": SECRETS["the signing key"] + "\n"}.items():
        world.put(f"data/identity/{name}", text).chmod(0o600)
    (world.root / "data").chmod(0o700)
    async with await Store.open(world.root / "data/edge.db", "gw-1") as store:
        body = {"card": SECRETS["a card"]}
        await store.append(Lane.CONTROL, [Event("door_decision", "door:door-1", 1_790_000_000_000, body)])
        await store.append(Lane.BILLING, [READING])
    world.put("edge.log", log_text())
    settings = (
        HEAD
        + f"# the old password was {SECRETS['a password in a comment']}\n"
        + '[uplink]\nurl = "http://127.0.0.1:9"\nsecret_file = "gw-1.secret"\n'
        + serial(world.root / "dev/none")
        + meter()
        + table("bus", id="doors", kind="osdp", port="/dev/none-2")
        + table("device", id="door-1", bus="doors", profile="access/generic-osdp", address="1", key_file="door.key")
    )
    return world.put("edge.toml", settings)


def log_text() -> str:
    upper = SECRETS["the uplink's secret"].upper()
    return (
        f"INFO edge: ready\nWARNING login password={SECRETS['a password in the log']}\n"
        f"DEBUG Authorization: Bearer {SECRETS['a token in the log']}\nDEBUG it was {upper}\n"
    )


READING = Reading(Series("em-1", "energyImportTotal", "kWh"), 1_790_000_000_000, Decimal("1234.5"))

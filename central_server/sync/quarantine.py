"""Set aside what cannot be expanded, so that nothing behind it waits; its bytes stay in the log as they came."""

from typing import Final

from sqlalchemy import case
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.clock import now_ms
from central_server.schema import quarantine

WHOLE: Final = 0  # the number that stands for all of a batch
_LONGEST = 2000


async def note(connection: AsyncConnection, gateway_id: int, batch_id: int, seq: int, reason: str, detail: str) -> None:
    """Set something aside in the caller's transaction; ``seq`` 0 is the whole batch.

    Shape: ``reason`` is one of ``central_server.quarantine.words``: a kind of ProtocolError, or what else befell it. What comes again after another try is open again;
    what somebody has dismissed stays so.
    """
    statement = (sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert)(quarantine)
    own, new = quarantine.c, statement.excluded
    is_again = own.outcome == "retried"
    settled = {name: case((is_again, None), else_=own[name]) for name in ("settled_at", "settled_by", "outcome")}
    statement = statement.values(
        gateway_id=gateway_id,
        batch_id=batch_id,
        seq=seq,
        reason=reason[:32],
        detail=detail[:_LONGEST],
        noted_at=now_ms(),
        tries=1,
    ).on_conflict_do_update(
        index_elements=["batch_id", "seq"],
        set_={"reason": new.reason, "detail": new.detail, "tries": own.tries + 1, **settled},
    )
    await connection.execute(statement)

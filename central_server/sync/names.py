"""The dictionary of each store: what the numbers of series in its batches stand for.

A batch names series by numbers and brings the names that the centre has not confirmed yet. They are
learnt with the batch, in one transaction, so that whatever is in the log can be read.
"""

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.errors import Conflict
from central_server.schema import gateway_series
from central_server.sync import intake
from protocols.sync import Header, Series

FORK = (
    "Two boxes speak as gateway '{edge_id}': record {first} and later are here with other contents. "
    "Shut out the copy, and invite the right one again with an empty store."
)

_own = gateway_series.c
_NAMES = select(_own.number, _own.device, _own.point, _own.unit)
_NAMES = _NAMES.where(_own.gateway_id == bindparam("of_gateway"), _own.epoch == bindparam("of_epoch"))


async def names_of(connection: AsyncConnection, gateway_id: int, epoch: int) -> dict[int, Series]:
    """Give all that is known of a store's dictionary."""
    rows = await connection.execute(_NAMES, {"of_gateway": gateway_id, "of_epoch": str(epoch)})
    return {row[0]: Series(row[1], row[2], row[3]) for row in rows}


async def learn_names(connection: AsyncConnection, gateway_id: int, header: Header, have: int) -> int:
    """Take in the names that a batch brings to the ``have`` known; give up to which number they are known then.

    Raises: Conflict with ``have`` where the batch builds on names that are not here, and where it
    gives a number to another series than before: then it is another box's.
    """
    again: list[Series] = []
    if header.names and header.names_base < have:
        known = await names_of(connection, gateway_id, header.epoch)
        again = [known[number] for number in range(header.names_base + 1, have + 1)]
    match intake.learn(header, have, again):
        case intake.Unnamed():
            text = "The batch builds on {base} names of series, and {have} are known. Send those after {have} as well."
            raise Conflict("sync_names", text, base=header.names_base, have=have)
        case intake.Renamed():
            raise Conflict("sync_fork", FORK, edge_id=header.edge_id, first=header.first_seq)
        case intake.Learnt(_, fresh):
            own = {"gateway_id": gateway_id, "epoch": str(header.epoch)}
            rows = [{**own, "number": number, **name._asdict()} for number, name in enumerate(fresh, have + 1)]
            if rows:
                await connection.execute(insert(gateway_series), rows)
            return have + len(fresh)

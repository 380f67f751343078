"""The alarm of a round that was not made: raised when its window is over, cleared when it is made or excused."""

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.alarms import service as alarms
from central_server.inspection.task_store import TaskRow

CONDITION = "round_missed"


async def tell_missed(connection: AsyncConnection, task: TaskRow, at: int) -> None:
    """Raise the alarm of a missed round, once."""
    await alarms.raise_own(
        connection,
        key=_key(task.id),
        site_id=task.site_id,
        subject=f"round:{task.plan}"[:128],
        condition=CONDITION,
        priority=2 if task.is_statutory else 3,
        at=at,
        detail={"round": task.id, "missed": task.points - task.made, "points": task.points},
    )


async def clear_missed(connection: AsyncConnection, task_id: int, at: int) -> bool:
    """Clear it; False where there was none."""
    return await alarms.clear_own(connection, _key(task_id), at)


def _key(task_id: int) -> str:
    return f"inspection/round/{task_id}"

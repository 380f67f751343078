"""Photos: prepared before a transaction, kept in it, shown to staff with the right and to whom they concern."""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import NotFound
from central_server.form import Invalid, Problem
from central_server.photos.picture import MOST_BYTES, NotAPicture, Picture, remade
from central_server.rbac import Actor, Right
from central_server.schema import photo

MOST_FILES = 6
MAX_BODY = 32 * 1024 * 1024  # of a form with photos

# What a photo may belong to, and which staff may see it then.
RIGHTS: dict[str, tuple[Right, ...]] = {
    "order": (Right.ORDERS_SEE, Right.ORDERS_WORK),
    "check": (Right.INSPECTION_SEE, Right.INSPECTION_WALK),
}

# Decoding takes memory: two at a time.
_working = ThreadPoolExecutor(2, thread_name_prefix="photo")


async def prepare(files: Sequence[web.FileField], field: str = "photos") -> list[Picture]:
    """Make the pictures of a form's files.

    Raises: Invalid beside ``field`` for too many, too large or no pictures.
    """
    if len(files) > MOST_FILES:
        raise Invalid({field: Problem("Choose at most {most} photos.", {"most": MOST_FILES})})
    made = []
    for file in files:
        data = file.file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            large = "{name} is larger than {limit} MB. Choose a smaller photo."
            raise Invalid({field: Problem(large, {"name": file.filename, "limit": MOST_BYTES // 1024**2})})
        try:
            made.append(await asyncio.get_running_loop().run_in_executor(_working, remade, data))
        except NotAPicture:
            unread = "{name} is not a photo that can be read. Choose a JPEG, PNG or WebP file."
            raise Invalid({field: Problem(unread, {"name": file.filename})}) from None
    return made


async def add(
    connection: AsyncConnection,
    pictures: Iterable[Picture],
    *,
    kind: str,
    kind_id: int,
    site_id: int,
    actor: Actor,
    person_id: int | None = None,
) -> list[int]:
    """Keep pictures with what they belong to; ``person_id`` is the resident who may see them. Give their ids."""
    ids = []
    for picture in pictures:
        values = {
            "ref": secrets.token_hex(16),
            "kind": kind,
            "kind_id": kind_id,
            "site_id": site_id,
            "person_id": person_id,
            "created_at": now_ms(),
            "created_by": actor.login,
            "width": picture.width,
            "height": picture.height,
            "sha256": picture.sha256,
            "body": picture.body,
        }
        key = (await connection.execute(insert(photo).values(values))).inserted_primary_key
        ids.append(int(key[0]) if key else 0)
    return ids


async def refs(connection: AsyncConnection, kind: str, kind_ids: Sequence[int]) -> dict[int, list[str]]:
    """Give the photos' names of several things of one kind, oldest first."""
    query = select(photo.c.kind_id, photo.c.ref).where(photo.c.kind == kind, photo.c.kind_id.in_(kind_ids))
    found: dict[int, list[str]] = {key: [] for key in kind_ids}
    for key, ref in await connection.execute(query.order_by(photo.c.id)):
        found[key].append(ref)
    return found


async def open_photo(db: Database, actor: Actor, ref: str) -> bytes:
    """Give a photo's JPEG. Raises: NotFound, also for one that the actor may not see."""
    query = select(photo.c.kind, photo.c.person_id, photo.c.body).where(photo.c.ref == ref)
    async with db.read() as connection:
        row = (await connection.execute(query.where(actor.sees_site(photo.c.site_id)))).one_or_none()
    if row is not None:
        is_own = actor.person_id is not None and row.person_id == actor.person_id
        if is_own or any(actor.may(right) for right in RIGHTS.get(row.kind, ())):
            return bytes(row.body)
    raise NotFound("no_photo", "There is no such photo.")

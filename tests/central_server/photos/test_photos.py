"""Photos are made anew, and seen by whom they concern alone."""

import io
from typing import Any

import pytest
from PIL import Image
from PIL.ExifTags import Base

from central_server.errors import NotFound
from central_server.photos import service
from central_server.photos.picture import LONGEST_SIDE, NotAPicture, remade
from central_server.photos.views import routes
from central_server.rbac import Actor, Role, system
from central_server.web import Policy

SECRET = b"GPS 31.2304 N 121.4737 E of a home"


def picture(kind: str = "JPEG", size: tuple[int, int] = (60, 40), **more: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, kind, **more)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_comes_out_as_ours_without_what_the_phone_wrote_into_it(kind: str) -> None:
    exif = Image.Exif()
    exif[Base.ImageDescription.value] = SECRET.decode()
    made = remade(picture(kind, exif=exif.tobytes()) + SECRET)
    assert made.body.startswith(b"\xff\xd8\xff")
    assert SECRET not in made.body
    assert (made.width, made.height) == (60, 40)


def test_a_picture_on_its_side_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[Base.Orientation.value] = 6
    made = remade(picture(exif=exif.tobytes()))
    assert (made.width, made.height) == (40, 60)


def test_a_large_picture_is_made_as_small_as_a_screen_needs() -> None:
    made = remade(picture(size=(5000, 100)))
    assert (made.width, made.height) == (LONGEST_SIDE, 41)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"GIF89a" + bytes(40),
        b"\xff\xd8\xff" + b"not a picture" * 10,
        picture()[:60],
        picture("PNG", size=(20_000, 20_000), optimize=False),
    ],
    ids=["empty", "svg", "gif", "named only", "cut short", "bomb"],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        remade(data)


async def test_a_photo_is_seen_by_staff_of_its_site_with_the_right_and_by_its_own_resident(db: Any) -> None:
    async with db.write() as connection:
        await connection.exec_driver_sql("INSERT INTO site (id, code, name, zone) VALUES (2, 'hill', '', 'UTC')")
        for key in (1, 2):
            await connection.exec_driver_sql(
                "INSERT INTO person (id, code, name, name_index, created_at) VALUES (?, ?, x'00', '', 0)",
                (key, f"p-{key}"),
            )
        await service.add(
            connection, [remade(picture())], kind="order", kind_id=7, site_id=1, actor=system("t"), person_id=1
        )
        (ref,) = (await service.refs(connection, "order", [7]))[7]
    may = (
        Actor("a", "", Role.MANAGER),
        Actor("b", "", Role.TECHNICIAN, site_id=1),
        Actor("c", "", Role.RESIDENT, person_id=1),
    )
    may_not = (
        Actor("d", "", Role.MANAGER, site_id=2),
        Actor("e", "", Role.GUARD),
        Actor("f", "", Role.RESIDENT, person_id=2),
        Actor("g", "", None),
    )
    for actor in may:
        assert (await service.open_photo(db, actor, ref)).startswith(b"\xff\xd8\xff")
    for actor in may_not:
        with pytest.raises(NotFound):
            await service.open_photo(db, actor, ref)


def test_a_photo_has_no_address_for_strangers() -> None:
    assert [route.policy for route in routes()] == [Policy.SIGNED_IN]

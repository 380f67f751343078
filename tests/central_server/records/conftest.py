"""A small estate in the records: two sites, three units, people in them, a car and a lift."""

import pytest

from central_server.db import Database
from central_server.rbac import Actor, Role
from central_server.records.model import read_records
from central_server.records.service import import_records

ESTATE = """
[[site]]
code = "park"
name = "公园里"
[[site]]
code = "hill"
name = "山居"
[[building]]
site = "park"
code = "1"
name = "1 号楼"
[[building]]
site = "hill"
code = "1"
name = "甲座"
[[owner]]
code = "o-1"
name = "王芳"
phone = "138 0000 1234"
id_number = "11010519491231002X"
[[owner]]
code = "o-2"
name = "李娜"
phone = "+86 139-1111-5678"
[[owner]]
code = "o-3"
name = "张伟"
phone = "13700001234"
[[unit]]
site = "park"
building = "1"
code = "1-101"
area_m2 = "97.41"
owner = "o-1"
owned_from = 2020-05-01
[[unit]]
site = "park"
building = "1"
code = "1-102"
[[unit]]
site = "hill"
building = "1"
code = "1-101"
owner = "o-3"
[[tenancy]]
site = "park"
building = "1"
unit = "1-102"
person = "o-2"
from_on = 2026-01-01
to_on = 2026-12-01
[[vehicle]]
plate = "京A·12345"
person = "o-2"
site = "park"
building = "1"
unit = "1-102"
[[equipment]]
site = "park"
building = "1"
code = "LIFT-1"
name = "1 号电梯"
kind = "lift"
place = "机房"
"""
MANAGER = Actor("manager", "经理", Role.MANAGER)


@pytest.fixture
async def estate(db: Database) -> Database:
    """The records of the small estate; sites: 1 lake, 2 park, 3 hill."""
    await import_records(db, read_records(ESTATE, "estate.toml"), [])
    return db

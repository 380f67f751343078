"""A block gives back every reading as it was, in one order, however they came."""

import random

from hypothesis import given
from hypothesis import strategies as st

from central_server.telemetry.block import NO_VALUE, Block, merged, pack, unpack

BIG = 2**61
rows = st.lists(
    st.tuples(
        st.integers(-(2**52), 2**52),
        st.integers(1, 2**40),
        st.integers(1, 2**61),
        st.integers(-BIG, BIG),
        st.integers(-18, 18),
        st.sampled_from((0, 1, 2, 3, 4, 5, 1 | NO_VALUE)),
    ),
    min_size=1,
    max_size=40,
    unique=True,
)


def block(those: list[tuple[int, ...]]) -> Block:
    at, batch, seq, mantissa, exponent, quality = map(list, zip(*those, strict=True))
    return Block(at, mantissa, exponent, quality, batch, seq)


def tuples(found: Block) -> list[tuple[int, ...]]:
    columns = (found.at, found.batch, found.seq, found.mantissa, found.exponent, found.quality)
    return list(zip(*columns, strict=True))


@given(rows)
def test_a_block_is_unpacked_as_it_was_packed(those: list[tuple[int, ...]]) -> None:
    assert tuples(unpack(pack(block(those)))) == those
    part = unpack(pack(block(those)), "at", "quality")
    assert (list(part.at), len(part.seq)) == ([row[0] for row in those], 0)


@given(rows, st.randoms(), st.integers(1, 5))
def test_parts_in_any_order_and_twice_make_the_same_block(
    those: list[tuple[int, ...]], chance: random.Random, parts: int
) -> None:
    shuffled = chance.sample(those, len(those))
    cut = [block(shuffled[start::parts]) for start in range(parts) if shuffled[start::parts]]
    again = merged([*cut, cut[0]])
    assert tuples(again) == sorted(those)
    assert pack(again) == pack(merged([again]))


def test_a_day_of_minutes_costs_under_a_byte_a_reading() -> None:
    chance = random.Random(1)
    values, level = [], 123_456
    for _ in range(1440):
        level += chance.choice((0, 0, 1, 2, 3))
        values.append(level)
    found = Block(
        range(0, 1440 * 60_000, 60_000), values, [-2] * 1440, [0] * 1440,
        [1 + minute // 10 for minute in range(1440)], range(1, 1440 * 500, 500),
    )  # fmt: skip
    assert len(pack(found)) / 1440 < 0.6

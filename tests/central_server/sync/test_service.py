import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from central_server.devices.service import revoke
from central_server.errors import BadRequest, CentralError, Conflict, Forbidden, NotSignedIn
from central_server.sync.service import authenticate, take_batch, with_sign_key
from central_server.sync.store import GatewayRow
from protocols.sync import Batch, Lane, batch_header, decode_batch, encode_batch
from tests.central_server.lake import Lake, batch_of, energies


@pytest.fixture
async def gateway(lake: Lake) -> GatewayRow:
    return await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")


async def take(lake: Lake, gateway: GatewayRow, body: bytes) -> int:
    return (await take_batch(lake.db, gateway, body)).acked


async def test_a_batch_is_kept_as_it_came(lake: Lake, gateway: GatewayRow) -> None:
    body = batch_of(energies(1, 5))
    assert await take(lake, gateway, body) == 5
    (kept,) = await lake.rows("batch")
    assert (bytes(kept.body), kept.first_seq, kept.last_seq, kept.from_seq) == (body, 1, 5, 1)
    assert kept.epoch == str(2**63)


async def test_a_replayed_batch_is_stored_once(lake: Lake, gateway: GatewayRow) -> None:
    body = batch_of(energies(1, 5))
    first = await take_batch(lake.db, gateway, body)
    again = await take_batch(lake.db, gateway, body)
    assert (first.acked, again.acked, again.batch_id) == (5, 5, None)
    assert len(await lake.rows("batch")) == 1


async def test_an_older_part_is_acknowledged_up_to_the_mark(lake: Lake, gateway: GatewayRow) -> None:
    await take(lake, gateway, batch_of(energies(1, 9)))
    assert await take(lake, gateway, batch_of(energies(3, 2), first_seq=3)) == 9


async def test_of_an_overlapping_batch_only_what_is_new_counts(lake: Lake, gateway: GatewayRow) -> None:
    await take(lake, gateway, batch_of(energies(1, 5)))
    assert await take(lake, gateway, batch_of(energies(3, 6), first_seq=3)) == 8
    last = (await lake.rows("batch"))[-1]
    assert (last.first_seq, last.from_seq, last.last_seq) == (3, 6, 8)


async def test_a_gap_is_answered_with_the_record_that_is_expected(lake: Lake, gateway: GatewayRow) -> None:
    await take(lake, gateway, batch_of(energies(1, 5)))
    with pytest.raises(Conflict) as caught:
        await take(lake, gateway, batch_of(energies(7, 1), first_seq=7))
    assert caught.value.key == "sync_gap"
    assert caught.value.fields["expected"] == 6
    assert len(await lake.rows("batch")) == 1


async def test_a_new_lane_or_epoch_begins_at_one(lake: Lake, gateway: GatewayRow) -> None:
    await take(lake, gateway, batch_of(energies(1, 5)))
    for body in (batch_of(energies(6, 1), 6, Lane.TELEMETRY), batch_of(energies(6, 1), 6, epoch=8)):
        with pytest.raises(Conflict) as caught:
            await take(lake, gateway, body)
        assert caught.value.fields["expected"] == 1
    assert await take(lake, gateway, batch_of(energies(1, 2), lane=Lane.TELEMETRY)) == 2
    assert await take(lake, gateway, batch_of(energies(1, 3), epoch=8)) == 3
    assert await take(lake, gateway, batch_of(energies(1, 5))) == 5


async def test_the_same_batch_sent_many_times_at_once_is_stored_once(lake: Lake, gateway: GatewayRow) -> None:
    body = batch_of(energies(1, 50))
    taken = await asyncio.gather(*(take_batch(lake.db, gateway, body) for _ in range(20)))
    assert {each.acked for each in taken} == {50}
    assert sum(each.batch_id is not None for each in taken) == 1
    assert len(await lake.rows("batch")) == 1


async def test_two_gateways_have_marks_of_their_own(lake: Lake, gateway: GatewayRow) -> None:
    other = await authenticate(lake.db, f"Gateway gw-2:{await lake.invite('gw-2')}")
    await take(lake, gateway, batch_of(energies(1, 5)))
    assert await take(lake, other, batch_of(energies(1, 2), edge_id="gw-2")) == 2


async def test_other_records_under_the_same_numbers_are_a_copy_of_the_box_and_change_nothing(
    lake: Lake, gateway: GatewayRow
) -> None:
    await take(lake, gateway, batch_of(energies(1, 5)))
    for body in (batch_of(energies(100, 3), first_seq=3), batch_of(energies(100, 9), first_seq=4)):
        with pytest.raises(Conflict) as caught:
            await take(lake, gateway, body)
        assert caught.value.key == "sync_fork"
    assert len(await lake.rows("batch")) == 1
    assert await take(lake, gateway, batch_of(energies(1, 8))) == 8


async def test_a_copy_that_reaches_far_back_is_found_out_a_few_batches_at_a_time(
    lake: Lake, gateway: GatewayRow
) -> None:
    for first in range(1, 61):
        await take(lake, gateway, batch_of(energies(first, 1), first_seq=first))
    assert await take(lake, gateway, batch_of(energies(1, 62))) == 62
    (spoilt,) = energies(900, 1)
    with pytest.raises(Conflict) as caught:
        await take(lake, gateway, batch_of((*energies(1, 54), spoilt, *energies(56, 9))))
    assert caught.value.key == "sync_fork"
    sparse = Batch("gw-1", 2**63, Lane.BILLING, 1, (spoilt, *energies(63, 1)), seqs=(40, 63))
    with pytest.raises(Conflict):
        await take(lake, gateway, encode_batch(sparse))
    thinned = Batch("gw-1", 2**63, Lane.BILLING, 1, (*energies(40, 1), *energies(63, 1)), seqs=(40, 63))
    assert await take(lake, gateway, encode_batch(thinned)) == 63


async def test_a_gateway_that_was_shut_out_since_it_called_brings_nothing(lake: Lake, gateway: GatewayRow) -> None:
    await revoke(lake.db, "gw-1")
    with pytest.raises(NotSignedIn):
        await take(lake, gateway, batch_of(energies(1, 5)))
    assert await lake.rows("batch") == []


async def test_an_older_store_brings_nothing_new_once_another_has_begun(lake: Lake, gateway: GatewayRow) -> None:
    await take(lake, gateway, batch_of(energies(1, 5)))
    await take(lake, gateway, batch_of(energies(1, 2), epoch=8))
    assert await take(lake, gateway, batch_of(energies(1, 5))) == 5  # heard already: no harm in saying so
    with pytest.raises(Conflict) as caught:
        await take(lake, gateway, batch_of(energies(6, 1), first_seq=6))
    assert caught.value.key == "sync_fenced"
    assert await take(lake, gateway, batch_of(energies(3, 1), first_seq=3, epoch=8)) == 3


async def test_what_the_gateways_key_has_not_signed_is_refused(lake: Lake, gateway: GatewayRow) -> None:
    key, thief = (Ed25519PrivateKey.from_private_bytes(seed * 32) for seed in (b"k", b"t"))
    public = key.public_key().public_bytes_raw().hex()
    batch = Batch("gw-1", 2**63, Lane.BILLING, 1, energies(1, 5))
    known = await with_sign_key(lake.db, gateway, public)
    for body in (encode_batch(batch), encode_batch(batch, thief.sign)):
        with pytest.raises(Forbidden) as caught:
            await take(lake, known, body)
        assert caught.value.key == "sync_bad_signature"
    assert await lake.rows("batch") == []
    assert await take(lake, known, encode_batch(batch, key.sign)) == 5
    # The first word about the key is the last: who has the secret alone cannot bring another.
    other = thief.public_key().public_bytes_raw().hex()
    assert (await with_sign_key(lake.db, gateway, other)).sign_key == public
    await lake.invite("gw-1")
    (row,) = await lake.rows("gateway")
    assert row.sign_key is None


async def test_an_acknowledgement_names_the_batch_with_which_the_log_ends(lake: Lake, gateway: GatewayRow) -> None:
    first, more = batch_of(energies(1, 5)), batch_of(energies(6, 2), first_seq=6)
    assert (await take_batch(lake.db, gateway, first)).head == batch_header(first).digest
    assert (await take_batch(lake.db, gateway, more)).head == batch_header(more).digest
    for again in (first, batch_of(energies(2, 3), first_seq=2)):
        taken = await take_batch(lake.db, gateway, again)
        assert (taken.acked, taken.head, taken.batch_id) == (7, batch_header(more).digest, None)


async def test_a_batch_of_another_gateway_is_refused(lake: Lake, gateway: GatewayRow) -> None:
    await lake.invite("gw-2")
    with pytest.raises(Forbidden) as caught:
        await take(lake, gateway, batch_of(energies(1, 1), edge_id="gw-2"))
    assert caught.value.key == "sync_wrong_gateway"
    assert await lake.rows("batch") == []
    assert await lake.rows("lane_mark") == []


async def test_a_cut_batch_is_refused_at_every_length(lake: Lake, gateway: GatewayRow) -> None:
    body = batch_of(energies(1, 3))
    for length in range(len(body)):
        with pytest.raises(BadRequest) as caught:
            await take(lake, gateway, body[:length])
        assert caught.value.key == "sync_broken_batch"
    assert await lake.rows("batch") == []


async def test_a_flipped_bit_is_refused_wherever_it_is(lake: Lake, gateway: GatewayRow) -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    gateway = await with_sign_key(lake.db, gateway, key.public_key().public_bytes_raw().hex())
    body = encode_batch(Batch("gw-1", 2**63, Lane.BILLING, 1, energies(1, 3)), key.sign)
    for position in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises((BadRequest, Forbidden)):
            await take(lake, gateway, bytes(flipped))
    assert await lake.rows("batch") == []


@given(body=st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_a_refusal(body: bytes) -> None:
    gateway = GatewayRow(1, "gw-1", 1, "", False)
    with pytest.raises(CentralError):  # the database is never reached, so there is none here
        asyncio.run(take_batch(None, gateway, body))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "header",
    ["", "Gateway", "Gateway ", "Gateway gw-1", "Gateway gw-1:", "Gateway gw-1:wrong", "Gateway gw-9:x", "Basic Z3c="],
)
async def test_every_wrong_secret_gets_the_same_words(lake: Lake, header: str) -> None:
    with pytest.raises(NotSignedIn) as caught:
        await authenticate(lake.db, header)
    with pytest.raises(NotSignedIn) as unknown:
        await authenticate(lake.db, "Gateway nobody:nothing")
    assert (caught.value.key, str(caught.value)) == ("sync_bad_secret", str(unknown.value))


async def test_the_secret_is_kept_as_a_hash_only(lake: Lake) -> None:
    (row,) = await lake.rows("gateway")
    assert lake.secret not in str(row)


async def test_bytes_that_are_no_text_are_a_wrong_secret(lake: Lake) -> None:
    for text in (f"Gateway gw-\udcff:{lake.secret}", "Gateway gw-1:\udcff"):
        with pytest.raises(NotSignedIn):
            await authenticate(lake.db, text)


async def test_a_revoked_gateway_is_refused_and_a_new_invitation_replaces_the_secret(lake: Lake) -> None:
    await revoke(lake.db, "gw-1")
    with pytest.raises(NotSignedIn):
        await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    renewed = await lake.invite("gw-1")
    with pytest.raises(NotSignedIn):
        await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    assert (await authenticate(lake.db, f"Gateway gw-1:{renewed}")).edge_id == "gw-1"


async def test_what_was_kept_can_be_read_again(lake: Lake, gateway: GatewayRow) -> None:
    records = energies(1, 100)
    await take(lake, gateway, batch_of(records))
    (kept,) = await lake.rows("batch")
    assert decode_batch(bytes(kept.body)).records == records

"""The log proves itself: each batch names the one before it, but for what a salvaged store may not know any more."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central_server.sync.proof import prove
from central_server.sync.service import authenticate, take_batch, with_sign_key
from protocols.sync import Batch, Lane, batch_digest, encode_batch
from tests.central_server.lake import Lake, energies


async def test_a_batch_without_its_predecessor_is_believed_of_a_store_that_has_ended_only(lake: Lake) -> None:
    key = Ed25519PrivateKey.generate()
    found = await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    gateway = await with_sign_key(lake.db, found, key.public_key().public_bytes_raw().hex())

    async def take(epoch: int, first: int, prev: str) -> str:
        body = encode_batch(Batch("gw-1", epoch, Lane.BILLING, first, energies(first, 3), prev), key.sign)
        await take_batch(lake.db, gateway, body)
        return batch_digest(body)

    head = await take(7, 1, "")
    await take(7, 4, head)
    await take(7, 7, "")
    assert (await prove(lake.db)).faults == ["batch 3 of gw-1: it names another batch as the one before it"]
    await take(8, 1, "")
    proof = await prove(lake.db)
    assert (proof.faults, proof.batches, proof.records, proof.signed) == ([], 4, 12, 4)
    await take(8, 4, head)
    assert (await prove(lake.db)).faults == ["batch 5 of gw-1: it names another batch as the one before it"]

import asyncio
import gzip
from typing import Any

import pytest
from aiohttp import ClientResponse

from central_server.devices.service import revoke
from protocols.sync import MAX_BATCH_BYTES, PATH_BATCHES, PATH_STATUS
from tests.central_server.centre import Caller, Centre, batch_of, energies, status_of


async def error_of(answer: ClientResponse) -> dict[str, Any]:
    body: dict[str, Any] = await answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"key", "message", "fields"}
    found: dict[str, Any] = body["error"]
    return found


async def test_a_batch_is_acknowledged_and_counted_once_however_often_it_comes(centre: Centre, caller: Caller) -> None:
    body = batch_of(energies(1, 5))
    for _ in range(3):
        answer = await caller.send(body)
        assert (answer.status, await answer.json()) == (200, {"acked": 5})
    async with asyncio.timeout(5):
        while len(await centre.rows("reading")) < 5:
            await asyncio.sleep(0.02)
    assert [row.mantissa for row in await centre.rows("reading")] == [1, 2, 3, 4, 5]


async def test_a_gap_is_409_with_the_number_that_is_expected(caller: Caller) -> None:
    await caller.send(batch_of(energies(1, 5)))
    answer = await caller.send(batch_of(energies(9, 1), first_seq=9))
    error = await error_of(answer)
    assert (answer.status, error["key"], error["fields"]["expected"]) == (409, "sync_gap", 6)


async def test_broken_bytes_are_400(caller: Caller) -> None:
    body = bytearray(batch_of(energies(1, 5)))
    body[-1] ^= 1
    for sent in (bytes(body), b"", b"hello", b"\xff" * 1000):
        answer = await caller.send(sent)
        assert (answer.status, (await error_of(answer))["key"]) == (400, "sync_broken_batch")


async def test_a_batch_of_another_gateway_is_403(centre: Centre, caller: Caller) -> None:
    await centre.invite("gw-2")
    answer = await caller.send(batch_of(energies(1, 1), edge_id="gw-2"))
    assert (answer.status, (await error_of(answer))["key"]) == (403, "sync_wrong_gateway")


async def test_a_wrong_secret_is_401_and_not_a_way_to_the_sign_in_page(centre: Centre, caller: Caller) -> None:
    for headers in (caller.authorization(secret="wrong"), caller.authorization("gw-9"), {"Authorization": ""}):
        answer = await caller.send(batch_of(energies(1, 1)), headers)
        assert (answer.status, (await error_of(answer))["key"]) == (401, "sync_bad_secret")
    await revoke(centre.db, "gw-1")
    assert (await caller.send(batch_of(energies(1, 1)))).status == 401
    assert (await caller.report(status_of())).status == 401


async def test_a_body_that_is_too_large_is_413(caller: Caller) -> None:
    answer = await caller.send(bytes(MAX_BATCH_BYTES + 1))
    assert (answer.status, (await error_of(answer))["key"]) == (413, "sync_too_large")


async def test_a_body_that_is_too_large_is_413_though_it_does_not_say_so(caller: Caller) -> None:
    async def chunks() -> Any:
        for _ in range(MAX_BATCH_BYTES // 65536 + 2):
            yield bytes(65536)

    answer = await caller.send(chunks())  # type: ignore[arg-type]
    assert (answer.status, (await error_of(answer))["key"]) == (413, "sync_too_large")


async def test_a_small_body_that_unpacks_to_a_large_one_is_413(caller: Caller) -> None:
    answer = await caller.send(gzip.compress(bytes(64 * 1024 * 1024)), {"Content-Encoding": "gzip"})
    assert answer.status == 413


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-forwarded-for", "Forwarded", "forwarded", "X-Real-IP"])
async def test_a_request_through_a_proxy_is_refused_though_the_secret_is_right(caller: Caller, name: str) -> None:
    for path in (PATH_BATCHES, PATH_STATUS):
        headers = {**caller.authorization(), name: "127.0.0.1"}
        answer = await caller.call("POST", path, data=batch_of(energies(1, 1)), headers=headers)
        assert (answer.status, (await error_of(answer))["key"]) == (403, "sync_not_local")


async def test_bytes_in_the_secret_that_are_no_text_are_401(caller: Caller) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(caller.url.rpartition(":")[2]))
    head = f"POST {PATH_STATUS} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n".encode()
    writer.write(head + b"Authorization: Gateway gw-\xff:\xfe\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 401"), answer


async def test_a_status_is_answered_with_the_time_and_makes_the_devices_known(centre: Centre, caller: Caller) -> None:
    answer = await caller.report(status_of())
    assert answer.status == 200
    (row,) = await centre.rows("gateway")
    assert abs((await answer.json())["server_time"] - row.last_seen_at) < 5_000
    assert [device.code for device in await centre.rows("device")] == ["em-1"]


async def test_a_status_of_another_gateway_is_refused(centre: Centre, caller: Caller) -> None:
    answer = await caller.report(status_of("gw-2"))
    assert (answer.status, (await error_of(answer))["key"]) == (403, "sync_wrong_gateway")
    assert (await centre.rows("gateway"))[0].status is None


@pytest.mark.parametrize(
    "status",
    [
        None,
        [],
        "x",
        {},
        {"edge_id": 5},
        status_of(devices=None),
        status_of(devices=[{"name": "no id"}]),
        status_of(buses=[3]),
        status_of(devices=[{"id": "\ud800"}]),
        status_of(note="\ud800"),
    ],
)
async def test_a_status_of_another_shape_is_400_and_changes_nothing(
    centre: Centre, caller: Caller, status: Any
) -> None:
    answer = await caller.report(status)
    assert (answer.status, (await error_of(answer))["key"]) == (400, "sync_broken_status")
    assert (await centre.rows("gateway"))[0].status is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 200_000, b'{"a": ' * 5_000])
async def test_a_status_that_is_not_json_is_400(caller: Caller, body: bytes) -> None:
    answer = await caller.call("POST", PATH_STATUS, data=body, headers=caller.authorization())
    assert (answer.status, (await error_of(answer))["key"]) == (400, "sync_broken_status")


async def test_a_status_that_is_too_large_is_413(caller: Caller) -> None:
    answer = await caller.report(status_of(note="x" * 600_000))
    assert (answer.status, (await error_of(answer))["key"]) == (413, "sync_too_large")


async def test_more_batches_at_once_than_the_centre_takes_are_asked_to_come_later(
    centre: Centre, caller: Caller
) -> None:
    answers = []

    async def send_slowly() -> None:
        async def body() -> Any:
            data = batch_of(energies(1, 1))
            yield data[:10]
            await started.wait()
            yield data[10:]

        answers.append(await caller.send(body()))  # type: ignore[arg-type]

    started = asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for _ in range(60):
            tasks.create_task(send_slowly())
        while not answers:
            await asyncio.sleep(0.05)
        started.set()
    refused = [answer for answer in answers if answer.status == 503]
    assert {answer.status for answer in answers} == {200, 503}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert (await caller.send(batch_of(energies(1, 1)))).status == 200
    assert len(await centre.rows("batch")) == 1

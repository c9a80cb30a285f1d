"""REST calls to a scripted server on loopback: each sent at most once, every failure an outcome."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from eventually import until

from actors.runtime.address_ledger import AddressLedger
from actors.runtime.rest_client import RestClient, RestError
from protocols.binance_usdm.requests import exchange_info_request
from protocols.binance_usdm.signing import HmacSigner
from protocols.values import Instrument, Side, TimeInForce, make_instrument_id
from protocols.venue import (
    Done,
    NotSent,
    OutcomeUnknown,
    PlaceOrder,
    QueryTime,
    RefusalKind,
    Refused,
    SetCountdown,
    Throttled,
    TimeAnswered,
    Usage,
)

BTC = Instrument(
    instrument_id=make_instrument_id("binance_usdm", "main", "BTCUSDC"),
    version=1,
    base_asset="BTC",
    quote_asset="USDC",
    margin_asset="USDC",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
    price_ticks_min=1,
    price_ticks_max=10**8,
    quantity_lots_min=1,
    quantity_lots_max=10**6,
    notional_min=Decimal(5),
    price_multiplier_up=Decimal("1.05"),
    price_multiplier_down=Decimal("0.95"),
    open_orders_max=200,
)
PLACE = PlaceOrder(
    request_id=7,
    instrument_id=BTC.instrument_id,
    client_order_id="rm1-1-000-1",
    side=Side.BUY,
    price_ticks=600_000,
    quantity_lots=2,
    time_in_force=TimeInForce.POST_ONLY,
    reduce_only=False,
    venue_time_ns=1_700_000_000_000_000_000,
    window_ms=1_500,
)
COUNTDOWN = SetCountdown(
    request_id=8, instrument_id=BTC.instrument_id, countdown_ms=10_000, venue_time_ns=10**18, window_ms=1_000
)


class Ticking:
    """A clock that moves by one at each reading."""

    def __init__(self) -> None:
        self.now = 0

    def now_ns(self) -> int:
        self.now += 1
        return self.now


class Script:
    """Answers each request with bytes, or hangs up (None); keeps what it was asked."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while self.answers:
                self.asked.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self.answers.pop(0)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
            await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answer_of(status: str, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", body]
    return "\r\n".join(lines).encode()


@asynccontextmanager
async def client_of(
    script: Script, timeout_ms: int = 2_000, ledger: AddressLedger | None = None, weight_1m_max: int | None = None
) -> AsyncIterator[RestClient]:
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = RestClient(
        url,
        "key",
        HmacSigner("secret"),
        [BTC],
        Ticking(),
        timeout_ms,
        ledger=ledger,
        weight_1m_max=weight_1m_max,
    )
    try:
        yield client
    finally:
        await client.close()
        server.close()


async def test_what_was_signed_is_what_is_sent_and_the_key_stands_in_the_header() -> None:
    script = Script(answer_of("200 OK", '{"symbol":"BTCUSDC","countdownTime":"10000"}'))
    async with client_of(script) as client:
        outcome = await client.send(COUNTDOWN)
    assert outcome == Done(request_id=8, received_ns=outcome.received_ns, usage=Usage())
    head = script.asked[0].decode()
    query = "symbol=BTCUSDC&countdownTime=10000&recvWindow=1000&timestamp=1000000000000"
    signature = HmacSigner("secret").sign(query)
    assert head.startswith(f"POST /fapi/v1/countdownCancelAll?{query}&signature={signature} HTTP/1.1\r\n")
    assert "x-mbx-apikey: key\r\n" in head.lower()


async def test_the_venues_time_comes_with_the_instant_of_asking() -> None:
    script = Script(answer_of("200 OK", '{"serverTime":1700000000000}', "X-MBX-USED-WEIGHT-1M: 12"))
    async with client_of(script) as client:
        outcome = await client.send(QueryTime(request_id=1))
    assert isinstance(outcome, TimeAnswered)
    assert 0 < outcome.sent_ns < outcome.received_ns
    assert (outcome.venue_time_ns, outcome.usage) == (1_700_000_000_000_000_000, Usage(weight_1m=12))
    assert "x-mbx-apikey" not in script.asked[0].decode().lower()


async def test_a_definite_refusal_is_a_refusal() -> None:
    script = Script(answer_of("400 Bad Request", '{"code":-5022,"msg":"Post only"}'))
    async with client_of(script) as client:
        outcome = await client.send(PLACE)
    assert isinstance(outcome, Refused) and outcome.kind is RefusalKind.POST_ONLY


async def test_a_broken_limit_is_throttled_until_the_time_named() -> None:
    script = Script(answer_of("429 Too Many Requests", '{"code":-1003,"msg":"Too many"}', "Retry-After: 5"))
    async with client_of(script) as client:
        outcome = await client.send(PLACE)
    assert isinstance(outcome, Throttled) and outcome.retry_at_ns == outcome.received_ns + 5 * 10**9


async def test_a_hang_up_after_the_request_leaves_the_outcome_unknown_and_is_not_retried() -> None:
    script = Script(None, None, None)
    async with client_of(script) as client:
        outcome = await client.send(PLACE)
    assert isinstance(outcome, OutcomeUnknown) and outcome.request_id == 7
    assert len(script.asked) == 1


async def test_a_hang_up_on_a_warm_connection_is_not_retried_either() -> None:
    script = Script(answer_of("200 OK", '{"serverTime":1}'), None, None)
    async with client_of(script) as client:
        await client.send(QueryTime(request_id=1))
        outcome = await client.send(PLACE)
    assert isinstance(outcome, OutcomeUnknown)
    assert len(script.asked) == 2


async def test_no_answer_in_time_leaves_the_outcome_unknown() -> None:
    script = Script(b"", None)
    async with client_of(script, timeout_ms=30) as client:
        outcome = await client.send(PLACE)
    assert isinstance(outcome, OutcomeUnknown) and "timed out after 0.03 s" in outcome.reason


async def test_a_server_error_leaves_a_place_unknown() -> None:
    script = Script(answer_of("502 Bad Gateway", "<html>"))
    async with client_of(script) as client:
        assert isinstance(await client.send(PLACE), OutcomeUnknown)


async def test_nothing_listens_so_nothing_was_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        client = RestClient(url, "key", HmacSigner("secret"), [BTC], Ticking())
        outcome = await client.send(PLACE)
        with pytest.raises(RestError, match="/fapi/v1/exchangeInfo"):
            await client.fetch(exchange_info_request())
        await client.close()
    assert isinstance(outcome, NotSent) and outcome.request_id == 7


async def test_the_last_check_stops_the_first_byte() -> None:
    script = Script(answer_of("200 OK", "{}"))
    async with client_of(script) as client:
        outcome = await client.send(PLACE, last_check=lambda: "stop file")
    assert isinstance(outcome, NotSent) and "stop file" in outcome.reason
    assert script.asked == []


async def test_without_a_key_a_signed_request_is_not_sent() -> None:
    client = RestClient("http://127.0.0.1:9", "", None, [BTC], Ticking())
    assert isinstance(await client.send(PLACE), NotSent)
    await client.close()


async def test_an_endless_answer_is_given_up() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 1_000_000)
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    client = RestClient(
        f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "key", HmacSigner("secret"), [BTC], Ticking(), 5_000
    )
    outcome = await client.send(PLACE)
    assert isinstance(outcome, OutcomeUnknown) and "longer than" in outcome.reason
    await client.close()
    server.close()


async def test_the_way_of_orders_discards_what_was_not_sent_and_bounds_what_was_not_acknowledged() -> None:
    peers: list[tuple[str, int]] = []
    ends: list[BaseException | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        peers.append(writer.get_extra_info("peername"))
        writer.write(answer_of("200 OK", '{"serverTime":1700000000000}'))
        try:
            await reader.read()
            ends.append(None)
        except ConnectionResetError as reset:
            ends.append(reset)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = RestClient(url, "", None, [BTC], Ticking(), user_timeout_ms=1_500)
    assert isinstance(await client.send(QueryTime(request_id=1)), TimeAnswered)
    assert _user_timeout_ms(peers[0]) == 1_500
    await client.close()
    await until(lambda: ends)
    assert isinstance(ends[0], ConnectionResetError)
    server.close()


def _user_timeout_ms(address: tuple[str, int]) -> int:
    """Of this process's own socket at that address."""
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            with socket.socket(fileno=os.dup(int(descriptor.name))) as found:
                if found.getsockname() == address:
                    return found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        except OSError:  # no socket, or closed meanwhile
            continue
    raise AssertionError(f"no socket at {address}")


async def test_a_time_left_open_is_filled_in() -> None:
    script = Script(answer_of("200 OK", '{"symbol":"BTCUSDC","countdownTime":"10000"}'))
    open_time = SetCountdown(
        request_id=8, instrument_id=BTC.instrument_id, countdown_ms=10_000, venue_time_ns=0, window_ms=1_000
    )
    async with client_of(script) as client:
        await client.send(open_time, venue_time_ns=5_000_000)
    assert b"timestamp=5&" in script.asked[0]


async def test_silence_that_the_venue_told_one_process_is_kept_by_every_process_of_the_address(tmp_path: Path) -> None:
    here = AddressLedger(tmp_path / "ledger", "market_data-0")
    there = AddressLedger(tmp_path / "ledger", "order_manager-0")
    script = Script(answer_of("429 Too Many Requests", '{"code":-1003,"msg":"Too many requests."}', "Retry-After: 7"))
    async with client_of(script, ledger=here) as client:
        first = await client.send(QueryTime(request_id=1))
    assert isinstance(first, Throttled)
    assert there.shut_until_ns() == first.retry_at_ns
    unasked = Script()
    async with client_of(unasked, ledger=there) as client:
        second = await client.send(QueryTime(request_id=2))
    assert isinstance(second, NotSent) and "silence" in second.reason
    assert unasked.asked == []


async def test_an_answer_that_lies_in_the_socket_is_read_before_the_next_call_leaves(tmp_path: Path) -> None:
    """As after a time in which the process was held up: both are due in the same turn of the loop."""
    ledger = AddressLedger(tmp_path / "ledger", "inventory")
    second: list[asyncio.Task[object]] = []

    class Throttling(Script):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer_of("418 I'm a teapot", '{"code":-1003,"msg":"banned"}', "Retry-After: 7"))
            second.append(asyncio.create_task(client.send(QueryTime(request_id=2))))
            await reader.read()
            writer.close()

    script = Throttling()
    async with client_of(script, ledger=ledger) as client:
        assert isinstance(await client.send(QueryTime(request_id=1)), Throttled)
        outcome = await second[0]
    assert isinstance(outcome, NotSent) and "silence" in outcome.reason
    assert len(script.asked) == 1


async def test_who_has_no_orders_leaves_the_rest_of_the_weight_to_those_who_have(tmp_path: Path) -> None:
    ledger = AddressLedger(tmp_path / "ledger", "market_data-0")
    script = Script(answer_of("200 OK", '{"serverTime":1700000000000}', "X-MBX-USED-WEIGHT-1M: 1680"))
    async with client_of(script, ledger=ledger, weight_1m_max=1_680) as client:
        assert isinstance(await client.send(QueryTime(request_id=1)), TimeAnswered)
        refused = await client.send(QueryTime(request_id=2))
    assert isinstance(refused, NotSent) and "1680" in refused.reason
    assert len(script.asked) == 1

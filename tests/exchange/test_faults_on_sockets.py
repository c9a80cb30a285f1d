"""Faults that only a socket shows: connections cut, closed after a day, half open; and the admin call on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from loopback_venue import serving
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from actors.exchange.server import VenueServer

BTC_TOP = "/public/ws/btcusdc@bookTicker"


async def admin(server: VenueServer, fault: dict[str, Any]) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"http://127.0.0.1:{server.port}/raymaker/faults", json=fault)


async def test_without_the_flag_nothing_can_be_made_to_go_wrong(tmp_path: Path) -> None:
    async with serving(tmp_path / "l") as server:
        answer = await admin(server, {"kind": "throttled"})
    assert answer.status_code == 404
    assert "was not started with --faults" in answer.json()["error"]


async def test_sockets_are_closed_as_after_a_day_and_can_be_opened_again(tmp_path: Path) -> None:
    async with serving(tmp_path / "l", faults=True) as server:
        address = f"ws://127.0.0.1:{server.port}{BTC_TOP}"
        async with connect(address, proxy=None) as stream:
            assert (await admin(server, {"kind": "disconnect", "sockets": "public"})).status_code == 200
            with pytest.raises(ConnectionClosed, match="24 hours"):
                while True:
                    await stream.recv()
        async with connect(address, proxy=None) as stream:
            assert msgspec.json.decode(await stream.recv())["e"] == "bookTicker"


async def test_a_half_open_socket_says_nothing_and_answers_no_ping(tmp_path: Path) -> None:
    async with serving(tmp_path / "l", faults=True) as server:
        address = f"ws://127.0.0.1:{server.port}{BTC_TOP}"
        async with connect(address, proxy=None, close_timeout=0.1) as stream:
            await stream.recv()
            await admin(server, {"kind": "half_open"})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    while True:
                        await stream.recv()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(await stream.ping(), 0.2)
            async with connect(address, proxy=None) as other:
                assert msgspec.json.decode(await other.recv())["e"] == "bookTicker"


async def test_a_request_is_cut_off_in_place_of_an_answer(tmp_path: Path) -> None:
    async with serving(tmp_path / "l", faults=True) as server:
        fault = {"kind": "connection_cut", "calls": ["public"]}
        assert (await admin(server, fault)).json()["fault"]["kind"] == "connection_cut"
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.TransportError):
                await client.get(f"http://127.0.0.1:{server.port}/fapi/v1/time")
            assert (await client.get(f"http://127.0.0.1:{server.port}/fapi/v1/time")).status_code == 200


async def test_the_websocket_api_is_cut_off_in_place_of_an_answer(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "l", faults=True) as server,
        connect(f"ws://127.0.0.1:{server.port}/ws-fapi/v1", proxy=None) as api,
    ):
        await admin(server, {"kind": "connection_cut", "calls": ["snapshot"], "transport": "ws"})
        await api.send('{"id":5,"method":"depth","params":{"symbol":"BTCUSDC","limit":5}}')
        with pytest.raises(ConnectionClosed):
            await api.recv()

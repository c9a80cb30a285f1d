"""The guard of the whole suite: no test, and no process that a test starts, reaches another machine."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop
from loopback_guard import NotLoopback

ELSEWHERE = "192.0.2.1"


def _connect() -> None:
    socket.create_connection((ELSEWHERE, 80), timeout=0.1)


def _connect_without_waiting() -> None:
    with socket.socket() as stream:
        stream.setblocking(False)
        stream.connect_ex((ELSEWHERE, 80))


def _send_a_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"x", (ELSEWHERE, 80))


def _look_up_a_name() -> None:
    socket.getaddrinfo("elsewhere.invalid", 80)


async def _open() -> None:
    await asyncio.open_connection(ELSEWHERE, 80)


def _connect_on_asyncio() -> None:
    asyncio.run(_open())


def _connect_on_uvloop() -> None:
    uvloop.run(_open())


@pytest.mark.parametrize(
    "reach_out",
    [
        _connect,
        _connect_without_waiting,
        _send_a_datagram,
        _look_up_a_name,
        _connect_on_asyncio,
        _connect_on_uvloop,
    ],
)
def test_reaching_another_machine_is_refused_and_written_down(
    reach_out: Callable[[], None], only_loopback: Path
) -> None:
    with pytest.raises(NotLoopback, match="not loopback"):
        reach_out()
    assert "was about to reach" in only_loopback.read_text(encoding="utf-8")
    os.truncate(only_loopback, 0)


def test_a_process_that_a_test_starts_is_guarded_too(only_loopback: Path) -> None:
    code = f"import socket; socket.create_connection(({ELSEWHERE!r}, 80), timeout=0.1)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert child.returncode == 1
    assert "NotLoopback" in child.stderr
    assert ELSEWHERE in only_loopback.read_text(encoding="utf-8")
    os.truncate(only_loopback, 0)


def test_loopback_and_unix_sockets_are_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))
        assert client.getpeername() == str(tmp_path / "s")

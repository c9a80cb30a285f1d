"""The WebSocket client against the server of the `websockets` library on loopback."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from eventually import until
from websockets.asyncio.server import ServerConnection, serve

from actors.runtime import web_socket_client
from actors.runtime.web_socket import ReconnectingWebSocket, WebSocketClient, WebSocketError

Handler = Callable[[ServerConnection], Awaitable[None]]


class Ears:
    """Records what the client calls back."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.times: list[int] = []
        self.changes: asyncio.Queue[tuple[bool, str]] = asyncio.Queue()

    def frame(self, payload: bytes, received_ns: int) -> None:
        self.times.append(received_ns)
        self.frames.put_nowait(payload)

    def change(self, up: bool, reason: str) -> None:
        self.changes.put_nowait((up, reason))


@asynccontextmanager
async def server_of(handler: Handler) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws/secretkey"


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_a_message_goes_out_and_comes_back() -> None:
    ears = Ears()
    async with server_of(echo) as url:
        client = WebSocketClient(url, ears.frame, ears.change)
        await client.open()
        assert client.is_open and ears.changes.get_nowait()[0] is True
        assert client.write(b'{"a":1}') is True
        assert await ears.frames.get() == b'{"a":1}'
        assert 0 < ears.times[0] == client.heard_ns
        await client.close()
    assert ears.changes.get_nowait() == (False, "closed by us")
    assert ears.changes.empty()


async def test_nothing_is_written_to_a_socket_that_is_not_open() -> None:
    ears = Ears()
    async with server_of(echo) as url:
        client = WebSocketClient(url, ears.frame, ears.change)
        assert client.write(b"early") is False
        await client.open()
        await client.close()
        assert client.write(b"late") is False
    assert ears.frames.empty()


async def test_a_full_buffer_refuses_and_what_was_taken_arrives_whole() -> None:
    release, received, ears = asyncio.Event(), [], Ears()

    async def slow(connection: ServerConnection) -> None:
        await release.wait()
        async for message in connection:
            received.append(message)

    async with serve(slow, "127.0.0.1", 0, compression=None, max_queue=1) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        client = WebSocketClient(f"ws://127.0.0.1:{port}", ears.frame, ears.change, pending_bytes_max=10_000)
        await client.open()
        payload = b"x" * 100_000
        taken = 0
        while client.write(payload) and taken < 1_000:
            taken += 1
        assert 0 < taken < 1_000
        release.set()
        await until(lambda: len(received) == taken)
        await client.close()
    assert [len(message) for message in received] == [100_000] * taken


async def test_pings_are_answered_and_asked() -> None:
    ears, answered = Ears(), asyncio.Event()

    async def pinging(connection: ServerConnection) -> None:
        await (await connection.ping())
        answered.set()
        await connection.wait_closed()

    async with server_of(pinging) as url:
        client = WebSocketClient(url, ears.frame, ears.change)
        await client.open()
        await answered.wait()
        heard_ns = client.heard_ns
        assert client.ping() is True
        await until(lambda: client.heard_ns > heard_ns)
        await client.close()


async def test_a_message_in_parts_is_handed_over_whole() -> None:
    ears = Ears()

    async def in_parts(connection: ServerConnection) -> None:
        await connection.send(["one ", "two ", "three"])
        await connection.wait_closed()

    async with server_of(in_parts) as url:
        client = WebSocketClient(url, ears.frame, ears.change)
        await client.open()
        assert await ears.frames.get() == b"one two three"
        await client.close()


async def test_a_huge_message_closes_the_connection_with_a_reason() -> None:
    ears = Ears()

    async def huge(connection: ServerConnection) -> None:
        await connection.send("x" * 5_000)
        await connection.wait_closed()

    async with server_of(huge) as url:
        client = WebSocketClient(url, ears.frame, ears.change, frame_bytes_max=1_000)
        await client.open()
        assert (await ears.changes.get())[0] is True
        up, reason = await ears.changes.get()
        assert up is False and "frame" in reason and "1000" in reason.replace(",", "")
        assert client.write(b"x") is False
        await client.close()
    assert ears.frames.empty()


async def test_a_close_by_the_other_end_is_reported_once_with_its_code() -> None:
    ears = Ears()

    async def leaving(connection: ServerConnection) -> None:
        await connection.close(1001, "maintenance")

    async with server_of(leaving) as url:
        client = WebSocketClient(url, ears.frame, ears.change)
        await client.open()
        assert (await ears.changes.get())[0] is True
        up, reason = await ears.changes.get()
        assert up is False and "1001" in reason and "maintenance" in reason
        await client.close()
    assert ears.changes.empty()


async def test_a_close_is_bounded_when_the_other_end_does_not_answer() -> None:
    ears, hold = Ears(), asyncio.Event()

    async def raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_handshake(reader, writer)
        await hold.wait()
        writer.transport.abort()

    server = await asyncio.start_server(raw, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = WebSocketClient(f"ws://127.0.0.1:{port}", ears.frame, ears.change, close_timeout_ms=10)
    await client.open()
    await client.close()
    assert not client.is_open
    hold.set()
    server.close()


async def answer_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    from websockets.http11 import Request
    from websockets.server import ServerProtocol

    protocol = ServerProtocol()
    protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
    request = protocol.events_received()[0]
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request))
    for data in protocol.data_to_send():
        writer.write(data)
    await writer.drain()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_a_refused_handshake_says_so_and_hides_the_path(answer: bytes) -> None:
    ears = Ears()

    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refusing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(WebSocketError, match=f"127.0.0.1:{port}: handshake refused") as caught:
        await WebSocketClient(f"ws://127.0.0.1:{port}/ws/secretkey", ears.frame, ears.change).open()
    assert "secretkey" not in str(caught.value)
    assert ears.changes.empty()
    server.close()


async def test_a_silent_server_is_given_up_after_the_timeout() -> None:
    ears = Ears()
    with socket.create_server(("127.0.0.1", 0)) as server:  # the kernel connects; nobody ever answers
        port = server.getsockname()[1]
        with pytest.raises(WebSocketError, match="no answer within"):
            await WebSocketClient(f"ws://127.0.0.1:{port}", ears.frame, ears.change, open_timeout_ms=20).open()


async def test_a_refused_connection_names_host_and_port() -> None:
    ears = Ears()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(WebSocketError, match=f"127.0.0.1:{port}"):
            await WebSocketClient(f"ws://127.0.0.1:{port}", ears.frame, ears.change).open()


def test_a_url_of_another_kind_is_refused_without_showing_it() -> None:
    ears = Ears()
    with pytest.raises(WebSocketError, match="not the URL of a WebSocket") as caught:
        WebSocketClient("http://user:secret@x/secretkey", ears.frame, ears.change)
    assert "secret" not in str(caught.value)


async def test_headers_and_socket_options_are_set() -> None:
    ears, seen = Ears(), []

    async def looking(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request.headers["X-MBX-APIKEY"])
        await connection.wait_closed()

    async with server_of(looking) as url:
        client = WebSocketClient(url, ears.frame, ears.change, {"X-MBX-APIKEY": "k"}, True, 1_500)
        await client.open()
        assert client._transport is not None
        connection = client._transport.get_extra_info("socket")
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 1_500
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == b"\x01\0\0\0\0\0\0\0"
        await client.close()
    assert seen == ["k"]


async def test_a_lost_connection_is_opened_again_with_the_newest_url() -> None:
    ears, first = Ears(), asyncio.Event()

    async def leaving(connection: ServerConnection) -> None:
        first.set()
        await connection.close(1001)

    async with server_of(leaving) as old, server_of(echo) as new:
        keeper = ReconnectingWebSocket(
            lambda: new if first.is_set() else old, ears.frame, ears.change, delay_ms=1, delay_ms_max=2
        )
        keeper.start()
        assert [(await ears.changes.get())[0] for _ in range(3)] == [True, False, True]
        assert keeper.write(b"hello") is True
        assert await ears.frames.get() == b"hello"
        await keeper.stop()
        assert keeper.write(b"late") is False


async def test_a_mute_connection_is_dropped_and_opened_again() -> None:
    ears, opened = Ears(), []

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_handshake(reader, writer)
        opened.append(writer)

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    keeper = ReconnectingWebSocket(
        f"ws://127.0.0.1:{port}", ears.frame, ears.change, delay_ms=1, ping_period_ms=5, silence_ms_max=20
    )
    keeper.start()
    changes = [await ears.changes.get() for _ in range(3)]
    assert [up for up, _ in changes] == [True, False, True]
    assert changes[1][1] == "nothing heard for 20 ms"
    await keeper.stop()
    for writer in opened:
        writer.transport.abort()
    server.close()


async def test_attempts_go_on_until_the_server_is_there_and_the_url_is_known() -> None:
    ears, urls = Ears(), []
    keeper = ReconnectingWebSocket(
        lambda: urls[0] if urls else None, ears.frame, ears.change, delay_ms=1, delay_ms_max=2
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        keeper.start()
        urls.append(f"ws://127.0.0.1:{taken.getsockname()[1]}")
        await until(lambda: keeper.failures >= 2)
    async with server_of(echo) as url:
        urls[0] = url
        assert (await ears.changes.get())[0] is True
        assert keeper.failures == 0
        await keeper.stop()


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """TLS of a server that this process's clients trust."""
    certificate, key = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    web_socket_client._tls_context.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    yield context
    web_socket_client._tls_context.cache_clear()


async def test_over_tls_messages_go_out_and_come_back_and_the_socket_is_set_up(trusted: ssl.SSLContext) -> None:
    ears = Ears()
    async with serve(echo, "127.0.0.1", 0, compression=None, ssl=trusted) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        client = WebSocketClient(f"wss://127.0.0.1:{port}", ears.frame, ears.change, user_timeout_ms=1_500)
        await client.open()
        assert client._descriptor == -1  # nothing goes around the encryption
        assert client._transport is not None
        connection = client._transport.get_extra_info("socket")
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 1_500
        assert client.write(b"x" * 100_000) is True
        assert await ears.frames.get() == b"x" * 100_000
        await client.close()
    assert not client.is_open


async def test_a_certificate_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    ears = Ears()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path))
    async with serve(echo, "127.0.0.1", 0, ssl=context) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(WebSocketError, match="certificate verify failed"):
            await WebSocketClient(f"wss://127.0.0.1:{port}", ears.frame, ears.change).open()

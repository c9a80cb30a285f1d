"""`python -m ops.chaos.proxy VENUE_PORT NOTES`: the proxy as a process; commands come as lines of JSON, each is answered by one."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from ops.chaos.proxy.notes import Note
from ops.chaos.proxy.relay import Command, Done, Relay


async def serve(venue_port: int, notes: Path) -> None:
    """Serve until the input ends."""
    encoder = msgspec.json.Encoder()
    decoder = msgspec.json.Decoder(Command)
    with notes.open("ab", buffering=0) as file:

        def note(written: Note) -> None:
            file.write(encoder.encode(written) + b"\n")

        relay = Relay(venue_port, note)
        port = await relay.start()
        commands = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        _say(encoder, relay, port)
        while line := await commands.readline():
            command = decoder.decode(line)
            if command.rules is not None:
                relay.set(command.rules)
            if command.reset:
                relay.reset(command.reset)
            _say(encoder, relay, port)


def _say(encoder: msgspec.json.Encoder, relay: Relay, port: int) -> None:
    done = Done(
        boot_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME), t=time.time_ns(), touched=relay.rules.touched, port=port
    )
    sys.stdout.buffer.write(encoder.encode(done) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2])))

"""Python's `websockets` as a client of our echo: what it offers is not taken, what it sends comes back."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus


async def talk(address):
    async with connect(f"ws://{address}/echo", subprotocols=["one", "two"], max_size=None) as connection:
        assert connection.subprotocol is None, "a subprotocol was chosen"
        assert not connection.protocol.extensions, "an extension was chosen"
        for size in (0, 1, 125, 126, 127, 65535, 65536, 1 << 20):
            for message in ("é" * (size // 2), b"\xfe" * size):
                await connection.send(message)
                assert await connection.recv() == message, f"{size} bytes came back otherwise"
        await connection.send(["frag", "", "ments ", "🐦"])
        assert await connection.recv() == "fragments 🐦"
        await asyncio.wait_for(await connection.ping(b"are you there"), 5)
    assert (connection.close_code, connection.close_reason) == (1000, ""), connection.close_code


async def be_refused(address):
    try:
        async with connect(f"ws://{address}/elsewhere"):
            raise AssertionError("a path that is not there")
    except InvalidStatus as refusal:
        assert refusal.response.status_code == 404


async def exceed(address):
    """More than 16 MiB is answered with 1009. The server has closed then: there is nothing left to close here."""
    connection = await connect(f"ws://{address}/echo")
    try:
        await connection.send(bytes((16 << 20) + 1))
        await connection.recv()
        raise AssertionError("a message over the limit")
    except ConnectionClosedError as error:
        assert error.rcvd is not None and error.rcvd.code == 1009, error


async def main():
    for part in (talk, be_refused, exceed):
        await part(sys.argv[1])
    print("all came back")


asyncio.run(main())

"""Python's `websockets` as an echo server, with its defaults but for what would change what comes back: compression,
its own pings, and a limit that is the same as ours."""

import asyncio
import logging
import sys

import websockets
from websockets.asyncio.server import serve

# What peers do wrong is the purpose of it all.
logging.getLogger("websockets").setLevel(logging.CRITICAL)


async def echo(connection):
    try:
        async for message in connection:
            await connection.send(message)
    except websockets.ConnectionClosed:
        pass


async def main():
    async with serve(echo, "127.0.0.1", 0, compression=None, ping_interval=None, max_size=16 << 20) as server:
        print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())

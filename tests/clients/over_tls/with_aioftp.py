"""aioftp over TLS: host, port, user, password, certificate, file to bring, file to fetch to."""

import asyncio
import pathlib
import ssl
import sys

import aioftp

# It cannot start TLS by itself before version 0.22: it is for a port where TLS begins at once.
host, port, user, password, certificate, up, down = sys.argv[1:]


async def main():
    context = ssl.create_default_context(cafile=certificate)
    async with aioftp.Client.context(host, int(port), user, password, ssl=context, socket_timeout=20) as client:
        await client.make_directory("in")
        await client.change_directory("in")
        for name in ("first", "second"):
            await client.upload(up, name, write_into=True)
        assert (await client.stat("second"))["size"] == str(pathlib.Path(up).stat().st_size)
        names = sorted(path.name for path, _ in await client.list())
        assert names == ["first", "second"], names
        await client.download("second", down, write_into=True)
        await client.rename("first", "third")
        await client.remove_file("third")


asyncio.run(main())

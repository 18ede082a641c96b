"""Upload a large file to a real server, and measure what it costs; see README.md.

python bench/upload.py [--size MIB] [--rounds N] [--servers uvicorn,hypercorn-trio]
"""

import argparse
import json
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
WAYS = {
    "idle": "nothing for 0.3 s",
    "files": "`await request.files`, then `save`",
    "multipart": "`async for part in request.multipart()`",
    "body": "`async for chunk in request.body`",
}
SERVERS = {
    "uvicorn": "-m uvicorn upload_app:app --port {port} --log-level warning --loop asyncio",
    "hypercorn-trio": (
        "-m hypercorn upload_app:app --bind 127.0.0.1:{port} --workers 0 "
        "--worker-class trio --log-level WARNING"
    ),
}
_BOUNDARY = "upload"
_HEAD = (
    f"--{_BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="file"; filename="large.bin"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode()
_TAIL = f"\r\n--{_BOUNDARY}--\r\n".encode()
_CHUNK = bytes(range(256)) * 1024
_LIMIT = 60.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what a large upload costs.")
    parser.add_argument("--size", type=int, default=100, help="MiB of the file (100)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured (3)")
    parser.add_argument("--servers", default=",".join(SERVERS), help="of " + ", ".join(SERVERS))
    given = parser.parse_args()
    given.servers = given.servers.split(",")
    unknown = set(given.servers) - set(SERVERS)
    if unknown:
        parser.error(f"--servers knows {', '.join(SERVERS)}, not {', '.join(sorted(unknown))}")
    return given


def main(given: argparse.Namespace) -> None:
    print(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"a file of {given.size} MiB over a loopback socket, {given.rounds} rounds.\n"
    )
    for name in given.servers:
        with serving(name) as port:
            upload(port, "files", MIB)  # whatever is loaded late is loaded now
            measured = {
                way: [upload(port, way, given.size * MIB) for _ in range(given.rounds)]
                for way in WAYS
            }
        print(f"## {name} {version(name.partition('-')[0])}\n\n{table(measured)}\n")


def table(measured: dict[str, list[dict[str, Any]]]) -> str:
    lines = [
        "| | MiB/s, best | memory grows by MiB, worst | longest stall ms, best | worst |",
        "|---|---:|---:|---:|---:|",
    ]
    for way, rounds in measured.items():
        speed = max(each["size"] / each["seconds"] for each in rounds) / MIB
        growth = max(each["growth"] for each in rounds) / MIB
        stalls = [each["stall"] * 1000 for each in rounds]
        lines.append(
            f"| {WAYS[way]} | {speed:.0f} | {growth:.1f} | {min(stalls):.1f} | {max(stalls):.1f} |"
        )
    return "\n".join(lines)


@contextmanager
def serving(name: str) -> Iterator[int]:
    """Run a server for the length of the block, and give its port on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    command = SERVERS[name].format(port=port).split()
    with subprocess.Popen([sys.executable, *command], cwd=Path(__file__).parent) as process:
        try:
            _wait_until_it_listens(process, port)
            yield port
        finally:
            process.terminate()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), _LIMIT).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("The server did not start.")


def upload(port: int, way: str, size: int) -> dict[str, Any]:
    """Send a file of *size* bytes and return what the server measured."""
    length = 0 if way == "idle" else len(_HEAD) + size + len(_TAIL)
    head = (
        f"POST /{way} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), _LIMIT) as connection:
        connection.sendall(head.encode())
        if length:
            connection.sendall(_HEAD)
            for start in range(0, size, len(_CHUNK)):
                connection.sendall(_CHUNK[: size - start])
            connection.sendall(_TAIL)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    status, _, rest = answer.partition(b"\r\n")
    if b" 200 " not in status:
        raise SystemExit(f"The server answered {status.decode()}.")
    figures: dict[str, Any] = json.loads(rest.partition(b"\r\n\r\n")[2])
    expected = {"idle": 0, "body": length}.get(way, size)
    if figures["size"] != expected:
        raise SystemExit(f"{figures['size']} bytes arrived of {expected}.")
    return figures


if __name__ == "__main__":
    main(arguments())

"""No answer, however large it is or says it is, takes more memory than DOWNLOAD_MAXSIZE allows."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import brotli
import pytest
from conftest import REPOSITORY, scrapy_environment

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZEROS = bytes(1 << 20)
NOMINAL = 10 * 1024  # MiB, which makes 10 GB
# In KiB: the crawl itself takes some 130 MB, and a body of DOWNLOAD_MAXSIZE (64 MB) is held up to three times.
MOST = 350 * 1024

Body = Callable[[], list[bytes]]


@cache
def gzipped() -> list[bytes]:
    """10 GB of zeros: many members of 64 MB each, one after the other, as the format allows."""
    member = gzip.compress(ZEROS * 64, 9)
    return [member] * (NOMINAL // 64)


@cache
def one_member() -> list[bytes]:
    """512 MB of zeros in a single member."""
    return [gzip.compress(bytes(1 << 29), 1)]


@cache
def deflated() -> list[bytes]:
    """512 MB of zeros."""
    compressor = zlib.compressobj(9)
    pieces = [compressor.compress(ZEROS) for _ in range(512)]
    return [*pieces, compressor.flush()]


@cache
def brotlied() -> list[bytes]:
    """512 MB of zeros in a few hundred bytes."""
    compressor = brotli.Compressor(quality=1)
    pieces = [compressor.process(ZEROS) for _ in range(512)]
    return [*pieces, compressor.finish()]


# A process is said to have taken what the one that started it had at that time: so it is started by a small one. Only
# this call tells the memory of one child.
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@cache
def zstandard() -> list[bytes]:
    """10 GB of zeros: many frames, one after the other."""
    return [zstd.compress(ZEROS * 64, 1)] * (NOMINAL // 64)


@cache
def twice_gzipped() -> list[bytes]:
    """10 GB of zeros, compressed once more: small enough to pass any look at its size."""
    return [gzip.compress(b"".join(gzipped()), 9)]


@asynccontextmanager
async def server(head: str, body: Body, *, for_ever: bool = False) -> AsyncIterator[str]:
    """Serve an answer byte by byte as written; yields the address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{head}Connection: close\r\n\r\n".encode()
            )
            while True:
                for piece in body():
                    writer.write(piece)
                    await writer.drain()
                if not for_ever:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    serving = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{serving.sockets[0].getsockname()[1]}"
    finally:
        serving.close()


def run(base_url: str, folder: Path) -> tuple[int, str, int]:
    """Crawl in a process of its own; return its exit code, what it printed, and the most memory it took in KiB."""
    options = (
        "-a",
        f"base_url={base_url}",
        "-s",
        "DOWNLOAD_DELAY=0",
        "-s",
        "STORAGE_ENABLED=0",
        "-s",
        "LOG_LEVEL=ERROR",
    )
    crawl = [sys.executable, "-m", "scrapy", "crawl", "freelancer", *options]
    ended = subprocess.run(
        [sys.executable, "-c", MEASURE, *crawl],
        cwd=REPOSITORY, env=scrapy_environment(folder), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return ended.returncode, ended.stderr, int(ended.stdout)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzipped),
        ("gzip", one_member),
        ("deflate", deflated),
        ("br", brotlied),
        ("zstd", zstandard),
        ("gzip, gzip", twice_gzipped),
    ],
    ids=["gzip members", "gzip", "deflate", "brotli", "zstd", "gzip in gzip"],
)
async def test_a_bomb_is_not_unpacked(encoding: str, body: Body, tmp_path: Path) -> None:
    length = sum(map(len, body()))
    async with server(f"Content-Encoding: {encoding}\r\nContent-Length: {length}\r\n", body) as base_url:
        async with asyncio.timeout(60):
            code, told, memory = await asyncio.to_thread(run, base_url, tmp_path)
    check(code, told, memory)


@pytest.mark.parametrize(
    ("head", "for_ever"),
    [("", True), ("Content-Length: 109951162777600\r\n", True), ("Content-Length: 109951162777600\r\n", False)],
    ids=["without a length", "huge and sent", "huge and not sent"],
)
async def test_a_body_without_end_is_not_read_to_the_end(head: str, for_ever: bool, tmp_path: Path) -> None:
    async with server(head, lambda: [ZEROS[: 1 << 16]], for_ever=for_ever) as base_url, asyncio.timeout(60):
        code, told, memory = await asyncio.to_thread(run, base_url, tmp_path)
    check(code, told, memory)


def check(code: int, told: str, memory: int) -> None:
    """Expect a crawl that ended with one clear sentence, in bounded memory."""
    assert code == 1, told
    assert memory < MOST
    assert "Traceback" not in told
    last = told.splitlines()[-1]
    assert last.startswith("scrapy crawl freelancer: layout changed: http://127.0.0.1:")
    assert "answered with more than 64 MB (DOWNLOAD_MAXSIZE)" in last

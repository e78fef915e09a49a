"""What a browser may be asked for, and what is said when it may not, or when there is none."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from middlewares._browser_crawls import ask, crawled
from platforms_standins._scripted_listing import ROWS, ScriptedListing

pytestmark = pytest.mark.usefixtures("browser")


@asynccontextmanager
async def tls(port: int, folder: Path) -> AsyncIterator[int]:
    """Let a port speak https for `port`, with a certificate that nobody knows."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=public.test")
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("public.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "pem").write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pem")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(2**16):
                    target.write(data)
                    await target.drain()
            except OSError:
                pass
            finally:
                target.close()

        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_public_page_reaches_no_private_address(scripted: ScriptedListing, tmp_path: Path) -> None:
    port = int(scripted.base_url.rpartition(":")[2])
    async with ScriptedListing() as inside, tls(port, tmp_path) as public_port:
        public, secret = f"https://public.test:{public_port}", f"{inside.base_url}/secret"
        launch = [
            f"--host-resolver-rules=MAP public.test 127.0.0.1,MAP inside.test {inside.base_url.removeprefix('http://')}",
            f"--ip-address-space-overrides=127.0.0.1:{public_port}=public",
        ]
        done = {"render": {"wait_for": "#done"}}
        secrets = "&url=".join((secret, "http://inside.test/secret", "file:///etc/passwd"))
        crawl = await crawled(
            [
                ask(f"{public}/list/1", "listing"),
                ask(f"{public}/probing?url={secrets}", "probing", **done),
                ask(f"{public}/moved-to?url={secret}", "moved"),
                ask(f"{public}/moved-to?url=http://public.test/", "moved to http"),
                ask(f"{public}/led-to?url={secret}", "led"),
            ],
            PLAYWRIGHT_LAUNCH_OPTIONS={"args": launch},
            DOWNLOAD_VERIFY_CERTIFICATES=False,
        )
    assert len(crawl.told["listing"]["rows"]) == ROWS
    assert "refused refused refused" in crawl.told["probing"]["text"]
    for name in ("moved", "moved to http", "led"):
        assert crawl.told[name]["error"] == "IgnoreRequest", crawl.told[name]
    assert [request.path for request in inside.requests] == []
    # Told at once: the 10 s that a page gets to become ready are not waited for.
    asked = next(request.at for request in scripted.requests if request.path == "/led-to")
    assert crawl.told["led"]["at"] - asked < 8


async def test_a_live_host_that_is_not_permitted_is_not_touched(scripted: ScriptedListing) -> None:
    async with ScriptedListing() as live:
        rule = f"--host-resolver-rules=MAP live.test {live.base_url.removeprefix('http://')}"
        launch = {"PLAYWRIGHT_LAUNCH_OPTIONS": {"args": [rule]}}
        done = {"render": {"wait_for": "#done"}}
        addresses = "&url=".join(("http://live.test/sub", "http://live.test:81/sub", "http://live.test./sub"))
        probing = ask(
            f"{scripted.base_url}/probing?url={addresses}&url={scripted.base_url}/sub?u=//live.test/", "probing", **done
        )
        moved = ask(f"{scripted.base_url}/moved-to?url=http://live.test/list/1", "moved")
        led = ask(f"{scripted.base_url}/led-to?url=http://live.test/list/1", "led")
        refused = [
            await crawled(cases, spider="guarded", CONCURRENT_REQUESTS=1, **launch)
            for cases in ([probing, moved], [led])
        ]
        assert [request.path for request in live.requests] == []
        permitted = await crawled([moved], spider="guarded", PERMITTED_PLATFORMS="guarded", **launch)
    assert "refused refused refused reached" in refused[0].told["probing"]["text"]
    for crawl, name in zip(refused, ("moved", "led"), strict=True):
        assert crawl.told[name]["error"] == "Refused"
        assert "guarded is not read without the platform's permission" in crawl.told[name]["message"]
        assert crawl.told["end"]["stats"]["finish_reason"] == "permission_required"
    assert len(permitted.told["moved"]["rows"]) == ROWS


async def test_certificates_are_verified(scripted: ScriptedListing, tmp_path: Path) -> None:
    async with tls(int(scripted.base_url.rpartition(":")[2]), tmp_path) as port:
        case = ask(f"https://localhost:{port}/list/1", "listing")
        crawl = await crawled([case], DOWNLOAD_VERIFY_CERTIFICATES=True)
    assert "ERR_CERT" in crawl.told["listing"]["message"]


async def test_a_spider_that_does_not_declare_it_is_refused(scripted: ScriptedListing) -> None:
    cases = [ask(f"{scripted.base_url}/list/1", "plain", render=None), ask(f"{scripted.base_url}/list/1", "asks")]
    crawl = await crawled(cases, spider="plain", DOWNLOAD_HANDLERS={})
    assert crawl.told["asks"]["error"] == "Refused"
    assert "plain asks for rendering" in crawl.told["asks"]["message"]
    assert "renders = True" in crawl.told["asks"]["message"]
    assert crawl.told["plain"]["status"] == 200
    assert crawl.told["end"]["loaded"] == []
    assert crawl.told["end"]["stats"]["finish_reason"] == "failed"


async def test_without_a_browser_it_says_what_to_install(
    scripted: ScriptedListing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    crawl = await crawled(
        [ask(f"{scripted.base_url}/list/{number}", str(number), max_retry_times=1) for number in range(4)]
    )
    assert crawl.log.count("playwright install chromium") == 1, crawl.log
    assert crawl.told["end"]["stats"]["finish_reason"] == "failed"
    assert {crawl.told[name]["error"] for name in ("0", "1")} == {"Refused"}


async def test_a_browser_that_does_not_answer_is_named_without_its_address(scripted: ScriptedListing) -> None:
    url = "http://127.0.0.1:9/?token=secret"
    crawl = await crawled([ask(f"{scripted.base_url}/list/1", "1")], PLAYWRIGHT_CDP_URL=url)
    assert "No browser answers at PLAYWRIGHT_CDP_URL" in crawl.log
    assert "secret" not in crawl.log.replace(f"'PLAYWRIGHT_CDP_URL': '{url}'", "")

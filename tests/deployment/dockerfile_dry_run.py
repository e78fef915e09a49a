"""Do what the Dockerfile says without Docker, and run the result as compose.yaml does.

``python tests/deployment/dockerfile_dry_run.py``, as root on Debian 12, whose packages and Python 3.11 stand in for the
base image: the machine's own file system, with all that is written kept apart (overlayfs), is what the commands see.
Then the container's command runs as process 1 of its own process namespace, as the image's user, without any right, on
a file system that cannot be written. It takes minutes, most of which pip needs, so that no test runs it.

Not shown by it: that the base images exist, Docker's seccomp rules, its network, its volumes.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from deployment._dockerfile import instructions  # noqa: E402
from platforms_standins.freelancer import standin_process  # noqa: E402

DATA = "/var/lib/outsourcing_spiders"
PASSWORD = secrets.token_hex(8)
PORT = 16_800
_PATH = "/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Image:
    """A root folder in which the instructions are carried out."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.environment = {"PATH": _PATH, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
        # How pip reaches an index here.
        self.environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        self.workdir, self.user, self.command = "/", "root", [""]
        self.health = [""]
        for name in ("upper", "work", "root"):
            (folder / name).mkdir()
        (folder / "upper").chmod(0o755)
        options = f"lowerdir=/,upperdir={folder / 'upper'},workdir={folder / 'work'}"
        run("mount", "-t", "overlay", "overlay", "-o", options, self.root)
        for name in ("dev", "proc", "sys"):
            run("mount", "--rbind", f"/{name}", self.root / name)
        run("mount", "-t", "tmpfs", "tmpfs", self.root / "tmp")

    def build(self) -> None:
        """Carry the Dockerfile out."""
        for name, words in instructions((REPOSITORY / "Dockerfile").read_text()):
            say(f"{name} {words[:100]}")
            getattr(self, f"_{name.lower()}")(words)

    def inside(self, *command: str, user: str = "root", **environment: str) -> list[str]:
        """Return a command line that runs `command` in the image."""
        values = [f"{name}={value}" for name, value in (self.environment | environment).items()]
        line = f"cd {shlex.quote(self.workdir)} && exec {shlex.join(command)}"
        become: list[str] = []
        if user != "root":
            become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"]
            become += ["--bounding-set=-all", "--inh-caps=-all"]
        return ["chroot", str(self.root), *become, "env", "-i", *values, "sh", "-c", line]

    def _from(self, words: str) -> None:
        run(*self.inside("python3", "-m", "venv", "/opt/python"))
        # Python's own image has a later pip than venv brings, and these two.
        run(*self.inside("pip", "install", "-q", "pip>=24", "setuptools==65.5.1", "wheel"))

    def _run(self, words: str) -> None:
        run(*self.inside("sh", "-c", words))

    def _copy(self, words: str) -> None:
        *sources, target = shlex.split(words)
        folder = self.root / str(Path(self.workdir, target)).lstrip("/")
        for source in sources:
            path = REPOSITORY / source
            if path.is_dir():
                shutil.copytree(path, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder)

    def _env(self, words: str) -> None:
        self.environment |= dict(word.split("=", 1) for word in shlex.split(words))

    def _workdir(self, words: str) -> None:
        self.workdir = words
        (self.root / words.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _user(self, words: str) -> None:
        self.user = words

    def _cmd(self, words: str) -> None:
        self.command = json.loads(words)

    def _healthcheck(self, words: str) -> None:
        self.health = json.loads(words.partition("CMD")[2])

    def _volume(self, words: str) -> None:
        pass

    _expose = _volume

    def freeze(self) -> None:
        """Let nothing be written but data and temporary files."""
        data = self.root / DATA.lstrip("/")
        run("mount", "--bind", data, data)
        run("mount", "-o", "remount,bind,ro", self.root)


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL)


def say(sentence: str) -> None:
    print(f"{time.strftime('%T')} {sentence}", flush=True)


def ask(path: str, **fields: str) -> dict[str, Any]:
    """Ask Scrapyd."""
    data = urllib.parse.urlencode(fields).encode() if fields else None
    login = base64.b64encode(f"operator:{PASSWORD}".encode()).decode()
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/{path}", data, {"Authorization": f"Basic {login}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        assert found["status"] == "ok", found
        return found


def until(look: Any, seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := look():
                return found
        except (urllib.error.URLError, ConnectionError):
            pass
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.2)


def check(image: Image, database_url: str) -> None:
    """Run the image as compose.yaml does, and look at all that it promises."""
    password = {"SCRAPYD_USERNAME": "operator", "SCRAPYD_PASSWORD": PASSWORD}
    environment = password | {
        "DATABASE_URL": database_url, "SCRAPYD_URL": f"http://127.0.0.1:{PORT}/", "SCRAPYD_HTTP_PORT": str(PORT),
    }  # fmt: skip

    def scrapy(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
        line = image.inside(*command, user=image.user, **environment | more)
        return subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def show(done: subprocess.CompletedProcess[str], code: int) -> None:
        said = (done.stdout + done.stderr).strip()
        say(f"exit {done.returncode}: {said}")
        assert done.returncode == code

    image.freeze()
    say("the file system is read-only, and the user is " + scrapy("id").stdout.strip())
    assert scrapy("touch", "/etc/x").returncode != 0
    assert scrapy("touch", f"{DATA}/x", "/tmp/x").returncode == 0
    show(scrapy(*image.command, SCRAPYD_PASSWORD=""), 1)
    say("health before Scrapyd runs and before there are tables")
    show(scrapy(*image.health), 1)
    show(scrapy("scrapy", "db", "upgrade"), 0)
    with standin_process(projects=400, odd_rows=False, short_pages=False) as site:
        first = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc=" + str(image.root / "proc")]
        process = subprocess.Popen([*first, *image.inside(*image.command, user=image.user, **environment)])
        until(lambda: ask("daemonstatus.json"))
        show(scrapy(*image.health), 0)
        show(scrapy(*image.health, SCRAPYD_PASSWORD="wrong"), 1)
        job = {"project": "outsourcing_spiders", "spider": "freelancer", "base_url": site.base_url}
        ask("schedule.json", **job, setting="DOWNLOAD_DELAY=0")
        until(lambda: ask("listjobs.json?project=outsourcing_spiders")["finished"])
        show(scrapy("scrapy", "db", "psql", "-c", "SELECT spider, reason, written FROM crawl_runs"), 0)
        site.fail("slow", delay=30, after=1)
        site.requests(clear=True)
        ask("schedule.json", **job, setting="DOWNLOAD_DELAY=0", full="1")
        until(lambda: len(site.requests()) == 2)
        say("SIGTERM to process 1, in the middle of a crawl")
        begun = time.monotonic()
        # The child of unshare is the first process of its namespace.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), 15)
        process.wait(60)
        say(f"ended after {time.monotonic() - begun:.1f} s")
        show(scrapy("scrapy", "db", "psql", "-c", "SELECT spider, reason, written + unchanged FROM crawl_runs"), 0)
    show(scrapy("scrapy", "db", "backup", f"{DATA}/backup.zip"), 0)
    show(scrapy("scrapy", "db", "restore", f"{DATA}/backup.zip"), 1)
    show(scrapy("scrapy", "db", "restore", "--replace", f"{DATA}/backup.zip"), 0)
    say("a browser, as this user, without any right")
    show(scrapy("/opt/python/bin/python", "-c", _BROWSE), 0)


_BROWSE = """
import asyncio
from playwright.async_api import async_playwright
from outsourcing_spiders.middlewares.browser_start import system_browsers
async def main():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=system_browsers()[0], chromium_sandbox=False)
        page = await browser.new_page()
        await page.set_content("<p></p><script>document.querySelector('p').textContent = 6 * 7</script>")
        print("rendered", await page.text_content("p"), "with", browser.version)
        await browser.close()
asyncio.run(main())
"""


def main() -> None:
    """Build and check, in a mount namespace of its own, so that nothing is left."""
    if os.geteuid() != 0 or sys.platform != "linux":
        sys.exit("It needs root on Linux.")
    if sys.argv[1:] != ["--inside"]:
        inside = ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, "--inside"]
        os.execvp("unshare", inside)
    from outsourcing_spiders.storage.embedded import EmbeddedPostgres

    folder = Path(tempfile.mkdtemp(prefix="dockerfile-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        image = Image(folder)
        image.build()
        with EmbeddedPostgres(folder / "postgresql") as server:
            # The container has a server beside it; this one is reached by its socket.
            socket = image.root / "run" / "postgresql-dry-run"
            socket.mkdir()
            run("mount", "--bind", server.run, socket)
            server.run.chmod(0o755)
            (server.run / ".s.PGSQL.5432").chmod(0o777)
            check(image, "postgresql://postgres@/outsourcing_spiders?host=/run/postgresql-dry-run")
        say("all is as it should be")
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", folder / "root"], check=False)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

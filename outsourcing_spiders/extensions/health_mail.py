"""Send what was found of a crawl's health by mail: an action for HEALTH_ACTIONS; it needs Spidermon."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from typing import Any, Self

from scrapy.crawler import Crawler
from spidermon.core.actions import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
    Action,
)

_PATIENCE = 15.0
"""Seconds that the mail server may take to answer each time; the crawl is over by then."""


class SendMail(Action):  # type: ignore[misc, unused-ignore]
    """Send one mail with the sentences that the log has, by Spidermon's own settings for mail.

    SPIDERMON_SMTP_HOST, SPIDERMON_EMAIL_SENDER and SPIDERMON_EMAIL_TO (several: with commas) are needed. The port is
    SPIDERMON_SMTP_PORT, else 465 with SPIDERMON_SMTP_ENFORCE_SSL, 587 with SPIDERMON_SMTP_ENFORCE_TLS, 25 without. With
    SPIDERMON_SMTP_USER and SPIDERMON_SMTP_PASSWORD it logs in, over TLS alone unless the host is this one. Spidermon's
    `SendSmtpEmail` goes through Scrapy's deprecated `scrapy.mail`, and puts the source text of a mail into a mail.
    """

    def __init__(self, settings: Any) -> None:
        super().__init__()
        needed = ("SPIDERMON_SMTP_HOST", "SPIDERMON_EMAIL_SENDER", "SPIDERMON_EMAIL_TO")
        if missing := [name for name in needed if not settings.get(name)]:
            raise ValueError(f"mail needs {' and '.join(missing)}")
        self._host, self._sender = str(settings["SPIDERMON_SMTP_HOST"]), str(settings["SPIDERMON_EMAIL_SENDER"])
        self._to = [address.strip() for address in settings.getlist("SPIDERMON_EMAIL_TO")]
        self._login = settings.get("SPIDERMON_SMTP_USER"), settings.get("SPIDERMON_SMTP_PASSWORD")
        self._ssl = settings.getbool("SPIDERMON_SMTP_ENFORCE_SSL")
        self._tls = settings.getbool("SPIDERMON_SMTP_ENFORCE_TLS")
        self._port = settings.getint("SPIDERMON_SMTP_PORT") or (465 if self._ssl else 587 if self._tls else 25)
        if self._login[0] and not (self._ssl or self._tls or self._host in ("localhost", "127.0.0.1", "::1")):
            raise ValueError("a password for mail goes over TLS alone: set SPIDERMON_SMTP_ENFORCE_TLS=1, or ..._SSL=1")

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the action; raises `ValueError` with a sentence for a setting that is missing."""
        return cls(crawler.settings)

    def run_action(self) -> None:
        """Send the mail; Spidermon logs what is raised."""
        found = self.data.stats.get("outsourcing/health/findings") or []
        names = sorted({sentence.partition(":")[0] for sentence in found})
        mail = EmailMessage()
        mail["Subject"] = f"{', '.join(names) or 'A crawl'}: not as usual"
        mail["From"], mail["To"] = self._sender, ", ".join(self._to)
        mail.set_content("\n".join(found) + "\n")
        trust = ssl.create_default_context()
        server: smtplib.SMTP
        if self._ssl:
            server = smtplib.SMTP_SSL(self._host, self._port, timeout=_PATIENCE, context=trust)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=_PATIENCE)
        with server:
            if self._tls and not self._ssl:
                server.starttls(context=trust)
            user, password = self._login
            if user:
                server.login(str(user), str(password or ""))
            server.send_message(mail)

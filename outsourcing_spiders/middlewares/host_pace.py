"""When the next request to a host may be sent. Knows no Scrapy; times are seconds of a monotonic clock."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable

from outsourcing_spiders.parsing.rate_limits import Limits, Window

_LONGEST_PAUSE = 300.0
_MOST_SLOWDOWN = 16.0
_RECOVERY = 0.25
"""What a good answer takes off the slow-down, in delays."""


class RateLimit:
    """The times of the last requests, for one window."""

    def __init__(self, window: Window, sent: Iterable[float] = ()) -> None:
        self._requests, self._seconds = window
        self._times = deque(sent, maxlen=self._requests)

    def free_at(self, crawls: int = 1) -> float:
        """Return when there is room for one more, in the share that each of so many crawls has of the window."""
        share = max(self._requests // crawls, 1)
        seconds = self._seconds * max(crawls / self._requests, 1)
        return self._times[-share] + seconds if len(self._times) >= share else 0.0

    def note(self, now: float) -> None:
        """Take in that a request is sent."""
        self._times.append(now)


class HostPace:
    """The pace of one host: a delay between requests, windows, and what the host says itself.

    `delay` is in seconds, varied by the share `jitter`; `windows` are those that its documentation grants.
    `first_pause` is kept after a refusal that does not say for how long, in seconds, and doubled with each more.
    """

    def __init__(
        self, *, delay: float = 0.0, jitter: float = 0.0, windows: Iterable[Window] = (), first_pause: float = 5.0
    ) -> None:
        self._delay = delay
        self._jitter = jitter
        self._first_pause = first_pause
        self._limits = {window: RateLimit(window) for window in windows}
        self._documented = frozenset(self._limits)
        self._sent: deque[float] = deque(maxlen=2_000)
        self._handed_out = float("-inf")
        self._gap = 0.0
        self._slowdown = 1.0
        self._held_until = 0.0
        self._why = ""
        self.crawl_delay = 0.0
        """Seconds that robots.txt asks for."""
        self.crawls = 1
        """How many crawls share this pace: each waits so many times as long."""
        self.refusals = 0
        """Refusals (429, 503) since the last good answer."""

    def send_at(self) -> float:
        """Return the earliest moment for the next request."""
        after = self._sent[-1] + self._least_gap() if self._sent else 0.0
        return max(after, self._held_until, *(limit.free_at(self.crawls) for limit in self._limits.values()), 0.0)

    def hand_out_at(self) -> float:
        """Return the earliest moment to hand out the next request, which may take a while until it is sent."""
        return max(self.send_at(), self._handed_out + self._least_gap())

    def rest(self, now: float) -> float:
        """Return for how many seconds from now the host wants to be left alone, by what its answers said."""
        # That is what it grants all of us: a share is our own affair.
        told = (limit.free_at() for window, limit in self._limits.items() if window not in self._documented)
        return max(self._held_until, *told, now) - now

    def why(self, now: float) -> str:
        """Say what is waited for at present, after "waiting 40 s: HOST …"."""
        if self._held_until > now and self._held_until >= self.send_at():
            return self._why
        windows = [window for window, limit in self._limits.items() if limit.free_at(self.crawls) >= self.send_at()]
        if windows and self.send_at() > now:
            return f"grants {windows[0][0]} requests in {windows[0][1]:g} s"
        return "wants a pause between requests"

    def note_handed_out(self, now: float) -> None:
        """Take in that a request is on its way to be sent."""
        self._handed_out = now

    def note_sent(self, now: float) -> None:
        """Take in that a request is sent."""
        self._sent.append(now)
        for limit in self._limits.values():
            limit.note(now)
        self._gap = self._slowed(self._delay) * (1 + random.uniform(-self._jitter, self._jitter))  # noqa: S311

    def note_answer(self, limits: Limits, now: float) -> None:
        """Take in a good answer, and what it says of the limits."""
        self.refusals = 0
        self._slowdown = max(self._slowdown - _RECOVERY, 1.0)
        self._learn(limits, now)

    def note_refusal(self, limits: Limits, now: float) -> float:
        """Take in a 429 or 503; return for how many seconds nothing is sent to the host."""
        self.refusals += 1
        self._slowdown = min(self._slowdown * 2, _MOST_SLOWDOWN)
        self._learn(limits, now)
        if limits.retry_after is None and self._held_until <= now:
            pause = min(self._first_pause * 2 ** (self.refusals - 1), _LONGEST_PAUSE)
            # Programs that were refused together should not come back together.
            self._hold(now + pause * random.uniform(0.75, 1.25), "said that it has had enough")  # noqa: S311
        return max(self._held_until - now, 0.0)

    def _learn(self, limits: Limits, now: float) -> None:
        for window in limits.windows:
            if window not in self._limits:
                self._limits[window] = RateLimit(window, self._sent)
        if limits.rest is not None:
            is_asked = limits.retry_after is not None
            self._hold(now + limits.rest, "asked for it" if is_asked else "has no requests left for us")

    def _hold(self, until: float, why: str) -> None:
        if until > self._held_until:
            self._held_until, self._why = until, why

    def _least_gap(self) -> float:
        return max(self._gap, self._slowed(self.crawl_delay)) * self.crawls

    def _slowed(self, delay: float) -> float:
        return min(delay * self._slowdown, max(delay, _LONGEST_PAUSE))

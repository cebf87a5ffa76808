"""How often somebody may guess: per account, per network and in all (ASVS 6.3.1).

Who is known to an account, by device or by network, has a count of their own
there, so that strangers cannot lock the owner out.
"""

from dataclasses import dataclass, field
from datetime import datetime

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter

#: Wrong passwords or codes for one account; for each known device or network a count of its own.
PER_ACCOUNT = RateLimitItemPerHour(10)
PER_NETWORK = RateLimitItemPerHour(50)
#: From everywhere nobody knows, for all accounts together.
IN_ALL = RateLimitItemPerMinute(100, 10)
#: Mails about a lost password to one address.
MAILS = RateLimitItemPerHour(3)

Bucket = tuple[RateLimitItem, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Guess:
    """One try: the counts that may refuse it, and those that only note it."""

    limiter: FixedWindowRateLimiter
    enforced: tuple[Bucket, ...]
    noted: tuple[Bucket, ...] = field(default=())

    def is_allowed(self) -> bool:
        """Count the try where none of its counts is used up; whether it may go on. Refused ones cost no write."""
        if not all(self.limiter.test(limit, *names) for limit, names in self.enforced):
            return False
        # Two at once may both have passed the look above: what the count says then decides.
        passed = [self.limiter.hit(limit, *names) for limit, names in self.enforced]
        for limit, names in self.noted:
            self.limiter.hit(limit, *names)
        return all(passed)

    def give_back(self) -> None:
        """It was right: only wrong ones count."""
        for limit, names in (*self.enforced, *self.noted):
            self.limiter.hit(limit, *names, cost=-1)

    def seconds_left(self, now: datetime) -> int:
        """How long until a refused try may be repeated."""
        ends = [
            self.limiter.get_window_stats(limit, *names).reset_time
            for limit, names in self.enforced
            if not self.limiter.test(limit, *names)
        ]
        return max(1, round(max(ends, default=now.timestamp()) - now.timestamp()))


def password_guess(
    limiter: FixedWindowRateLimiter, subject: str, *, network: str, device: str | None, knows_network: bool
) -> Guess:
    """A password for ``subject``; ``device`` is the mark of one that is known to the account, else None."""
    account: Bucket = (PER_ACCOUNT, ("password", subject))
    here: Bucket = (PER_NETWORK, ("network", network))
    everywhere: Bucket = (IN_ALL, ("everywhere",))
    if device is not None:
        own: Bucket = (PER_ACCOUNT, ("password", subject, "device", device))
        return Guess(limiter=limiter, enforced=(own,), noted=(account, here, everywhere))
    if knows_network:
        own = (PER_ACCOUNT, ("password", subject, "network", network))
        # The network's own count holds here too: whom an account knows must not show in it.
        return Guess(limiter=limiter, enforced=(own, here), noted=(account, everywhere))
    return Guess(limiter=limiter, enforced=(account, here, everywhere))


def own_guess(limiter: FixedWindowRateLimiter, what: str, account_id: int, device: str) -> Guess:
    """A code or a current password within a session of the account: it knew the password already."""
    return Guess(limiter=limiter, enforced=((PER_ACCOUNT, (what, str(account_id), device)),))


def lost_guess(limiter: FixedWindowRateLimiter, *, network: str) -> Guess:
    """A request for a mail: a network asks so often, whatever it asks for."""
    return Guess(limiter=limiter, enforced=((PER_NETWORK, ("lost", network)), (IN_ALL, ("lost everywhere",))))


def mail_guess(limiter: FixedWindowRateLimiter, subject: str) -> Guess:
    return Guess(limiter=limiter, enforced=((MAILS, ("mail", subject)),))

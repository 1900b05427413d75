"""When the nightly housekeeping is due. Local time, because it is people's nights that are spared."""

from datetime import date, datetime, time, timedelta

_AT = time(3)
_SOON = timedelta(minutes=5)
_LONG_AGO = timedelta(hours=25)
"""Since the last time: a night was missed."""


def first_due(now: datetime, *, last: datetime | None, share: float) -> datetime:
    """When a process that has just started is to begin: soon where a night was missed, else in the next night.

    `share` from 0 to 1 spreads many workers over as many seconds or minutes; times are aware.
    """
    if last is None or now - last >= _LONG_AGO:
        return now + _SOON * (1 + share)
    return next_due(now, share=share)


def next_due(now: datetime, *, share: float) -> datetime:
    """The next three o'clock of local time and up to half an hour."""
    local = now.astimezone()
    tonight = _night_of(local.date())
    if tonight <= now:
        tonight = _night_of(local.date() + timedelta(days=1))
    return tonight + timedelta(minutes=30) * share


def _night_of(day: date) -> datetime:
    return datetime.combine(day, _AT).astimezone()  # a date without a zone is taken for local time

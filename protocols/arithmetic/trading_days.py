"""Trading days that begin at a time of the clock in a place, whatever daylight saving does there."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

_SECOND_NS = 1_000_000_000


class TradingDays:
    """Numbers days by the local date on which they begin, in days since 1970.

    A start that daylight saving skips is as long after midnight as it would have been without; of one that comes twice, the first
    counts. So each date begins one day, and the days of a change of clocks have 23 or 25 hours.

    Args:
        starts: `HH:MM` on the clock of the zone.
        zone: IANA name, such as `UTC` or `Europe/Zurich`.

    Raises:
        ZoneInfoNotFoundError: there is no such zone.
        ValueError: one of both is not of its form.
    """

    def __init__(self, starts: str, zone: str) -> None:
        self._starts = time.fromisoformat(starts)
        self._zone: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)
        self._day = -1
        self._from_ns = self._until_ns = 0

    def day_of(self, venue_time_ns: int) -> int:
        """The trading day at an instant (nanoseconds since 1970)."""
        if not self._from_ns <= venue_time_ns < self._until_ns:
            local = datetime.fromtimestamp(venue_time_ns // _SECOND_NS, self._zone).date()
            # It began on the date of the instant or on the one before; on the one after where clocks went back over midnight.
            after = local.toordinal() - EPOCH_ORDINAL + 1
            self._day = next(day for day in range(after, after - 4, -1) if self.begins_ns(day) <= venue_time_ns)
            self._from_ns, self._until_ns = self.begins_ns(self._day), self.begins_ns(self._day + 1)
        return self._day

    def begins_ns(self, day: int) -> int:
        """The instant at which a day begins."""
        local = datetime.combine(date.fromordinal(day + EPOCH_ORDINAL), self._starts, self._zone)
        since = local.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return since // timedelta(seconds=1) * _SECOND_NS

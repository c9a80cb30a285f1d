"""Every indicator of the whole core after three recorded minutes of BTCUSDT and ETHUSDT, against pandas, numpy and scipy.

Books are the recorded best bids and asks, our orders and fills are recorded prints, marks and equity follow from the recorded mids.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pytest
from account_samples import MS, VENUE_OFFSET_NS, S, equity, instrument, lease_request, mark, position, settings, spec
from scipy import stats
from shared_data import shared_path

from actors.risk_monitor.core import RiskMonitorCore
from configs.schema import Indicator
from protocols.effects import TimerFired
from protocols.messages.control import EpochAnnounced
from protocols.messages.inventory import PnlChanged
from protocols.messages.market import BookTop, FeedState, FeedStatus, VenueClock
from protocols.messages.orders import OrderAccepted, OrderCanceled, OrderExpired, OrderFilled, OrderRejected, RateUsage
from protocols.values import RateLimits, Side, make_instrument_id
from protocols.venue import AccountAnswered, MarginReport, QueryAccount, Usage

YEAR_S = 365 * 86_400
EQUITY = 100_000.0
LOTS = {"BTCUSDT": 40, "ETHUSDT": -600}
"""Positions that are held all the time: 0.04 BTC, -0.6 ETH."""
PREMIUM, FUNDING = Decimal("1.0003"), Decimal("0.0001")
MAINTENANCE, BALANCE = Decimal(180), Decimal(99_500)
POST_ONLY_REFUSED, TICK_WRONG, OVERLOADED = -5022, -4014, -1008
IDS = {symbol: make_instrument_id("binance_usdm", "main", symbol) for symbol in LOTS}
TIMER_NS, SAMPLE_NS = 100 * MS, S

ELSEWHERE = {"position_difference", "order_difference", "equity_difference", "blind", "adl_quantile"}
"""What our own eyes see (test_own_eyes.py): ages of differences, and the venue's own number."""


class Print(NamedTuple):
    at_ns: int
    symbol: str
    price: float
    quantity: float
    sold: bool


@cache
def recorded() -> tuple[pd.DataFrame, list[Print]]:
    """Best bids and asks, a microsecond apart at least, and prints, by local receive time from zero on."""
    books, prints = [], []
    for symbol in LOTS:
        path = shared_path(f"data/usdm-btc-eth-20240718/usdm_{symbol.lower()}_20240718.gz")
        with gzip.open(path) as file:
            for line in file:
                at, _, frame = line.partition(b" ")
                event = msgspec.json.decode(frame).get("data", {})
                if event.get("e") == "bookTicker":
                    numbers = [float(event[key]) for key in ("b", "B", "a", "A")]
                    books.append((int(at), symbol, *numbers))
                elif event.get("e") == "trade":
                    prints.append(Print(int(at), symbol, float(event["p"]), float(event["q"]), event["m"]))
    frame = pd.DataFrame(books, columns=["at", "symbol", "bid", "bid_size", "ask", "ask_size"]).sort_values("at")
    began = int(frame["at"].iloc[0])
    frame["at"] = frame["at"] - began + S
    frame = frame[frame.groupby("symbol")["at"].diff().fillna(MS) >= 1_000].reset_index(drop=True)
    ordered = sorted(one._replace(at_ns=one.at_ns - began + S) for one in prints)
    return frame, [one for one in ordered if S < one.at_ns < int(frame["at"].iloc[-1])]


def of_tick(symbol: str) -> float:
    return 0.1 if symbol == "BTCUSDT" else 0.01


class Told(NamedTuple):
    """What the core was told, for those who compute it again."""

    orders: pd.DataFrame
    fills: pd.DataFrame
    usage: pd.DataFrame
    worth: pd.Series
    shown: Any
    end_ns: int


class Replay:
    """The core, told everything in the order of its time."""

    def __init__(self) -> None:
        made = tuple(
            instrument(i, base_asset=s[:3], quote_asset="USDT", margin_asset="USDT", tick_size=Decimal(str(of_tick(s))))
            for s, i in IDS.items()
        )
        own = settings(
            symbols=tuple(LOTS),
            risk={"estimators": {"volatility_short_ms": 30_000, "volatility_long_ms": 120_000}},
        )
        self.core = RiskMonitorCore(
            spec("risk_monitor", (tuple(IDS.values()),), instruments=made, rate_limits=RateLimits()), own
        )
        self.now_ns = 0
        self.seq = 0
        self.mids: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.marks: dict[str, Decimal] = {}
        self.orders: list[tuple[Any, ...]] = []
        self.fills: list[tuple[Any, ...]] = []
        self.usage: list[tuple[int, int, int, int]] = []
        self.worth: list[tuple[int, float]] = []
        self.core.start(self.now_ns)
        self.tell(
            EpochAnnounced(name="order_manager-0", shard=0, epoch=5, announced_ns=0),
            VenueClock(offset_ns=VENUE_OFFSET_NS, error_ns=0, sampled_ns=0),
        )

    def tell(self, *messages: Any) -> None:
        for message in messages:
            for effect in self.core.handle(message, self.now_ns):
                request = getattr(effect, "request", None)
                if isinstance(request, QueryAccount):
                    self.tell(self._account(request.request_id))

    def _account(self, request_id: int) -> AccountAnswered:
        margin = MarginReport(
            asset="USDT", margin_balance=BALANCE, maintenance_margin=MAINTENANCE, available_balance=BALANCE
        )
        return AccountAnswered(request_id=request_id, received_ns=self.now_ns, usage=Usage(), assets=(margin,))

    def book(self, row: Any) -> None:
        tick, instrument_id = of_tick(row.symbol), IDS[row.symbol]
        self.mids[row.symbol] = (row.bid + row.ask) / 2
        self.first.setdefault(row.symbol, self.mids[row.symbol])
        self.tell(
            BookTop(
                instrument_id=instrument_id,
                instrument_version=1,
                update_id=1,
                venue_time_ns=self.now_ns,
                received_ns=self.now_ns,
                bids=((round(row.bid / tick), round(row.bid_size * 1_000)),),
                asks=((round(row.ask / tick), round(row.ask_size * 1_000)),),
            )
        )

    def second(self) -> None:
        """Marks, positions, equity, feeds and the lease, once a second."""
        for symbol, instrument_id in IDS.items():
            self.marks[symbol] = Decimal(str(round(self.mids[symbol], 4))) * PREMIUM
            told = mark(str(self.marks[symbol]), self.now_ns, instrument_id)
            feed = FeedStatus(
                instrument_id=instrument_id, state=FeedState.LIVE, update_id=1, confirmed_ns=self.now_ns, since_ns=0
            )
            pnl = self.pnl(symbol)
            self.tell(
                msgspec.structs.replace(told, funding_rate=FUNDING),
                position(LOTS[symbol], instrument_id),
                feed,
                PnlChanged(
                    instrument_id=instrument_id,
                    realised=Decimal(-7),
                    unrealised=Decimal(str(pnl)),
                    fees=Decimal("1.5"),
                    funding=Decimal("0.25"),
                    net=Decimal(str(pnl)) - Decimal("8.25"),
                    valued_ns=self.now_ns,
                ),
            )
        worth = round(EQUITY + sum(map(self.pnl, LOTS)), 6)
        self.worth.append((self.now_ns, worth))
        self.tell(equity(str(worth), self.now_ns), lease_request(self.now_ns // S, self.now_ns))

    def pnl(self, symbol: str) -> float:
        return round(LOTS[symbol] / 1_000 * (self.mids[symbol] - self.first[symbol]), 6)

    def print(self, number: int, trade: Print) -> None:
        """Every third print is an order of ours two seconds before; they end in turn filled, half filled, cancelled, refused."""
        of: dict[str, Any] = {
            "shard": 0,
            "instrument_id": IDS[trade.symbol],
            "client_order_id": f"rm1-5-000-{number}",
            "venue_order_id": number,
            "venue_time_ns": self.now_ns,
            "side": Side.BUY if trade.sold else Side.SELL,
        }
        ticks, lots = round(trade.price / of_tick(trade.symbol)), max(round(trade.quantity * 1_000), 2)
        kind = ("filled", "canceled", "half", "refused", "expired", "post only")[number % 6]
        self.orders.append((self.now_ns, trade.symbol, kind, ticks * of_tick(trade.symbol), lots))
        match kind:
            case "refused" | "post only":
                code = POST_ONLY_REFUSED if kind == "post only" else (TICK_WRONG, OVERLOADED)[number % 4 // 2]
                self.orders[-1] = (*self.orders[-1][:2], f"{kind} {code}", *self.orders[-1][3:])
                self.seq += 1
                self.tell(OrderRejected(event_seq=self.seq, **of, venue_code=code, text=""))
            case _:
                self.seq += 1
                self.tell(OrderAccepted(event_seq=self.seq, **of, price_ticks=ticks, quantity_lots=lots))
                self.ends.append((self.now_ns + (300 + 170 * (number % 23)) * MS, kind, of, ticks, lots))

    ends: list[tuple[int, str, dict[str, Any], int, int]]

    def end(self, kind: str, of: dict[str, Any], ticks: int, lots: int) -> None:
        self.seq += 1
        filled = {"filled": lots, "half": lots // 2}.get(kind, 0)
        if filled:
            self.fills.append((self.now_ns, of["client_order_id"], of["side"].sign, filled))
            self.tell(
                OrderFilled(
                    event_seq=self.seq,
                    **of,
                    trade_id=self.seq,
                    price_ticks=ticks,
                    quantity_lots=filled,
                    remaining_lots=lots - filled,
                    fee=Decimal(0),
                    fee_asset="USDT",
                    maker=True,
                    ours=True,
                )
            )
            self.seq += 1
        if kind == "expired":
            self.tell(OrderExpired(event_seq=self.seq, **of, filled_lots=0, reason=""))
        elif kind != "filled":
            self.tell(OrderCanceled(event_seq=self.seq, **of, filled_lots=filled))
        else:
            self.seq -= 1

    def run(self) -> Told:
        books, prints = recorded()
        self.ends = []
        happenings: list[tuple[int, int, Callable[[], None]]] = [
            (row.at, 0, lambda row=row: self.book(row)) for row in books.itertuples()
        ]
        happenings += [
            (one.at_ns, 1, lambda number=number, one=one: self.print(number, one))
            for number, one in enumerate(prints[::3])
        ]
        end_ns = int(books["at"].iloc[-1])
        ticks = range(2 * S, end_ns, TIMER_NS)
        happenings += [(at_ns, 2, self.second) for at_ns in range(2 * S, end_ns, S)]
        happenings += [(at_ns, 3, lambda: self.tell(TimerFired(name="judge"))) for at_ns in ticks]
        happenings += [(at_ns, 4, self.report) for at_ns in range(2 * S, end_ns, S // 4)]
        for at_ns, _, happen in sorted(happenings, key=lambda one: one[:2]):
            for due in sorted((one for one in self.ends if one[0] <= at_ns), key=lambda one: one[0]):
                self.ends.remove(due)
                self.now_ns = due[0]
                self.end(*due[1:])
            self.now_ns = at_ns
            happen()
        return Told(
            pd.DataFrame(self.orders, columns=["at", "symbol", "kind", "price", "lots"]),
            pd.DataFrame(self.fills, columns=["at", "order", "sign", "lots"]),
            pd.DataFrame(self.usage, columns=["at", "answers", "failures", "us"]),
            pd.Series(dict(self.worth)),
            self.core.snapshot(),
            end_ns,
        )

    def report(self) -> None:
        """Calls and their times, from how late the recorded prints were."""
        done = len(self.orders)
        total_us = sum(1_000 + at % 7_919 for at, *_ in self.orders)
        failed = sum(kind.endswith(str(OVERLOADED)) for _, _, kind, _, _ in self.orders)
        self.usage.append((self.now_ns, done, failed, total_us))
        self.tell(
            RateUsage(
                shard=0,
                weight_used_1m=1,
                orders_used_10s=30,
                orders_used_1m=600,
                observed_ns=self.now_ns,
                answers_total=done,
                failures_total=failed,
                round_trip_us_total=total_us,
            )
        )


@cache
def told() -> Told:
    return Replay().run()


def mids(symbol: str) -> pd.Series:
    books, _ = recorded()
    own = books[books["symbol"] == symbol]
    return pd.Series(((own["bid"] + own["ask"]) / 2).to_numpy(), index=own["at"].to_numpy())


def sample_times() -> np.ndarray:
    return np.arange(2 * S, told().end_ns, SAMPLE_NS)


def returns(symbol: str) -> tuple[np.ndarray, float, float]:
    """Returns of whole seconds; the return of the one that is not over and the share of it at the last book."""
    own = mids(symbol)
    sampled = np.log(own.asof(sample_times()).to_numpy())
    last_ns = int(own.index[-1])
    return np.diff(sampled), float(np.log(own.iloc[-1]) - sampled[-1]), (last_ns - sample_times()[-1]) / SAMPLE_NS


def realised(symbol: str, seconds: int) -> float:
    whole, moved, share = returns(symbol)
    squares = pd.Series(whole**2).tail(seconds)
    return math.sqrt((squares.sum() + moved**2) / (len(squares) + share) * YEAR_S)


def ewma(symbol: str) -> float:
    own = mids(symbol)
    own = own[own.index > 0]
    times = own.index.to_numpy().astype(float)
    steps = np.diff(times)
    squares = np.diff(np.log(own.to_numpy())) ** 2 * 1e9 / steps
    weights = 0.5 ** ((times[-1] - times[1:]) / 60e9) - 0.5 ** ((times[-1] - times[:-1]) / 60e9)
    return math.sqrt(float(np.average(squares, weights=weights)) * YEAR_S)


def against_usual(symbol: str, values: pd.Series) -> float:
    """The last value by the time-weighted average, half-life 5 min, of what held before it."""
    times = values.index.to_numpy().astype(float)
    weights = 0.5 ** ((times[-2] - times[1:-1]) / 300e9) - 0.5 ** ((times[-2] - times[:-2]) / 300e9)
    return float(values.iloc[-1] / np.average(values.to_numpy()[:-2], weights=weights))


def spread(symbol: str) -> pd.Series:
    books, _ = recorded()
    own = books[books["symbol"] == symbol]
    return pd.Series((own["ask"] - own["bid"]).to_numpy(), index=own["at"].to_numpy())


def depth(symbol: str) -> pd.Series:
    books, _ = recorded()
    own = books[books["symbol"] == symbol]
    return pd.Series(own[["bid_size", "ask_size"]].min(axis=1).to_numpy(), index=own["at"].to_numpy())


def last_mark(symbol: str) -> float:
    return float(mids(symbol).asof(sample_times()[-1])) * float(PREMIUM)


def exposures() -> np.ndarray:
    return np.array([LOTS[symbol] / 1_000 * last_mark(symbol) for symbol in LOTS])


def covariance() -> np.ndarray:
    found = [returns(symbol) for symbol in LOTS]
    whole = np.vstack([one[0] for one in found]).T
    weights = 0.5 ** (np.arange(len(whole))[::-1] / 600)
    first = 0.5 ** (len(whole) / 600)  # the first sample is of no return yet, but counts as one
    moved = np.array([one[1] for one in found])
    share = max(found, key=lambda one: one[2])[2]
    total = (whole * weights[:, None]).T @ whole + np.outer(moved, moved)
    return np.asarray(total / (weights.sum() + first + share))


def limit() -> float:
    return 50_000.0


def orders_of(symbol: str) -> pd.DataFrame:
    orders = told().orders
    return orders[orders["symbol"] == symbol]


def placed(symbol: str) -> pd.DataFrame:
    own = orders_of(symbol)
    return own[own["kind"].isin(["filled", "half", "canceled", "expired"])]


def ended_share(symbol: str) -> float:
    """Cancelled within two seconds of their placing, of all that were placed."""
    own = placed(symbol)
    numbers = own.index.to_numpy()
    lived_ms = 300 + 170 * (numbers % 23)
    over = own["at"].to_numpy() + lived_ms * MS <= told().end_ns
    return float((own["kind"].isin(["canceled", "half"]).to_numpy() & (lived_ms < 2_000) & over).mean())


def fills_of(symbol: str) -> pd.DataFrame:
    numbers = told().fills["order"].str.rsplit("-", n=1).str[-1].astype(int)
    found = told().fills.assign(number=numbers)
    return found[found["number"].isin(orders_of(symbol).index)].join(orders_of(symbol)[["price"]], on="number")


def unfilled(symbol: str) -> float:
    return 1 - float(fills_of(symbol)["lots"].sum() / placed(symbol)["lots"].sum())


def dust(symbol: str) -> float:
    own = placed(symbol)
    return float((own["price"] * own["lots"] / 1_000 < 50).mean())


def refused(symbol: str, codes: tuple[int, ...]) -> float:
    own = orders_of(symbol)
    asked = own[~own["kind"].str.startswith("post only")]
    return float(asked["kind"].isin([f"refused {code}" for code in codes]).mean())


def took_s(symbol: str) -> float:
    own = fills_of(symbol)
    took = (own["at"] - orders_of(symbol).loc[own["number"], "at"].to_numpy()) / 1e9
    return float(took.ewm(alpha=0.1, adjust=False).mean().iloc[-1])


def markout(symbol: str) -> float:
    own = fills_of(symbol)
    later = pd.DataFrame({"due": own["at"] + 5 * S, "sign": own["sign"], "price": own["price"]}).sort_values("due")
    series = mids(symbol)
    books = pd.DataFrame({"at": series.index.to_numpy(), "mid": series.to_numpy()})
    joined = pd.merge_asof(later, books, left_on="due", right_on="at", direction="forward").dropna()
    return float((joined["sign"] * (joined["mid"] / joined["price"] - 1) * 1e4).tail(100).mean())


def unrealised(symbol: str, since: int | None = None) -> float:
    """As it was said last, since the first book or a later time."""
    own = mids(symbol)
    return LOTS[symbol] / 1_000 * float(own.asof(sample_times()[-1]) - own.asof(since or own.index[0]))


def still_open(symbol: str) -> pd.DataFrame:
    own = placed(symbol)
    return own[own["at"].to_numpy() + (300 + 170 * (own.index.to_numpy() % 23)) * MS > told().end_ns]


def open_lots(symbol: str, sign: int) -> int:
    _, prints = recorded()
    own = still_open(symbol)
    bought = np.array([prints[::3][number].sold for number in own.index], dtype=bool)
    return int(own["lots"][bought if sign > 0 else ~bought].sum())


def last_tick_ns() -> int:
    return int(np.arange(2 * S, told().end_ns, TIMER_NS)[-1])


def mark_changed_ns(symbol: str) -> int:
    """When the mark became what it is."""
    marks = mids(symbol).asof(sample_times()).round(4)
    return int(marks.index[marks.diff() != 0][-1])


def calls() -> pd.DataFrame:
    usage = told().usage
    since = usage[usage["at"] <= usage["at"].iloc[-1] - 60 * S].iloc[-1]
    return usage.iloc[-1] - since


SYMBOL: dict[str, Callable[[str], float]] = {
    "position": lambda s: abs(LOTS[s] / 1_000 * last_mark(s)) / 10_000,
    "volatility_short": lambda s: realised(s, 30),
    "volatility_long": lambda s: realised(s, 120),
    "volatility_ratio": lambda s: realised(s, 30) / realised(s, 120),
    "volatility_ewma": ewma,
    "spread_ratio": lambda s: against_usual(s, spread(s)),
    "depth_ratio": lambda s: against_usual(s, depth(s)),
    "mark_gap": lambda s: abs(last_mark(s) / float(mids(s).iloc[-1]) - 1) * 1e4,
    "mark_age": lambda s: (last_tick_ns() - sample_times()[-1]) / 1e9,
    "book_age": lambda s: (last_tick_ns() - sample_times()[-1]) / 1e9,
    "mark_still": lambda s: (last_tick_ns() - mark_changed_ns(s)) / 1e9,
    "worst_long": lambda s: max(LOTS[s] + open_lots(s, 1), 0) / 1_000 * last_mark(s) / 10_000,
    "worst_short": lambda s: max(open_lots(s, -1) - LOTS[s], 0) / 1_000 * last_mark(s) / 10_000,
    "open_orders": lambda s: len(still_open(s)) / 32,
    "hourly_pnl": lambda s: unrealised(s, since=2 * S) / EQUITY,
    "funding_ahead": lambda s: LOTS[s] / 1_000 * last_mark(s) * float(FUNDING) / EQUITY,
    "cancel_ratio": ended_share,
    "unfilled_ratio": unfilled,
    "dust_ratio": dust,
    "reject_ratio": lambda s: refused(s, (TICK_WRONG, OVERLOADED)),
    "invalid_ratio": lambda s: refused(s, (TICK_WRONG,)),
    "fill_rate": lambda s: len(fills_of(s)) / 10,
    "time_to_fill": took_s,
    "adverse_selection": markout,
    "realised_pnl": lambda s: (-7 - 1.5 + 0.25) / EQUITY,
    "unrealised_pnl": lambda s: unrealised(s) / EQUITY,
}
ACCOUNT: dict[str, Callable[[], float]] = {
    "worst_long": lambda: sum(SYMBOL["worst_long"](s) for s in LOTS) / 5,
    "worst_short": lambda: sum(SYMBOL["worst_short"](s) for s in LOTS) / 5,
    "gross_exposure": lambda: float(np.abs(exposures()).sum()) / limit(),
    "net_exposure": lambda: abs(float(exposures().sum())) / limit(),
    "concentration": lambda: float(np.abs(exposures()).max()) / limit(),
    "value_at_risk": lambda: float(
        stats.norm(scale=math.sqrt(exposures() @ covariance() @ exposures() * 3_600)).ppf(0.95) / told().worth.iloc[-1]
    ),
    "correlated_exposure": lambda: float(
        math.sqrt(
            exposures() @ (covariance() / np.sqrt(np.outer(np.diag(covariance()), np.diag(covariance())))) @ exposures()
        )
        / limit()
    ),
    "drawdown": lambda: float((told().worth.cummax() - told().worth).iloc[-1] / (told().worth.max() * 0.5)),
    "daily_loss": lambda: float(told().worth.iloc[0] - told().worth.iloc[-1]) / 1_000,
    "hourly_pnl": lambda: float((told().worth.iloc[-1] - told().worth.iloc[0]) / told().worth.iloc[-1]),
    "margin_usage": lambda: float(MAINTENANCE / BALANCE),
    "liquidation_distance": lambda: min(float(BALANCE - MAINTENANCE) / float(np.abs(exposures()).sum()), 10.0),
    "order_rate": lambda: max(30 / RateLimits().orders_10s, 600 / RateLimits().orders_1m),
    "round_trip": lambda: float(calls()["us"] / calls()["answers"] / 1_000),
    "error_rate": lambda: float(calls()["failures"] / calls()["answers"]),
    "realised_pnl": lambda: 2 * (-7 - 1.5 + 0.25) / told().worth.iloc[-1],
    "unrealised_pnl": lambda: sum(map(unrealised, LOTS)) / told().worth.iloc[-1],
}


def test_no_indicator_is_left_out() -> None:
    assert {*SYMBOL, *ACCOUNT, *ELSEWHERE} == {indicator.value for indicator in Indicator}


@pytest.mark.parametrize("symbol", list(LOTS))
@pytest.mark.parametrize("name", list(SYMBOL))
def test_an_indicator_of_a_symbol_is_what_a_scientific_library_makes_of_the_recording(symbol: str, name: str) -> None:
    assert told().shown.symbols[symbol].indicators[name].value == pytest.approx(
        SYMBOL[name](symbol), rel=1e-6, abs=1e-9
    )


@pytest.mark.parametrize("name", list(ACCOUNT))
def test_an_indicator_of_the_account_is_what_a_scientific_library_makes_of_the_recording(name: str) -> None:
    assert told().shown.indicators[name].value == pytest.approx(ACCOUNT[name](), rel=1e-6, abs=1e-9)

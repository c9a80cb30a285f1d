"""A live system that is about to be hurt: what it looks like from outside, and the waiting for it."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable
from decimal import Decimal

import msgspec

from actors.exchange.ledger import LedgerRecord, SymbolListed, TopSampled
from actors.runtime.journal import AnyRecord, JournalError, read_journal
from actors.runtime.state_dir import StateDir
from configs.schema import Settings
from ops.chaos.following import Following
from ops.chaos.measuring import RaisedAlert, quotes_now, quoting_again_t, read_alerts
from ops.chaos.observing import Scene, observe
from ops.chaos.proxy.handle import Proxy
from ops.chaos.rows import Row
from ops.chaos.stage import Stage, StageFailed
from ops.chaos.webhook import LocalWebhook
from ops.invariants.history import Verdict
from ops.launch import NotRunning, RayHostError, SupervisorClient, status_of
from protocols.client_order_id import parse_client_order_id

QUOTES_S_MAX = 30.0
STEADY_S = 3.0
"""Quoting undisturbed before the first fault."""

AGAIN_S = 0.5
"""The same before a further one, after SETTLE_S."""

SETTLE_S = 2.0
"""Watching goes on for so long after everything was seen."""

LOOK_S = 0.1
HEAR_S = 0.1
TOUCH_LOOK_S = 0.005
FILE_LOOK_S = 0.002
COMMAND_S_MAX = 60.0
SAID_MAX = 500
"""Characters of a command's output that are kept."""


class Told(msgspec.Struct, kw_only=True):
    """What the player of a row knows besides the files."""

    scene: Scene
    detected_s: float | None = None
    checks: list[Verdict] = []
    notes: list[str] = []


class Live:
    """One running system on its stage; `client` is there unless a command of the command line runs it."""

    def __init__(self, stage: Stage, settings: Settings, client: SupervisorClient | None = None) -> None:
        self.stage = stage
        self.settings = settings
        self._client = client
        self._following = {stage.state.journal(shard): Following() for shard in range(settings.shards)}

    @property
    def state(self) -> StateDir:
        """Its state directory."""
        return self.stage.state

    @property
    def client(self) -> SupervisorClient:
        """The way to its supervisor."""
        assert self._client is not None
        return self._client

    @property
    def webhook(self) -> LocalWebhook:
        """Where its alerts are posted."""
        assert self.stage.webhook is not None
        return self.stage.webhook

    @property
    def proxy(self) -> Proxy:
        """Between it and the venue."""
        assert self.stage.proxy is not None
        return self.stage.proxy

    def is_ours(self, client_order_id: str) -> bool:
        """Whether an order at the venue is of this system."""
        parsed = parse_client_order_id(client_order_id)
        return parsed is not None and parsed.install == self.settings.install

    def ledger(self) -> list[LedgerRecord]:
        """The venue's ledger so far."""
        return self.stage.tail.read()

    def alerts(self) -> list[RaisedAlert]:
        """The alert log so far."""
        return alerts_of(self.state)

    def instrument(self, symbol: str) -> SymbolListed:
        """The venue's units of a symbol."""
        return next(r for r in self.ledger() if isinstance(r, SymbolListed) and r.symbol == symbol)

    def best_bid(self, symbol: str) -> Decimal:
        """The market's, without our orders."""
        tops = (r.bid for r in reversed(self.ledger()) if isinstance(r, TopSampled) and r.symbol == symbol)
        return next(bid for bid in tops if bid is not None)

    def scene(self, row: Row, names: tuple[str, ...]) -> Scene:
        """Begins now: the fault is put in right after."""
        fault_ns, fault_t = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns()
        restarted = next((name for name in names if row.restarted and name.startswith(row.restarted)), "")
        return Scene(
            symbols=self.settings.symbols,
            hurt=self.settings.symbols,
            names=names,
            restarted=restarted,
            lease_ns=self.settings.risk.lease_ms * 1_000_000,
            fault_ns=fault_ns,
            fault_t=fault_t,
            end_t=fault_t,
        )

    def is_served(self) -> bool:
        """Whether its supervisor answers."""
        try:
            return bool(status_of(self.client))
        except (RayHostError, NotRunning):
            return False

    def hear(self) -> None:
        """Take in what the journals say by now."""
        for path, following in self._following.items():
            with contextlib.suppress(JournalError):  # a reader may meet a file that is being made
                records = read_journal(path, AnyRecord, following.seq + 1)
                following.take(list(records), time.time_ns())

    def follow(self, scene: Scene) -> Scene:
        """The scene with what the journals say by now of what was touched."""
        self.hear()
        touched = tuple(
            next((known for f in self._following.values() if (known := f.known(each)).known_t is not None), each)
            for each in scene.touched
        )
        return msgspec.structs.replace(scene, touched=touched)

    def wait(self, seconds: float, holds: Callable[[], bool] = lambda: False) -> bool:
        """Wait until something holds, with an ear for the journals; false when it did not in time."""
        deadline = time.monotonic() + seconds
        heard_s = 0.0
        while not (held := holds()) and (left := deadline - time.monotonic()) > 0:
            if time.monotonic() - heard_s > HEAR_S:
                self.hear()
                heard_s = time.monotonic()
            time.sleep(min(TOUCH_LOOK_S, left))
        return held

    def await_quotes(self, steady_s: float = STEADY_S, patience_s: float = QUOTES_S_MAX) -> None:
        """Return when every symbol has rested on both sides, `steady_s` more are over, and they do so now.

        Raises:
            StageFailed: that did not happen within `patience_s`.
        """
        symbols = self.settings.symbols
        deadline = time.monotonic() + patience_s
        first_s: float | None = None
        while True:
            if first_s is None and quoting_again_t(self.ledger(), self.is_ours, symbols, 0) is not None:
                first_s = time.monotonic()
            if first_s is not None and time.monotonic() >= first_s + steady_s:
                if quotes_now(self.ledger(), self.is_ours, symbols):
                    return
                time.sleep(FILE_LOOK_S)
            else:
                time.sleep(LOOK_S)
            if time.monotonic() > deadline:
                raise StageFailed(f"no steady quotes on both sides of every symbol within {patience_s:.0f} s")

    def watch(self, row: Row, scene: Scene) -> Scene:
        """Look at the files until everything was seen and SETTLE_S more are over, at most `watch_s`; the scene then."""
        deadline = time.monotonic() + row.watch_s
        settled = False
        while not settled and time.monotonic() < deadline:
            time.sleep(LOOK_S)
            scene = self.follow(msgspec.structs.replace(scene, end_t=time.time_ns()))
            figures = observe(row, scene, self.ledger(), self.alerts(), self.is_ours)
            wanted = [figures.quoting_s] if row.quotes_again else []
            wanted += [figures.safe_s] if row.bounds.safe_s is not None else []
            wanted += [figures.detected_s] if row.alerts else []
            settled = all(figure is not None for figure in wanted)
        time.sleep(SETTLE_S)
        return msgspec.structs.replace(scene, end_t=time.time_ns())


def alerts_of(state: StateDir) -> list[RaisedAlert]:
    """The alert log of a state directory."""
    with contextlib.suppress(FileNotFoundError):
        return read_alerts(state.log("alerts").read_bytes().splitlines())
    return []


def ended(process: subprocess.Popen[str], patience_s: float = COMMAND_S_MAX) -> tuple[str, int]:
    """Output and exit code of a command, which is killed when it takes longer."""
    try:
        output, _ = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    return output, process.returncode


def later(scene: Scene, by_ns: int) -> Scene:
    """The same scene with a fault that came later than was thought, on both clocks."""
    return msgspec.structs.replace(scene, fault_ns=scene.fault_ns + by_ns, fault_t=scene.fault_t + by_ns)


def verdict(name: str, held: bool, text: str) -> Verdict:
    """A check of one thing."""
    return Verdict(name=name, held=held, checked=1, violations=() if held else (text.strip()[-SAID_MAX:],))


def seconds_after(scene: Scene) -> float:
    """Seconds since the fault."""
    return (time.time_ns() - scene.fault_t) / 1_000_000_000

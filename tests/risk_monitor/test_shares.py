"""Shares of the account's limit: what three shards may hold together is never more than the account's."""

from __future__ import annotations

from decimal import Decimal

from account_samples import MS, START_NS, lease_request
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.risk_monitor.memory import GrantRecord
from actors.risk_monitor.shares import GRANTS_MAX, ShareLedger, wanted_shares

LIMIT = Decimal(100)
LAPSE_NS = 2_500 * MS


def ledger(shards: int = 2) -> ShareLedger:
    return ShareLedger(LIMIT, shards, LAPSE_NS)


def give(shares: ShareLedger, wanted: int, **request: object) -> Decimal:
    asked = lease_request(1, **request)  # type: ignore[arg-type]
    shares.report(asked)
    return shares.grant(asked, Decimal(wanted)).amount


def test_a_raise_is_immediate() -> None:
    shares = ledger()
    assert (give(shares, 30), give(shares, 60, share_id=1)) == (30, 60)


def test_a_share_is_cut_to_what_the_other_shard_leaves() -> None:
    shares = ledger()
    give(shares, 70)
    assert give(shares, 50, shard=1) == 30


def test_an_unchanged_share_keeps_its_number() -> None:
    shares = ledger()
    give(shares, 70)
    give(shares, 70, share_id=1)
    assert shares.share_id_last == 1


def test_a_lowered_share_counts_at_its_old_value_until_it_is_acknowledged_and_fits() -> None:
    shares = ledger()
    give(shares, 80)
    give(shares, 20, share_id=1)
    assert give(shares, 60, shard=1) == 20
    give(shares, 20, share_id=2, fits=False, worst_case_notional=Decimal(50))
    assert give(shares, 60, shard=1, share_id=3) == 20
    give(shares, 20, share_id=2, fits=True, worst_case_notional=Decimal(20))
    assert give(shares, 60, shard=1, share_id=3) == 60


def test_a_lowered_share_that_is_never_acknowledged_ends_with_its_lease_and_window_at_what_the_shard_says() -> None:
    shares = ledger()
    give(shares, 80)
    give(shares, 20, share_id=1)
    late_ns = START_NS + LAPSE_NS + 1
    give(shares, 20, now_ns=late_ns, share_id=1, fits=False, worst_case_notional=Decimal(35))
    assert shares.counted(0) == 35


def test_the_lease_of_a_lowered_share_that_is_just_over_still_counts() -> None:
    shares = ledger()
    give(shares, 80)
    give(shares, 20, share_id=1)
    give(shares, 20, now_ns=START_NS + LAPSE_NS, share_id=1, fits=False, worst_case_notional=Decimal(35))
    assert shares.counted(0) == 80


def test_a_dead_shard_keeps_its_share_until_its_next_life_fits_into_one_of_its_own() -> None:
    shares = ledger()
    give(shares, 80)
    give(shares, 50, epoch=6, fits=False, now_ns=START_NS + 10 * LAPSE_NS)
    assert shares.counted(0) == 80
    give(shares, 50, epoch=6, share_id=1, now_ns=START_NS + 10 * LAPSE_NS)
    assert shares.counted(0) == 80
    give(shares, 50, epoch=6, share_id=2, now_ns=START_NS + 11 * LAPSE_NS)
    assert shares.counted(0) == 50


def test_a_shard_that_holds_more_than_its_share_counts_at_what_it_holds() -> None:
    shares = ledger()
    give(shares, 40)
    give(shares, 40, share_id=1, fits=False, worst_case_notional=Decimal(90))
    assert give(shares, 40, shard=1) == 10


def test_shares_restored_from_the_memory_still_count() -> None:
    shares = ledger()
    shares.restore([GrantRecord(shard=0, epoch=5, share_id=7, amount=Decimal(80))], 7)
    assert give(shares, 60, shard=1) == 20
    assert give(shares, 80, share_id=7) == 80
    assert shares.share_id_last == 8


def test_a_shard_of_a_smaller_plan_is_left_out_of_the_memory() -> None:
    shares = ledger()
    shares.restore([GrantRecord(shard=9, epoch=5, share_id=7, amount=Decimal(80))], 7)
    assert shares.records() == ()


def test_shares_that_are_never_acknowledged_are_bounded() -> None:
    shares = ledger(1)
    for wanted in range(90, 10, -1):
        give(shares, wanted)
    assert len(shares.records()) <= GRANTS_MAX + 1


def test_the_part_that_nobody_needs_is_divided_by_weight() -> None:
    weights = [Decimal(1), Decimal(3)]
    assert wanted_shares(LIMIT, weights, [Decimal(0), Decimal(0)]) == [Decimal(25), Decimal(75)]


def test_who_holds_more_than_half_its_weight_gets_it_from_what_others_do_not_hold() -> None:
    weights = [Decimal(1), Decimal(1)]
    assert wanted_shares(LIMIT, weights, [Decimal(70), Decimal(0)]) == [Decimal("72.50"), Decimal("27.50")]


@given(
    weights=st.lists(st.integers(1, 1_000), min_size=3, max_size=3),
    held=st.lists(st.integers(0, 300), min_size=3, max_size=3),
)
def test_wanted_shares_sum_to_at_most_the_limit_and_leave_everybody_half_its_weight(
    weights: list[int], held: list[int]
) -> None:
    wanted = wanted_shares(LIMIT, [Decimal(w) for w in weights], [Decimal(h) for h in held])
    assert sum(wanted) <= LIMIT
    for weight, part in zip(weights, wanted, strict=True):
        assert part + 1 >= LIMIT * weight / sum(weights) / 2


class ThreeShards(RuleBasedStateMachine):
    """Three order managers that may be slow, deaf, over their share, or die; what each may trade under is tracked by the test itself."""

    def __init__(self) -> None:
        super().__init__()
        self.shares = ShareLedger(LIMIT, 3, LAPSE_NS)
        self.now_ns = START_NS
        self.epochs = [1, 1, 1]
        self.held: list[tuple[int, Decimal, int]] = [(0, Decimal(0), 0)] * 3
        self.exposure = [Decimal(0)] * 3
        self.on_way: list[list[tuple[int, int, Decimal, int]]] = [[], [], []]
        self.recovering = [False] * 3

    @rule(shard=st.integers(0, 2), wanted=st.integers(0, 120), arrives=st.booleans())
    def asks(self, shard: int, wanted: int, arrives: bool) -> None:
        share_id, share, _ = self.held[shard]
        fits = not self.recovering[shard] and self.exposure[shard] <= share
        request = lease_request(
            1,
            now_ns=self.now_ns,
            shard=shard,
            epoch=self.epochs[shard],
            share_id=share_id,
            fits=fits,
            worst_case_notional=self.exposure[shard],
        )
        self.shares.report(request)
        grant = self.shares.grant(request, Decimal(wanted))
        if arrives:
            self.held[shard] = (grant.share_id, grant.amount, self.now_ns)

    @rule(shard=st.integers(0, 2), part=st.integers(0, 100))
    def trades(self, shard: int, part: int) -> None:
        """Up to its share while its lease lasts; only less otherwise."""
        _, share, leased_ns = self.held[shard]
        target = share * part / 100
        if self.recovering[shard] or self.now_ns > leased_ns + 1_000 * MS or self.exposure[shard] > share:
            target = min(target, self.exposure[shard])
        self.exposure[shard] = target

    @rule(shard=st.integers(0, 2))
    def dies(self, shard: int) -> None:
        self.epochs[shard] += 1
        self.held[shard] = (0, Decimal(0), 0)
        self.recovering[shard] = True

    @rule(shard=st.integers(0, 2))
    def recovers(self, shard: int) -> None:
        self.recovering[shard] = False

    @rule(millis=st.sampled_from([1, 250, 999, 1_000, 1_001, 2_499, 2_501, 10_000]))
    def waits(self, millis: int) -> None:
        self.now_ns += millis * MS

    @rule()
    def risk_monitor_restarts(self) -> None:
        restarted = ShareLedger(LIMIT, 3, LAPSE_NS)
        restarted.restore(self.shares.records(), self.shares.share_id_last)
        self.shares = restarted
        for shard in range(3):
            self._tell_what_it_holds(shard)

    def _tell_what_it_holds(self, shard: int) -> None:
        share_id, share, _ = self.held[shard]
        self.shares.report(
            lease_request(
                1,
                now_ns=self.now_ns,
                shard=shard,
                epoch=self.epochs[shard],
                share_id=share_id,
                fits=not self.recovering[shard] and self.exposure[shard] <= share,
                worst_case_notional=self.exposure[shard],
            )
        )

    @invariant()
    def shares_in_force_never_exceed_the_account(self) -> None:
        assert sum(self.shares.in_force(shard) for shard in range(3)) <= LIMIT

    @invariant()
    def exposures_never_exceed_the_account(self) -> None:
        assert sum(self.exposure) <= LIMIT

    @invariant()
    def what_a_shard_may_still_use_is_in_force(self) -> None:
        for shard, (_, share, leased_ns) in enumerate(self.held):
            if self.now_ns <= leased_ns + 1_000 * MS and leased_ns:
                assert share <= self.shares.in_force(shard)


ThreeShards.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestThreeShards = ThreeShards.TestCase

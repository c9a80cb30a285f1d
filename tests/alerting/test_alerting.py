"""Alerting's core: repeats fold, the gravest go first, and nothing grows without bound."""

from __future__ import annotations

from typing import Any

from account_samples import MS, START_NS, S, settings, spec
from hypothesis import given
from hypothesis import strategies as st

from actors.alerting.core import TEXT_CHARACTERS_MAX, AlertingCore
from actors.alerting.delivery import ANSWER_NS_MAX
from actors.alerting.records import AlertSettled, AlertSpooled, PostAlert, PostAnswered
from protocols.effects import Append, Call, Effect, LinkChanged, Log, SetTimer, TimerFired
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.control import ActorState, Drain, EmergencyStop

WAKE = TimerFired(name="alerting")


def alert(subject: str = "BTCUSDC", severity: Severity = Severity.WARNING, **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "code": AlertCode.FEED_STALE,
        "severity": severity,
        "subject": subject,
        "text": "stale",
        "raised_ns": START_NS,
        "source": "market_data-0",
    }
    return Alert(**{**fields, **changes})


class Driver:
    def __init__(self, spooled: list[AlertSpooled] | None = None, webhook: bool = True, **alerting: Any) -> None:
        section = {"webhook_env": "HOOK" if webhook else None, **alerting}
        self.now_ns = START_NS
        self.core = AlertingCore(spec("alerting"), settings(alerting=section), spooled or [])
        self.effects = self.core.start(self.now_ns)

    def tell(self, *messages: Any) -> list[Effect]:
        done: list[Effect] = []
        for message in messages:
            done += self.core.handle(message, self.now_ns)
        self.effects += done
        return done

    def wait(self, seconds: float) -> list[Effect]:
        self.now_ns += int(seconds * S)
        return self.tell(WAKE)


def logged(effects: list[Effect]) -> list[Alert]:
    return [e.record for e in effects if isinstance(e, Append) and isinstance(e.record, Alert)]


def posted(effects: list[Effect]) -> list[PostAlert]:
    return [e.request for e in effects if isinstance(e, Call)]


def delivered(number: int) -> PostAnswered:
    return PostAnswered(number=number, delivered=True, again=False)


def failed(number: int, again: bool = True, **changes: Any) -> PostAnswered:
    return PostAnswered(number=number, delivered=False, again=again, text="HTTP 500", **changes)


def test_a_first_alert_is_logged_spooled_and_posted_in_that_order() -> None:
    told = alert()
    assert Driver().tell(told) == [
        Append(told),
        Append(AlertSpooled(number=1, alert=told)),
        Call(PostAlert(number=1, alert=told)),
        SetTimer("alerting", START_NS + 30 * S),
    ]


def test_without_a_webhook_an_alert_is_only_logged() -> None:
    told = alert()
    assert Driver(webhook=False).tell(told) == [Append(told), SetTimer("alerting", START_NS + 30 * S)]


def test_repeats_are_folded_and_told_with_their_count_when_the_time_is_over() -> None:
    alerting = Driver(webhook=False)
    alerting.tell(alert())
    assert logged(alerting.tell(alert(text="again"), alert(text="and again", repeats=3))) == []
    assert logged(alerting.wait(29.9)) == []
    assert logged(alerting.wait(0.1)) == [alert(text="and again", repeats=4)]


def test_what_is_not_repeated_is_not_told_again() -> None:
    alerting = Driver(webhook=False)
    alerting.tell(alert())
    assert logged(alerting.wait(30)) == []
    assert logged(alerting.tell(alert())) == [alert()]


def test_what_was_folded_begins_a_new_throttle() -> None:
    alerting = Driver(webhook=False)
    alerting.tell(alert(), alert())
    alerting.wait(30)
    assert logged(alerting.tell(alert())) == []


def test_another_subject_is_another_alert() -> None:
    alerting = Driver(webhook=False)
    assert len(logged(alerting.tell(alert("BTCUSDC"), alert("ETHUSDC")))) == 2


def test_a_graver_repeat_is_told_at_once_with_those_folded_before() -> None:
    alerting = Driver(webhook=False)
    alerting.tell(alert(), alert())
    graver = alert(severity=Severity.CRITICAL)
    assert logged(alerting.tell(graver)) == [alert(severity=Severity.CRITICAL, repeats=2)]


def test_more_kinds_of_alerts_than_are_remembered_close_the_oldest_early() -> None:
    alerting = Driver(webhook=False, remembered_max=10)
    alerting.tell(alert("first"), alert("first"))
    told = logged(alerting.tell(*(alert(str(number)) for number in range(10))))
    assert told[9] == alert("first")
    assert len(told) == 11


def test_one_post_at_a_time_and_the_gravest_next() -> None:
    alerting = Driver()
    alerting.tell(alert("a"))
    assert posted(alerting.tell(alert("b"), alert("c", Severity.CRITICAL), alert("d", Severity.INFO))) == []
    effects = alerting.tell(delivered(1))
    assert effects[0] == Append(AlertSettled(number=1))
    assert [post.alert.subject for post in posted(effects)] == ["c"]


def test_a_failed_post_is_tried_again_after_a_growing_delay() -> None:
    alerting = Driver(retry_delay_ms=1_000, retry_delay_ms_max=4_000)
    alerting.tell(alert())
    tries = []
    for _ in range(6):
        alerting.tell(failed(1))
        waited = 0.0
        while not posted(alerting.wait(0.5)):
            waited += 0.5
        tries.append(waited + 0.5)
    assert tries == [1, 2, 4, 4, 4, 4]


def test_the_first_failure_is_logged_and_not_every_one() -> None:
    alerting = Driver()
    alerting.tell(alert())
    assert [type(e) for e in alerting.tell(failed(1))] == [Log, SetTimer]
    alerting.wait(2)
    assert [type(e) for e in alerting.tell(failed(1))] == [SetTimer]


def test_the_webhook_may_ask_for_a_longer_delay_but_not_for_ever() -> None:
    alerting = Driver(retry_delay_ms_max=60_000)
    alerting.tell(alert(), failed(1, not_before_ns=START_NS + 3_600 * S))
    assert posted(alerting.wait(59)) == []
    assert len(posted(alerting.wait(1))) == 1


def test_an_alert_that_the_webhook_refuses_for_good_is_dropped_and_counted() -> None:
    alerting = Driver()
    effects = alerting.tell(alert(), failed(1, again=False))
    assert Append(AlertSettled(number=1)) in effects
    assert (alerting.core.snapshot().waiting, alerting.core.snapshot().dropped) == (0, 1)


def test_a_post_that_is_never_answered_is_made_again() -> None:
    alerting = Driver()
    alerting.tell(alert())
    assert len(posted(alerting.wait(ANSWER_NS_MAX / S + 1))) == 1


def test_an_answer_to_nothing_that_was_asked_changes_nothing() -> None:
    alerting = Driver()
    alerting.tell(alert())
    alerting.tell(delivered(77))
    assert alerting.core.snapshot().waiting == 1
    assert Driver(webhook=False).tell(delivered(1)) == []


def test_a_full_queue_drops_the_least_grave_and_oldest_first() -> None:
    alerting = Driver(remembered_max=10)
    alerting.tell(*(alert(str(n), Severity.WARNING if n % 2 else Severity.INFO) for n in range(10)))
    effects = alerting.tell(alert("critical", Severity.CRITICAL))
    assert Append(AlertSettled(number=3)) in effects
    assert alerting.core.snapshot().dropped == 1


def test_a_critical_alert_is_never_dropped_for_a_lesser_one() -> None:
    alerting = Driver(remembered_max=10)
    alerting.tell(*(alert(str(n), Severity.CRITICAL) for n in range(10)))
    effects = alerting.tell(alert("late"))
    assert not any(isinstance(e, Append) and isinstance(e.record, AlertSettled | AlertSpooled) for e in effects)
    assert (alerting.core.snapshot().waiting, alerting.core.snapshot().dropped) == (10, 1)


@given(severities=st.lists(st.sampled_from(list(Severity)), max_size=40))
def test_the_queue_keeps_the_gravest_whatever_comes(severities: list[Severity]) -> None:
    alerting = Driver(remembered_max=10)
    waiting: dict[int, Alert] = {}
    for number, severity in enumerate(severities):
        for effect in alerting.tell(alert(str(number), severity)):
            if isinstance(effect, Append) and isinstance(effect.record, AlertSpooled):
                waiting[effect.record.number] = effect.record.alert
            elif isinstance(effect, Append) and isinstance(effect.record, AlertSettled):
                del waiting[effect.record.number]
    assert len(waiting) == min(len(severities), 10)
    critical = severities.count(Severity.CRITICAL)
    assert [kept.severity for kept in waiting.values()].count(Severity.CRITICAL) >= min(critical, 9)


def test_what_an_earlier_life_could_not_deliver_is_delivered_first() -> None:
    spooled = [AlertSpooled(number=7, alert=alert("old")), AlertSpooled(number=9, alert=alert("older?"))]
    alerting = Driver(spooled)
    assert [post.number for post in posted(alerting.effects)] == [7]
    (record,) = [
        e.record for e in alerting.tell(alert("new")) if isinstance(e, Append) and isinstance(e.record, AlertSpooled)
    ]
    assert record.number == 10


def test_a_text_without_end_is_cut() -> None:
    (told,) = logged(Driver(webhook=False).tell(alert(text="x" * 10_000, repeats=0)))
    assert (len(told.text), told.repeats) == (TEXT_CHARACTERS_MAX, 1)


def test_the_last_alerts_are_shown() -> None:
    alerting = Driver(webhook=False)
    alerting.tell(*(alert(str(number)) for number in range(300)))
    view = alerting.core.snapshot()
    assert (view.received, view.told, len(view.alerts), view.alerts[-1].subject) == (300, 300, 200, "299")
    assert view.by_severity == {"WARNING": 300}


def test_alerts_of_earlier_lives_are_shown() -> None:
    core = AlertingCore(spec("alerting"), settings(), (), [alert("old")])
    assert [shown.subject for shown in core.snapshot().alerts] == ["old"]


def test_what_does_not_concern_alerting_changes_nothing() -> None:
    alerting = Driver()
    assert alerting.tell(LinkChanged(peer="x", up=True), EmergencyStop(reason="")) == []


def test_a_drained_alerting_is_stopped() -> None:
    alerting = Driver()
    assert alerting.core.state() is ActorState.RUNNING
    alerting.tell(Drain())
    assert alerting.core.state() is ActorState.STOPPED


def test_times_are_only_told_to_the_core() -> None:
    alerting = Driver(webhook=False, throttle_ms=1)
    alerting.tell(alert(), alert())
    alerting.now_ns += MS
    assert logged(alerting.tell(WAKE)) == [alert()]

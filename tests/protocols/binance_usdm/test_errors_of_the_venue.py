"""What an error means for what was asked (facts section 8)."""

from __future__ import annotations

import re

import pytest
from shared_data import shared_path

from protocols.binance_usdm.errors import CODES, ErrorClass, RequestKind, Verdict, classify
from protocols.venue import RefusalKind

PLACE, AMEND, CANCEL, CONTROL, READ = RequestKind
SENDS = (PLACE, AMEND, CANCEL, CONTROL)
UNKNOWN = Verdict(ErrorClass.UNKNOWN)

SURELY_NOT_DONE = {
    "D": {RefusalKind.DROP, RefusalKind.POST_ONLY, RefusalKind.CLOCK},
    "B": {RefusalKind.OUR_FAULT, RefusalKind.STOP_ACCOUNT},
    "I": {RefusalKind.ALREADY_DONE},
    "S": {RefusalKind.STOP_ACCOUNT, RefusalKind.STOP_SYMBOL},
    "F": {RefusalKind.CLOCK, RefusalKind.OUR_FAULT},
    "R": {RefusalKind.RETRY_LATER},
}


def refused(kind: RefusalKind) -> Verdict:
    return Verdict(ErrorClass.REFUSED, kind)


def codes_of_the_facts() -> dict[int, str]:
    """Code to reaction, from the table of section 8.2; ranges are spelled out."""
    text = shared_path("facts/binance_usdm.md").read_text()
    table = text[text.index("### 8.2 Codes") : text.index("nautilus retries automatically")]
    found: dict[int, str] = {}
    for row in re.findall(r"^\| (-\d[^|]*)\|(.*)\|$", table, re.MULTILINE):
        span = re.fullmatch(r"(-\d+)\.\.(-\d+)", row[0].strip())
        codes = range(int(span[2]), int(span[1]) + 1) if span else map(int, re.findall(r"-\d+", row[0]))
        reaction = row[1].rsplit("|", 1)[1].strip()
        found.update((code, reaction) for code in codes if code not in {-4041, -4042, -4043})
    return found


def test_every_code_of_the_facts_has_a_meaning() -> None:
    codes = codes_of_the_facts()
    assert len(codes) > 150
    named_elsewhere = {-1003, -1015}
    gaps_in_ranges = {-4046, -4047, -4048}
    assert set(codes) - named_elsewhere - gaps_in_ranges <= set(CODES), sorted(set(codes) - set(CODES))


def test_every_code_of_the_facts_means_what_its_row_says() -> None:
    for code, reaction in codes_of_the_facts().items():
        verdict = classify(PLACE, 400, code, "")
        letter = reaction[:1]
        if letter == "Q":
            assert verdict == UNKNOWN, (code, reaction)
        elif re.match(r"[DBISFR]([ ,;:/(]|$)", reaction) and verdict.error_class is ErrorClass.REFUSED:
            letters = set(re.findall(r"\b[DBISFR]\b", reaction))
            allowed = set().union(*(SURELY_NOT_DONE[each] for each in letters))
            assert verdict.refusal in allowed, (code, reaction, verdict)


@pytest.mark.parametrize("kind", [PLACE, AMEND])
@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (503, 0, "Unknown error, please check your request or try again later."),
        (503, -1001, "Internal error; unable to process your request. Please try again."),
        (500, 0, "Request occur unknown error."),
        (
            408,
            -1007,
            "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        ),
        (502, 0, "<html>Bad Gateway</html>"),
        (504, 0, ""),
        (400, -1000, ""),
        (400, -1006, ""),
        (400, -4116, "ClientOrderId is duplicated."),
        (400, -4000, ""),
        (400, -4083, ""),
        (400, -99_999, "a code of tomorrow"),
        (400, 0, "<html>"),
        (302, 0, ""),
        (500, -2019, "Margin is insufficient."),
    ],
)
def test_every_unclear_answer_to_a_place_or_amend_leaves_the_outcome_unknown(
    kind: RequestKind, status: int, code: int, text: str
) -> None:
    assert classify(kind, status, code, text) == UNKNOWN


@pytest.mark.parametrize("kind", SENDS)
@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (503, 0, "Service Unavailable."),
        (503, -1008, "Request throttled by system-level protection. Reduce-only/close-position orders are exempt."),
        (400, -1008, "Server is currently overloaded with other requests. Please try again in a few minutes."),
    ],
)
def test_two_server_errors_are_known_to_have_done_nothing(kind: RequestKind, status: int, code: int, text: str) -> None:
    assert classify(kind, status, code, text) == refused(RefusalKind.RETRY_LATER)


@pytest.mark.parametrize(
    ("kind", "code", "verdict"),
    [
        (PLACE, -5022, refused(RefusalKind.POST_ONLY)),
        (PLACE, -2019, refused(RefusalKind.DROP)),
        (PLACE, -2022, refused(RefusalKind.DROP)),
        (PLACE, -1021, refused(RefusalKind.CLOCK)),
        (PLACE, -5028, refused(RefusalKind.CLOCK)),
        (PLACE, -1022, refused(RefusalKind.STOP_ACCOUNT)),
        (PLACE, -1121, refused(RefusalKind.STOP_SYMBOL)),
        (PLACE, -4014, refused(RefusalKind.OUR_FAULT)),
        (PLACE, -2013, UNKNOWN),
        (PLACE, -2011, UNKNOWN),
        (AMEND, -2013, refused(RefusalKind.NOT_FOUND)),
        (AMEND, -5027, refused(RefusalKind.ALREADY_DONE)),
        (AMEND, -5043, refused(RefusalKind.RETRY_LATER)),
        (CANCEL, -2011, refused(RefusalKind.NOT_FOUND)),
        (CANCEL, -1007, UNKNOWN),
        (CONTROL, -1007, UNKNOWN),
        (READ, -2013, refused(RefusalKind.NOT_FOUND)),
        (READ, -1125, refused(RefusalKind.NOT_FOUND)),
        (READ, -1007, refused(RefusalKind.RETRY_LATER)),
        (READ, -99_999, refused(RefusalKind.DROP)),
    ],
)
def test_what_a_code_means_depends_on_what_was_asked(kind: RequestKind, code: int, verdict: Verdict) -> None:
    assert classify(kind, 400, code, "") == verdict


@pytest.mark.parametrize("kind", list(RequestKind))
def test_limits_and_bans_are_told_apart(kind: RequestKind) -> None:
    assert classify(kind, 429, -1003, "Too many requests") == Verdict(ErrorClass.THROTTLED)
    assert classify(kind, 429, 0, "") == Verdict(ErrorClass.THROTTLED)
    assert classify(kind, 400, -1015, "Too many new orders") == Verdict(ErrorClass.THROTTLED, orders_only=True)
    assert classify(kind, 418, -1003, "") == Verdict(ErrorClass.BANNED)
    assert classify(kind, 429, -1003, "IP(1.2.3.4) banned until 1771748578656.") == Verdict(ErrorClass.BANNED)
    assert classify(kind, 403, 0, "<html>") == Verdict(ErrorClass.BANNED)


@pytest.mark.parametrize("kind", list(RequestKind))
def test_routing_answers_without_a_code_are_definite(kind: RequestKind) -> None:
    assert classify(kind, 401, 0, "") == refused(RefusalKind.STOP_ACCOUNT)
    assert classify(kind, 404, 0, '{"path":"/fapi/v9/order"}') == refused(RefusalKind.OUR_FAULT)

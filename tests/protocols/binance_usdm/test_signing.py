"""Signatures against cases with a known right answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_path

from protocols.binance_usdm.deadline import DEADLINE_SLACK_NS, dead_after_venue_ns, timestamp_accepted
from protocols.binance_usdm.signing import HmacSigner, rest_payload, signed_query, ws_api_payload


def vectors(name: str) -> Any:
    return json.loads(shared_path("facts/test_vectors.json").read_bytes())[name]


class Ed25519Signer:
    """What the caller passes in where the venue demands Ed25519."""

    def __init__(self, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    def sign(self, payload: str) -> str:
        return base64.b64encode(self._key.sign(payload.encode())).decode()


def test_every_known_hmac_signature_is_reproduced() -> None:
    for case in vectors("hmac_sha256_hex"):
        assert HmacSigner(case["secret"]).sign(case["payload"]) == case["signature"], case["id"]


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
)
def test_an_hmac_signature_is_that_of_the_standard_library(secret: str, payload: str) -> None:
    expected = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    signer = HmacSigner(secret)
    assert [signer.sign(payload), signer.sign(payload)] == [expected, expected]


def test_query_and_body_are_signed_without_a_separator() -> None:
    case = next(case for case in vectors("hmac_sha256_hex") if case["id"] == "fapi-mixed-correct")
    assert rest_payload(case["query"], case["body"]) == case["payload"]


def test_the_websocket_api_signs_parameters_sorted_by_name_and_not_encoded() -> None:
    for case in vectors("hmac_sha256_hex"):
        if not case["id"].startswith("ws-api"):
            continue
        shuffled = dict(reversed([pair.split("=", 1) for pair in case["payload"].split("&")]))
        assert ws_api_payload({**shuffled, "signature": "not signed"}) == case["payload"]


def test_the_signature_is_last_and_covers_the_encoded_text() -> None:
    orders = (
        '[{"symbol":"ETHUSDC","side":"BUY","type":"LIMIT","timeInForce":"GTX",'
        '"quantity":"0.010","price":"2500.00","newClientOrderId":"b-1"}]'
    )
    case = next(case for case in vectors("hmac_sha256_hex") if case["id"] == "own-batch-encoded")
    query = signed_query([("batchOrders", orders), ("timestamp", "1700000000000")], HmacSigner(case["secret"]))
    assert query == f"{case['payload']}&signature={case['signature']}"


def test_a_symbol_in_another_script_is_percent_encoded() -> None:
    query = signed_query([("symbol", "币安人生USDT")], HmacSigner("secret"))
    assert query.startswith("symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT&signature=")


def test_ed25519_signatures_are_base64_and_percent_encoded_on_rest_only() -> None:
    table = vectors("ed25519_base64")
    signer = Ed25519Signer(bytes.fromhex(table["seed_hex"]))
    rest = next(case for case in table["cases"] if case["id"] == "rest")
    for case in table["cases"]:
        assert signer.sign(case["payload"]) == case["signature"], case["id"]
    pairs = [tuple(pair.split("=")) for pair in rest["payload"].split("&")]
    assert signed_query(pairs, signer) == f"{rest['payload']}&signature={rest['url_encoded']}"


def test_a_signer_does_not_show_its_secret() -> None:
    assert "topsecret" not in repr(HmacSigner("topsecret"))


def test_one_signer_signs_many_texts() -> None:
    signer = HmacSigner("secret")
    assert signer.sign("a") != signer.sign("b")
    assert signer.sign("a") == HmacSigner("secret").sign("a")


def test_timestamps_are_judged_as_the_venue_judges_them() -> None:
    for case in vectors("timestamp_window"):
        assert timestamp_accepted(case["server"], case["timestamp"], case["recvWindow"]) is case["ok"], case


def test_a_request_is_dead_only_after_window_clock_error_and_slack() -> None:
    assert dead_after_venue_ns(1_000_000_000, 1_500, 7_000_000) == 1_000_000_000 + 1_507_000_000 + DEADLINE_SLACK_NS

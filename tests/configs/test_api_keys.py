"""API keys: where they are read, what is said when they are missing, and that nobody sees them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from configs.keys import ApiKeyError, load_keys, write_key_file
from configs.schema import KeySource
from protocols.binance_usdm.signing import HmacSigner

KEY, SECRET = "the-api-key", "the-secret"


def pem_of(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def refusal(source: KeySource, environ: dict[str, str]) -> str:
    with pytest.raises(ApiKeyError) as caught:
        load_keys(source, environ)
    return str(caught.value)


def test_keys_come_from_two_variables() -> None:
    keys = load_keys(KeySource(), {"RAYMAKER_API_KEY": KEY, "RAYMAKER_API_SECRET": SECRET})
    assert keys.api_key == KEY
    assert keys.signer.sign("a=1") == HmacSigner(SECRET).sign("a=1")


def test_a_missing_key_is_one_sentence_that_says_what_to_set() -> None:
    assert refusal(KeySource(), {"RAYMAKER_API_KEY": KEY}) == (
        "no API key: set RAYMAKER_API_SECRET, or name a key file in venue.keys.file (RAYMAKER__VENUE__KEYS__FILE)"
    )


def test_keys_come_from_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    write_key_file(path, KEY, SECRET)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keys(KeySource(file=str(path)), {}).signer.sign("x") == HmacSigner(SECRET).sign("x")


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    write_key_file(path, KEY, SECRET)
    path.chmod(0o644)
    assert refusal(KeySource(file=str(path)), {}) == (
        f"the key file {path} is open to others (mode 0644): chmod 600 it"
    )


def test_a_file_that_is_missing_or_short_is_refused(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    assert refusal(KeySource(file=str(absent)), {}) == (
        f"the key file {absent} cannot be read: No such file or directory"
    )
    write_key_file(absent, KEY, "")
    assert refusal(KeySource(file=str(absent)), {}) == (
        f"the key file {absent} must hold the API key on its first line and the secret after it"
    )


@pytest.mark.parametrize("form", ["text", "text_on_one_line", "path"])
def test_an_ed25519_secret_is_pem_text_or_the_path_of_a_pem_file(tmp_path: Path, form: str) -> None:
    key = Ed25519PrivateKey.generate()
    file = tmp_path / "key.pem"
    file.write_text(pem_of(key))
    secret = {"text": pem_of(key), "text_on_one_line": pem_of(key).replace("\n", "\\n"), "path": str(file)}[form]
    keys = load_keys(KeySource(kind="ed25519"), {"RAYMAKER_API_KEY": KEY, "RAYMAKER_API_SECRET": secret})
    key.public_key().verify(base64.b64decode(keys.signer.sign("a=1")), b"a=1")


def test_an_ed25519_key_fits_in_a_key_file(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    write_key_file(tmp_path / "keys", KEY, pem_of(key))
    keys = load_keys(KeySource(kind="ed25519", file=str(tmp_path / "keys")), {})
    key.public_key().verify(base64.b64decode(keys.signer.sign("a=1")), b"a=1")


def test_a_damaged_pem_is_refused_without_showing_it() -> None:
    environ = {"RAYMAKER_API_KEY": KEY, "RAYMAKER_API_SECRET": "-----BEGIN PRIVATE KEY-----\nsecret\n"}
    assert refusal(KeySource(kind="ed25519"), environ) == (
        "the Ed25519 secret in RAYMAKER_API_KEY and RAYMAKER_API_SECRET is not an unencrypted private key in PEM form"
    )


def test_an_api_key_of_several_words_is_refused_without_showing_it() -> None:
    environ = {"RAYMAKER_API_KEY": "two words", "RAYMAKER_API_SECRET": SECRET}
    assert refusal(KeySource(), environ) == (
        "the API key in RAYMAKER_API_KEY and RAYMAKER_API_SECRET is not one printable word"
    )


def test_nothing_shows_a_key() -> None:
    environ = {"RAYMAKER_API_KEY": KEY, "RAYMAKER_API_SECRET": SECRET}
    keys = load_keys(KeySource(), environ)
    ed25519 = load_keys(
        KeySource(kind="ed25519"), environ | {"RAYMAKER_API_SECRET": pem_of(Ed25519PrivateKey.generate())}
    )
    shown = f"{keys!r} {keys.signer!r} {ed25519!r} {ed25519.signer!r} {keys}"
    assert KEY not in shown and SECRET not in shown and "PRIVATE" not in shown

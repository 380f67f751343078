"""Secrets are taken out of what leaves, by their value and by how they look."""

import json

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.bundle.redact import LEFT_OUT, Scrubber, redact_settings


def test_settings_keep_what_helps_and_lose_what_is_secret() -> None:
    data = {
        "edge": {"id": "gw-1"},
        "uplink": {"url": "https://bob:hunter22@centre.test:8471", "secret_file": "gw-1.secret", "api_token": "t0ken"},
        "device": [{"id": "d", "key_file": "00112233445566778899aabbccddeeff", "install_mode": True, "pin": 4711}],
    }
    clean, taken = redact_settings(data, {})
    assert clean["edge"] == {"id": "gw-1"}
    assert clean["uplink"] == {
        "url": f"https://{LEFT_OUT}@centre.test:8471",
        "secret_file": "gw-1.secret",
        "api_token": LEFT_OUT,
    }
    # The key itself was written where its file should be named.
    assert clean["device"] == [{"id": "d", "key_file": LEFT_OUT, "install_mode": True, "pin": LEFT_OUT}]
    assert {"bob:hunter22", "hunter22", "t0ken", "4711", "00112233445566778899aabbccddeeff"} <= set(taken)


def test_a_file_that_is_there_keeps_its_name_whatever_that_is() -> None:
    clean, taken = redact_settings({"uplink": {"secret_file": "run/hidden"}}, {"run/hidden": True})
    assert (clean["uplink"]["secret_file"], taken) == ("run/hidden", [])


def test_a_log_loses_what_is_named_as_secret_and_keeps_the_rest() -> None:
    log = (
        "INFO ready: 4 devices on 2 buses\n"
        "password=hunter2 user=bob\n"
        'token: "abc.def"\n'
        "Authorization: Bearer eyJhbGciOi.J9\n"
        "connect rtsp://cam:pw@10.0.0.9/1\n"
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----\n"
        "DEADBEEF0011 again\n"
    )
    text = Scrubber(["deadbeef0011"]).text(log, is_foreign=True)
    for secret in ("hunter2", "abc.def", "eyJhbGciOi", "cam:pw", "MIGHAgEAMBMG", "DEADBEEF"):
        assert secret not in text, text
    assert "INFO ready: 4 devices on 2 buses" in text
    assert "user=bob" in text
    assert "@10.0.0.9/1" in text


def test_short_texts_and_empty_lines_are_no_secrets() -> None:
    scrubber = Scrubber(["", "a", "\n\n", "gw"])
    assert scrubber.text("gw-1 is a gateway") == "gw-1 is a gateway"
    assert scrubber.count == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.text("abcdef0123456789", min_size=6, max_size=20))
def test_a_document_stays_one_and_no_secret_is_left_in_it(document: object, secret: str) -> None:
    planted = {"a": [document, secret, {f"x{secret}y": secret.upper()}], "b": int(secret, 16), "c": secret + secret}
    clean = Scrubber([secret]).document(planted)
    text = json.dumps(clean)
    assert json.loads(text) == clean
    assert secret not in json.dumps({"a": clean["a"], "c": clean["c"]}).lower()

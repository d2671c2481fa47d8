"""Secrets leave events."""

from labyard.runs.redact import MARK, redact_event


def test_secret_is_taken_out_however_deep_it_lies() -> None:
    event = {"stdout": "token=s3cret!", "event_data": {"res": {"s3cret!": ["a s3cret! b", 5, None]}}}
    redact_event(event, ("s3cret!",))
    assert event == {"stdout": f"token={MARK}", "event_data": {"res": {MARK: [f"a {MARK} b", 5, None]}}}


def test_event_without_secrets_stays_as_it_is() -> None:
    event = {"stdout": "text", "counter": 1}
    redact_event(event, ("", "other"))
    assert event == {"stdout": "text", "counter": 1}

"""The numbers of the configuration that an exchange obeys."""

from tests.exchange.wire import settings


def test_the_keys_are_read_once() -> None:
    read = settings(DEBUG=1, MAX_CONTENT_LENGTH=5, BODY_TIMEOUT=2.5, MAX_QUERY_ARGS=3)
    assert (read.debug, read.max_content_length, read.body_timeout, read.max_query_args) == (
        True, 5, 2.5, 3,
    )  # fmt: skip


def test_the_defaults_are_those_of_the_configuration() -> None:
    read = settings()
    assert (read.max_content_length, read.max_message_size) == (16 * 1024**2, 1024**2)
    assert read.json.loads(b"[1]") == [1]

"""Floor 3: the numbers and seats that an exchange reads, frozen with the plan."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from erlen.protocols import JSONProvider


class Settings(NamedTuple):
    """What the configuration says about one exchange, read once at the freeze.

    Attributes:
        json: The JSON provider of the application.
        debug: Whether errors may name keys of the request.
        max_content_length: Bytes of a request body, ``None`` for no limit.
        body_timeout: Seconds without a byte while a body is read, ``None`` for no limit.
        send_timeout: Seconds that a client may read nothing, ``None`` for no limit.
        max_query_args: Pairs in a query string.
        max_message_size: Bytes of one WebSocket message.
        max_message_rate: WebSocket messages in a second, ``None`` for no limit.
        max_form_memory_size: Bytes of all text fields of a form, ``None`` for no limit.
        max_form_parts: Fields and files of a form, ``None`` for no limit.
        max_form_files: Files of a form, ``None`` for no limit.
        upload_spool_size: Bytes of one uploaded file that are kept in memory.
        upload_spool_total: The same for all files of one request.
    """

    json: JSONProvider
    debug: bool
    max_content_length: int | None
    body_timeout: float | None
    max_query_args: int
    max_message_size: int
    max_form_memory_size: int | None = 1024 * 1024
    max_form_parts: int | None = 1000
    max_form_files: int | None = 100
    upload_spool_size: int = 256 * 1024
    upload_spool_total: int = 4 * 1024 * 1024
    send_timeout: float | None = 60.0
    max_message_rate: int | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any], json: JSONProvider) -> "Settings":
        """Read the keys of the configuration that an exchange obeys."""
        return cls(
            json=json,
            debug=bool(config["DEBUG"]),
            max_content_length=config["MAX_CONTENT_LENGTH"],
            body_timeout=config["BODY_TIMEOUT"],
            max_query_args=config["MAX_QUERY_ARGS"],
            max_message_size=config["MAX_WEBSOCKET_MESSAGE_SIZE"],
            send_timeout=config["SEND_TIMEOUT"],
            max_message_rate=config["MAX_WEBSOCKET_MESSAGE_RATE"],
            max_form_memory_size=config["MAX_FORM_MEMORY_SIZE"],
            max_form_parts=config["MAX_FORM_PARTS"],
            max_form_files=config["MAX_FORM_FILES"],
            upload_spool_size=config["UPLOAD_SPOOL_SIZE"],
            upload_spool_total=config["UPLOAD_SPOOL_TOTAL"],
        )

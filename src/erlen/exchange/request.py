"""Floor 3: one HTTP request: the connection's view plus its body."""

from typing import Any, Literal, Unpack, overload

from erlen.exceptions import BadRequest, UnsupportedMediaType, WireError
from erlen.exchange.body import Body
from erlen.exchange.connection import Connection, RoutingFacts
from erlen.exchange.pending import Pending
from erlen.exchange.settings import Settings
from erlen.protocols import Receive, Scope

#: Bytes of a JSON body above which it is parsed in a thread, so that the loop keeps turning.
JSON_THREAD_THRESHOLD = 256 * 1024


class Request(Connection):
    """An HTTP request. What needs the network is awaited; everything else is a plain attribute.

    Attributes:
        body: The bytes, pulled: ``async for chunk in request.body`` or ``await request.body``.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        settings: Settings,
        **routing: Unpack[RoutingFacts],
    ) -> None:
        """As :class:`~erlen.exchange.connection.Connection`, with the server's *receive*."""
        super().__init__(scope, settings, **routing)
        self.body = Body(
            receive, self.content_length, settings.max_content_length, settings.body_timeout
        )
        self._json: dict[bool, Any] = {}

    @property
    def max_content_length(self) -> int | None:
        """Bytes allowed in this request's body; assign before the first read to change it."""
        return self.body.max_length

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:
        self.body.max_length = value

    @overload
    async def get_data(self, cache: bool = ..., as_text: Literal[False] = ...) -> bytes: ...

    @overload
    async def get_data(self, cache: bool = ..., *, as_text: Literal[True]) -> str: ...

    async def get_data(self, cache: bool = True, as_text: bool = False) -> bytes | str:
        """Return the whole body.

        Args:
            cache: Keep it, so that it can be had again.
            as_text: Decode as UTF-8, undecodable bytes replaced, and return ``str``.

        Raises:
            RequestEntityTooLarge: Over :attr:`max_content_length`.
            RequestTimeout: The client stopped sending.
            ClientDisconnected: The client left.
        """
        data = await self.body.read(cache=cache)
        return data.decode("utf-8", "replace") if as_text else data

    @property
    def data(self) -> Pending[bytes]:
        """``await request.data`` is ``await request.get_data()``."""
        return Pending("request.data", self.get_data)

    @property
    def json(self) -> Pending[Any]:
        """``await request.json`` is ``await request.get_json()``."""
        return Pending("request.json", self.get_json)

    async def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Return the body as the value of its JSON text.

        Args:
            force: Do not look at the Content-Type.
            silent: Return ``None`` instead of raising for a wrong type or malformed text.
            cache: Keep the value, so that a second call gives the same object.

        Raises:
            UnsupportedMediaType: The Content-Type is not JSON (415).
            BadRequest: The text is not JSON (400).
        """
        if cache and silent in self._json:
            return self._json[silent]
        if not (force or self._is_utf8_json()):
            return None if silent else self.on_json_loading_failed(None)
        data = await self.body.read(cache=cache)
        try:
            value = await self._loads(data)
        except (ValueError, RecursionError) as error:
            value = None if silent else self.on_json_loading_failed(error)
            answers = {silent: value}
        else:
            answers = {False: value, True: value}
        if cache:
            self._json.update(answers)
        return value

    async def _loads(self, data: bytes) -> Any:
        if len(data) <= JSON_THREAD_THRESHOLD:
            return self.settings.json.loads(data)
        from anyio import to_thread

        return await to_thread.run_sync(self.settings.json.loads, data)

    def _is_utf8_json(self) -> bool:
        return self.is_json and self.mimetype_params.get("charset", "utf-8").lower() in {
            "utf-8",
            "utf8",
        }

    def on_json_loading_failed(self, error: Exception | None) -> Any:
        """Answer a body that is not JSON; override to return a value in its place.

        Args:
            error: What is wrong with the text; ``None`` when the Content-Type is not JSON.

        Raises:
            UnsupportedMediaType: For ``None``.
            BadRequest: Else; in debug mode the description tells where the text went wrong.
        """
        if error is None:
            raise UnsupportedMediaType(
                "JSON is expected: send it with the Content-Type application/json."
            )
        detail = f" {error}" if self.settings.debug and isinstance(error, WireError) else ""
        raise BadRequest(f"The request body is not valid JSON.{detail}") from error

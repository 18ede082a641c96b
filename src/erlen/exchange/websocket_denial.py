"""Floor 3: an HTTP response in place of a WebSocket: the answer to a handshake that is refused."""

from erlen.protocols import Exchange, Message, Receive, Scope


class Denial:
    """The exchange that a denial response sees: HTTP messages under the WebSocket's names.

    Source: ASGI WebSocket Denial Response extension.
    """

    def __init__(self, exchange: Exchange, receive: Receive) -> None:
        """*exchange* is the WebSocket's, *receive* the server's."""
        self.scope: Scope = {**exchange.scope, "method": "GET"}
        self.run_sync = exchange.run_sync
        self.send_timeout = exchange.send_timeout
        self.started = False
        self._exchange = exchange
        self._receive = receive

    async def send(self, message: Message) -> None:
        """Send the message under its other name."""
        await self._exchange.send({**message, "type": f"websocket.{message['type']}"})

    async def wait_disconnected(self) -> None:
        """Return when the client has left."""
        while (await self._receive())["type"] != "websocket.disconnect":
            pass

    async def join_children(self) -> None:
        """Return at once: a WebSocket has ``tasks()`` in their place."""

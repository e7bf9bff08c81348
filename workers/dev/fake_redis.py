"""fakeredis behind a socket, in a thread of this process. Needs the extra `passback[demo]`."""

import socket
import threading

from fakeredis import TcpFakeServer

STOP_WITHIN_S = 5.0


class FakeRedisServer:
    """Serves `url` until it is stopped. Its data is lost then."""

    def __init__(self) -> None:
        self._server = _NoDelay(("127.0.0.1", 0), server_type="redis", server_version=(7, 0))
        # A connection in a blocking command must not keep the process alive when the server stops.
        self._server.daemon_threads = True
        self.url = f"redis://127.0.0.1:{self._server.server_address[1]}/0"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="fakeredis", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and close idle connections."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(STOP_WITHIN_S)


class _NoDelay(TcpFakeServer):
    """fakeredis without Nagle's algorithm, which delays a response of two writes by 40 ms."""

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

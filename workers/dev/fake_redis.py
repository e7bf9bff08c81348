"""fakeredis behind a socket, in a thread of this process. Needs the extra `passback[demo]`."""

import socket
import threading

from fakeredis import TcpFakeServer

STOP_WITHIN_S = 5.0


class FakeRedisServer:
    """Serves `url` until stopped. Forgets everything then."""

    def __init__(self) -> None:
        self._server = _NoDelay(("127.0.0.1", 0), server_type="redis", server_version=(7, 0))
        # A connection may wait in a blocking command when the server stops; it must not keep the process alive.
        self._server.daemon_threads = True
        self.url = f"redis://127.0.0.1:{self._server.server_address[1]}/0"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="fakeredis", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and end the connections that wait for nothing."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(STOP_WITHIN_S)


class _NoDelay(TcpFakeServer):
    """fakeredis, answering at once: otherwise an answer of two writes waits 40 ms for an acknowledgement."""

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

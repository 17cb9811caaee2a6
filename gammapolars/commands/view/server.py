"""A page only on this machine: whoever knows its address may see it, and nobody else."""

import hmac
import json
import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from gammapolars.core.errors import GammapolarsError
from gammapolars.core.visible import visible

HOST = "127.0.0.1"

Query = Mapping[str, list[str]]

Answers = Mapping[str, Callable[[Query], Any]]


class PageServer(ThreadingHTTPServer):
    """Serves one page, and the requests of its script, at an address that nobody can guess.

    Other pages in the same browser, and other machines, get nothing: the address holds a random token, only 127.0.0.1
    is listened to, and a request for another host, or from another origin, is refused.

    Args:
        html: the page.
        policy: its content security policy.
        answers: by the last part of the path: from the query to an object for JSON.
        port: 0: any that is free.
    """

    daemon_threads = True

    def __init__(self, html: str, policy: str, answers: Answers, port: int = 0) -> None:
        super().__init__((HOST, port), Handler)
        self.html, self.policy, self.answers = html.encode("utf-8"), policy, answers
        self.token = secrets.token_urlsafe(24)
        self.one_at_a_time = threading.Lock()
        self.asked = threading.Event()

    @property
    def origin(self) -> str:
        """Origin of the page."""
        return f"http://{HOST}:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"{self.origin}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line what went wrong with a request; nothing of a browser that left."""
        del request, client_address
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            print(visible(f"Error: unexpected {type(error).__name__}: {error}"), file=sys.stderr, flush=True)

    def serve_until_idle(self, seconds: float) -> None:
        """Serve until nothing has been asked for so long, or Ctrl-C is pressed."""
        thread = threading.Thread(target=self.serve_forever, daemon=True)
        thread.start()
        try:
            while self.asked.wait(seconds):
                self.asked.clear()
        except KeyboardInterrupt:
            pass
        finally:
            self.shutdown()
            self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: PageServer
    server_version, sys_version = "gammapolars", ""
    timeout = 30
    FIXED: ClassVar = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }

    def do_GET(self) -> None:
        """Answer with the page, or to a request of its script."""
        server = self.server
        own = server.origin.removeprefix("http://")
        if self.headers.get("Host") != own or self.headers.get("Origin", server.origin) != server.origin:
            return self._send(HTTPStatus.FORBIDDEN, b"this page is for this machine alone")
        parts = urlsplit(self.path)
        _, token, *rest = f"{parts.path}/".split("/")
        if not hmac.compare_digest(token.encode(), server.token.encode()):
            return self._send(HTTPStatus.NOT_FOUND, b"there is nothing here")
        server.asked.set()
        name = "/".join(rest).strip("/")
        if not name:
            return self._send(HTTPStatus.OK, server.html, "text/html; charset=utf-8")
        if name not in server.answers:
            return self._send(HTTPStatus.NOT_FOUND, b"there is nothing here")
        return self._answer(server.answers[name], parse_qs(parts.query))

    def _answer(self, answer: Callable[[Query], Any], query: Query) -> None:
        try:
            with self.server.one_at_a_time:
                data = json.dumps(answer(query), allow_nan=False).encode()
        except (GammapolarsError, ValueError, KeyError) as error:
            return self._send(HTTPStatus.BAD_REQUEST, str(error).encode("utf-8", "replace"))
        return self._send(HTTPStatus.OK, data, "application/json")

    def _send(self, status: HTTPStatus, data: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        for name, value in (*self.FIXED.items(), ("Content-Security-Policy", self.server.policy)):
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # the name in the library
        """Log nothing: requests are nobody's business."""

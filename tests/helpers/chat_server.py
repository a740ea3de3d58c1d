"""A local server that speaks OpenAI's chat protocol by a script: good, busy, slow, broken and hostile answers."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """One answer of the script.

    Args:
        content: what the model is made to say.
        status: of the answer.
        headers: more of them.
        body: in place of the protocol's.
        waits_s: before it answers.
        drips: whether the body is sent a byte at a time, a tenth of a second apart.
    """

    content: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    waits_s: float = 0.0
    drips: bool = False


@dataclass
class ChatServer:
    """The address of a server, and what it was asked: (headers, the question as JSON) of each request."""

    url: str
    asked: list[tuple[dict[str, str], Any]] = field(default_factory=list)


@contextlib.contextmanager
def chat_server(script: Sequence[Answer]) -> Iterator[ChatServer]:
    """Run a server that gives the answers of a script in order, the last one again and again."""
    remaining = list(script)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append((dict(self.headers), question))
            answer = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            time.sleep(answer.waits_s)
            reply = {"choices": [{"message": {"role": "assistant", "content": answer.content}}]}
            body = answer.body
            if body is None:
                body = json.dumps({**reply, "usage": {"total_tokens": 42}}).encode()
            with contextlib.suppress(OSError):
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                for part in [bytes([byte]) for byte in body] if answer.drips else [body]:
                    self.wfile.write(part)
                    self.wfile.flush()
                    time.sleep(0.1 if answer.drips else 0)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = ChatServer(f"http://127.0.0.1:{listening.server_port}/v1")
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()

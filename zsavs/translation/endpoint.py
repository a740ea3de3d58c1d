"""A server that speaks OpenAI's chat protocol as a translator: the user's own, or a service's."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from zsavs.errors import InputError, WeightsError, first_line
from zsavs.translation.asked import AskedTranslator
from zsavs.translation.prompts import Message

__all__ = ["KEY", "EndpointTranslator"]

log = logging.getLogger(__name__)

#: The environment variable that holds the key, where the server wants one.
KEY = "ZSAVS_TRANSLATOR_KEY"

#: Asked again after such an answer: too many requests, and what a server says while it starts or restarts.
_AGAIN = (HTTPStatus.TOO_MANY_REQUESTS, *(HTTPStatus(code) for code in (500, 502, 503, 504)))
_ATTEMPTS = 4
_BLOCK, _MOST_BYTES = 1 << 14, 1 << 20


class EndpointTranslator(AskedTranslator):
    """An OpenAI-compatible server that is asked what makes a sound (:class:`zsavs.protocols.Translator`).

    What is heard and seen, as labels and a caption, is sent to the address that the user named and to no other: it is
    asked without redirections. Images and audio are never sent. The key is read from the environment
    (``ZSAVS_TRANSLATOR_KEY``) when a question is asked, and is in no file, message or result.

    A busy server is asked again, three times, after a second, two and four, or what its Retry-After says.

    Args:
        model: the name of the model on the server.
        url: the address up to ``/v1``; ``/chat/completions`` is added.
        timeout_s: seconds for one question with all that it is asked again, above 0.
        max_tokens: the longest reply, at least 1.

    Raises:
        InputError: the address is none of a server, or a setting is out of range.
    """

    def __init__(self, model: str, url: str, *, timeout_s: float = 60.0, max_tokens: int = 300) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or not model:
            raise InputError(
                "openai: name the model and the server's address, as in "
                f'translator="openai:qwen2.5@http://localhost:8000/v1", without a key (that is read from {KEY}).'
            )
        if not 0 < timeout_s < float("inf") or max_tokens < 1:
            raise InputError(
                f"openai: timeout_s must be above 0 and max_tokens at least 1, got {timeout_s}, {max_tokens}."
            )
        super().__init__({"openai": model, "url": url, "max_tokens": max_tokens})
        self.model, self.url = model, f"{url.rstrip('/')}/chat/completions"
        self.timeout_s, self.max_tokens = timeout_s, max_tokens

    @classmethod
    def load(
        cls,
        checkpoint: str | Path = "",
        *,
        device: str = "auto",
        dtype: str = "auto",
        timeout_s: float = 60.0,
        max_tokens: int = 300,
    ) -> Self:
        """The translator of "MODEL@URL"; nothing is sent before the first question.

        Args:
            checkpoint: the model's name and the server's address, with an at sign between them.
            device, dtype: the server's business.
            timeout_s, max_tokens: as the class.

        Raises:
            InputError: as the class.
        """
        model, _, url = str(checkpoint).partition("@")
        return cls(model, url, timeout_s=timeout_s, max_tokens=max_tokens)

    def ask(self, chat: Sequence[Message]) -> tuple[str, int]:
        """The server's reply and the number of tokens that it counted.

        Raises:
            WeightsError: the server cannot be reached, refuses, is too slow, or answers in another protocol.
        """
        body = json.dumps(
            {
                "model": self.model,
                "messages": [message._asdict() for message in chat],
                "temperature": 0,
                "seed": 0,
                "max_tokens": self.max_tokens,
            }
        ).encode()
        until = time.monotonic() + self.timeout_s
        for attempt in range(_ATTEMPTS):
            status, answer, wait = self._post(body, until)
            if status == HTTPStatus.OK:
                return self._read(answer)
            if status not in _AGAIN:
                raise WeightsError(f"{self.url}: the server refused ({status}); {self._advice(status)}")
            pause = min(wait if wait is not None else 2.0**attempt, 30.0)
            if attempt + 1 == _ATTEMPTS or time.monotonic() + pause > until:
                break
            log.info("%s: busy (%d), asking again in %.1f s", self.url, status, pause)
            time.sleep(pause)
        raise WeightsError(f"{self.url}: the server stayed busy ({status}); try again later, or raise timeout_s.")

    def _post(self, body: bytes, until: float) -> tuple[int, bytes, float | None]:
        """Status, body and the seconds of Retry-After, of one request that ends when its time is over."""
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import HTTPRedirectHandler, Request, build_opener

        class Stay(HTTPRedirectHandler):
            """No redirection is followed: the key and the words are for the named server alone."""

            def redirect_request(self, *_: Any) -> None:
                return None

        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {key}"
        try:
            left = max(0.01, until - time.monotonic())
            with build_opener(Stay).open(Request(self.url, body, headers), timeout=left) as answer:
                read = bytearray()
                while block := answer.read1(_BLOCK):
                    read += block
                    if time.monotonic() > until:
                        raise TimeoutError("the time is over")
                    if len(read) > _MOST_BYTES:
                        raise WeightsError(f"{self.url}: answers with more than a megabyte; is it a chat server?")
                return answer.status, bytes(read), None
        except HTTPError as error:
            said = error.headers.get("Retry-After") or ""
            return error.code, b"", float(said) if said.isdecimal() else None
        except (OSError, HTTPException, ValueError) as error:
            reason = first_line(error)
            raise WeightsError(
                f"{self.url}: no answer ({reason}) within {self.timeout_s:g} s; check that the server runs, or raise "
                "timeout_s."
            ) from error

    def _read(self, answer: bytes) -> tuple[str, int]:
        try:
            told = json.loads(answer)
            text = told["choices"][0]["message"]["content"]
            tokens = (told.get("usage") or {}).get("total_tokens") or 0
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            text, tokens = None, 0
        if not isinstance(text, str):
            raise WeightsError(f"{self.url}: what it answers is not OpenAI's chat protocol; is the address right?")
        return text.strip(), tokens if isinstance(tokens, int) else 0

    def _advice(self, status: int) -> str:
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return f"set the key in the environment variable {KEY}."
        if status == HTTPStatus.NOT_FOUND:
            return f"check the address and the name of the model, {self.model!r}."
        return "see the server's own log."

"""The process that serves the page, on this machine alone unless another address is asked for.

It runs as a process of its own, ``python -m zsavs.webapp.server``, because Gradio is told by the environment where
visitors' files go: into a folder of this run, which goes with it. :func:`serve` starts it and ends with it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zsavs.errors import MissingExtra, OutputError, ZsavsError, reason
from zsavs.webapp.limits import Limits

__all__ = ["Settings", "check_installed", "serve", "started"]

#: Visitors whose answers are kept; each may take 100 MB for every strategy of an answer.
_VISITORS = 24


@dataclass(frozen=True)
class Settings:
    """How the page is served.

    Args:
        preset: the models to begin with; the best that are on this machine if left out.
        device: where they run.
        host, port: the address; 0 for the first free port from 7860 on.
        share: let Gradio make a public address, which leads through its servers.
        limits: how much one visitor may ask for.
    """

    preset: str | None = None
    device: str = "auto"
    host: str = "127.0.0.1"
    port: int = 0
    share: bool = False
    limits: Limits = field(default_factory=Limits)


def serve(settings: Settings, say: Callable[[str], object], *, show: bool = False) -> None:
    """Serve the page until Ctrl-C.

    Args:
        settings: how.
        say: told the address.
        show: open it in the browser.

    Raises:
        MissingExtra: Gradio is not installed.
        OutputError: the page cannot be served.
    """
    with started(settings) as (address, process):
        say(f"zsavs app: {address} (Ctrl-C ends it)")
        if show:
            webbrowser.open(address)
        try:
            process.wait()
        except KeyboardInterrupt:
            return
    raise OutputError("zsavs app: the page's process has ended by itself; what it said stands above.")


def check_installed() -> None:
    """Refuse where the page cannot be made.

    Raises:
        MissingExtra: Gradio is not installed.
    """
    if find_spec("gradio") is None:
        raise MissingExtra('zsavs app is a page made with Gradio; run: pip install "zsavs[app]"')


@contextmanager
def started(settings: Settings) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of the page, while it is served, and its process; visitors' files go with it.

    Raises:
        MissingExtra: Gradio is not installed.
        OutputError: the page cannot be served.
    """
    check_installed()
    with tempfile.TemporaryDirectory(prefix="zsavs-app-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "zsavs.webapp.server", json.dumps(asdict(settings))]
        private = {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
        process = subprocess.Popen(
            command, env={**os.environ, **private}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            said: dict[str, str] = json.loads(first) if first else {"error": "its process has ended; see above"}
            if "error" in said:
                raise OutputError(f"zsavs app: {said['error']}")
            yield said["address"], process
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End the process: it ends by itself when nobody holds its input any more, as after a crash of ours."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _launch(settings: Settings) -> str:
    """Serve the page from this process, in the background; its address.

    Raises:
        ZsavsError: no such preset; or the address is taken.
    """
    import gradio as gr

    from zsavs.webapp import shown
    from zsavs.webapp.callbacks import Callbacks
    from zsavs.webapp.events import connect
    from zsavs.webapp.layout import Page
    from zsavs.webapp.models import Models
    from zsavs.webapp.theme import make_theme
    from zsavs.webapp.uploads import Uploads

    uploads = Uploads(Path(os.environ["GRADIO_TEMP_DIR"]))
    doings = Callbacks(Models(settings.device, settings.preset), settings.limits, uploads)
    page = Page(gr, doings)
    connect(page, doings)
    try:
        _, local, public = page.blocks.launch(
            server_name=settings.host,
            server_port=settings.port or None,
            share=settings.share,
            max_file_size=f"{settings.limits.megabytes:g}mb",
            state_session_capacity=_VISITORS,
            prevent_thread_lock=True,
            quiet=True,
            show_error=False,
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            theme=make_theme(gr),
            css=shown.style(),
        )
    except OSError as error:
        raise OutputError(
            f"{settings.host}:{settings.port or 7860}: {reason(error)}; choose another --port."
        ) from error
    return str(public or local)


def _read(text: str) -> Settings:
    """The settings as :func:`started` has written them."""
    given: dict[str, Any] = json.loads(text)
    return Settings(**{**given, "limits": Limits(**given["limits"])})


def _main(text: str) -> None:
    """Serve the page until the other end of the standard input is gone; say the address, or why not, in a line."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it leaves no files
    with suppress(KeyboardInterrupt):
        try:
            said = {"address": _launch(_read(text))}
        except ZsavsError as error:
            said = {"error": reason(error)}
        sys.stdout.write(f"{json.dumps(said)}\n")
        sys.stdout.flush()
        if "address" in said:
            sys.stdin.read()
    shutil.rmtree(os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)
    os._exit(0)  # threads of the server and of the models are not waited for


if __name__ == "__main__":
    _main(sys.argv[1])

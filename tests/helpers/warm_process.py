"""Running code in a process of its own that begins warm: a fork of one that has imported what the code needs.

A fresh interpreter takes seconds to import torch; a fork takes milliseconds. What the test is about must not be the
start of the process itself.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

#: For the command line and for evaluations of toy scenes: an evaluation loads what is loaded late. Not by the command
#: line, which sets how the process logs.
EVALUATION = """
import os, random, signal, sys, tempfile, time
from pathlib import Path
from evaluation_set import plan as _plan, write_evaluation_set
from zsavs.cli.app import commands
from zsavs.cli.main import main
from zsavs.datasets.folder import Folder as _Folder
from zsavs.evaluation import evaluate as _evaluate
commands()
with tempfile.TemporaryDirectory() as _root:
    _evaluate(_Folder(write_evaluation_set(Path(_root))), _plan(limit=1), f"{_root}/run")
"""

#: What a process does first: it looks for garbage rarely while it imports, as :func:`zsavs.cli.main.entry` does.
_START = "import gc; gc.set_threshold(100_000)\n"

#: What a process does once it is warm. For each request it forks, tells the number of the fork, waits for it and tells
#: how it ended. A fork leaves the loop and runs the code as a script is run, to the end of the interpreter.
_SERVE = """
import json as _json, os as _os, signal as _signal, socket as _socket, sys as _sys
_server = _socket.socket(fileno=0)
while True:
    _request, _files, _, _ = _socket.recv_fds(_server, 2**20, 2)
    if not _request:
        _os._exit(0)
    _child = _os.fork()
    if not _child:
        break
    for _file in _files:
        _os.close(_file)
    _server.send(b"%d" % _child)
    _server.send(b"%d" % _os.waitstatus_to_exitcode(_os.waitpid(_child, 0)[1]))
_os.dup2(_files[0], 1), _os.dup2(_files[1], 2), _os.dup2(_os.open("/dev/null", _os.O_RDONLY), 0)
for _file in _files:
    _os.close(_file)
_server.detach()
_sys.stdout = open(1, "w", closefd=False)
_request = _json.loads(_request)
_os.chdir(_request["folder"])
_signal.alarm(_request["seconds"])
_sys.argv = _request["arguments"]
exec(compile(_request["code"], "<code of the test>", "exec"))
"""


@functools.cache
def _server(imports: str) -> socket.socket:
    """A process that has run ``imports``, to be asked for forks."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    paths, threads = (ROOT, ROOT / "tests" / "helpers"), ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    process = subprocess.Popen(
        [sys.executable, "-c", _START + imports + _SERVE],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), **dict.fromkeys(threads, "1")},
        stdin=theirs,
        stdout=subprocess.DEVNULL,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


class WarmProcess:
    """A process that runs ``code`` after ``imports``. One at a time: the next one begins when this one has ended.

    As a context manager it is over at the end of the block, by itself or by force.

    Args:
        code: a script.
        arguments: its ``sys.argv[1:]``.
        imports: what comes before the script; run once for all processes that name the same.
        folder: the one that it runs in.
        seconds: the system ends it after so many.

    Attributes:
        pid: its number.
        stdout: what it prints, to be read while it runs.
    """

    def __init__(self, code: str, *arguments: object, imports: str, folder: Path = ROOT, seconds: int = 120) -> None:
        self._server = _server(imports)
        self._stderr = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        reader, writer = os.pipe()
        request = {"code": code, "arguments": ["-c", *map(str, arguments)], "folder": str(folder), "seconds": seconds}
        socket.send_fds(self._server, [json.dumps(request).encode()], [writer, self._stderr.fileno()])
        os.close(writer)
        self.stdout = os.fdopen(reader, errors="replace")
        self.pid = int(self._server.recv(16))
        self._code: int | None = None

    def __enter__(self) -> WarmProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._code is None:
            self.send_signal(signal.SIGKILL)
            self.wait()
        self.stdout.close()
        self._stderr.close()

    @property
    def stderr(self) -> str:
        """What it has complained of so far."""
        self._stderr.seek(0)
        return self._stderr.read()

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end, and tell its exit code, or minus the signal that ended it.

        Raises:
            TimeoutError: it took too long.
        """
        if self._code is None:
            self._code = int(self._server.recv(16))
            if self._code == -signal.SIGALRM:
                raise TimeoutError
        return self._code


def run_warm(code: str, *arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, with the settings of :class:`WarmProcess`.

    Raises:
        TimeoutError: it took too long.
    """
    with WarmProcess(code, *arguments, **settings) as process:
        said = process.stdout.read()
        return subprocess.CompletedProcess(code, process.wait(), said, process.stderr)


def run_script(path: Path, *arguments: object, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a Python file to its end, as by its name on the command line, from a process that can evaluate."""
    code = "import runpy; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    return run_warm(code, path, *arguments, imports=EVALUATION, folder=folder)

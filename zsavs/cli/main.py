"""The command line, as ``zsavs COMMAND`` or ``python -m zsavs COMMAND``; :mod:`zsavs.cli.app` lists the commands.

Exit codes: 0 done, 1 the input or the run failed (one line on stderr says why), 2 wrong usage, 130 interrupted.
Answers go to stdout, progress and warnings to stderr. Nothing heavy is imported before the arguments are parsed.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import logging
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import NoReturn

from zsavs.cli import console
from zsavs.errors import UnknownName, ZsavsError
from zsavs.version import __version__

__all__ = ["entry", "main"]

#: What writing to a full disk fails with.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def entry() -> None:
    """The console script: run :func:`main` on the process's arguments and exit.

    Loading the libraries makes hundreds of thousands of objects that stay until the end. To look through them for
    garbage again and again while they are made takes a tenth of the processor time of a short command; so Python looks
    more rarely.
    """
    gc.set_threshold(100_000)
    _leave(main(sys.argv[1:]))


def _leave(code: int) -> NoReturn:
    """End the process when all that is registered for its end is done, and take nothing else apart.

    Python would look for garbage among all objects of torch and of the models before it gives up their memory, which
    the system takes back anyway: a sixth of the processor time of a short command.
    """
    with contextlib.suppress(KeyboardInterrupt):
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as Python itself does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # main() has told of what cannot be written
            if stream is not None:
                stream.flush()
    os._exit(code)


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; never raises.

    Args:
        argv: the arguments, without the program's name.
    """
    try:
        code = _run(argv)
        if sys.stdout is not None:  # here, as Python's own attempt at the exit ends in a traceback where it fails
            sys.stdout.flush()
        return code
    except UnknownName as error:
        return console.complain(error, 2)
    except ZsavsError as error:
        return console.complain(error, 1)
    except KeyboardInterrupt:
        return console.complain("interrupted; what was finished is kept", 130)
    except BrokenPipeError:  # the reader of our output has gone
        console.print_nothing_more()
        return 1
    except MemoryError:
        return console.complain("out of memory; use a smaller image, a smaller preset or a smaller --batch-size", 1)
    except SystemExit as stop:  # a library has printed what there is to say
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except Exception as error:
        return _complain_of_defect(error)


def _complain_of_defect(error: Exception) -> int:
    """Say what nobody expected, with the traceback for those who asked for more with ``-v``."""
    if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
        console.print_nothing_more()
        message = f"the answer cannot be printed ({error.strerror}); free some space, or print elsewhere"
        return console.complain(message, 1)
    if logging.getLogger("zsavs").isEnabledFor(logging.INFO):
        traceback.print_exc()
    return console.complain(
        f"unexpected {type(error).__name__}: {error} - this is a defect of zsavs, please report it with "
        f"the output of the same command with -v",
        1,
    )


def _run(argv: Sequence[str]) -> int:
    """Run the command; its exit code."""
    if list(argv) == ["--version"]:  # known without the libraries that read arguments
        console.answer(f"zsavs {__version__}")
        return 0
    console.log_to_stderr()
    console.show_any_name()
    from zsavs.cli import app

    return app.run(argv)

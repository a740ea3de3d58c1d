"""The command line. A command reads its arguments, calls the library once and prints the answer.

- :mod:`~zsavs.cli.main`: from arguments to an exit code.
- :mod:`~zsavs.cli.commands`: what each command does.
- :mod:`~zsavs.cli.output`: an answer in lines, and the files that are written of it.
- :mod:`~zsavs.cli.demo`: ``zsavs demo``.
- :mod:`~zsavs.cli.doctor`: ``zsavs doctor``.
"""

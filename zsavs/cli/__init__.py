"""The command line. A command reads its arguments, calls the library once and prints the answer.

- :mod:`~zsavs.cli.main`: from arguments to an exit code.
- :mod:`~zsavs.cli.app`: the commands, in the order and the groups of the help.
- :mod:`~zsavs.cli.commands`: what each command does, a file each.
- :mod:`~zsavs.cli.options`: the arguments and options that several commands share.
- :mod:`~zsavs.cli.parsing`: texts to values.
- :mod:`~zsavs.cli.overrides`: parts and settings that are named in place of the preset's.
- :mod:`~zsavs.cli.model_choice`: which models and strategies a command runs.
- :mod:`~zsavs.cli.pairs`: an image with its audio, read and answered by each strategy.
- :mod:`~zsavs.cli.videos`: a video, answered by one strategy.
- :mod:`~zsavs.cli.naming`: what the files of an answer are called.
- :mod:`~zsavs.cli.output`: an answer in lines, and the files that are written of it.
- :mod:`~zsavs.cli.console`: stdout, stderr, tables and the progress bar.
- :mod:`~zsavs.cli.demo`: ``zsavs demo``.
- :mod:`~zsavs.cli.doctor`: ``zsavs doctor``.
"""

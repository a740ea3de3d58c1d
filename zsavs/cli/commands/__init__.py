"""The commands, a file each: it reads its arguments, calls the library once and prints the answer.

- :mod:`~zsavs.cli.commands.segment`: one strategy on one image with its audio.
- :mod:`~zsavs.cli.commands.compare`: several strategies, on one pair or on several.
- :mod:`~zsavs.cli.commands.demo`: the strategies on scenes that come with zsavs.
- :mod:`~zsavs.cli.commands.export`: answers as files that other tools load.
- :mod:`~zsavs.cli.commands.evaluate`: strategies on a data set.
- :mod:`~zsavs.cli.commands.merge`: the shards of one evaluation.
- :mod:`~zsavs.cli.commands.data`: whether a data set is complete.
- :mod:`~zsavs.cli.commands.calibrate`: a bank of the user's own files.
- :mod:`~zsavs.cli.commands.list`: every name.
- :mod:`~zsavs.cli.commands.download`: the weights of a preset.
- :mod:`~zsavs.cli.commands.doctor`: the installation.
- :mod:`~zsavs.cli.commands.profile`: where the time of an answer goes.
- :mod:`~zsavs.cli.commands.verify`: whether a preset's models answer right where the answer is known.
"""

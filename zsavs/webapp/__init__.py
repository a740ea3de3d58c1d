"""The page of ``zsavs app``, to try zsavs on in a browser; needs the extra ``zsavs[app]``.

- :mod:`~zsavs.webapp.purposes`: presets and strategies, by what they are for.
- :mod:`~zsavs.webapp.models`: the pipelines, each built once, and the presets that are on this machine.
- :mod:`~zsavs.webapp.limits`: what is taken in, how large and how long, and what is said of the rest.
- :mod:`~zsavs.webapp.answers`: answers that are kept, with their thresholds and what was removed.
- :mod:`~zsavs.webapp.reasons`: why a region was chosen, in sentences.
- :mod:`~zsavs.webapp.shown`: answers as HTML.
- :mod:`~zsavs.webapp.exports`: answers as files.
- :mod:`~zsavs.webapp.uploads`: whose files lie on the disk, and their deletion.
- :mod:`~zsavs.webapp.examples`: what can be tried without any file.
- :mod:`~zsavs.webapp.callbacks`: what happens when something on the page is used.
- :mod:`~zsavs.webapp.layout`: the components of the page.
- :mod:`~zsavs.webapp.events`: which of them calls what.
- :mod:`~zsavs.webapp.theme`: its looks.
- :mod:`~zsavs.webapp.server`: the process that serves it.
"""

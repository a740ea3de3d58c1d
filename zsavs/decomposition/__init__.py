"""From one audio clip to components, each of one source; one method a file, one wrapper for any strategy.

- :mod:`~zsavs.decomposition.windows`: sources one after the other, as clusters of sliding windows.
- :mod:`~zsavs.decomposition.nmf`: sources at once, by their spectra.
- :mod:`~zsavs.decomposition.sparse`: sources at once, by the label texts that an embedding is a sum of.
- :mod:`~zsavs.decomposition.decomposed_strategy`: a strategy that is asked about each component.
- :mod:`~zsavs.decomposition.stereo`: the direction of a stereo clip's source, as a prior over the image.

What these are made of:

- :mod:`~zsavs.decomposition.component`: components, and the protocol of what makes them.
- :mod:`~zsavs.decomposition.embedded_clip`: components that are known by their embedding alone.
- :mod:`~zsavs.decomposition.pursuit`: an embedding as a sum of label texts.
"""

from zsavs.decomposition.component import Component, Decomposer
from zsavs.decomposition.decomposed_strategy import Decomposed
from zsavs.decomposition.pursuit import Source, attend, pursue, pursue_over_time

__all__ = ["Component", "Decomposed", "Decomposer", "Source", "attend", "pursue", "pursue_over_time"]

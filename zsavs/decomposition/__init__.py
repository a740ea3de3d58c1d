"""From one audio clip to components, each of one source; one method a file, one wrapper for any strategy.

- :mod:`~zsavs.decomposition.windows`: sources one after the other, by when they sound.
- :mod:`~zsavs.decomposition.nmf`: sources at once, by their spectra.
- :mod:`~zsavs.decomposition.sparse`: sources at once, by the label texts that the embedding is a sum of.
- :mod:`~zsavs.decomposition.stereo`: where a stereo clip says that its source is.
- :mod:`~zsavs.decomposition.decomposed`: a strategy, asked about each component.
- :mod:`~zsavs.decomposition.component`: what a component is.
- :mod:`~zsavs.decomposition.embedded`: a component that is an embedding.
- :mod:`~zsavs.decomposition.pursuit`: an embedding as a sum of label texts.
- :mod:`~zsavs.decomposition.activity`: when an audio clip sounds.
"""

from zsavs.decomposition.component import Component, Decomposer
from zsavs.decomposition.decomposed import Decomposed
from zsavs.decomposition.pursuit import Source, attend, pursue

__all__ = ["Component", "Decomposed", "Decomposer", "Source", "attend", "pursue"]

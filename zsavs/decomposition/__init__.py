"""Taking a recording apart into its sources; one method a file, one wrapper for any strategy.

- :mod:`~zsavs.decomposition.windows`: one after the other, by when they sound.
- :mod:`~zsavs.decomposition.nmf`: at once, by their spectra.
- :mod:`~zsavs.decomposition.sparse`: at once, by the label texts that the sound's embedding adds up to.
- :mod:`~zsavs.decomposition.decomposed`: a strategy that hears source by source.
"""

from zsavs.decomposition.component import Component, Decomposer
from zsavs.decomposition.decomposed import Decomposed
from zsavs.decomposition.pursuit import Source, attend, pursue

__all__ = ["Component", "Decomposed", "Decomposer", "Source", "attend", "pursue"]

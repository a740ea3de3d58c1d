"""Is that region what we hear: evidence for each region, and the choice of regions that follows from it."""

"""What may be wrong with a world: counts of its splits, images that are alike, labels that do not fit, and findings."""

"""The published methods, one folder each; found through the entry-point group `segfrontier.methods`."""

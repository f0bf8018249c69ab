"""Studies: tables of cells, executed by Ray Tune, read as a frontier."""

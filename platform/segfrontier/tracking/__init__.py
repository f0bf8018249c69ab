"""Records of every cell in MLflow, behind a spool that survives an outage."""

"""Pure functions on tensors and arrays: no files, no Ray, no MLflow, no global state."""

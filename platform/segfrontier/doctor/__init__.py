"""Is everything in place? Checks of the machine, of Ray and its nodes, and of MLflow, for a study or for any.

A check finds out and says what to do; it changes nothing, and nothing but the command line may build on it.
"""

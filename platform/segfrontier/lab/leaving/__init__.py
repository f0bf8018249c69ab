"""Models on their way out: what lies beside weights so that they can be built again, loading, predicting, exporting.

Training and scoring are not for this room: it only reads what they have stored.
"""

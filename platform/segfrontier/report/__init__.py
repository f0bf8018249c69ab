"""What finished cells say: points, frontiers, statistics, findings, and their tables, pictures and pages.

Everything is read from records; nothing here knows how a cell is computed, or needs torch, Ray or MLflow.
"""

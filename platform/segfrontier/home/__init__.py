"""The folder of a user's work: its layout, the records of cells, who works on a study, how far a study is.

What a cell computes, and what finished cells come to, is not for this room; it imports no array library.
"""

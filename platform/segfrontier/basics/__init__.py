"""What every room may use: locks, atomic files, marked folders, bounded reading, a full disk's name.

Nothing here knows of images, labels, models or studies.
"""

"""SegFrontier: which labels to buy, and which method turns them into the best segmentation."""

__version__ = "0.1.0"

"""Networks: timm encoders under segmentation heads, and the discriminators that some methods add."""

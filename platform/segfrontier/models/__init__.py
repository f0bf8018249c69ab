"""Networks: timm encoders under segmentation heads, and the discriminators that some methods add.

spec            what an encoder is made of: plain values that travel as JSON
model           `ModelSpec`, `build_model(spec, seed=...)`, `check_spec`, the network itself and its output
network         what all networks on an encoder share, and the one way they are built
encoder         any timm encoder as a pyramid of features
pyramid         how an encoder must be opened to be one
heads/          one file a head, and the register of their names
weights         where pretrained weights come from: a file, timm, a package, or nowhere (said loudly)
offers          weights that installed packages bring
checkpoints     reading weight files and fitting them to an encoder, key by key
lean, folding   a trained network for looking only: the same answers, faster and in less memory
norms           frozen, half-frozen and synchronised batch norm; batches of one
seeding         random weights that leave the caller's random state alone
parameters      optimiser groups: encoder and head, each parameter once
discriminator   the two adversaries that the methods need
classifier      image-level tags: encoder, pooling, linear layer
detector        boxes of things: encoder, feature pyramid, Faster R-CNN

How a network learns, and what its answers are used for, is not for this room.
"""

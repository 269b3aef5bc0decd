"""Prints the values that `captioner/doctor/golden.py` records for an encoder's ImageNet weights.

    python tests/doctor/golden/make_golden.py efficientnet_lite0

Run it where the encoder has been compared with its reference (tests/backbones).
"""

import sys

from captioner.backbones.encoder import load_encoder
from captioner.backbones.registry import find_spec
from captioner.backbones.weights import resolve_weights
from captioner.doctor.golden import draw_photograph, pick_columns
from captioner.images import load_image

for name in sys.argv[1:]:
    spec = find_spec(name)
    image_HWC = load_image(draw_photograph(), spec.rule)
    encoder = load_encoder(name, precision="float32", batch_size=1)
    vector_F = encoder.encode(image_HWC[None])["vector"][0]
    values = ", ".join(f"{value:.3f}" for value in pick_columns(vector_F))
    print(f'    "{resolve_weights(spec, "imagenet").digest}": ({values}),')

"""captioner: train, evaluate and use image-captioning models."""

__version__ = "0.1.0"

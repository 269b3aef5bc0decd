"""The built-in data set: simple things in simple places, drawn and captioned by rule."""

from captioner.datasets.scenes.drawing import SCENES_VERSION, draw_scenes

__all__ = ["SCENES_VERSION", "draw_scenes"]

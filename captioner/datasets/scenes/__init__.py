"""The built-in data set: simple things in simple places, drawn and captioned by rule."""

from captioner.datasets.scenes.drawing import SCENES_VERSION, draw_scenes
from captioner.datasets.scenes.single_objects import draw_objects

__all__ = ["SCENES_VERSION", "draw_objects", "draw_scenes"]

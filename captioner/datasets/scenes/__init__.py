"""The built-in data set: simple things in simple places, drawn and captioned by rule.

Importing this loads neither NumPy nor Pillow: most commands only ask which scenes are meant.
"""

SCENES_VERSION = 1  # moves whenever the same seed would give other files

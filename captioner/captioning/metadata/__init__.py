"""Captions inside image files: Exif and XMP blocks, and the containers that hold them."""

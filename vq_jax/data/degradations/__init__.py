"""Damage that is done to images on purpose, for restoration to undo."""

"""Images of codes that have the content of one image and the style of another."""

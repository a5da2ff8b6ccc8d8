"""A static site on which models answer in the visitor's browser on their own pictures."""

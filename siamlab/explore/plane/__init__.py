"""The explorer of the semantic–spatial plane."""

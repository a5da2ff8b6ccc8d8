"""Scripts, style sheet and page template of explorers."""

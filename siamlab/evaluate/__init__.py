"""Evaluation: models and images by name, and their scores."""

"""Interop: other people's checkpoints in; plain timm models, ONNX and Hugging Face folders out."""

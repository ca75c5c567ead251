"""Streams that need no download, and loaders for the user's own files."""

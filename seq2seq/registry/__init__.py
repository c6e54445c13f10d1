"""Finished models: the folder that is shared, which one is in use, and whether another is better."""

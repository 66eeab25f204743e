"""The sentence encoder: its weights, layers, fine-tuning and caches."""

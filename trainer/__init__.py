"""The hybrid model: its data, its layers, how it is trained, tuned, calibrated and exported."""

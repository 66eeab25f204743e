"""From raw features to what the model reads, as one TensorFlow graph for training and serving
alike.
"""

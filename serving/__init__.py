"""The served model: a server that speaks TensorFlow Serving's protocol, a client, a web page."""

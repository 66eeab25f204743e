"""A server over SavedModels that speaks TensorFlow Serving's gRPC and REST interfaces."""

from serving.server.app import Server, ServerConfig, default_batching, running
from serving.server.models import Polling
from serving.server.text_config import Batching, Ssl

__all__ = ["Batching", "Polling", "Server", "ServerConfig", "Ssl", "default_batching", "running"]

"""A server over SavedModels that speaks TensorFlow Serving's gRPC and REST interfaces."""

from serving.server.app import Server
from serving.server.config import Batching, ServerConfig

__all__ = ["Batching", "Server", "ServerConfig"]

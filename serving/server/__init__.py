"""A server for SavedModels with TensorFlow Serving's gRPC and REST interfaces."""

from serving.server.app import Server
from serving.server.config import BatchingConfig, ServerConfig

__all__ = ["BatchingConfig", "Server", "ServerConfig"]

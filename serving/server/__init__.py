"""A server for SavedModels with TensorFlow Serving's gRPC and REST interfaces."""

from schema.streams import import_tensorflow

# Importing TensorFlow here suppresses the messages that it prints at import.
import_tensorflow()

from serving.server.app import Server
from serving.server.config import BatchingConfig, ServerConfig

__all__ = ["BatchingConfig", "Server", "ServerConfig"]

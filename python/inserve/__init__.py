"""
The Python side of inserve: what a class needs that runs as a deployment of a Node application.

``from inserve import batch, multiplexed, context, metrics, Tensor, Request, Response, ServeError, BatchError``
"""

from ._batch import batch
from ._context import CallContext, context, get_multiplexed_model_id
from ._errors import BatchError, RemoteError, ServeError
from ._handles import DeploymentHandle, DeploymentResponse
from ._metrics import metrics
from ._multiplexed import multiplexed
from ._request import Request, Response
from ._tensor import Tensor
from ._websocket import WebSocket

__all__ = [
    "BatchError",
    "CallContext",
    "DeploymentHandle",
    "DeploymentResponse",
    "RemoteError",
    "Request",
    "Response",
    "ServeError",
    "Tensor",
    "WebSocket",
    "batch",
    "context",
    "get_multiplexed_model_id",
    "metrics",
    "multiplexed",
]

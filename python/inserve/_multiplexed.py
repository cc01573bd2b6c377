"""``@multiplexed``: many models behind one deployment, of which the least recently used are dropped."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections import OrderedDict
from typing import Any, Callable, Dict, List, Optional

from ._context import get_multiplexed_model_id

_CACHES = "_inserve_models"


class _Listener:
    """Told about the models of this process; the runner sets its functions."""

    changed: Callable[[List[str]], None] = staticmethod(lambda ids: None)
    loaded: Callable[[float], None] = staticmethod(lambda ms: None)


listener = _Listener()
_all: List["_Models"] = []


def multiplexed(function: Optional[Callable] = None, *, max_num_models_per_replica: int = 3) -> Any:
    """
    Makes a method that loads a model by its id a cache of models: each id is loaded once, and the least recently used
    model is dropped before another one is loaded. ``await self.get_model()`` takes the id from the current call.

    :param max_num_models_per_replica: the most models that are held at a time; -1 = no limit
    """
    if max_num_models_per_replica != -1 and max_num_models_per_replica < 1:
        raise ValueError("multiplexed: max_num_models_per_replica must be at least 1, or -1 for no limit")

    def decorate(inner: Callable) -> Callable:
        @functools.wraps(inner)
        async def get(*args: Any) -> Any:
            expects_owner = len(inspect.signature(inner).parameters) > 1
            owner = args[0] if expects_owner else None
            given = args[1:] if expects_owner else args
            model_id = given[0] if given else get_multiplexed_model_id()
            if not isinstance(model_id, str) or model_id == "":
                raise ValueError("the call has no model id: the caller sets multiplexed_model_id")
            holder = inner if owner is None else owner
            caches: Dict[Any, _Models] = holder.__dict__.setdefault(_CACHES, {})
            models = caches.get(inner)
            if models is None:
                load = inner if owner is None else functools.partial(inner, owner)
                models = caches[inner] = _Models(load, max_num_models_per_replica)
                _all.append(models)
            return await models.get(model_id)

        get.inserve_multiplexed = True  # type: ignore[attr-defined]
        return get

    return decorate if function is None else decorate(function)


def is_multiplexed(method: Any) -> bool:
    """Whether ``@multiplexed`` decorates a method."""
    return getattr(method, "inserve_multiplexed", False) is True


class _Models:
    """Models by id, the least recently used first."""

    def __init__(self, load: Callable, limit: int) -> None:
        self._load = load
        self._limit = limit
        self._models: "OrderedDict[str, Any]" = OrderedDict()
        self._loading: Dict[str, asyncio.Future] = {}
        self._lock: Optional[asyncio.Lock] = None

    @property
    def ids(self) -> List[str]:
        return [*self._models, *self._loading]

    async def get(self, model_id: str) -> Any:
        if model_id in self._models:
            self._models.move_to_end(model_id)
            return self._models[model_id]
        loading = self._loading.get(model_id)
        if loading is None:
            loading = asyncio.ensure_future(self._make(model_id))
            self._loading[model_id] = loading
            loading.add_done_callback(lambda _: self._loaded(model_id))
        return await asyncio.shield(loading)

    def _loaded(self, model_id: str) -> None:
        future = self._loading.pop(model_id, None)
        if future is not None and not future.cancelled():
            future.exception()
        _changed()

    async def _make(self, model_id: str) -> Any:
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            while self._limit != -1 and len(self._models) >= self._limit:
                _, model = self._models.popitem(last=False)
                await _dispose(model)
                del model
            _changed()
            since = time.monotonic()
            model = self._load(model_id)
            if inspect.isawaitable(model):
                model = await model
            listener.loaded((time.monotonic() - since) * 1000)
            self._models[model_id] = model
            return model

    async def clear(self) -> None:
        """Drops all models."""
        while self._models:
            _, model = self._models.popitem(last=False)
            await _dispose(model)
            del model


def _changed() -> None:
    listener.changed(sorted({model_id for models in _all for model_id in models.ids}))


async def _dispose(model: Any) -> None:
    """Runs the destructor of a model, as Ray does: ``__del__``, of which a second run is avoided by closing first."""
    for name in ("aclose", "close"):
        end = getattr(model, name, None)
        if callable(end):
            try:
                result = end()
                if inspect.isawaitable(result):
                    await result
            except Exception:
                pass
            return


async def clear_models() -> None:
    """Drops the models of all caches, at the end of the replica."""
    for models in _all:
        await models.clear()

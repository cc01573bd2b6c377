"""The user's class or function: found, constructed and described."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import os
import sys
from typing import Any, Callable, Dict, List, Optional

from ._batch import batch_options, list_method
from ._errors import ServeError
from ._multiplexed import is_multiplexed

_HOOKS = ("reconfigure", "check_health", "record_autoscaling_stats", "create", "close", "aclose")
_RESERVED = ("remote", "options", "broadcast", "map", "then", "bind")


@dataclasses.dataclass
class Method:
    """One remote method."""

    name: str
    function: Callable
    kind: str  # 'sync', 'async', 'generator' or 'async generator'
    batch: Optional[Dict[str, Any]] = None
    # The member itself, before ``@batch`` is taken off.
    source: Any = None
    # Whether its last call took long; not known before the first.
    is_slow: bool = True

    @property
    def is_stream(self) -> bool:
        return self.kind.endswith("generator")


def find_target(target: Dict[str, Any]) -> Any:
    """
    Imports the module of a target ``{"file": …}`` or ``{"module": …}`` and returns its member ``name``.

    :raises ServeError: if there is no such name
    """
    if "file" in target:
        module = _import_file(target["file"])
    else:
        module = importlib.import_module(target["module"])
    found: Any = module
    for part in target["name"].split("."):
        if not hasattr(found, part):
            where = target.get("file") or target.get("module")
            names = [name for name, value in vars(module).items() if _is_candidate(name, value, module)]
            listed = f"; it has {', '.join(names)}" if names else ""
            raise ServeError("SERVE_MODULE_MISMATCH", f"{where} has no class or function {target['name']!r}{listed}")
        found = getattr(found, part)
    if not callable(found):
        raise ServeError("SERVE_MODULE_MISMATCH", f"{target['name']} is a {type(found).__name__}, not a class or function")
    return found


def _is_candidate(name: str, value: Any, module: Any) -> bool:
    is_own = getattr(value, "__module__", None) == module.__name__
    return not name.startswith("_") and is_own and (inspect.isclass(value) or inspect.isfunction(value))


def _import_file(path: str) -> Any:
    folder, base = os.path.split(path)
    name = os.path.splitext(base)[0]
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ServeError("SERVE_MODULE_MISMATCH", f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Other files of the folder, pickle and dataclasses find it under its name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


async def construct(target: Any, args: List[Any], kwargs: Dict[str, Any]) -> Any:
    """
    An instance, by ``async def create`` of the class if there is one; a function is used as it is.

    :raises ServeError: for arguments of what is no class
    """
    if not inspect.isclass(target):
        if args or kwargs:
            name = getattr(target, "__name__", type(target).__name__)
            raise ServeError(
                "SERVE_INVALID_OPTION",
                f"{name}.bind(): got arguments; allowed: none, since {name} is no class, and gets its arguments by each call",
            )
        return target
    create = inspect.getattr_static(target, "create", None)
    if isinstance(create, classmethod) and inspect.iscoroutinefunction(create.__func__):
        return await target.create(*args, **kwargs)
    return target(*args, **kwargs)


def methods_of(instance: Any) -> Dict[str, Method]:
    """
    The remote methods by name; ``__call__`` is ``call``.

    :raises ServeError: for a name that belongs to the handle
    """
    if inspect.isroutine(instance):
        return {"call": _method("call", None, instance)}
    methods: Dict[str, Method] = {}
    for name in dir(type(instance)):
        static = inspect.getattr_static(instance, name, None)
        is_call = name == "__call__"
        if (name.startswith("_") and not is_call) or name in _HOOKS or isinstance(static, property):
            continue
        value = getattr(instance, name, None)
        if not inspect.isroutine(value) or inspect.isbuiltin(value) or is_multiplexed(value):
            continue
        if name in _RESERVED:
            code = getattr(inspect.unwrap(value), "__code__", None)
            where = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
            raise ServeError(
                "SERVE_INVALID_OPTION",
                f"{type(instance).__name__}.{name}{where}: rename this method: '{name}' belongs to the handle",
            )
        remote_name = "call" if is_call else name
        method = _method(remote_name, instance, value)
        if name == "websocket" and (method.kind != "async" or method.batch is not None):
            raise ServeError(
                "SERVE_INVALID_OPTION",
                f"{type(instance).__name__}.websocket serves WebSockets: make it `async def websocket(self, socket, request)`",
            )
        methods[remote_name] = method
    return methods


def _method(name: str, owner: Any, value: Callable) -> Method:
    options = batch_options(value)
    function = value if options is None else list_method(owner, value)
    inner = inspect.unwrap(value) if options is not None else value
    if inspect.isasyncgenfunction(inner):
        kind = "async generator"
    elif inspect.iscoroutinefunction(inner):
        kind = "async"
    elif inspect.isgeneratorfunction(inner):
        kind = "generator"
    else:
        kind = "sync"
    return Method(name, function, kind, options, value)


def _arity(method: Method) -> int:
    """The number of positional parameters without a default."""
    try:
        parameters = inspect.signature(method.function).parameters.values()
    except (TypeError, ValueError):
        return 1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(1 for each in parameters if each.kind in positional and each.default is inspect.Parameter.empty)


def ingress_argument(methods: Dict[str, Method]) -> str:
    """
    What ``__call__`` gets for an HTTP request: the ``request``, its parsed ``body`` (for a parameter with another
    annotation), or ``nothing``.
    """
    method = methods.get("call")
    if method is None:
        return "nothing"
    try:
        parameters = list(inspect.signature(method.function).parameters.values())
    except (TypeError, ValueError):
        return "request"
    if not parameters:
        return "nothing"
    annotation = parameters[0].annotation
    if annotation is inspect.Parameter.empty or annotation is Any:
        return "body" if method.batch is not None else "request"
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return "request" if name.strip("'\"").endswith("Request") else "body"


def describe(instance: Any, methods: Dict[str, Method]) -> Dict[str, Any]:
    """What the host must know of the instance."""
    listed = [[method.name, method.is_stream, method.batch, _arity(method)] for method in methods.values()]
    hooks = [name for name in _HOOKS[:3] if callable(getattr(instance, name, None))]
    has_only_sync = all(not method.kind.startswith("async") for method in methods.values())
    return {"methods": listed, "hooks": hooks, "ingress": ingress_argument(methods), "sync": has_only_sync}

"""
Writes the TypeScript interface of the classes of a Python file from their annotations. The file is parsed, never imported.

Usage: ``python python_types.py FILE [NAME …]`` prints the declarations.
"""

from __future__ import annotations

import ast
import re
import sys
from typing import Dict, List, Optional, Set, Tuple, Union

_HOOKS = {"reconfigure", "check_health", "record_autoscaling_stats", "create", "close", "aclose"}
_NUMBERS = {"int", "float", "number", "Number", "Real"}
_SEQUENCES = {
    "list", "List", "Sequence", "MutableSequence", "Iterable", "Collection", "Deque", "deque", "tuple", "Tuple",
}
_MAPPINGS = {"dict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict"}
_SETS = {"set", "Set", "frozenset", "FrozenSet", "AbstractSet"}
_STREAMS = {"Iterator", "AsyncIterator", "AsyncIterable", "Generator", "AsyncGenerator"}
_ARRAYS = {"ndarray", "NDArray", "Tensor", "ArrayLike", "EagerTensor", "Array"}
_BYTES = {"bytes", "bytearray", "memoryview"}
_DATES = {"datetime", "date"}
_UNKNOWN = {"Any", "object", "JSON"}
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
# Words that no parameter in TypeScript may be named, and that Python has as names.
_RESERVED = frozenset(
    "arguments case catch const debugger default delete do enum eval export extends function implements instanceof"
    " interface let new null package private protected public static super switch this throw typeof var void".split()
)
_WRAPPERS = {"Annotated", "Required", "NotRequired", "ReadOnly", "Final", "ClassVar", "Awaitable", "Coroutine"}

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]
# Interfaces that a type mentions, and whether it is an array of memory.
_IDENTIFIER = re.compile(r"^[A-Za-z_$][\w$]*$")


class Unit:
    """The classes, aliases and functions of one file."""

    def __init__(self, tree: ast.Module) -> None:
        self.classes: Dict[str, ast.ClassDef] = {}
        self.functions: Dict[str, Function] = {}
        self.aliases: Dict[str, ast.expr] = {}
        # Interfaces that were mentioned and must be written.
        self.needed: List[str] = []
        self.uses_tensor = False
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.functions[node.name] = node
            elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                self.aliases[node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                self.aliases[node.target.id] = node.value

    def type_of(self, node: Optional[ast.expr], seen: Tuple[str, ...] = ()) -> str:
        """The type in TypeScript of an annotation."""
        if node is None:
            return "unknown"
        if isinstance(node, ast.Constant):
            return self._constant(node.value, seen)
        if isinstance(node, ast.Name):
            return self._named(node.id, seen)
        if isinstance(node, ast.Attribute):
            return self._named(node.attr, seen)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return _union([self.type_of(node.left, seen), self.type_of(node.right, seen)])
        if isinstance(node, ast.Subscript):
            return self._generic(node, seen)
        return "unknown"

    def _constant(self, value: object, seen: Tuple[str, ...]) -> str:
        if value is None:
            return "null"
        if isinstance(value, str):
            try:
                return self.type_of(ast.parse(value, mode="eval").body, seen)
            except SyntaxError:
                return "unknown"
        return "unknown"

    def _named(self, name: str, seen: Tuple[str, ...]) -> str:
        if name in _NUMBERS:
            return "number"
        simple = {"str": "string", "bool": "boolean", "None": "null", "NoneType": "null", "Request": "Request"}
        if name in simple:
            return simple[name]
        if name in _BYTES:
            return "Uint8Array"
        if name in _DATES:
            return "Date"
        if name in _ARRAYS:
            self.uses_tensor = True
            return "TensorLike"
        if name in _SEQUENCES:
            return "unknown[]"
        if name in _MAPPINGS:
            return "Record<string, unknown>"
        if name in _SETS:
            return "Set<unknown>"
        if name in _STREAMS:
            return "AsyncIterable<unknown>"
        if name in self.classes and self._is_data(self.classes[name]):
            if name not in self.needed:
                self.needed.append(name)
            return name
        if name in self.classes and self._is_enum(self.classes[name]):
            return self._enum(self.classes[name])
        if name in self.aliases and name not in seen:
            return self.type_of(self.aliases[name], (*seen, name))
        return "unknown"

    def _generic(self, node: ast.Subscript, seen: Tuple[str, ...]) -> str:
        base = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
        # Python 3.8 wraps the index; 3.9 and later do not.
        inner = node.slice
        args = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
        if base == "Optional":
            return _union([self.type_of(args[0], seen), "null"])
        if base == "Union":
            return _union([self.type_of(arg, seen) for arg in args])
        if base == "Literal":
            return _union([_literal(arg) for arg in args])
        if base in ("Coroutine",):
            return self.type_of(args[-1], seen)
        if base in _WRAPPERS:
            return self.type_of(args[0], seen)
        if base in ("tuple", "Tuple"):
            if len(args) == 2 and isinstance(args[1], ast.Constant) and args[1].value is Ellipsis:
                return _array(self.type_of(args[0], seen))
            return "[" + ", ".join(self.type_of(arg, seen) for arg in args) + "]"
        if base in _SEQUENCES:
            return _array(self.type_of(args[0], seen))
        if base in _SETS:
            return f"Set<{self.type_of(args[0], seen)}>"
        if base in _MAPPINGS:
            return f"Record<string, {self.type_of(args[-1], seen)}>"
        if base in _STREAMS:
            return f"AsyncIterable<{self.type_of(args[0], seen)}>"
        return self._named(base, seen)

    @staticmethod
    def _bases(node: ast.ClassDef) -> Set[str]:
        return {base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases}

    def _is_enum(self, node: ast.ClassDef) -> bool:
        return bool(self._bases(node) & {"Enum", "IntEnum", "StrEnum"})

    def _is_data(self, node: ast.ClassDef) -> bool:
        names = {_decorator(each) for each in node.decorator_list}
        return bool(self._bases(node) & {"TypedDict", "NamedTuple", "BaseModel"}) or "dataclass" in names or any(
            base in self.classes and self._is_data(self.classes[base]) for base in self._bases(node)
        )

    @staticmethod
    def _enum(node: ast.ClassDef) -> str:
        values = [each.value for each in node.body if isinstance(each, ast.Assign)]
        return _union([_literal(value) for value in values]) if values else "unknown"

    def interface(self, name: str) -> str:
        """The interface of a dataclass, a TypedDict or a pydantic model."""
        node = self.classes[name]
        total = not any(
            key.arg == "total" and isinstance(key.value, ast.Constant) and key.value.value is False
            for key in node.keywords
        )
        lines = []
        own = [base for base in self._bases(node) if base in self.classes and self._is_data(self.classes[base])]
        for base in own:
            if base not in self.needed:
                self.needed.append(base)
        for field in node.body:
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                if _wrapper(field.annotation) == "ClassVar":
                    continue
                is_optional = not total or _wrapper(field.annotation) == "NotRequired"
                mark = "?" if is_optional else ""
                lines.append(f"  {_key(field.target.id)}{mark}: {self.type_of(field.annotation)};")
        extends = f" extends {', '.join(sorted(own))}" if own else ""
        return _doc(node, "") + f"export interface {name}{extends} {{\n" + "\n".join(lines) + "\n}\n"

    def class_interface(self, name: str) -> str:
        """The interface of the methods of a deployment, and the type of its constructor's arguments."""
        node = self.classes[name]
        methods = self._methods(node)
        lines = [self._method(method, method_name) for method_name, method in methods.items()]
        text = _doc(node, "") + f"export interface {name} {{\n" + "".join(lines) + "}\n"
        init = self._find(node, "create") or self._find(node, "__init__")
        arguments = self._parameters(init, True) if init is not None else []
        return text + f"\nexport type {name}Arguments = [{', '.join(arguments)}];\n"

    def function_interface(self, name: str) -> str:
        """The interface of a function, whose only method is ``call``."""
        function = self.functions[name]
        text = f"export interface {name} {{\n" + self._method(function, "call", False) + "}\n"
        return text + f"\nexport type {name}Arguments = [];\n"

    def _find(self, node: ast.ClassDef, name: str) -> Optional[Function]:
        for each in node.body:
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and each.name == name:
                return each
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.classes:
                found = self._find(self.classes[base.id], name)
                if found is not None:
                    return found
        return None

    def _methods(self, node: ast.ClassDef) -> Dict[str, Function]:
        methods: Dict[str, Function] = {}
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.classes:
                methods.update(self._methods(self.classes[base.id]))
        for each in node.body:
            if not isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            decorators = {_decorator(decorator) for decorator in each.decorator_list}
            if decorators & {"property", "multiplexed", "cached_property", "setter"} or each.name in _HOOKS or each.name == "websocket":
                continue
            if each.name == "__call__":
                methods["call"] = each
            elif not each.name.startswith("_"):
                methods[each.name] = each
        return methods

    def _method(self, method: Function, name: str, has_self: bool = True) -> str:
        decorators = {_decorator(decorator) for decorator in method.decorator_list}
        is_static = "staticmethod" in decorators
        is_batched = "batch" in decorators
        parameters = self._parameters(method, has_self and not is_static, is_batched)
        result = self.type_of(method.returns)
        is_generator = any(isinstance(each, (ast.Yield, ast.YieldFrom)) for each in _own_nodes(method))
        if is_batched:
            result = _item(result)
            if result.startswith("AsyncIterable<"):
                result = f"AsyncIterable<{_item(result[len('AsyncIterable<'):-1])}>"
        if is_generator and not result.startswith("AsyncIterable<"):
            result = "AsyncIterable<unknown>"
        elif isinstance(method, ast.AsyncFunctionDef) and not result.startswith("AsyncIterable<"):
            result = f"Promise<{result}>"
        return _doc(method, "  ") + f"  {_key(name)}({', '.join(parameters)}): {result};\n"

    def _parameters(self, method: Function, has_self: bool, is_batched: bool = False) -> List[str]:
        arguments = method.args
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
        pairs = list(zip(positional, defaults))[1 if has_self else 0 :]
        parameters = []
        for argument, default in pairs:
            kind = self.type_of(argument.annotation)
            if argument.annotation is None and default is not None:
                kind = _type_of_default(default)
            if is_batched:
                kind = _item(kind)
            parameters.append(f"{_parameter(argument.arg)}{'' if default is None else '?'}: {kind}")
        if arguments.vararg is not None:
            parameters.append(f"...{_parameter(arguments.vararg.arg)}: {_array(self.type_of(arguments.vararg.annotation))}")
        return parameters


def _own_nodes(function: Function) -> List[ast.AST]:
    """The nodes of a function without those of functions within it."""
    nodes: List[ast.AST] = []
    waiting: List[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        nodes.append(node)
        waiting.extend(ast.iter_child_nodes(node))
    return nodes


def _decorator(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _wrapper(node: ast.expr) -> str:
    return getattr(node.value, "id", getattr(node.value, "attr", "")) if isinstance(node, ast.Subscript) else ""


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        value = node.value
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return str(value)
        if isinstance(value, str):
            return "'" + value.translate(_ESCAPES) + "'"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return "-" + _literal(node.operand)
    return "unknown"


def _type_of_default(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            return "boolean"
        if isinstance(value, (int, float)):
            return "number"
        if isinstance(value, str):
            return "string"
    return "unknown"


def _union(parts: List[str]) -> str:
    flat: List[str] = []
    for part in parts:
        for each in part.split(" | ") if not any(mark in part for mark in "<[{(") else [part]:
            if each not in flat:
                flat.append(each)
    if "unknown" in flat:
        return "unknown"
    if "null" in flat:
        flat.remove("null")
        flat.append("null")
    return " | ".join(flat)


def _array(item: str) -> str:
    return f"({item})[]" if " | " in item else f"{item}[]"


def _item(kind: str) -> str:
    """The type of one item of a batch."""
    if kind.endswith("[]"):
        inner = kind[:-2]
        return inner[1:-1] if inner.startswith("(") and inner.endswith(")") else inner
    return "TensorLike" if kind == "TensorLike" else "unknown"


def _key(name: str) -> str:
    return name if _IDENTIFIER.match(name) else f"'{name}'"


def _parameter(name: str) -> str:
    """A name of Python is one of TypeScript, unless TypeScript reserves it."""
    return name + "_" if name in _RESERVED else name


def _doc(node: Union[ast.ClassDef, Function], indent: str) -> str:
    text = ast.get_docstring(node)
    if not text:
        return ""
    lines = [line.rstrip().replace("*/", "*\\/") for line in text.splitlines()]
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    body = "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines)
    return f"{indent}/**\n{body}{indent} */\n"


def declarations(source: bytes, names: List[str], path: str = "<unknown>") -> str:
    """
    The declarations for the given classes and functions; without names for all public classes with a method.

    :raises LookupError: for a name that the file does not have
    :raises SyntaxError: if the source is no Python
    """
    unit = Unit(ast.parse(source, path))
    chosen = names or [
        name
        for name, node in unit.classes.items()
        if not name.startswith("_") and not unit._is_data(node) and not unit._is_enum(node) and unit._methods(node)
    ]
    parts = []
    for name in chosen:
        if name in unit.classes:
            parts.append(unit.class_interface(name))
        elif name in unit.functions:
            parts.append(unit.function_interface(name))
        else:
            raise LookupError(f"there is no class or function {name!r}")
    written: List[str] = []
    while len(written) < len(unit.needed):
        name = unit.needed[len(written)]
        written.append(name)
        parts.insert(0, unit.interface(name))
    head = "// Written by `inserve python-types`. Do not edit: change the annotations, and run it again.\n"
    if unit.uses_tensor:
        head += "import type { Tensor, TensorData } from 'inserve';\n\ntype TensorLike = Tensor | TensorData;\n"
    return head + "\n" + "\n".join(parts)


def main(arguments: List[str]) -> int:
    """Prints the declarations of a file."""
    path, *names = arguments
    try:
        with open(path, "rb") as file:
            text = declarations(file.read(), names, path)
    except OSError as error:
        sys.stderr.write(f"{path}: {error.strerror}\n")
        return 1
    except (SyntaxError, ValueError, LookupError) as error:
        sys.stderr.write(f"{path}: {error}\n")
        return 1
    sys.stdout.buffer.write(text.encode("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The syntax tree of a checked expression, and what it reads.

The library hands the tree out in one form only: serialised, a ``cel.expr.CheckedExpr`` of protobuf. Its definition is
repeated here, as far as it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = ["Call", "Read", "calls", "reads", "shape", "tree"]


@dataclass(frozen=True, slots=True)
class Read:
    """A variable that an expression reads."""

    name: str
    """The declared name: ``req.url.path``, ``vars``, ``actions``."""
    fields: tuple[str, ...]
    """The fields taken from it, as far as they are constant: ``("ngrok", "oauth", "error")``."""
    offset: int
    """Where it stands, in characters."""
    tested: bool
    """Only asked whether it is there."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose last argument is constant text."""

    function: str
    """Its name."""
    texts: tuple[tuple[str, int], ...]
    """The text, or each text of a list, and where it stands."""


def tree(compiled: Any) -> Any:
    """The tree of an expression that CEL compiled.

    Raises:
        RecursionError: It is nested deeper than protobuf reads.
    """
    from google.protobuf.any_pb2 import Any as Wrapped  # noqa: PLC0415
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    try:
        return _checked().FromString(Wrapped.FromString(compiled.serialize()).value)
    except DecodeError:
        raise RecursionError("nested too deep") from None


def reads(checked: Any) -> Iterator[Read]:
    """Every read of a variable, those that a comprehension declares left out."""
    positions = checked.source_info.positions
    todo: list[tuple[Any, frozenset[str]]] = [(checked.expr, frozenset())]
    while todo:
        node, bound = todo.pop()
        root, fields, tested = _chain(node)
        if root.HasField("ident_expr"):
            name = root.ident_expr.name
            if name not in bound:
                yield Read(name, tuple(fields), positions[root.id], tested)
        if root is not node:
            if not root.HasField("ident_expr"):
                todo.append((root, bound))
            continue
        todo += _children(node, bound)


def _chain(node: Any) -> tuple[Any, list[str], bool]:
    """The innermost operand of selections, the fields selected from it, and whether the last is only tested."""
    fields: list[str] = []
    tested = False
    if _function(node) == "@in" and (key := _text(node.call_expr.args[0])) is not None:
        return node.call_expr.args[1], [key], True
    while True:
        if node.HasField("select_expr"):
            tested = tested or node.select_expr.test_only
            fields.insert(0, node.select_expr.field)
            node = node.select_expr.operand
        elif _function(node) == "_[_]" and (key := _text(node.call_expr.args[1])) is not None:
            fields.insert(0, key)
            node = node.call_expr.args[0]
        else:
            return node, fields, tested


def _function(node: Any) -> str:
    return str(node.call_expr.function) if node.HasField("call_expr") else ""


def _text(node: Any) -> str | None:
    return str(node.const_expr.string_value) if node.const_expr.HasField("string_value") else None


def _children(node: Any, bound: frozenset[str] = frozenset()) -> list[tuple[Any, frozenset[str]]]:
    kind = node.WhichOneof("kind")
    if kind == "call_expr":
        target = [node.call_expr.target] if node.call_expr.HasField("target") else []
        return [(child, bound) for child in (*target, *node.call_expr.args)]
    if kind == "list_expr":
        return [(child, bound) for child in node.list_expr.elements]
    if kind == "struct_expr":
        entries = node.struct_expr.entries
        keys = [(entry.map_key, bound) for entry in entries if entry.HasField("map_key")]
        return [*keys, *((entry.value, bound) for entry in entries)]
    if kind == "select_expr":
        return [(node.select_expr.operand, bound)]
    if kind == "comprehension_expr":
        loop = node.comprehension_expr
        inner = bound | {loop.iter_var, loop.accu_var}
        outside = [(loop.iter_range, bound), (loop.accu_init, bound)]
        return [*outside, *((part, inner) for part in (loop.loop_condition, loop.loop_step, loop.result))]
    return []


def calls(checked: Any) -> Iterator[Call]:
    """Every call whose last argument is constant text, or a list that holds some."""
    positions = checked.source_info.positions
    todo = [checked.expr]
    while todo:
        node = todo.pop()
        if node.HasField("call_expr") and node.call_expr.args:
            last = node.call_expr.args[-1]
            items = last.list_expr.elements if last.HasField("list_expr") else (last,)
            texts = tuple((text, positions[item.id]) for item in items if (text := _text(item)) is not None)
            if texts:
                yield Call(_function(node), texts)
        todo += [child for child, _ in _children(node)]


def shape(checked: Any) -> Any:
    """The tree with every constant text replaced by nothing: equal for two expressions that differ in texts only."""
    return _shape(checked.expr)


def _shape(node: Any) -> Any:
    kind = node.WhichOneof("kind")
    if kind == "const_expr":
        return kind, node.const_expr.WhichOneof("constant_kind")
    own: Any = None
    if kind == "ident_expr":
        own = node.ident_expr.name
    elif kind == "select_expr":
        own = node.select_expr.field, node.select_expr.test_only
    elif kind == "call_expr":
        own = node.call_expr.function, node.call_expr.HasField("target")
    return kind, own, tuple(_shape(child) for child, _ in _children(node))


# --- cel/expr/syntax.proto and checked.proto: number, name, type of each field ---------------------------------------

_MESSAGES = {
    "Constant": "6 string_value string",
    "Ident": "1 name string",
    "Select": "1 operand Expr, 2 field string, 3 test_only bool",
    "Call": "1 target Expr, 2 function string, 3 args Expr*",
    "CreateList": "1 elements Expr*",
    "Entry": "1 id int64, 2 field_key string, 3 map_key Expr, 4 value Expr",
    "CreateStruct": "1 message_name string, 2 entries Entry*",
    "Comprehension": "1 iter_var string, 2 iter_range Expr, 3 accu_var string, 4 accu_init Expr, "
    "5 loop_condition Expr, 6 loop_step Expr, 7 result Expr",
    "Expr": "2 id int64, 3 const_expr Constant, 4 ident_expr Ident, 5 select_expr Select, 6 call_expr Call, "
    "7 list_expr CreateList, 8 struct_expr CreateStruct, 9 comprehension_expr Comprehension",
    "SourceInfo": "4 positions PositionsEntry*",
    "CheckedExpr": "4 expr Expr, 5 source_info SourceInfo",
}
_ONEOF = {"Constant": "constant_kind", "Expr": "kind"}
_CONSTANTS = (
    "1 null_value int64, 2 bool_value bool, 3 int64_value int64, 4 uint64_value uint64, 5 double_value double, "
)


@cache
def _checked() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: PLC0415

    proto = descriptor_pb2.FieldDescriptorProto
    simple = {
        "string": proto.TYPE_STRING,
        "bool": proto.TYPE_BOOL,
        "int32": proto.TYPE_INT32,
        "int64": proto.TYPE_INT64,
        "uint64": proto.TYPE_UINT64,
        "double": proto.TYPE_DOUBLE,
        "bytes": proto.TYPE_BYTES,
    }
    file = descriptor_pb2.FileDescriptorProto(name="tree.proto", package="tree", syntax="proto3")
    for name, text in _MESSAGES.items():
        fields = f"{_CONSTANTS}{text}, 7 bytes_value bytes" if name == "Constant" else text
        message = file.message_type.add(name=name)
        if name in _ONEOF:
            message.oneof_decl.add(name=_ONEOF[name])
        for item in fields.split(", "):
            number, field_name, kind = item.split()
            made = message.field.add(name=field_name, number=int(number), label=proto.LABEL_OPTIONAL)
            if kind.endswith("*"):
                made.label = proto.LABEL_REPEATED
            if kind in simple:
                made.type = simple[kind]
            else:
                scope = "SourceInfo." if kind.startswith("Positions") else ""
                made.type, made.type_name = proto.TYPE_MESSAGE, f".tree.{scope}{kind.rstrip('*')}"
            if name in _ONEOF and field_name != "id":
                made.oneof_index = 0
        if name == "SourceInfo":
            entry = message.nested_type.add(name="PositionsEntry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, type=proto.TYPE_INT64, label=proto.LABEL_OPTIONAL)
            entry.field.add(name="value", number=2, type=proto.TYPE_INT32, label=proto.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tree.CheckedExpr"))

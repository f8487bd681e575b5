"""Small changes to a module's code, each a fault that a test should notice, and how one is put in.

A change keeps the name and the arguments of its function, so that it goes in by exchanging the function's
code: whoever has imported the function by name then runs the changed one, and nothing else is touched.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import _lru_cache_wrapper, cached_property
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
SWAPPED = {"min": "max", "max": "min", "floor": "ceil", "ceil": "floor", "any": "all", "all": "any"}
# Of which arrays may be read a step too early or too late.
TIMES = {"t", "i", "j", "step", "row", "before", "printed", "lag"}
# Whose arguments may stand in any order.
SYMMETRIC = {
    "minimum",
    "maximum",
    "fmin",
    "fmax",
    "intersect1d",
    "lcm",
    "gcd",
    "isinstance",
    "getattr",
    "shared_part",
}
# What looks at the kind of what was given, or names it in a refusal.
OF_KINDS = {"isinstance", "is_whole", "is_number", "keep_plain", "numbers", "dates"}
# What is only said, or only guards against what nobody may give.
SILENT = (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)
NOT_RUN = {"annotation", "returns", "decorator_list", "args", "type_params", "simple"}


@dataclass(frozen=True)
class Mutant:
    """One change to one function.

    Args:
        module: file, from the root of the project.
        function: name within the module, with its class.
        operator: what kind of change it is.
        text: what stands there, and what instead.
        number: of the changes of this text in the function, from 1.
        lines: first and last line of what is changed.
        node: the function as it is changed, or the class it is in.
    """

    module: str
    function: str
    operator: str
    text: str
    number: int
    lines: tuple[int, int]
    node: Callable[[], ast.stmt]

    @cached_property
    def key(self) -> str:
        """How the list of survivors names it: it does not move with the lines of the file."""
        return f"{self.module} {self.function}: {self.text}" + (f" #{self.number}" if self.number > 1 else "")


@dataclass(frozen=True)
class Site:
    """A place in the tree: a field of a node, or an item of it."""

    parent: ast.AST
    field: str
    index: int | None

    @property
    def node(self) -> Any:
        held = getattr(self.parent, self.field)
        return held if self.index is None else held[self.index]

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def mutants_of(
    module: str, wanted: Callable[[ast.FunctionDef], bool] = lambda function: True
) -> list[Mutant]:
    """Every change of every function of a module that is wanted."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    siblings = families(tree)
    out: list[Mutant] = []
    for top in tree.body:
        for name, function in functions(top):
            if not wanted(function) or name.endswith("__repr__"):
                continue
            seen: Counter[str] = Counter()
            for site, statement, operator, new in changes(function, siblings):
                if ast.dump(site.node) == ast.dump(new):  # equal arguments that change places
                    continue
                text = f"{shown(site.node)} -> {shown(new)}"
                seen[text] += 1
                last = getattr(site.node, "end_lineno", statement.lineno)
                if isinstance(site.node, ast.stmt):
                    last = site.node.lineno
                lines = statement.lineno, max(statement.lineno, last)
                out.append(Mutant(module, name, operator, text, seen[text], lines, put(top, site, new)))
    return out


def put(top: ast.stmt, site: Site, new: ast.AST) -> Callable[[], ast.stmt]:
    def changed() -> ast.stmt:
        site.put(ast.copy_location(new, site.node))
        return ast.fix_missing_locations(top)

    return changed


def shown(node: ast.AST) -> str:
    """The source of a node in one line: of a compound statement, its first."""
    return "nothing" if isinstance(node, ast.Pass) else ast.unparse(node).split("\n")[0]


def functions(top: ast.stmt) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The function a statement of a module makes, or the methods of its class."""
    if isinstance(top, ast.FunctionDef):
        yield top.name, top
    elif isinstance(top, ast.ClassDef):
        for node in top.body:
            if isinstance(node, ast.FunctionDef):
                yield f"{top.name}.{node.name}", node


def families(tree: ast.Module) -> dict[str, str]:
    """For every name of ``A, B, C = range(3)`` the one after it: what is easily taken for it."""
    out = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            names = [item.id for item in node.targets[0].elts if isinstance(item, ast.Name)]
            if all(name.isupper() for name in names):
                out |= dict(zip(names, names[1:] + names[:1], strict=True))
    return out


def changes(function: ast.FunctionDef, siblings: dict[str, str]) -> Iterator[tuple[Site, Any, str, ast.AST]]:
    """Where something may be changed, the statement it is in, what kind of change, and what goes there."""
    assigned = Counter(
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    for site, statement in sites(function, function):
        for operator, new in alternatives(site, siblings, assigned):
            yield site, statement, operator, new


def sites(node: ast.AST, statement: ast.AST) -> Iterator[tuple[Site, ast.AST]]:
    for field, held in ast.iter_fields(node):
        if field in NOT_RUN and not isinstance(node, ast.Call):
            continue
        for index, item in enumerate(held) if isinstance(held, list) else [(None, held)]:
            if not isinstance(item, ast.AST) or isinstance(item, SILENT) or only_refuses(item):
                continue
            own = item if isinstance(item, ast.stmt) else statement
            yield Site(node, field, index), own
            yield from sites(item, own)


def only_refuses(node: ast.AST) -> bool:
    """A docstring, or a check of what was given or of lengths that are always equal."""
    if isinstance(node, ast.keyword):
        return node.arg == "strict"
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise) and not node.orelse


def alternatives(
    site: Site, siblings: dict[str, str], assigned: Counter[str]
) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in a place instead of what does."""
    node = site.node
    if isinstance(node, (ast.BoolOp, ast.UnaryOp, ast.Call, ast.Expr)) and looks_at_kinds(node):
        return
    kind: Callable[..., Iterator[tuple[str, ast.AST]]] | None = CHANGES.get(type(node))
    if kind is not None:
        yield from kind(node)
    if isinstance(node, ast.Name) and node.id in siblings and isinstance(node.ctx, ast.Load):
        yield "name of a row", ast.Name(siblings[node.id], ast.Load())
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Continue, ast.Break, ast.Expr)) and (
        not isinstance(node, ast.Assign) or not makes_names(node, assigned)
    ):
        yield "statement removed", ast.Pass()
    if isinstance(node, ast.Return) and isinstance(site.parent, (ast.If, ast.For)):
        yield "statement removed", ast.Pass()
    if isinstance(site.parent, (ast.If, ast.IfExp, ast.While)) and site.field == "test":
        if not isinstance(site.parent, ast.While):
            yield "condition forced", ast.Constant(True)
        yield "condition forced", ast.Constant(False)
    if isinstance(node, ast.Name) and node.id in TIMES and isinstance(node.ctx, ast.Load) and in_index(site):
        yield "index shifted", ast.BinOp(node, ast.Sub(), ast.Constant(1))
        yield "index shifted", ast.BinOp(node, ast.Add(), ast.Constant(1))


def looks_at_kinds(node: ast.AST) -> bool:
    called = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    return any(isinstance(func, ast.Name) and func.id in OF_KINDS for func in called)


def makes_names(node: ast.Assign, assigned: Counter[str]) -> bool:
    """Whether an assignment is the only one of a name: without it nothing runs at all."""
    names = [
        item.id
        for target in node.targets
        for item in ast.walk(target)
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)
    ]
    return any(assigned[name] == 1 for name in names)


def in_index(site: Site) -> bool:
    return (isinstance(site.parent, ast.Subscript) and site.field == "slice") or (
        isinstance(site.parent, ast.Tuple)
        and site.index is not None
        and isinstance(site.parent.ctx, ast.Load)
    )


def compare(node: ast.Compare) -> Iterator[tuple[str, ast.AST]]:
    for at, operator in enumerate(node.ops):
        for other in COMPARED[type(operator)]:
            ops = [other() if i == at else op for i, op in enumerate(node.ops)]
            yield "comparison", ast.Compare(node.left, ops, node.comparators)


def compute(node: ast.BinOp) -> Iterator[tuple[str, ast.AST]]:
    if other := COMPUTED.get(type(node.op)):
        yield "arithmetic", ast.BinOp(node.left, other(), node.right)


def compute_in_place(node: ast.AugAssign) -> Iterator[tuple[str, ast.AST]]:
    if other := COMPUTED.get(type(node.op)):
        yield "arithmetic", ast.AugAssign(node.target, other(), node.value)


def combine(node: ast.BoolOp) -> Iterator[tuple[str, ast.AST]]:
    yield "and, or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for at in range(len(node.values)):
        rest = [value for i, value in enumerate(node.values) if i != at]
        yield "part of a condition", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def unary(node: ast.UnaryOp) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.op, (ast.Not, ast.USub)):
        yield "not, minus", node.operand


def constant(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.value, bool):
        yield "constant", ast.Constant(not node.value)
    elif isinstance(node.value, (int, float)):
        yield "constant", ast.Constant(node.value + 1)


def choice(node: ast.IfExp) -> Iterator[tuple[str, ast.AST]]:
    yield "condition forced", ast.IfExp(node.test, node.orelse, node.body)


def call(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    named = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    plain = not node.keywords and not any(isinstance(arg, ast.Starred) for arg in node.args)
    if named in SWAPPED:
        func = deepcopy(node.func)
        setattr(func, "attr" if isinstance(func, ast.Attribute) else "id", SWAPPED[named])
        yield "least, most, rounding", ast.Call(func, node.args, node.keywords)
    if named == "abs":
        yield "least, most, rounding", node.args[0]
    if named == "range" and plain:
        for at, by in ((0, 1), (-1, -1)) if len(node.args) > 1 else ((0, -1),):
            args = list(node.args)
            if len(args) == 3:
                at = min(at % 3, 1)
            args[at] = ast.BinOp(args[at], ast.Add() if by > 0 else ast.Sub(), ast.Constant(1))
            yield "loop bound", ast.Call(node.func, args, [])
    elif plain and len(node.args) > 1 and named not in {*SWAPPED, *SYMMETRIC}:
        args = [*node.args[:-2], node.args[-1], node.args[-2]]
        yield "arguments swapped", ast.Call(node.func, args, [])


CHANGES: dict[type[ast.AST], Callable[..., Iterator[tuple[str, ast.AST]]]] = {
    ast.Compare: compare,
    ast.BinOp: compute,
    ast.AugAssign: compute_in_place,
    ast.BoolOp: combine,
    ast.UnaryOp: unary,
    ast.Constant: constant,
    ast.IfExp: choice,
    ast.Call: call,
}


# -- into the running process --------------------------------------------------------------------------------


def module_of(path: str) -> ModuleType:
    """The imported module of a file of the project."""
    return sys.modules["entrepot." + path.removesuffix(".py").replace("/", ".")]


def plain_function(module: ModuleType, name: str) -> FunctionType:
    """The function behind a name of a module, whatever it is wrapped in."""
    owner, _, own = name.rpartition(".")
    found = vars(getattr(module, owner))[own] if owner else getattr(module, own)
    for wrapper in ("fget", "func", "__func__", "__wrapped__"):
        found = getattr(found, wrapper, found)
    assert isinstance(found, FunctionType), f"{module.__name__}.{name} is no function"
    return found


def put_in(module: str, name: str, node: ast.stmt) -> None:
    """Exchange the code of a function for that of the node defining it; what it remembers is forgotten."""
    code = compile(ast.Module([node], []), str(ROOT / module), "exec", dont_inherit=True, flags=annotations())
    new = next(inner for inner in within(code) if inner.co_qualname == name)
    plain_function(module_of(module), name).__code__ = new
    forget(own for name, own in sys.modules.items() if name.startswith("entrepot."))


def forget(modules: Iterable[ModuleType]) -> None:
    """Let every function of some modules forget what it remembers."""
    for each in (each for module in modules for each in vars(module).values()):
        if isinstance(each, _lru_cache_wrapper):
            each.cache_clear()


def annotations() -> int:
    import __future__

    return __future__.annotations.compiler_flag


def within(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from within(inner)

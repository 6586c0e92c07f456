"""Breaks `probe` in one place at a time, and says which breaks its tests do not notice.

`make mutants` (ONLY=... for the lines that begin so). Each mutant is the module with one node of
its syntax tree changed, loaded in a process of its own in place of the true one; the tests of the
probe must fail there. Docstrings, annotations and imports are left alone.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import io
import os
import signal
import sys
import types
from contextlib import redirect_stdout
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest  # noqa: F401 - once, that no child has to; nor what follows

from namely_link.domain import account, problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).parents[1]
NAME: Final = "namely_link.domain.probe"
SOURCE: Final = ROOT / "layers" / "shared" / "namely_link" / "domain" / "probe.py"
TESTS: Final = ("test_probe", "test_verdicts")
SECONDS: Final = 120
"""What a mutant may take; one that hangs is found as well."""
ENUMS: Final = {
    "Reason": list(problems.Reason.__members__),
    "AccountWarning": list(account.AccountWarning.__members__),
}
ENUMS["Failure"] = ["NO_DNS", "UNREACHABLE", "TIMEOUT", "UNUSABLE"]

LOAD: Final = ast.Load()
COMPARISONS: Final = {
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
OPERATORS: Final = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


def constants(value: object) -> list[object]:
    """Return what a constant is replaced with."""
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, value - 1]
        case str():
            return [value + "~"] if value else ["~"]
        case None:
            return [True]
        case _:
            return []


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    """Yield every change of one node, with a name; None takes the node out."""
    match node:
        case ast.Compare(ops=operators):
            for place, operator in enumerate(operators):
                for other in COMPARISONS[type(operator)]:
                    changed = copy.deepcopy(node)
                    changed.ops[place] = other()
                    yield f"{type(operator).__name__} is {other.__name__}", changed
        case ast.BoolOp(op=operator, values=values):
            other = ast.Or if isinstance(operator, ast.And) else ast.And
            yield f"{type(operator).__name__} is {other.__name__}", ast.BoolOp(other(), values)
            for place in range(len(values)):
                rest = values[:place] + values[place + 1 :]
                shorter = rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)
                yield f"without part {place + 1}", shorter
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "without not", operand
        case ast.BinOp(left=left, op=operator, right=right):
            yield "another operator", ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield "always", body
            yield "never", orelse
            yield "the other way", ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Constant(value=value):
            for other in constants(value):
                yield f"{value!r} is {other!r}", ast.Constant(other)
        case ast.Attribute(value=ast.Name(id=enum), attr=member) if enum in ENUMS:
            others = ENUMS[enum]
            other = others[(others.index(member) + 1) % len(others)]
            yield f"{member} is {other}", ast.Attribute(node.value, other, node.ctx)
        case ast.MatchValue() | ast.MatchSingleton() | ast.MatchClass() | ast.MatchSequence():
            yield "any value", ast.MatchAs()
        case ast.Set(elts=elements) | ast.Tuple(elts=elements) | ast.List(elts=elements):
            for place in range(len(elements)):
                shorter = copy.deepcopy(node)
                del shorter.elts[place]
                empty = isinstance(shorter, ast.Set) and not shorter.elts
                yield f"without element {place + 1}", ast.Tuple([], LOAD) if empty else shorter
        case ast.Dict(keys=keys):
            for place in range(len(keys)):
                shorter = copy.deepcopy(node)
                del shorter.keys[place], shorter.values[place]
                yield f"without entry {place + 1}", shorter
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=arguments):
            other = ast.Name("max" if name == "min" else "min", LOAD)
            yield f"{name} is {other.id}", ast.Call(other, arguments, [])
        case ast.Call(func=ast.Name(id="any" | "all" as name), args=arguments):
            other = ast.Name("all" if name == "any" else "any", LOAD)
            yield f"{name} is {other.id}", ast.Call(other, arguments, [])
        case ast.Call(func=ast.Attribute(value=value), args=[], keywords=[]):
            yield "without the call", value
        case ast.Call(func=function, args=arguments, keywords=[_, *_] as keywords):
            for place, keyword in enumerate(keywords):
                rest = keywords[:place] + keywords[place + 1 :]
                yield f"without {keyword.arg}", ast.Call(function, arguments, rest)
        case ast.comprehension(target=target, iter=of, ifs=[_]):
            yield "without its if", ast.comprehension(target, of, [], 0)
        case ast.Return(value=value) if ast.unparse(node) != "return None":
            yield "returns None", ast.Return(ast.Constant(None))
        case ast.If(test=test, body=body, orelse=orelse):
            yield "always", ast.If(ast.Constant(True), body, orelse)
            yield "never", ast.If(ast.Constant(False), body, orelse)
        case ast.Match(subject=subject, cases=cases):
            for place, case in enumerate(cases):
                rest = cases[:place] + cases[place + 1 :]
                # A function that runs out of cases returns None anyway.
                if ast.unparse(case) != "case _:\n    return None":
                    yield f"without case {place + 1}", ast.Match(subject, rest)
                if case.guard:
                    unguarded = copy.deepcopy(node)
                    unguarded.cases[place].guard = None
                    yield f"case {place + 1} without its guard", unguarded
        case ast.match_case(pattern=pattern, guard=guard, body=body) if ast.unparse(pattern) != "_":
            yield "whatever comes", ast.match_case(ast.MatchAs(), guard or ast.Constant(True), body)
        case ast.MatchOr(patterns=patterns):
            for place in range(len(patterns)):
                rest = patterns[:place] + patterns[place + 1 :]
                fewer = rest[0] if len(rest) == 1 else ast.MatchOr(rest)
                yield f"without pattern {place + 1}", fewer
        case ast.Expr() | ast.Assign(targets=[ast.Subscript()]):
            yield "left out", ast.Pass()
        case _:
            return


LEFT_ALONE: Final = (ast.Import, ast.ImportFrom, ast.TypeAlias)


def places(node: ast.AST, path: tuple[tuple[str, int | None], ...] = ()) -> Iterator[tuple]:
    """Yield the way to every node that may be changed."""
    yield path
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list", "bases", "ctx"}:
            continue
        children = value if isinstance(value, list) else [value]
        for place, child in enumerate(children):
            if not isinstance(child, ast.AST) or isinstance(child, LEFT_ALONE) or _words(child):
                continue
            if isinstance(child, ast.If) and _names(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.ClassDef) and "Protocol" in map(_names, child.bases):
                continue
            step = (field, place if isinstance(value, list) else None)
            yield from places(child, (*path, step))


def _words(node: ast.AST) -> bool:
    """Whether it is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _names(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def at(tree: ast.AST, path: tuple) -> ast.AST:
    """Return the node at the end of a way."""
    for field, place in path:
        value = getattr(tree, field)
        tree = value if place is None else value[place]
    return tree


def with_node(tree: ast.Module, path: tuple, node: ast.AST) -> ast.Module:
    """Return the tree with another node at the end of a way."""
    changed = copy.deepcopy(tree)
    *way, (field, place) = path
    parent = at(changed, tuple(way))
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node
    return ast.fix_missing_locations(changed)


def mutants(source: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield every mutant, with what was done to which line."""
    tree = ast.parse(source)
    lines = source.splitlines()
    for path in places(tree):
        node = at(tree, path)
        for what, changed in changes(node):
            number = min(getattr(one, "lineno", len(lines)) for one in ast.walk(node))
            mutant = with_node(tree, path, changed)
            if _compiles(mutant):
                yield f"{number}: {what}: {lines[number - 1].strip()}", mutant


def _compiles(mutant: ast.Module) -> bool:
    """Whether Python takes it: a break that no test has to find is none."""
    try:
        compile(mutant, str(SOURCE), "exec")
    except SyntaxError:
        return False
    return True


def survivors(found: list[tuple[str, ast.Module]]) -> list[str]:
    """Run the tests on every mutant, each in a child process; return those that they pass."""
    waiting, running, alive = list(found), {}, []
    while waiting or running:
        if waiting and len(running) < (os.cpu_count() or 1):
            what, mutant = waiting.pop(0)
            child = os.fork()
            if child == 0:
                os._exit(_run(mutant))
            running[child] = what
            continue
        child, status = os.wait()
        what = running.pop(child)
        if status == 0:
            print(f"survived  {what}", flush=True)
            alive.append(what)
    return alive


def _run(mutant: ast.Module) -> int:
    """Load a mutant and run every test on it: 1 at the first that fails."""
    signal.alarm(SECONDS)
    try:
        module = types.ModuleType(NAME)
        sys.modules[NAME] = module
        exec(compile(mutant, str(SOURCE), "exec"), vars(module))  # noqa: S102 - our own
        sys.modules["namely_link.domain"].probe = module
        for test, values in chain.from_iterable(map(tests, TESTS)):
            test(**values)
    except BaseException:  # noqa: BLE001 - a mutant may do anything
        return 1
    return 0


def tests(name: str) -> Iterator[tuple[Callable[..., None], dict[str, object]]]:
    """Yield a module's tests with their parameters, without pytest's half a second for each run."""
    for test in list(vars(importlib.import_module(name)).values()):
        if not getattr(test, "__name__", "").startswith("test_"):
            continue
        tables = [_table(*mark.args) for mark in getattr(test, "pytestmark", [])]
        for rows in product(*tables):
            yield test, {key: value for row in rows for key, value in row.items()}


def _table(names: str | tuple[str, ...], rows: list[object]) -> list[dict[str, object]]:
    if isinstance(names, str):
        return [{names: value} for value in rows]
    return [dict(zip(names, row, strict=True)) for row in rows]


def main() -> int:
    """Break, run, and say what survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only the mutants whose line begins so")
    parser.add_argument("--list", action="store_true", help="only list them")
    options = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "tests" / "unit"))
    source = SOURCE.read_text()
    found = [one for one in mutants(source) if one[0].startswith(options.only)]
    if options.list:
        print(*(what for what, _ in found), sep="\n")
        return 0
    whole = ("nothing", ast.parse(source))
    with redirect_stdout(io.StringIO()):
        sound = survivors([whole])
    if not sound:
        print("The tests fail without any break.")
        return 1
    left = survivors(found)
    print(f"{len(found)} mutants, {len(found) - len(left)} killed, {len(left)} survived")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())

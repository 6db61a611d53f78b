"""What the package never does, read from its syntax: each rule beside code it must catch, and code it must not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for name in ("eis", "fitting", "instruments") for path in (ROOT / name).rglob("*.py"))

RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
UNPICKLES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle"}
SHELLS = {
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("os.execl", "os.execv", "os.spawnl", "os.spawnv", "pty.spawn", "asyncio.create_subprocess_shell"),
}
UNSAFE = {
    "tempfile.mktemp",
    "yaml.load",
    "yaml.load_all",
    "yaml.unsafe_load",
    "yaml.full_load",
    "lxml.etree.parse",
}
LISTENS = {
    "bind",
    "create_server",
    "start_server",
    "HTTPServer",
    "ThreadingHTTPServer",
    "TCPServer",
    "LocalCluster",
}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` of a name or an attribute; an empty text for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def imported(tree: ast.AST) -> dict[str, str]:
    """Return what each name that an import makes stands for."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.asname or one.name.partition(".")[0]: one.name for one in node.names if one.asname}
            found |= {one.name.partition(".")[0]: one.name.partition(".")[0] for one in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found


def constants(tree: ast.AST) -> dict[str, object]:
    """Return the names of a module that stand for a constant."""
    return {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def host_of(call: ast.Call, known: dict[str, object]) -> object:
    """Return the host that a call listens at, as far as the source tells; None if it does not."""
    given = next((one.value for one in call.keywords if one.arg in ("host", "address", "server_address")), None)
    node = given or (call.args[0] if call.args else None)
    node = node.elts[0] if isinstance(node, ast.Tuple) and node.elts else node
    if isinstance(node, ast.Name):
        return known.get(node.id)
    return node.value if isinstance(node, ast.Constant) else None


def faults(source: str) -> Iterator[str]:
    """Yield what of a source is forbidden, each with its line."""
    tree = ast.parse(source)
    names, known = imported(tree), constants(tree)
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Assert):
            yield f"{line}: assert, which python -O leaves out"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            yield from (f"{line}: import {one}" for one in modules if one.partition(".")[0] in UNPICKLES)
        if not isinstance(node, ast.Call):
            continue
        said = dotted(node.func)
        first, dot, rest = said.partition(".")
        full = names.get(first, first) + dot + rest
        if full.removeprefix("builtins.") in RUNS_TEXT:
            yield f"{line}: {said}()"
        if full in SHELLS | UNSAFE:
            yield f"{line}: {said}()"
        word = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
        if full.endswith("import_module") and str(word).partition(".")[0] in UNPICKLES:
            yield f"{line}: {said}({word!r})"
        for option in node.keywords:
            value = option.value.value if isinstance(option.value, ast.Constant) else "not a constant"
            if option.arg in ("shell", "allow_pickle") and value is not False:
                yield f"{line}: {option.arg}={value}"
        if said.rpartition(".")[2] in LISTENS and host_of(node, known) not in LOOPBACK:
            yield f"{line}: {said}() listens at {host_of(node, known)!r}"


@pytest.mark.parametrize(
    "code",
    [
        "eval('1')",
        "exec(text)",
        "compile(text, 'f', 'exec')",
        "import builtins\nbuiltins.eval('1')",
        "__import__('os')",
        "import pickle",
        "from pickle import loads",
        "import cloudpickle as c",
        "import marshal",
        "import shelve",
        "import importlib\nimportlib.import_module('pickle')",
        "import yaml\nyaml.load(text)",
        "from yaml import load as safe\nsafe(text)",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess as s\ns.getoutput('ls')",
        "run(words, shell=wanted)",
        "import os\nos.system('ls')",
        "from os import popen\npopen('ls')",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=wanted)",
        "import tempfile\ntempfile.mktemp()",
        "from tempfile import mktemp as make\nmake()",
        "def read(x):\n    assert x > 0",
        "server.bind(('0.0.0.0', 80))",
        "server.bind(('', 80))",
        "server.bind(address)",
        "import socket\nsocket.create_server(('::', 0))",
        "HOST = '0.0.0.0'\nsocket.create_server((HOST, 0))",
        "import http.server\nhttp.server.HTTPServer(('', 8000), Handler)",
        "distributed.LocalCluster(n_workers=2)",
    ],
)
def test_each_rule_catches_what_it_is_for(code: str) -> None:
    assert list(faults(code)) != []


@pytest.mark.parametrize(
    "code",
    [
        "import re\nre.compile('a')",
        "import numpy as np\nnp.load(path, allow_pickle=False)",
        "import subprocess\nsubprocess.run(['ls'], shell=False)",
        "model.eval(x)",
        "import socket\nsocket.create_server(('127.0.0.1', 0))",
        "LOOPBACK = '127.0.0.1'\ndistributed.LocalCluster(host=LOOPBACK)",
        "import tempfile\ntempfile.mkstemp()",
    ],
)
def test_what_is_harmless_is_let_through(code: str) -> None:
    assert list(faults(code)) == []


def test_the_package_does_nothing_that_is_forbidden() -> None:
    assert len(SOURCES) > 200
    found = {str(path.relative_to(ROOT)): list(faults(path.read_text("utf-8"))) for path in SOURCES}
    assert {name: said for name, said in found.items() if said} == {}

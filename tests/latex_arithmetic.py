"""Evaluates the LaTeX formulas of `fitting.drawing`, so that tests can compare them with numbers."""

import re

import numpy as np

TOKEN = re.compile(r"\\left|\\right|\\[a-zA-Z]+|[0-9]+|[a-zA-Z]|[-+*/^_{}()=,]")
FUNCTIONS = {"\\sqrt": np.sqrt, "\\sinh": np.sinh, "\\tanh": np.tanh, "\\coth": lambda x: 1 / np.tanh(x)}


def values_of(formula, known, omega):
    """Return Z, shape (n,), of ``Z = …, \\quad s = …`` from the values of its symbols at `omega` (rad/s)."""
    first, *rest = formula.split(r", \quad ")
    known = {"j": 1j, "\\omega": omega.astype(complex), **known}
    for definition in reversed(rest):
        name, _, text = definition.partition(" = ")
        known[name] = _Reader(text, known).whole()
    return _Reader(first.removeprefix("Z = "), known).whole()


class _Reader:
    def __init__(self, text, known):
        self.tokens = [t for t in TOKEN.findall(text) if t not in ("\\left", "\\right")]
        self.known = known

    def whole(self):
        value = self.sum()
        assert not self.tokens, self.tokens
        return value

    def take(self, token):
        found = bool(self.tokens) and self.tokens[0] == token
        if found:
            self.tokens.pop(0)
        return found

    def must(self, token):
        assert self.take(token), (token, self.tokens)

    def sum(self):
        sign = -1 if self.take("-") else 1
        value = sign * self.product()
        while self.tokens and self.tokens[0] in "+-":
            sign = 1 if self.tokens.pop(0) == "+" else -1
            value = value + sign * self.product()
        return value

    def product(self):
        value = self.factor()
        while self.tokens and self.tokens[0] not in ("+", "-", ")", "}"):
            value = value / self.factor() if self.take("/") else value * self.factor()
        return value

    def factor(self):
        base = self.base()
        if self.take("^"):
            self.must("{")
            base = base ** self.sum()
            self.must("}")
        return base

    def group(self, opening, closing):
        self.must(opening)
        value = self.sum()
        self.must(closing)
        return value

    def base(self):
        token = self.tokens[0]
        if token == "(":
            return self.group("(", ")")
        self.tokens.pop(0)
        if token == "\\frac":
            return self.group("{", "}") / self.group("{", "}")
        if token == "\\sqrt":
            return np.sqrt(self.group("{", "}"))
        if token in FUNCTIONS:
            return FUNCTIONS[token](self.factor())
        if token.isdigit():
            return float(token)
        return self.known[token + self.index()]

    def index(self):
        """Return a subscript as it was written, spaces aside."""
        if not self.take("_"):
            return ""
        depth, text = 0, "_"
        while True:
            token = self.tokens.pop(0)
            depth += (token == "{") - (token == "}")
            text += token
            if depth == 0:
                return text

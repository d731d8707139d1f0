"""Stacks of the tests' own."""

from __future__ import annotations

from tests.stack_homes import make_home, specs, whole_stack

__all__ = ["make_home", "specs", "whole_stack"]

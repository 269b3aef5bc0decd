"""Words for what is wrong with a pipeline file: the key, the value, what is allowed."""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from captioner.names import list_known

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
}


def describe_faults(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Returns what pydantic found, one line each that says how to mend it.

    Args:
        error: what validating a file's content raised.
        root: the model that was validated, whose fields are the sections.
    """
    lines = [
        _describe_fault(fault, root)
        for fault in error.errors()
        if fault["type"] != "too_short" or fault["input"] == []  # else it repeats another fault
    ]
    return list(dict.fromkeys(lines))  # each value that a list lacks is a fault of its own


def _describe_fault(fault: ErrorDetails, root: type[BaseModel]) -> str:
    section, *rest = [str(part) for part in fault["loc"]]
    if not rest:
        return _describe_section_fault(section, fault, root)
    where = f"[{section}] {rest[0]} = {_shown(fault['input'])}"
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{where}: unknown key. {list_known(rest[0], _keys(root, section))}"
    if kind == "too_long" or (kind == "missing" and len(rest) > 1):
        num_expected = len(get_args(_keys(root, section)[rest[0]].annotation))
        return f"{where}: expected a list of {num_expected}"
    if kind == "missing":
        return f"[{section}] {rest[0]} is missing"
    if kind == "literal_error":
        choices = _literals(_keys(root, section)[rest[0]].annotation)
        return f"{where} is unknown. {list_known(str(fault['input']), choices)}"
    if kind == "unknown_name":
        return f"{where} is unknown. {fault['msg']}"
    if kind in _EXPECTED:
        return f"{where}: expected {_EXPECTED[kind]}"
    bounds = {"ge": "at least", "gt": "more than", "lt": "less than", "le": "at most"}
    for name, words in bounds.items():
        if name in context:
            return f"{where}: expected {words} {context[name]}"
    return f"{where}: {fault['msg']}"


def _describe_section_fault(section: str, fault: ErrorDetails, root: type[BaseModel]) -> str:
    if fault["type"] == "missing":
        return f"[{section}] is missing"
    if fault["type"] == "extra_forbidden":
        return f"[{section}]: unknown section. {list_known(section, root.model_fields)}"
    return f"[{section}] = {_shown(fault['input'])}: expected a section with keys"


def _keys(root: type[BaseModel], section: str) -> Mapping[str, Any]:
    annotation = root.model_fields[section].annotation
    for model in (annotation, *get_args(annotation)):  # a section may be left out: `X | None`
        if isinstance(model, type) and issubclass(model, BaseModel):
            return model.model_fields
    return {}


def _literals(annotation: Any) -> list[str]:
    """Returns the strings that a (nested) Literal admits."""
    if isinstance(annotation, str):
        return [annotation]
    return [text for part in get_args(annotation) for text in _literals(part)]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

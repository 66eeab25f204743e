"""Sphinx extension that documents a TFX component by the function that defines it.

TFX's decorator `@component` replaces the function by a class without a docstring, and keeps the
function in the class of the executor.
"""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def _function(component: object) -> Callable[..., None] | None:
    """Return the function that defines a component; None for any other object."""
    executor = getattr(getattr(component, "EXECUTOR_SPEC", None), "executor_class", None)
    function: Callable[..., None] | None = getattr(executor, "_FUNCTION", None)
    return function


def insert_docstring(
    _app: "Sphinx", _what: str, _name: str, component: object, _options: Any, lines: list[str]
) -> None:
    """Replace the lines of a component's docstring by those of its function."""
    if function := _function(component):
        lines[:] = [*(inspect.getdoc(function) or "").splitlines(), ""]


def insert_signature(
    _app: "Sphinx", _what: str, _name: str, component: object, *_: object
) -> tuple[str, str] | None:
    """Return the signature of a component, with the names and defaults of inputs and parameters."""
    if not (function := _function(component)):
        return None
    arguments = []
    for parameter in inspect.signature(function).parameters.values():
        # TFX creates the outputs and the Beam pipeline, so callers do not pass them.
        if any(kind in repr(parameter.annotation) for kind in ("OutputArtifact", "BeamComponent")):
            continue
        has_default = parameter.default is not inspect.Parameter.empty
        default = f"={parameter.default!r}" if has_default else ""
        arguments.append(parameter.name + default)
    return f"(*, {', '.join(arguments)})", ""


def setup(app: "Sphinx") -> dict[str, bool]:
    """Register the functions with Sphinx. They run before Napoleon parses the docstring."""
    app.connect("autodoc-process-docstring", insert_docstring, priority=400)
    app.connect("autodoc-process-signature", insert_signature)
    return {"parallel_read_safe": True}

"""Formulas as MathML, made while the site is built, so that a page needs neither a script nor a font for them."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from handgrad.display.formulas import typeset

log = logging.getLogger(__name__)


def as_mathml(latex: str, *, inline: bool) -> str:
    """A formula as MathML.

    Raises:
        ValueError: there is a command that the converter does not know.
    """
    try:
        markup = typeset(latex.replace("gathered}", "matrix}"), inline=inline)
    except Exception as error:  # the converter has a class of its own for each mistake, without a common base
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if unknown := re.search(r">\s*(\\[a-zA-Z]*)", markup):
        raise ValueError(f"unknown command {unknown[1]}")
    if 'linebreak="newline"' in markup:
        raise ValueError("browsers break no line there; put the lines into gathered")
    if "gathered}" in latex:  # formulas below each other, not the small ones of a matrix
        markup = markup.replace("<mtable>", '<mtable displaystyle="true" rowspacing="0.8em">', 1)
    return markup


def write(translator: Any, node: nodes.Node) -> None:
    """Put the MathML of a formula into the page."""
    inline = isinstance(node, nodes.math)
    try:
        markup = as_mathml(node.astext(), inline=inline)
    except ValueError as error:
        log.warning("formula %r: %s", node.astext(), error, location=node)
    else:
        # A formula that is wider than the screen scrolls by itself, and the keyboard can reach it.
        translator.body.append(markup if inline else f'<div class="formula" tabindex="0">{markup}</div>\n')
    raise nodes.SkipNode


def find_unconverted(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Warn of each dollar sign in running text: a formula that was not recognised as one."""
    for text in doctree.findall(nodes.Text):
        code = (nodes.literal, nodes.FixedTextElement, nodes.math, nodes.math_block, nodes.raw, nodes.comment)
        parents = [text.parent]
        while parents[-1] is not None:
            parents.append(parents[-1].parent)
        if "$" in text and not any(isinstance(parent, code) for parent in parents):
            log.warning("a formula was not converted: %r", str(text), location=text.parent)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (write, None), (write, None))
    app.connect("doctree-resolved", find_unconverted)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

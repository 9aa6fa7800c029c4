"""The documentation site: `sphinx-build -W -c site . build/site`, from the root of the repository.

The pages are README.md and docs/**/*.md as they stand in the repository, and a reference made from the docstrings.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

SITE = Path(__file__).parent
ROOT = SITE.parent
sys.path[:0] = [str(SITE), str(ROOT / "src")]

import handgrad  # noqa: E402

project = "handgrad"
author = "The handgrad maintainers"
version = release = handgrad.__version__
copyright = ""
html_show_copyright = False

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "site_formulas",  # LaTeX → MathML
    "site_docstrings",  # our docstrings → reStructuredText
    "site_reference",  # one page for every public module and for the command line
    "site_pages",  # the navigation, and links to files of the repository
]

# Pages. README.md is the first one, and holds the navigation.
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "docs/reference/**.rst", "src/handgrad/data/mnist/LICENSE.md"]
exclude_patterns = ["build/**", "runs/**", ".*"]
myst_enable_extensions = ["dollarmath", "html_image"]
myst_fence_as_directive = ["math"]  # as GitHub has them
myst_heading_anchors = 4  # the anchors that GitHub makes
smartquotes_action = "D"  # dashes alone; quotation marks stay as they are written

# The reference.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
#: Packages of extras that are not installed: the site can be built without them.
autodoc_mock_imports = [
    package
    for package in ("torch", "onnx", "onnxruntime", "google", "sklearn", "scipy", "tensorboardX", "optuna")
    if not find_spec(package)
]
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
toc_object_entries = False  # the classes and functions have headings; with every method the build takes twice as long

# What it looks like. Furo fetches nothing: fonts are the reader's, style and search come with the site.
html_theme = "furo"
html_title = "handgrad"
html_static_path = [str(SITE / "style.css")]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sourcelink = False
html_math_renderer = "mathml"
pygments_style = "friendly"
pygments_dark_style = "github-dark"

"""How the pages are made into a site: `make docs`. Whatever Sphinx warns of is an error."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "devices"
version = release = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"][
    "version"
]

extensions = ["myst_parser", "sphinx_copybutton", "endpoints"]
# What is copied is the command, without its prompt and what it prints.
copybutton_prompt_text = "$ "
exclude_patterns = ["_site"]
# `page.md#a-heading`, as elsewhere where Markdown is read.
myst_heading_anchors = 4
nitpicky = True

pygments_dark_style = "github-dark"
html_theme = "furo"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_search_scorer = str(HERE / "search.js")
html_title = "devices"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
# The reader's own fonts: nothing is fetched from anywhere.
html_theme_options = {"light_css_variables": {"font-stack": "system-ui, sans-serif"}}

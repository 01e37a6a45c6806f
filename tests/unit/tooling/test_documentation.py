"""Every command that README.md and docs/ print is run by a test, or its block says why not."""

from __future__ import annotations

import pytest

from tests.documentation import OTHER, RUN, WITH_COMMANDS, Block, blocks, pages, run_blocks

ALL = [block for page in pages() for block in blocks(page)]
COMMANDS = [block for block in ALL if block.language in WITH_COMMANDS]


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_names_its_language(block: Block) -> None:
    assert block.language in WITH_COMMANDS | OTHER, f"{block}: write console, sh or text behind the fence"


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_a_block_of_commands_is_run_or_has_a_reason(block: Block) -> None:
    assert block.commands, f"{block} has no line with a prompt: is it text?"
    assert block.reason or block.page in RUN, f"{block}: add a reason, or the page to those that are run"


def test_the_blocks_that_are_run_start_with_a_cluster_and_end_without() -> None:
    run = run_blocks()
    assert run[0].commands == ("./sampan up",)
    assert run[-1].commands == ("./sampan down",)
    assert {block.page for block in run} == set(RUN)


PAGE = """Text with ``` in it.

```console
# ./sampan up
hosts: 0.26 s
$ kubectl get \\
    pods
```

<!-- not run: needs a second machine -->
```sh
# a comment
sampan join   # another

sampan leave
```

Text between a comment and a block:

<!-- not run: not for the block below -->

Text.

```text
# no command
```
"""


def test_commands_and_reasons_are_extracted() -> None:
    assert [(block.line, block.language, block.commands, block.reason) for block in blocks("page.md", PAGE)] == [
        (3, "console", ("./sampan up", "kubectl get \\\n    pods"), ""),
        (11, "sh", ("sampan join   # another", "sampan leave"), "needs a second machine"),
        (24, "text", (), ""),
    ]


def test_output_is_what_is_not_typed() -> None:
    assert blocks("page.md", PAGE)[0].output == ("hosts: 0.26 s",)

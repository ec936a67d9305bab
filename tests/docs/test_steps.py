"""A page that shows what is not printed is caught; numbers and spaces of a machine are borne."""

import pytest

from tests.docs.pages import Command, File, has_shown, steps_of

PAGE = """\
# A page

```console
$ harness spaces
space  title
...
$ harness search x \\
  --trials 3
```

```yaml title="mine.yaml"
name: mine
```

```console title="for example"
$ harness winners
search  trial
dannynet  t0001
chexnet  t0000
next: harness benchmark
```

```console title="terminal 2"
$ ray start --block
```

```
harness train x
```
"""


def test_the_steps_of_a_page_are_in_order():
    assert list(steps_of(PAGE)) == [
        Command("harness spaces", "space  title\n...\n"),
        Command("harness search x --trials 3"),
        File("mine.yaml", "name: mine\n"),
        Command("harness winners", "...\nsearch  trial\n...\nnext: harness benchmark\n"),
        Command("ray start --block", terminal="terminal 2"),
    ]


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("wrote .../x\n", "wrote /tmp/x\n"),
        ("a   b\n", "a b\n"),
        ("val AUROC 0.51\n", "val AUROC 0.4897\n"),
        ("−0.006 [−0.030, +0.018]\n", "+0.123 [0.1, 0.2]\n"),
        ("a\n...\nc\n", "a\nb\nb\nc\n"),
        ("a\n...\nc\n", "a\nc\n"),
        ("t0000-49c3dd  pruned\n", "t0000-0a1b2c  pruned\n"),
        ("split official dfe5f256073c\n", "split official 000000000000\n"),
    ],
)
def test_what_is_printed_is_what_is_shown(shown, printed):
    assert has_shown(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a\n", "b\n"),
        ("a\n", "a\nb\n"),
        ("a\nb\n", "a\n"),
        ("4 trials\n", "5 trials\n"),
        ("t0000-49c3dd  pruned\n", "t0001-49c3dd  pruned\n"),
        ("val AUROC 0.51\n", "val AUROC -\n"),
        ("wrote .../x\n", "wrote /tmp\n/x\n"),
        ("a\n...\nc\n", "a\nb\n"),
    ],
)
def test_what_is_not_printed_is_caught(shown, printed):
    assert not has_shown(shown, printed)

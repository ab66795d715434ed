"""Mermaid diagrams of design documents: classes, relations, order, participants."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.agents.diagrams import (
    ClassBox,
    Edge,
    Turn,
    class_diagram,
    parse_class_diagram,
    parse_sequence_diagram,
    topological_order,
)
from collegium.errors import BadInput

SHOP = """
```mermaid
classDiagram
    %% a small shop
    direction LR
    class Shop {
        -list~Item~ items
        +sell(name: str) Item
    }
    class Item
    Item : +str name
    Item : +price() float
    <<interface>> Item
    Shop "1" *-- "many" Item : keeps
    Item <|-- Book
    Shop ..> Clock
    Customer --> Shop
    Book o-- Page
    Customer -- Clock
    this line says nothing
```
"""


def test_a_class_diagram_in_every_form_of_relation() -> None:
    read = parse_class_diagram(SHOP)
    assert read.names == ("Shop", "Item", "Book", "Clock", "Customer", "Page")
    assert read.classes[0] == ClassBox("Shop", ("-list~Item~ items",), ("+sell(name: str) Item",))
    assert read.classes[1] == ClassBox("Item", ("+str name",), ("+price() float",))
    assert read.edges == (
        Edge("Shop", "Item", "has", "keeps"),
        Edge("Book", "Item", "inherits"),
        Edge("Shop", "Clock", "uses"),
        Edge("Customer", "Shop", "uses"),
        Edge("Book", "Page", "has"),
        Edge("Customer", "Clock", "linked"),
    )
    assert read.unread == ("this line says nothing",)
    order = topological_order(read)
    for edge in read.edges[:-1]:
        assert order.index(edge.target) < order.index(edge.source)


@pytest.mark.parametrize(
    ("line", "edge"),
    [
        ("A --|> B", Edge("A", "B", "inherits")),
        ("A <|-- B", Edge("B", "A", "inherits")),
        ("A ..|> B", Edge("A", "B", "inherits")),
        ("A --* B", Edge("B", "A", "has")),
        ("A --o B", Edge("B", "A", "has")),
        ("A o-- B", Edge("A", "B", "has")),
        ("A <-- B", Edge("B", "A", "uses")),
        ("A <.. B", Edge("B", "A", "uses")),
        ("A-->B", Edge("A", "B", "uses")),
        ("foo--oak", Edge("foo", "oak", "linked")),
        ("A .. B : knows", Edge("A", "B", "linked", "knows")),
    ],
)
def test_arrows(line: str, edge: Edge) -> None:
    assert parse_class_diagram(f"classDiagram\n{line}").edges == (edge,)


def test_a_class_on_one_line() -> None:
    read = parse_class_diagram("classDiagram\nclass A{ +int x; +run() }\nclass B {}\nA --> B")
    assert read.classes == (ClassBox("A", ("+int x",), ("+run()",)), ClassBox("B"))


def test_a_circle_is_named() -> None:
    read = parse_class_diagram("classDiagram\nA --> B\nB --> C\nC --> A")
    with pytest.raises(BadInput, match=r"in a circle: .* -> .* -> "):
        topological_order(read)
    itself = parse_class_diagram("classDiagram\nNode --> Node\nTree --> Node")
    assert topological_order(itself) == ("Node", "Tree")


@pytest.mark.parametrize("text", ["", "flowchart LR\nA --> B", "class A"])
def test_another_text_is_no_class_diagram(text: str) -> None:
    with pytest.raises(BadInput, match="no mermaid classDiagram"):
        parse_class_diagram(text)


NAMES = st.from_regex(r"[A-Z][a-z]{1,6}", fullmatch=True)


@given(
    names=st.lists(NAMES, unique=True, min_size=1, max_size=6),
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8),
    kinds=st.lists(st.sampled_from(["inherits", "has", "uses", "linked"]), min_size=8, max_size=8),
)
def test_what_is_written_is_read_back(
    names: list[str], pairs: list[tuple[int, int]], kinds: list[str]
) -> None:
    boxes = tuple(ClassBox(n, (f"+int {n.lower()}_x",), (f"+get_{n.lower()}()",)) for n in names)
    # Only from earlier to later names: such relations are never a circle.
    edges = tuple(
        Edge(names[a], names[b], kind)
        for (a, b), kind in zip(pairs, kinds, strict=False)
        if a < b < len(names)
    )
    read = parse_class_diagram(class_diagram(boxes, edges))
    assert (read.classes, read.edges, read.unread) == (boxes, edges, ())
    order = topological_order(read)
    assert sorted(order) == sorted(names)
    for edge in edges:
        if edge.kind != "linked":
            assert order.index(edge.target) < order.index(edge.source)


def test_a_sequence_diagram() -> None:
    read = parse_sequence_diagram(
        "sequenceDiagram\n participant G as Game\n actor U\n U->>G: start()\n"
        " loop every turn\n G->>+Board: move(x)\n Board-->>-G: return ok\n end\n what is this\n"
    )
    assert read.participants == ("Game", "U", "Board")
    assert read.turns == (
        Turn("U", "Game", "start()"),
        Turn("Game", "Board", "move(x)"),
        Turn("Board", "Game", "return ok", answer=True),
    )
    assert read.unread == ("what is this",)


@pytest.mark.must_show("metagpt", 2)
def test_the_class_diagram_of_the_published_design(collegium_data: Path) -> None:
    cache = json.loads((collegium_data / "metagpt" / "rsp_cache.json").read_text())
    design = next(
        json.loads(v[v.index("{") : v.rindex("}") + 1])
        for v in cache.values()
        if isinstance(v, str) and "class SnakeGame {" in v and v.startswith("[CONTENT]")
    )
    read = parse_class_diagram(design["Data structures and interfaces"])
    assert read.names == ("SnakeGame", "Snake", "Food", "Position")
    assert {(e.source, e.target) for e in read.edges} == {
        ("SnakeGame", "Snake"),
        ("SnakeGame", "Food"),
        ("Snake", "Position"),
        ("Food", "Position"),
    }
    assert read.unread == ()
    assert [len(box.methods) for box in read.classes] == [4, 3, 1, 0]
    order = topological_order(read)
    assert (order[0], order[-1]) == ("Position", "SnakeGame")
    flow = parse_sequence_diagram(design["Program call flow"])
    assert flow.participants == ("SnakeGame", "Snake", "Food", "Position")
    assert flow.turns[0] == Turn("SnakeGame", "Snake", "start_game()")
    assert flow.unread == ()

"""A model that does everything right on the questions of the study, read off their text."""

import json
import re

from collegium.bench.umf_compose import Question
from collegium.kernel import Generate


def knows(question: Question):
    """The script of a model that answers every prompt of a composed agent correctly."""
    update = f"Add {question.arrived} to the amount of {question.item}."
    look = f"Look up the amount of {question.item}."
    work_out = f"Multiply the amount of {question.item} by {question.price}."
    orders = [("database", update), ("database", look), ("calculator", work_out)]

    def script(request: Generate) -> str:
        said = request.messages[-1].text
        if "Split this into" in said:
            return json.dumps({"steps": [{"to": to, "order": order} for to, order in orders]})
        if "Give the next order" in said:
            done = sum(f"{order} ->" in said for _, order in orders)
            to, order = [*orders, ("answer", "")][done]
            return json.dumps({"to": to, "order": order})
        if "Write one SQLite statement" in said:
            order = said.partition("\n\nOrder: ")[2]
            if order.startswith("Add"):
                return json.dumps(
                    {
                        "sql": f"UPDATE stock SET amount = amount + {question.arrived} "
                        f"WHERE item = '{question.item}'"
                    }
                )
            return json.dumps({"sql": f"SELECT amount FROM stock WHERE item = '{question.item}'"})
        if "Write the arithmetic expression" in said:
            amount = re.findall(r"\[\[(\d+)\]\]", said)[-1]
            return json.dumps({"expression": f"{amount} * {question.price}"})
        assert "Give the final answer" in said
        value = re.findall(r"by \d+\. -> ([\d.]+)", said)[-1]
        return json.dumps({"answer": float(value)})

    return script

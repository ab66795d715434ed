"""A recorded reply stands for the model: ``make record`` asks the model again."""

from collegium.kernel import Kernel


async def test_a_recorded_reply_is_read_like_a_live_one(recorded) -> None:
    kernel = Kernel(recorded("local-tiny"), seed=1)
    agent = kernel.agent("counter", profile="You count.")
    reply = await agent.ask("How many legs has a spider?", output=int, max_tokens=32)
    assert isinstance(reply.data, int)
    assert reply.usage.completion > 0
    assert kernel.trace.events[-1].model == "local-tiny"

"""The tokens of a pod: kept in memory, renewed in time, and used for as long as they are valid."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.errors import MasterAway
from agent.model import FilesVolume, Pod, TokenSource, Volume
from agent.pods.tokens import PodTokens
from agent.session.tokens import NoToken, SessionTokens
from tests.unit.agent.fakes import FakeIssuer, HandClock, settle
from tests.unit.agent.pods.bed import UID, Bed, desired, pod

TOKEN, VAULT = TokenSource("token", "", 3600), TokenSource("vault", "vault", 600)


def with_tokens(*tokens: TokenSource) -> Pod:
    return pod(volumes=(Volume("v", FilesVolume(tokens)),), service_account="robot")


class Held:
    def __init__(self) -> None:
        self.clock, self.issuer = HandClock(), FakeIssuer()
        self.tokens = PodTokens(self.issuer, self.clock, uniform=lambda low, high: high)

    async def texts(self, *tokens: TokenSource) -> list[str]:
        given = await self.tokens.of(with_tokens(*tokens))
        return [given.texts[token].decode() for token in tokens if token in given.texts]


async def test_a_token_is_asked_for_once_and_again_when_a_fifth_of_its_life_is_left() -> None:
    held = Held()
    assert await held.texts(TOKEN, VAULT) == ["token 1 of robot", "token 2 of robot"]
    assert held.tokens.renew_in_s == 3600 * 0.8 - 10
    await held.clock.advance(3600 * 0.8 - 11)
    assert await held.texts(TOKEN) == ["token 1 of robot"]
    await held.clock.advance(1)
    assert await held.texts(TOKEN) == ["token 3 of robot"]


async def test_a_token_is_renewed_after_a_day() -> None:
    held = Held()
    held.issuer.lifetime_s = 365 * 24 * 3600.0
    await held.texts(TOKEN)
    assert held.tokens.renew_in_s == 24 * 3600 - 10


async def test_a_token_that_cannot_be_renewed_is_used_until_it_ends() -> None:
    held = Held()
    await held.texts(TOKEN)
    held.issuer.failure = NoToken("no session with the master")
    await held.clock.advance(3000)
    assert await held.texts(TOKEN) == ["token 1 of robot"] and held.tokens.renew_in_s == 10
    await held.clock.advance(600)
    given = await held.tokens.of(with_tokens(TOKEN))
    assert not given.texts and given.problem == "no session with the master"


async def test_a_token_is_given_up_when_the_master_stays_away_and_had_when_it_is_back() -> None:
    held = Held()
    held.issuer.failure = MasterAway("no session with the master")
    assert not (await held.tokens.of(with_tokens(TOKEN))).given_up
    await held.clock.advance(10)
    assert (await held.tokens.of(with_tokens(TOKEN))).given_up and held.tokens.renew_in_s == 10
    held.issuer.failure = NoToken("no such account")
    assert not (await held.tokens.of(with_tokens(TOKEN))).given_up, "the master has answered"
    held.issuer.failure = None
    assert await held.texts(TOKEN) == ["token 1 of robot"]


async def test_a_pod_without_tokens_has_nothing_to_renew() -> None:
    held = Held()
    assert await held.texts() == [] and held.tokens.renew_in_s is None


async def test_without_a_session_there_is_no_token() -> None:
    with pytest.raises(MasterAway, match="no session"):
        await SessionTokens().issue(with_tokens(TOKEN), TOKEN)


async def test_the_file_of_a_running_pod_gets_the_new_token(bed: Bed) -> None:
    file = bed.config.state_dir / "pods" / UID / "volumes/v/token"
    async with bed.running(with_tokens(TOKEN)) as manager:
        assert bed.ready() and file.read_text() == "token 1 of robot"
        await bed.clock.advance(3600 * 0.8)
        assert file.read_text() == "token 2 of robot" and bed.ready()
        assert len(bed.engine.named("app")) == 1
        # A clock that is set makes no token older.
        bed.clock.ahead_s = 1e6
        await manager.apply(desired(with_tokens(TOKEN), host_ip="192.0.2.8"), complete=True)
        await bed.clock.advance(60)
        assert file.read_text() == "token 2 of robot"


async def test_a_pod_waits_for_its_token_and_says_why(bed: Bed) -> None:
    bed.issuer.failure = NoToken("no session with the master")
    async with bed.manager() as manager:
        await manager.apply(desired(with_tokens(TOKEN), secrets_known=False), complete=False)
        await settle()
        assert not bed.ready() and "FailedMount" in bed.reporter.reasons()
        assert any("no session with the master" in event.message for event in bed.reporter.events)
        bed.issuer.failure = None
        await manager.apply(desired(with_tokens(TOKEN)), complete=True)
        await settle()
        assert bed.ready(), "the first state of the master brings the tokens"


async def test_an_agent_that_restarts_without_the_master_keeps_the_token(bed: Bed) -> None:
    web = with_tokens(TOKEN)
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=True)
        await settle()
    bed.issuer.failure = NoToken("no session with the master")
    file = bed.config.state_dir / "pods" / UID / "volumes/v/token"
    async with bed.manager() as manager:
        await manager.apply(desired(replace(web, labels={"a": "b"})), complete=False)
        await settle()
        assert bed.ready() and file.read_text() == "token 1 of robot"
        bed.issuer.failure = None
        await bed.clock.advance(10)
        assert file.read_text() == "token 2 of robot"

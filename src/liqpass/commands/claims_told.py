"""What the commands say of claims: lists, one claim, and a verdict in words."""

import csv
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from liqpass.commands.opened import Form, counted
from liqpass.commands.payouts import moment

if TYPE_CHECKING:
    from liqpass.claims.bundle import Replay
    from liqpass.review.reading import ShownClaim
    from liqpass.review.views import QueuedClaim

CSV_COLUMNS = (
    "claimId",
    "purchaseOrderId",
    "owner",
    "status",
    "amount",
    "approvedAmount",
    "payoutAmount",
    "reasonCode",
    "instId",
    "mgnMode",
    "posSide",
    "openedAt",
    "openedBy",
    "liquidatedAt",
    "triggerPx",
    "payTxHash",
    "bundleSha256",
)


def show_claims(found: "Sequence[QueuedClaim]", form: Form) -> None:
    """A list of claims."""
    if form is Form.TABLE:
        _table(found)
        return
    import msgspec

    rows = msgspec.to_builtins(list(found))
    if form is Form.JSON:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    writer = csv.DictWriter(sys.stdout, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _table(found: "Sequence[QueuedClaim]") -> None:
    from liqpass.money import usd

    if not found:
        typer.echo("There are no such claims.")
        return
    for claim in found:
        _head(claim)
        for word, step in zip(("to do ", "or    "), next_steps(claim), strict=False):
            typer.echo(f"    {word} {step}")
    owed = sum(int(claim.amount) for claim in found if claim.status == "PAYABLE" and claim.amount)
    typer.echo(f"{counted(len(found), 'claim')}, {usd(owed)} USDC of them payable and not approved.")


def _head(claim: "QueuedClaim") -> None:
    owed = "0.00" if claim.amount is None and claim.status == "NOT_COVERED" else _usd(claim.amount)
    amount = f"{owed} of at most {_usd(claim.payout_amount)} USDC"
    typer.echo(f"{claim.claim_id}\n    {claim.status}, {amount}")
    typer.echo(f"    of     {claim.inst_id} {claim.mgn_mode} {claim.pos_side}, owner {claim.owner}")
    typer.echo(f"    order  {claim.purchase_order_id}")
    typer.echo(f"    opened {moment(claim.opened_at)} by {claim.opened_by}")
    if claim.reason is not None:
        typer.echo(f"    why    {claim.reason}")
    for words in claim.missing_words:
        typer.echo(f"    waits  {words}")
    if claim.trouble is not None:
        typer.echo(f"    asking the exchange fails: {claim.trouble}")
    if claim.held_reason is not None:
        typer.echo(f"    held   {claim.held_reason}")
    if claim.objection is not None:
        typer.echo(f"    its owner objects: {' '.join(claim.objection.split())}")


def next_steps(claim: "QueuedClaim") -> list[str]:
    """What an operator may do with it, one or the other."""
    rest = f"{claim.claim_id} --by NAME --reason TEXT"
    refuse = f"liqpass claims refuse {rest}"
    if claim.status == "PAYABLE":
        return [f"liqpass claims approve {rest}", refuse]
    if claim.status == "IN_REVIEW":
        return [f"liqpass claims approve {rest} --amount USDC", refuse]
    return ["liqpass suspense batch --out FILE"] if claim.status == "APPROVED" else []


def show_claim(claim: "QueuedClaim", shown: "ShownClaim") -> None:
    """All of one."""
    from liqpass.hexes import checksum, to_hex
    from liqpass.money import usd

    _head(claim)
    typer.echo("Moves:")
    for move in claim.history:
        who = move.by_name or move.actor
        typer.echo(f"    {moment(move.at)} {move.to_status}, {move.reason}, by {who}")
    if claim.bundle_sha256 is not None:
        answers, changes = counted(len(claim.evidence), "answer"), counted(len(claim.changes), "change")
        typer.echo(f"Gathered: {answers} of the exchange, {changes} seen of the position, in the bundle")
        typer.echo(f"{claim.bundle_sha256}: liqpass claims bundle {claim.claim_id}")
    for one in claim.evidence:
        typer.echo(f"    {moment(one.asked_at)} HTTP {one.http_status} {one.request}")
    if claim.approvals:
        typer.echo("Approved as it stands now:")
    for approval in claim.approvals:
        what = f"{_usd(approval.amount)} USDC to {approval.recipient}"
        typer.echo(f"    {moment(approval.at)} {what}, by {approval.by_name}: {approval.reason}")
    if claim.approvals and claim.names_needed and len(claim.approvals) < claim.names_needed:
        typer.echo("    Somebody else has to approve the same amount to the same address.")
    if shown.payouts:
        typer.echo("Payouts:")
    for payout in shown.payouts:
        state = "in a batch" if payout.batched_at else "in no batch yet"
        state = f"paid by {to_hex(payout.tx_hash)}" if payout.tx_hash else state
        state = "cancelled" if payout.cancelled_at else state
        typer.echo(f"    {payout.id} {usd(payout.amount)} USDC to {checksum(payout.recipient)}, {state}")
    for word, step in zip(("Next:", "or   "), next_steps(claim), strict=False):
        typer.echo(f"{word} {step}")


def show_replay(found: "Replay", content: bytes) -> None:
    """A verdict that was computed again."""
    from liqpass.claims.bundle import sha256_of
    from liqpass.hexes import to_hex
    from liqpass.review.words import verdict_in_words

    case = found.case
    typer.echo(f"Order {case.order.purchase_order_id}, at most {_usd(case.order.payout)} USDC, for")
    slot = f"{case.priced.inst_id} {case.priced.mgn_mode} {case.priced.pos_side}"
    typer.echo(f"{slot}, by the rules of {case.policy.version}.")
    answers, changes = counted(len(case.evidence), "answer"), counted(len(case.watched), "change")
    typer.echo(f"From {answers} of the exchange and {changes} seen; SHA-256 {to_hex(sha256_of(content))}")
    for line in verdict_in_words(found.computed):
        typer.echo(line)
    if found.same:
        typer.echo("The bundle says the same. It was decided from this file if the claim names its SHA-256.")
        return
    typer.echo("The bundle says something else:")
    for line in verdict_in_words(found.stored):
        typer.echo(f"    {line}")


def _usd(micro: str | int | None) -> str:
    from liqpass.money import usd

    return "an unknown amount" if micro is None else usd(int(micro))

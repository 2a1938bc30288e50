// Refusals in the reader's words, by their codes (problems.py, exchange/errors.py, pricing/premium.py).

import { _, minute } from "./texts.js"

/**
 * Why a position cannot be covered; `otherwise` for a code that we do not know.
 * @param {string | null | undefined} code
 * @param {Record<string, any> | undefined} values
 * @param {string} otherwise
 * @returns {string}
 */
export function whyNot(code, values, otherwise) {
  const said = NOT_INSURABLE[code ?? ""]
  return said ? said(values ?? {}) : otherwise
}

/** @param {any} bps */
const percent = (bps) => `${Number(bps) / 100}%`

/** @type {Record<string, (values: Record<string, any>) => string>} */
const NOT_INSURABLE = {
  POSITION_CLOSED: () => _("The position is closed."),
  NOT_A_SWAP: () => _("Only perpetual swaps are covered."),
  MARGIN_NOT_STABLE: (values) => _("Its margin is in %(ccy)s; only margins in USDT and USDC are covered.", values),
  CROSS_MARGIN: () => _("It is in cross margin: the rest of the account decides when it is liquidated. Only isolated positions are covered."),
  TRIAL_MONEY: () => _("It is held with OKX’s trial money, not with your own."),
  DETAILS_MISSING: () => _("OKX does not show its leverage, margin or value."),
  NO_LIQUIDATION_PRICE: () => _("OKX shows no liquidation price for it."),
  LEVERAGE_TOO_HIGH: (values) => _("Its leverage is over %(limit)s×, the most that can be covered.", values),
  TOO_SMALL: (values) => _("It is smaller than %(limitUsd)s USD.", values),
  TOO_LARGE: (values) => _("It is larger than %(limitUsd)s USD.", values),
  TOO_CLOSE: ({ limitBps }) => limitBps
    ? _("It is too close to its liquidation price: less than %(percent)s away.", { percent: percent(limitBps) })
    : _("It is too close to its liquidation price."),
  TOO_RISKY: ({ chancePpm, limitBps }) => _("It is too likely to be liquidated within this cover: a chance of %(chance)s, and %(limit)s is the most that is covered.", { chance: `${Math.ceil(Number(chancePpm) / 1000) / 10}%`, limit: percent(limitBps) }),
  NOT_WORTH_IT: ({ limitBps }) => _("It is not worth it: the premium would be more than %(percent)s of the payout. Its margin is too small, or it is too risky.", { percent: percent(limitBps) }),
  PRICE_UNAVAILABLE: () => _("Its price is not known at present: what OKX showed within the hour does not say how much this coin moves. Try again in a minute; a coin that was listed less than two weeks ago, or is not listed any more, has none."),
  DEMO_TRADING: () => _("Positions of demo trading are not covered."),
  UNREADABLE: (values) => _("What OKX says of it cannot be read with certainty: its field %(field)s is not as we know it. Your other positions are not affected.", values),
  SHOWN_TWICE: () => _("OKX says two different things of it, so that neither is certain. Your other positions are not affected."),
  CAPACITY_EXHAUSTED: (values) => tooMuch(values),
  SALE_STOPPED: (values) => notSold(values),
}

/**
 * Of all that limits one more cover what leaves least (exposure/rooms.py).
 * @param {Record<string, any>} values
 */
function tooMuch({ limit, roomUsd }) {
  const room = { room: roomUsd }
  if (limit === "DIRECTION") return _("So much is covered in this direction of the market that its payout is too large at present: there is room for %(room)s USDC.", room)
  if (limit === "INSTRUMENT") return _("So much is covered in this coin that its payout is too large at present: there is room for %(room)s USDC.", room)
  if (limit === "ACCOUNT") return _("So much is covered for this exchange account and its sub-accounts that its payout is too large: there is room for %(room)s USDC.", room)
  if (limit === "WALLET") return _("So much is covered for this wallet that its payout is too large: there is room for %(room)s USDC.", room)
  return _("There is not enough free capital for its payout at present: %(room)s USDC.", room)
}

/** @param {Record<string, any>} values */
function notSold({ direction, until }) {
  const time = until ? minute(until) : ""
  if (direction === "long") return time ? _("No cover of long positions is sold until %(time)s.", { time }) : _("No cover of long positions is sold at present.")
  return time ? _("No cover of short positions is sold until %(time)s.", { time }) : _("No cover of short positions is sold at present.")
}

/** @type {Record<string, () => string>} */
const KEY_REJECTED = {
  50105: () => _("The passphrase is not this key’s. Enter it again."),
  50101: () => _("A demo trading key is not a production key. Say below which of the two this is."),
  50110: () => _("This key is bound to IP addresses that are not ours. Remove the binding at OKX, or make a key without one."),
  50035: () => _("OKX answers this only for keys that are bound to IP addresses."),
  50030: () => _("This key may not read this. Make one with the permission Read."),
  50120: () => _("This key may not read this. Make one with the permission Read."),
  50007: () => _("OKX has restricted this account or its API access. OKX’s support can say why."),
  50027: () => _("OKX has restricted this account or its API access. OKX’s support can say why."),
  50029: () => _("OKX has restricted this account or its API access. OKX’s support can say why."),
  50060: () => _("OKX has restricted this account or its API access. OKX’s support can say why."),
  50100: () => _("OKX has restricted this account or its API access. OKX’s support can say why."),
  50051: () => _("OKX does not serve this account from here."),
  50067: () => _("OKX does not serve this account from here."),
  50121: () => _("OKX does not serve this account from here."),
}

/** @param {string[]} rights */
function tooManyRights(rights) {
  const may = (/** @type {string} */ right) => rights.includes(right)
  if (!may("read_only")) return _("This key cannot read the account. Make one with the permission Read, and nothing else.")
  if (may("trade") && may("withdraw")) return _("This key can trade and withdraw. Make one with the permission Read, and nothing else.")
  if (may("trade")) return _("This key can trade. Make one with the permission Read, and nothing else.")
  if (may("withdraw")) return _("This key can withdraw. Make one with the permission Read, and nothing else.")
  return _("This key can do more than read. Make one with the permission Read, and nothing else.")
}

/**
 * What a trader or an operator can meet; each takes the problem document.
 * @type {Record<string, (document: Record<string, any>) => string>}
 */
export const BY_CODE = {
  OFFLINE: () => _("The server cannot be reached. Check your connection and try again."),
  MALFORMED_JSON: () => _("What was sent could not be read. Reload the page and try again."),
  MISSING_FIELDS: () => _("Something is missing. Fill it in and try again."),
  INVALID_FIELD: () => _("Something is not as it should be. Correct it and try again."),
  SIGNIN_REJECTED: () => _("The signature was not accepted, or it came too late. Try again: you get a new text to sign."),
  NOT_SIGNED_IN: () => _("You are not signed in, or your session has ended. Sign in again."),
  FOREIGN_ORIGIN: () => _("Another site’s page made this call: it was refused."),
  OWN_CLAIM: () => _("Nobody approves a payout to themselves: another operator has to."),
  API_KEY_NOT_READ_ONLY: ({ permissions }) => tooManyRights(permissions ?? []),
  NOT_FOUND: () => _("This does not exist, or no longer does."),
  API_ACCOUNT_NOT_FOUND: () => _("You have no such exchange account. Was its key deleted?"),
  POSITION_NOT_FOUND: () => _("This position is not open any more. Refresh the list."),
  BINDING_NOT_FOUND: () => _("This choice is not there any more. Choose the position again."),
  ORDER_NOT_FOUND: () => _("You have no such order."),
  CLAIM_NOT_FOUND: () => _("There is no such claim."),
  BUNDLE_NOT_FOUND: () => _("There is no verdict yet, and so no file with the evidence."),
  SKU_NOT_FOUND: () => _("This product is not sold any more. Reload the page."),
  BREAK_NOT_FOUND: () => _("There is no such break."),
  BREAK_CLOSED: () => _("This break was closed already. Reload the page."),
  METHOD_NOT_ALLOWED: () => _("That cannot be done here. Reload the page and try again."),
  API_ACCOUNT_ON_HOLD: () => _("This key is on hold: it is not used at present. Your keys show why."),
  BINDING_HAS_OTHER_SKU: () => _("This position has an open order for another product. Pay or cancel that one first."),
  BINDING_NOT_OPEN: () => _("This choice has ended meanwhile. Choose the position again."),
  CAPACITY_EXHAUSTED: (document) => tooMuch(document),
  CAPITAL_SHORT: () => _("There is not enough free capital for this payout. Bring capital into the pool, then approve it again."),
  CHAIN_NOT_READ: () => _("Money has left the treasury of which these books do not know yet, or nobody has looked: see that the worker runs. Nothing was written; try again in a moment."),
  CLAIM_NOT_OPEN: () => _("The claim has moved on meanwhile. Reload the page to see where it stands."),
  OBJECTION_ALREADY_MADE: () => _("You have objected already. An operator answers it."),
  ORDER_NOT_COVERED: () => _("This order is not covered, or the time in which it could be claimed for is over."),
  POSITION_ALREADY_INSURED: () => _("This position is held by another wallet, or by another key of yours for the same OKX account."),
  POSITION_CHANGED: () => _("The position was closed and opened again meanwhile. An order for the earlier one must end or be cancelled first."),
  POSITION_NOT_INSURABLE: ({ reasonCode, reasonValues, detail }) => whyNot(reasonCode, reasonValues, detail),
  ORDER_ALREADY_HAS_DIFFERENT_TX: () => _("Another payment is on its way for this order already. Wait until it is through."),
  ORDER_NOT_CANCELLABLE: () => _("This order cannot be cancelled any more: only an unpaid one can."),
  ORDER_NOT_PAYABLE: () => _("This order can no longer be paid: its price has run out. You can get a new one within a few minutes."),
  RESTORE_UNSETTLED: () => _("These books were restored from a backup. Somebody has to say first that no file written since can be signed any more: liqpass suspense after-restore."),
  SALE_STOPPED: (document) => notSold(document),
  TX_ALREADY_SUBMITTED: () => _("This transaction was named for another order already."),
  PERMIT_UNAVAILABLE: () => _("A signed permit cannot be used here. Approve the amount instead."),
  PERMIT_REJECTED: () => _("The permit was not signed by the payer’s account. Try again."),
  BODY_TOO_LARGE: () => _("What was sent is too large."),
  BODY_TOO_SLOW: () => _("What was sent took too long to arrive. Try again."),
  API_KEY_REJECTED: ({ exchangeCode }) => KEY_REJECTED[exchangeCode]?.() ?? _("OKX rejects this key, secret or passphrase. Enter them again."),
  API_KEY_UNKNOWN: () => _("OKX does not know this key: it was deleted, or it belongs to another region of OKX."),
  TOO_MANY_REQUESTS: ({ retryAfterSec }) => _("Too many requests in a short time. Try again in %(seconds)s seconds.", { seconds: retryAfterSec ?? 60 }),
  INTERNAL_ERROR: () => _("Something went wrong on our side, and was noted. Try again."),
  API_ACCOUNT_UNREADABLE: () => _("We cannot read this key at present. The fault is ours; try again later."),
  BIND_CREATE_FAILED: () => _("That did not work just now. Try again."),
  DATABASE_UNAVAILABLE: () => _("Our database does not answer. Nothing was changed; try again in a moment."),
  PRICE_UNAVAILABLE: () => NOT_INSURABLE.PRICE_UNAVAILABLE({}),
  EXCHANGE_UNAVAILABLE: () => _("OKX does not answer as it should. Nothing was changed; try again in a moment."),
  NODE_UNAVAILABLE: () => _("The chain does not answer at present. Nothing was changed; try again in a moment."),
}

// What stands in the way of a payment (payments/preflight), in the reader's words, by its code.

import { _ } from "./texts.js"

/** @typedef {{code: string, detail: string, blocking: boolean, values: Record<string, string>}} Obstacle */

/**
 * What it is and what to do about it.
 * @param {Obstacle} obstacle
 * @param {string} chain its name
 * @returns {string}
 */
export function wordsOf(obstacle, chain) {
  const said = SAID[obstacle.code]
  return said ? said({ ...obstacle.values, chain }) : obstacle.detail
}

/** @type {Record<string, (values: Record<string, string>) => string>} */
const SAID = {
  PAYER_BLACKLISTED: () => _("Circle, the issuer of USDC, has blocked this account: it cannot send USDC. Choose another account in the wallet and try again."),
  TREASURY_BLACKLISTED: () => _("Our treasury cannot receive USDC at present, so nothing can be paid. Nothing was charged; try again later."),
  USDC_PAUSED: () => _("USDC is paused by its issuer: nobody can send any at present. Nothing was charged; try again later."),
  CHECKOUT_PAUSED: () => _("We have paused all payments. Nothing was charged; try again later."),
  BALANCE_TOO_LOW: (values) => _("This wallet holds %(haveUsd)s USDC and %(needUsd)s are needed: %(missingUsd)s are missing. Send USDC to it on %(chain)s, or choose another account in the wallet.", values),
  QUOTE_EXPIRED: () => _("The price has run out. Go back to your positions and get a new one."),
  ALREADY_PAID: () => _("This order is paid already: the page shows it in a moment."),
  QUOTE_NOT_ACCEPTED: () => _("The checkout does not accept this price any more. Cancel the order and get a new one."),
  WOULD_FAIL: (values) => _("The payment would fail: %(words)s", values),
  NO_ETH: (values) => _("This account has no ETH on %(chain)s for the network’s fee. Unless the wallet has another way to pay that, it will refuse.", values),
}

// The JSON API, as every other client uses it, and its refusals in the reader's words.

import { BY_CODE } from "./refusals.js"
import { _, language } from "./texts.js"

/** A refusal (RFC 9457): `code` to match on, `message` in the reader's words, the rest as the API said it. */
export class Refusal extends Error {
  /** @param {Record<string, any>} document */
  constructor(document) {
    super(words(document))
    this.code = /** @type {string} */ (document.code)
    this.field = /** @type {string | undefined} */ (document.field)
    this.document = document
  }
}

/**
 * One call. Throws Refusal, with the code OFFLINE when the server cannot be reached.
 * @param {"GET" | "POST" | "DELETE"} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function call(method, path, body) {
  let answer
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    })
  } catch {
    throw new Refusal({ code: "OFFLINE", detail: "" })
  }
  const said = await answer.json().catch(() => ({ code: "INTERNAL_ERROR", detail: "" }))
  if (answer.ok) return said
  const refusal = new Refusal(said)
  if (refusal.code === "NOT_SIGNED_IN" && document.documentElement.dataset.signedIn) {
    location.assign(`/?back=${encodeURIComponent(location.pathname)}`)
  }
  throw refusal
}

/**
 * What a refusal says to the reader. In English the API's own sentence, which is more exact than ours by the
 * code; in other languages ours.
 * @param {Record<string, any>} document
 * @returns {string}
 */
export function words(document) {
  const ours = BY_CODE[document.code]
  if (document.detail && (language === "en" || !ours)) return document.detail
  return ours ? ours(document) : _("Something went wrong. Try again.")
}

// An order's page: it follows the order and its claim as they move, and lets it be paid, cancelled and claimed for.

import { call } from "./api.js"
import { busy, enliven, find, present, say } from "./page.js"
import { pay } from "./pay.js"
import { _, moment } from "./texts.js"
import { forget } from "./wallet.js"

const LOOK_AGAIN_MS = 10_000
const SAID = "#pay-said > *, #pay-notes > *"

/** @type {EventSource | undefined} */
let stream
/** @type {HTMLButtonElement | undefined} */
let paying
/** @type {Promise<void> | undefined} */
let looking
let moved = false
let missed = false
let failed = false
let lookedAt = 0

const live = () => find("#live")
const isFollowed = () => live().dataset.followed !== undefined
const objecting = () => /** @type {HTMLDialogElement} */ (find("#object"))
const cancelDialog = () => /** @type {HTMLDialogElement | null} */ (document.querySelector("#cancel-order"))

/** A payment that is being made is left alone until the order has moved: the chain may tell of it although the wallet never does. */
const isLeftAlone = () => Boolean(paying && !moved)

/**
 * Show the page as it is now. Who asks while one is being fetched waits for one more: that one may be older than
 * what they know.
 */
function look() {
  missed ||= Boolean(looking) || isLeftAlone()
  if (!isLeftAlone()) looking ??= lookUntilNoneIsMissed()
  return looking ?? Promise.resolve()
}

async function lookUntilNoneIsMissed() {
  do await fetchAgain()
  while (missed && !isLeftAlone())
  looking = undefined
}

/** Fetch the page again and put its living part in place of ours. */
async function fetchAgain() {
  const hadMoved = moved
  moved = false
  missed = false
  lookedAt = Date.now()
  try {
    const answer = await fetch(location.pathname, { headers: { accept: "text/html" } })
    // signed out, or signed in as somebody else, in another tab
    if (answer.redirected || answer.status === 404) location.reload()
    failed = answer.status >= 500
    if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"))
  } catch {
    failed = true
  }
  moved ||= failed && hadMoved
}

/** @param {Document} fresh */
function take(fresh) {
  if (paying && find("#live", fresh).dataset.status === "DRAFT") {
    missed = true
    return
  }
  paying = undefined
  replace(fresh)
}

/** @param {HTMLElement} part */
const drawnFrom = ({ dataset: { seq, payment, phase, claim } }) => [seq, payment, phase, claim].join()

/**
 * Put in what came, unless nothing moved and something is said of a payment: that must not be swept away.
 * @param {Document} fresh
 */
function replace(fresh) {
  const before = live()
  const after = document.importNode(find("#live", fresh), true)
  if (before.querySelector(SAID) && drawnFrom(before) === drawnFrom(after)) return
  const focused = before.contains(document.activeElement) ? document.activeElement : null
  const same = focused && ((focused.id && after.querySelector(`#${focused.id}`))
    || [...after.querySelectorAll(focused.tagName)].find((each) => each.textContent === focused.textContent))
  for (const open of before.querySelectorAll("details[open]")) after.querySelector(`#${open.id}`)?.setAttribute("open", "")
  before.replaceWith(after)
  enliven(after)
  tick()
  document.title = fresh.title
  if (focused) /** @type {HTMLElement} */ (same ?? find("#heading", after)).focus()
  const asking = cancelDialog()
  if (asking?.open && after.dataset.phase !== "UNPAID") {
    asking.close() // the question has answered itself
    find("#heading", after).focus()
  }
  if (after.dataset.phase !== before.dataset.phase) say(find("#heading", after).textContent ?? "")
  else if (after.dataset.claim && after.dataset.claim !== before.dataset.claim) say(find("#claim-state", after).textContent ?? "")
  if (!isFollowed()) stream?.close()
}

/** Listen to what happens to the order; what the page shows already is no news. */
function follow() {
  if (!isFollowed()) return
  stream?.close()
  stream = new EventSource(`/api/insurance/orders/${live().dataset.order}/events`)
  stream.addEventListener("order", (event) => {
    if (JSON.parse(event.data).seq <= Number(live().dataset.seq)) return
    moved = true
    look()
  })
  stream.addEventListener("payment", (event) => {
    const payment = JSON.parse(event.data)
    const seen = payment ? `${payment.stage} ${payment.blockNumber} ${payment.txHash}` : ""
    if (seen !== live().dataset.payment) look()
  })
  stream.addEventListener("claim", (event) => {
    const claim = JSON.parse(event.data)
    const seen = claim ? `${claim.claimId} ${claim.status} ${claim.amount ?? ""}` : ""
    if (seen !== live().dataset.claim) look()
  })
}

/** What moves with the time alone: the present on the timeline, the times of a cover if it were paid now. */
function tick() {
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-from-now]"))) {
    const text = moment(new Date(present() + Number(place.dataset.fromNow) * 1000).toISOString())
    if (place.textContent !== text) place.textContent = text
  }
  const timeline = /** @type {HTMLElement | null} */ (document.querySelector(".timeline"))
  const now = timeline?.querySelector(".now")
  if (timeline && now) {
    const from = Date.parse(timeline.dataset.from ?? "")
    const until = Date.parse(timeline.dataset.untilEnd ?? "")
    const percent = Math.min(1, Math.max(0, (present() - from) / (until - from))) * 100
    const place = `${percent}%`
    find("text", now).setAttribute("text-anchor", percent < 10 ? "start" : percent > 90 ? "end" : "middle")
    for (const name of ["x", "x1", "x2", "cx"]) {
      for (const part of now.querySelectorAll(`[${name}]`)) part.setAttribute(name, place)
    }
  }
}

/** A cover begins, and a price runs out, without a move of the order; a stream may be refused, a look may fail. */
function lookInTime() {
  const since = Date.now() - lookedAt
  const next = Date.parse(live().dataset.next ?? "")
  const isDeaf = stream?.readyState === EventSource.CLOSED && isFollowed()
  if (!document.hidden && (!paying || moved) && since > LOOK_AGAIN_MS && (isDeaf || failed || next <= present())) look()
}

async function cancel() {
  /** @type {HTMLDialogElement} */
  const dialog = find("#cancel-order")
  await call("POST", "/api/insurance/cancel", { purchaseOrderId: live().dataset.order })
  dialog.close()
  await look()
  find("#heading").focus()
}

async function claim() {
  const made = await call("POST", "/api/insurance/claims", { purchaseOrderId: live().dataset.order })
  await look()
  follow()
  find("#claim-title").focus()
  if (made.history.length > 1 || made.openedBy !== "TRADER") say(_("A claim was open already: this is it."))
}

/** @param {HTMLFormElement} form */
async function object(form) {
  const text = /** @type {HTMLTextAreaElement} */ (form.elements.namedItem("text"))
  const id = live().dataset.claim?.split(" ")[0]
  await call("POST", `/api/insurance/claims/${id}/objection`, { text: text.value })
  objecting().close()
  await look()
  follow()
  find("#claim-title").focus()
}

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target)
  if (form.id !== "object-form") return
  event.preventDefault()
  const button = /** @type {HTMLButtonElement} */ (/** @type {SubmitEvent} */ (event).submitter)
  busy(button, () => object(form), (error) => {
    find("#object-said").textContent = error.message
    find("#object-text").focus()
  })
})

document.addEventListener("click", (event) => {
  const button = /** @type {HTMLElement} */ (event.target).closest("button")
  const dialog = cancelDialog()
  const withAnother = button?.id === "other-wallet"
  if ((button?.id === "pay-button" || withAnother) && !paying) {
    /** @type {HTMLButtonElement} */
    const mine = paying = find("#pay-button")
    if (withAnother) {
      forget()
      mine.focus() // it stays; the one that was pressed goes
    }
    pay(mine).then((sent) => {
      if (paying === mine) paying = undefined
      if (sent || missed) look()
    })
  }
  if (button?.id === "cancel-button") {
    find("#cancel-said").textContent = ""
    dialog?.showModal()
  }
  if (button?.id === "cancel-no") dialog?.close()
  if (button?.id === "claim-button") busy(button, claim, (error) => { find("#claim-said").textContent = error.message })
  if (button?.id === "object-button") {
    find("#object-said").textContent = ""
    objecting().showModal()
  }
  if (button?.id === "object-no") objecting().close()
  if (button?.id === "cancel-yes") {
    busy(button, cancel, (error) => { find("#cancel-said").textContent = error.message })
  }
})

document.addEventListener("visibilitychange", () => {
  // over HTTP/1.1 a browser has six connections to a host: streams of hidden tabs would keep the next page out
  if (document.hidden) return stream?.close()
  look()
  follow()
})

follow()
tick()
setInterval(tick, 1000)
setInterval(lookInTime, 1000)

// What every page does: times in the reader's zone, copying, signing out, counting down.

import { call } from "./api.js"
import { _, moment, zone } from "./texts.js"

/**
 * Say something to everybody, screen readers included; gone after some seconds.
 * @param {string} text
 */
export function say(text) {
  const place = /** @type {HTMLElement} */ (document.getElementById("said"))
  place.textContent = text
  clearTimeout(Number(place.dataset.timer))
  place.dataset.timer = String(setTimeout(() => { place.textContent = "" }, 6000))
}

/**
 * The element that a page is sure to have.
 * @template {HTMLElement} T
 * @param {string} selector
 * @param {ParentNode} [within]
 * @returns {T}
 */
export function find(selector, within = document) {
  const found = within.querySelector(selector)
  if (!found) throw new Error(`the page has no ${selector}`)
  return /** @type {T} */ (found)
}

/**
 * Do what a button stands for, once at a time; what goes wrong is said by `told`.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<unknown>} work
 * @param {(error: Error) => void} [told]
 */
export async function busy(button, work, told = (error) => say(error.message)) {
  if (button.getAttribute("aria-busy") === "true") return
  button.setAttribute("aria-busy", "true")
  try {
    await work()
  } catch (error) {
    told(/** @type {Error} */ (error))
  } finally {
    button.removeAttribute("aria-busy")
  }
}

let aheadMs = 0

/** The present by the server's clock, if the page told it: what counts down must not follow a clock that is off. */
export const present = () => Date.now() + aheadMs

/**
 * Say times in the reader's own zone, and let what counts down begin.
 * @param {ParentNode} within
 */
export function enliven(within) {
  const told = /** @type {HTMLElement | null} */ (within.querySelector("[data-now]"))
  if (told) aheadMs = Date.parse(told.dataset.now ?? "") - Date.now()
  for (const time of /** @type {NodeListOf<HTMLTimeElement>} */ (within.querySelectorAll("time[datetime]"))) {
    if (!time.dataset.utc) {
      time.dataset.utc = time.title = time.textContent ?? ""
      time.textContent = moment(time.dateTime)
    }
  }
  tick(within)
}

/** @param {ParentNode} [within] */
function tick(within = document) {
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (within.querySelectorAll("[data-until]"))) {
    const left = Math.max(0, Math.floor((Date.parse(place.dataset.until ?? "") - present()) / 1000))
    const days = Math.floor(left / 86_400)
    const clock = [Math.floor(left / 3600) % 24, Math.floor(left / 60) % 60, left % 60]
      .map((part) => String(part).padStart(2, "0")).join(":")
    const text = days ? _("%(days)s d %(clock)s", { days, clock }) : clock
    if (place.textContent !== text) place.textContent = text
  }
}

document.addEventListener("click", (event) => {
  const button = /** @type {Element} */ (event.target).closest("button")
  if (button?.dataset.copy) {
    navigator.clipboard.writeText(button.dataset.copy).then(
      () => say(_("Copied")), () => say(_("The browser did not allow copying")))
  }
  if (button?.hasAttribute("data-sign-out")) {
    busy(button, async () => {
      await call("POST", "/api/auth/logout")
      location.assign("/")
    })
  }
  if (button?.hasAttribute("data-print")) print()
})

// A page that the browser kept shows what was: what is may be another thing, and its reader signed out.
addEventListener("pageshow", (event) => event.persisted && location.reload())

find("#zone").textContent = _("Times are in %(zone)s.", { zone: zone() })
enliven(document)
setInterval(tick, 1000)

// Announces wallets as browser extensions do (EIP-6963); what they are asked, a Python object answers (browser_wallet.py).
(() => {
  const announced = ANNOUNCED
  const ask = window.askWallet
  for (const info of announced) {
    const heard = {}
    const provider = {
      on(event, tell) { (heard[event] ??= []).push(tell) },
      removeListener(event, tell) { heard[event] = (heard[event] ?? []).filter((one) => one !== tell) },
      async request({ method, params }) {
        const { result, error, events } = await ask(info.uuid, method, params ?? [])
        for (const [event, value] of events) for (const tell of heard[event] ?? []) tell(value)
        if (error) throw Object.assign(new Error(error.message), error)
        return result
      },
    }
    const detail = Object.freeze({ info: Object.freeze(info), provider: Object.freeze(provider) })
    const announce = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }))
    addEventListener("eip6963:requestProvider", announce)
    announce()
  }
})()

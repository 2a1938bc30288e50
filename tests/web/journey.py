"""The steps of a trader in a browser, done as a person does them: by what stands on the screen."""

import json
import re
from collections.abc import Mapping

from playwright.async_api import Locator, Page, expect

from liqpass.sandbox.okx_margin import Account
from liqpass.web.texts import languages
from tests.flows.newcomers import open_account
from tests.web.town import Visitor
from tests.world import TestWorld

Key = Mapping[str, str | bool]
ORDER_PAGE = re.compile(r"/orders/0x[0-9a-f]{64}$")


class Reader:
    """Somebody who looks at a tab and knows the words of its language."""

    def __init__(self, page: Page, language: str = "en") -> None:
        self.page = page
        self._translations = languages()[language].translations

    def words(self, english: str, **values: object) -> str:
        """The English text in the page's language; scripts' texts and templates' are in one catalog."""
        return (
            str(self._translations.gettext(english)) % values
            if values
            else str(self._translations.gettext(english))
        )

    def button(self, english: str, **values: object) -> Locator:
        """The button that says this, and nothing else."""
        return self.page.get_by_role("button", name=self.words(english, **values), exact=True)

    def heading(self, english: str, **values: object) -> Locator:
        """The heading that says this."""
        return self.page.get_by_role("heading", name=self.words(english, **values), exact=True)

    def field(self, english: str) -> Locator:
        """What this label is for."""
        return self.page.get_by_label(self.words(english), exact=True)

    def alert(self, english: str, **values: object) -> Locator:
        """The alert in which this stands."""
        return self.page.get_by_role("alert").filter(has_text=self.words(english, **values))

    async def sees(self, english: str, **values: object) -> None:
        """Wait until a heading says this."""
        await expect(self.heading(english, **values)).to_be_visible()

    async def is_told(self, english: str, **values: object) -> None:
        """Wait until an alert says this."""
        await expect(self.alert(english, **values)).to_be_visible()

    async def connects(self) -> None:
        """Step 1, with one wallet: afterwards signed in."""
        await self.button("Connect a wallet").click()
        await expect(self.button("Sign out")).to_be_visible()

    async def hands_over(self, key: Key) -> None:
        """Step 2: afterwards among the positions."""
        await self.sees("Show us your positions")
        await self.types_in(key)
        await self.sees("Which position?")

    async def types_in(self, key: Key) -> None:
        """The form of step 2, filled in and sent."""
        for label, name in (("API key", "apiKey"), ("Secret key", "secret"), ("Passphrase", "passphrase")):
            await self.field(label).fill(str(key[name]))
        await self.button("Check and keep this key").click()

    def card(self, pair: str = "BTC/USDT") -> Locator:
        """The card of a position."""
        title = self.page.get_by_role("heading", name=self.words("%(pair)s perpetual", pair=pair))
        return self.page.get_by_role("listitem").filter(has=title)

    async def chooses(self, pair: str = "BTC/USDT", sku: str = "LIQPASS_24H") -> None:
        """Step 3: afterwards on the page of an order that can be paid."""
        await self.card(pair).get_by_role("button").click()  # it has one: prices
        await self.page.locator(f"input[type=radio][value={sku}]").check()
        await self.button("Get this price").click()
        await self.page.wait_for_url(ORDER_PAGE)
        await self.sees("Check and pay")

    def pay_button(self) -> Locator:
        """The one that says how much."""
        before, after = (re.escape(part) for part in self.words("Pay %(premium)s USDC").split("%(premium)s"))
        return self.page.get_by_role("button", name=re.compile(f"^{before}[0-9.,]+{after}$"))

    async def pays(self) -> None:
        """Step 4: afterwards the payment is on its way."""
        await self.pay_button().click()
        await self.sees("Your payment is on its way")

    async def orders(self, key: Key) -> None:
        """Steps 1 to 3, from the first page on."""
        await self.connects()
        await self.hands_over(key)
        await self.chooses()

    @property
    def order_id(self) -> str:
        """Of the order that the tab shows."""
        return self.page.url.rpartition("/")[2]


def reader(visitor: Visitor, page: Page | None = None, language: str = "en") -> Reader:
    """The visitor in front of the first tab, or another one."""
    return Reader(page or visitor.page, language)


def key_with_positions(world: TestWorld) -> tuple[Account, Key]:
    """A read-only key of a new exchange account with a position in bitcoin that can be covered, one in ether
    that cannot for its leverage, and one that cross margin bars."""
    okx, key = open_account(world)
    books = world.exchange.books
    books.open_position(okx.uid, "ETH-USDT-SWAP", side="short", contracts=8, lever=125)
    books.open_position(okx.uid, "SOL-USDT-SWAP", contracts=20, lever=5, mgn_mode="cross")
    return okx, key


async def pays_out(world: TestWorld, operator: Page) -> str:
    """The operator writes the batch, and the treasury's owners sign it; the hash of the transfer."""
    await operator.goto(f"{world.api}/operator/suspense")
    async with operator.expect_download() as coming:
        await operator.get_by_role("button", name="Write the Safe batch").click()
    (transfer,) = json.loads((await (await coming.value).path()).read_text("utf-8"))["transactions"]
    values = transfer["contractInputsValues"]
    receipt = await world.chain.transfer(
        world.chain.treasury_wallet, bytes.fromhex(values["to"][2:]), int(values["value"])
    )
    await world.chain.mine(world.chain.slots_in_an_epoch)
    return str(receipt["transactionHash"])

/** The table of accounts; at narrow widths the same rows are laid out as cards. */

import { h, icon } from "./accounts-dom.js";
import { menuButton } from "./accounts-menu.js";
import { moment, statusBadge, statusReason, warningChips } from "./accounts-parts.js";
import { siteOf } from "./accounts-text.js";

/** @typedef {import("./accounts-api.js").Account} Account */
/** @typedef {import("./accounts-text.js").Words} Words */
/** @typedef {import("./accounts-menu.js").Item} Item */

const COLUMNS = ["owner", "site", "status", "linked", "checked", "expires"];

/** One account's row. It is updated in place, so that the focus and an open menu stay. */
class Row {
  /**
   * @param {AccountTable} table
   * @param {Account} account
   */
  constructor(table, account) {
    this.account = account;
    this.#table = table;
    this.#open = h("button", {
      type: "button",
      class: "row-open",
      "aria-haspopup": "dialog",
      onclick: () => table.options.onopen(this.account.id),
    });
    this.#cells = COLUMNS.map((name) =>
      name === "owner"
        ? h("th", { role: "rowheader", scope: "row", class: "cell-owner" })
        : h("td", { role: "cell", class: `cell-${name}` }),
    );
    this.element = h(
      "tr",
      {
        role: "row",
        "data-id": account.id,
        // A large target for the mouse; the keyboard has the button in the first cell.
        onclick: (/** @type {MouseEvent} */ event) => {
          const target = /** @type {Element} */ (event.target);
          if (target.closest("button, .menu") || String(getSelection())) return;
          table.options.onopen(this.account.id);
        },
      },
      this.#cells,
    );
    if (table.options.items) {
      const { words, items } = table.options;
      const label = words.t("actions_for", { owner: account.owner.name, site: siteOf(account) });
      const menu = menuButton({ label, items: () => items(this.account) });
      this.element.append(h("td", { role: "cell", class: "cell-actions" }, menu));
    }
    this.update(account);
  }

  #table;
  #open;
  #cells;

  /** @param {Account} account */
  update(account) {
    this.account = account;
    const { words } = this.#table.options;
    const { owner, site, subdomain } = account;
    const reason = statusReason(words, account);
    this.#open.textContent = owner.name;
    this.#open.setAttribute(
      "aria-label",
      words.t("details_of", { owner: owner.name, site: siteOf(account) }),
    );
    const cells = [
      [
        h(
          "span",
          { class: "line" },
          this.#open,
          this.#table.isNew(account.id) && h("span", { class: "badge good" }, words.t("new")),
          account.type === "test" && h("span", { class: "badge" }, words.t("test")),
        ),
        account.label && h("span", { class: "second" }, account.label),
      ],
      [
        h("span", { class: "site" }, h("b", {}, subdomain), h("span", {}, ".namely.com")),
        site.name && h("span", { class: "second" }, site.name),
      ],
      [
        statusBadge(words, account),
        reason && h("span", { class: "second", title: reason.text }, reason.text),
        account.status !== "unlinked" &&
          account.warnings.length > 0 &&
          h("span", { class: "chips" }, warningChips(words, account.warnings)),
      ],
      [moment(words, account.linked_at)],
      [
        moment(words, account.checked_at),
        account.checked_at &&
          h("span", { class: "second" }, words.when(account.checked_at, "time")),
      ],
      [
        h(
          "span",
          { class: account.warnings.includes("expires_soon") ? "soon" : "" },
          moment(words, account.token_expires_by, "date", words.t("unknown")),
        ),
      ],
    ];
    this.#cells.forEach((cell, at) => {
      const label = h(
        "span",
        { class: "cell-label", "aria-hidden": "true" },
        words.t(`columns.${COLUMNS[at]}`),
      );
      const content = h("div", { class: "cell" }, cells[at]);
      // Moving the focused button would drop the focus.
      const focused = document.activeElement === this.#open;
      cell.replaceChildren(label, content);
      if (focused) this.#open.focus();
    });
    this.element.classList.toggle("is-unlinked", account.status === "unlinked");
  }
}

export class AccountTable {
  /**
   * @param {object} options
   * @param {Words} options.words
   * @param {(id: string) => void} options.onopen
   * @param {((account: Account) => Item[]) | null} options.items null for a viewer
   */
  constructor(options) {
    this.options = options;
    const { words, items } = options;
    this.#body = h("tbody", { role: "rowgroup" });
    this.element = h(
      "table",
      { role: "table", class: "accounts", "aria-label": words.t("table") },
      h(
        "thead",
        { role: "rowgroup" },
        h(
          "tr",
          { role: "row" },
          COLUMNS.map((name) =>
            h("th", { role: "columnheader", scope: "col" }, words.t(`columns.${name}`)),
          ),
          items &&
            h(
              "th",
              { role: "columnheader", scope: "col" },
              h("span", { class: "visually-hidden" }, words.t("columns.actions")),
            ),
        ),
      ),
      this.#body,
    );
  }

  #body;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Set<string>} */
  #new = new Set();

  /** @param {string} id */
  markNew(id) {
    this.#new.add(id);
  }

  /** @param {string} id */
  isNew(id) {
    return this.#new.has(id);
  }

  focusLast() {
    /** @type {HTMLElement | null} */ (this.#body.querySelector("tr:last-child .row-open"))?.focus();
  }

  /** @param {Account[]} accounts in the order to show them */
  show(accounts) {
    const ids = new Set(accounts.map((one) => one.id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
      const focused = row.element.contains(document.activeElement);
      row.element.remove();
      this.#rows.delete(id);
      if (focused) /** @type {HTMLElement | null} */ (next?.querySelector("button"))?.focus();
    }
    /** @type {Element | null} */
    let before = null;
    for (const account of accounts) {
      let row = this.#rows.get(account.id);
      if (!row) {
        row = new Row(this, account);
        row.element.classList.toggle("arrived", this.isNew(account.id));
        this.#rows.set(account.id, row);
      } else if (row.account !== account) row.update(account);
      /** @type {Element | null} */
      const place = before ? before.nextElementSibling : this.#body.firstElementChild;
      if (place !== row.element) this.#body.insertBefore(row.element, place);
      before = row.element;
    }
  }
}

/** What stands where the rows will be, while they are fetched. */
export function skeleton() {
  return h(
    "div",
    { class: "skeleton", "aria-hidden": "true" },
    Array.from({ length: 6 }, () => h("div", { class: "bone" }, h("i"), h("i"), h("i"), h("i"))),
  );
}

/**
 * A quiet message in the middle: nothing there, nothing found, or not to be had.
 *
 * @param {object} options
 * @param {keyof typeof import("./accounts-dom.js").PATHS} options.sign
 * @param {string} options.title
 * @param {string[]} options.lines
 * @param {(Node | null)[]} [options.actions]
 * @param {"h1" | "h2"} [options.level]
 */
export function blank({ sign, title, lines, actions = [], level = "h2" }) {
  return h(
    "section",
    { class: "blank" },
    h("span", { class: "blank-sign" }, icon(sign)),
    h(level, { tabindex: "-1" }, title),
    lines.filter(Boolean).map((line) => h("p", {}, line)),
    actions.length > 0 && h("div", { class: "actions" }, actions),
  );
}

/**
 * The Accounts page. Its session comes in the address's fragment, which no server ever sees; it is
 * taken out of the address at once and kept in memory only, so a reload asks for the link again.
 */

import { Api, Problem } from "./accounts-api.js";
import { openDetail } from "./accounts-detail.js";
import { closeAll, copied, say } from "./accounts-dialog.js";
import { h, icon, uid } from "./accounts-dom.js";
import { openInvite, openLink, openRename, openUnlink } from "./accounts-forms.js";
import { AccountTable, blank, skeleton } from "./accounts-list.js";
import { Store } from "./accounts-store.js";
import { siteOf, Words } from "./accounts-text.js";
import { language, load } from "../shared/i18n.js";

/** @typedef {import("./accounts-api.js").Account} Account */
/** @typedef {import("./accounts-api.js").Portal} Portal */
/** @typedef {import("./accounts-api.js").Filters} Filters */
/** @typedef {import("./accounts-api.js").Status} Status */
/** @typedef {import("./accounts-menu.js").Item} Item */
/** @typedef {import("./accounts-detail.js").Detail} Detail */

const PAGE = 50;
/** How often new accounts are asked for, and the longest pause after failures; milliseconds. */
const POLL = 5000;
const POLL_AFTER_FAILURES = 60_000;
/** When to look whether a check has come to its end; milliseconds. */
const CHECK_LOOKS = [1500, 2500, 4000, 7000, 12_000];
/** The longest that setTimeout takes. */
const LONGEST = 2 ** 31 - 1;

const STATUSES = ["pending", "active", "error", "suspended", "unlinked"];

const page = /** @type {HTMLElement} */ (document.getElementById("page"));

/** The view that is running; a new link in the same tab replaces it. @type {View | null} */
let current = null;

class View {
  /**
   * @param {Words} words
   * @param {Api} api
   * @param {Portal} portal
   */
  constructor(words, api, portal) {
    this.words = words;
    this.api = api;
    this.portal = portal;
    const operator = portal.rank === "operator";
    this.table = new AccountTable({
      words,
      onopen: (id) => this.open(id),
      items: operator ? (account) => this.items(account) : null,
    });
    /** @type {import("./accounts-forms.js").Desk} */
    this.desk = {
      words,
      api,
      owner: portal.owner,
      onfresh: (account) => this.take(account),
      explain: (error) => this.explain(error),
    };
    this.input = h("input", {
      id: uid("search"),
      type: "search",
      placeholder: words.t("search_hint"),
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => {
        this.typed = this.input.value;
        this.render();
      },
    });
    this.select = h(
      "select",
      {
        id: uid("filter"),
        onchange: () => {
          this.status = this.select.value;
          void this.begin();
        },
      },
      h("option", { value: "" }, words.t("status.all")),
      STATUSES.map((one) => h("option", { value: one }, words.t(`status.${one}`))),
    );
    this.count = h("p", { class: "count muted small", role: "status" });
    this.stale = h("p", { class: "notice warn", role: "status", hidden: true }, words.t("stale"));
    this.wider = h("div", { class: "wider" });
    this.content = h("div", { class: "content" });
    this.foot = h("div", { class: "foot" });
    this.draw(operator);
    this.stop = new AbortController();
    document.addEventListener("visibilitychange", () => this.poll(), { signal: this.stop.signal });
    const left = Date.parse(portal.expires_at) - Date.now();
    // A longer session ends with the first answer that says so.
    if (left < LONGEST) this.ending = setTimeout(() => this.end("expired"), Math.max(left, 0));
  }

  store = new Store();
  status = "";
  typed = "";
  /** A search on the server: by site or by owner. @type {Filters} */
  looking = {};
  /** @type {string | null} */
  cursor = null;
  /** Counts the lists begun, so that an answer for an older one is dropped. */
  round = 0;
  /** The newest account when the list was begun: what is newer has arrived since. */
  newest = "";
  loaded = false;
  loading = false;
  failures = 0;
  over = false;
  /** @type {Detail | null} */
  detail = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  ending;

  /** @param {boolean} operator */
  draw(operator) {
    const { words, portal } = this;
    const lead = portal.owner
      ? words.t("lead_owner", { owner: portal.owner.name })
      : words.t("lead");
    page.replaceChildren(
      h(
        "header",
        { class: "page-head" },
        h(
          "div",
          {},
          h("h1", { tabindex: "-1" }, words.t("title")),
          h("p", { class: "muted" }, lead),
          h(
            "p",
            { class: "session small muted" },
            h("span", { class: "badge" }, words.t(`rank.${portal.rank}`)),
            words.t("session_until", { time: words.when(portal.expires_at, "moment") }),
          ),
        ),
        operator &&
          h(
            "div",
            { class: "actions" },
            h(
              "button",
              { type: "button", class: "button quiet", onclick: () => openInvite(this.desk) },
              icon("link"),
              words.t("copy_link"),
            ),
            h(
              "button",
              { type: "button", class: "button", onclick: () => openLink(this.desk) },
              icon("plus"),
              words.t("link_now"),
            ),
          ),
      ),
      h(
        "div",
        { class: "toolbar", role: "search" },
        h(
          "div",
          { class: "field" },
          h("label", { for: this.input.id }, words.t("search")),
          h("div", { class: "control" }, icon("search"), this.input),
        ),
        h(
          "div",
          { class: "field" },
          h("label", { for: this.select.id }, words.t("filter")),
          h("div", { class: "control" }, this.select),
        ),
        this.count,
      ),
      this.stale,
      this.wider,
      this.content,
      this.foot,
    );
    page.removeAttribute("aria-busy");
    entitle(words.t("title"));
  }

  /** Begin the list anew: at the start, or with other filters. */
  async begin() {
    this.round += 1;
    this.store.clear();
    this.cursor = null;
    this.loaded = false;
    this.newest = "";
    this.render();
    await this.more();
    this.schedule();
  }

  /** Fetch the next page; more than one where all of a page is filtered out here. */
  async more() {
    const round = this.round;
    this.loading = true;
    this.render();
    try {
      for (let asked = 0; asked < 5; asked += 1) {
        const before = this.shown().length;
        const answer = await this.api.accounts(
          { ...this.looking, status: this.status, cursor: this.cursor ?? "" },
          PAGE,
        );
        if (round !== this.round) return;
        this.store.merge(answer.accounts);
        if (!this.newest) this.newest = answer.accounts[0]?.id ?? "0";
        this.cursor = answer.cursor;
        this.loaded = true;
        if (!this.cursor || this.shown().length > before) break;
      }
    } catch (error) {
      if (round !== this.round) return;
      const text = this.explain(error);
      if (this.over) return;
      this.loading = false;
      if (this.loaded) {
        say(this.words, text, "bad");
        this.render();
      } else this.fail(text);
      return;
    }
    this.loading = false;
    this.render();
  }

  /** @returns {Account[]} */
  shown() {
    return this.store.visible(this.status, this.typed);
  }

  /** @param {string} text */
  fail(text) {
    const { words } = this;
    this.content.removeAttribute("aria-busy");
    this.count.textContent = "";
    this.content.replaceChildren(
      h(
        "div",
        { role: "alert" },
        blank({
          sign: "error",
          title: words.t("failed.title"),
          lines: [text],
          actions: [
            h(
              "button",
              { type: "button", class: "button", onclick: () => this.begin() },
              words.t("failed.again"),
            ),
          ],
        }),
      ),
    );
  }

  render() {
    if (this.over) return;
    const { words, cursor } = this;
    this.content.toggleAttribute("aria-busy", !this.loaded);
    if (!this.loaded) {
      this.count.textContent = words.t("loading");
      this.foot.replaceChildren();
      this.wider.replaceChildren();
      if (!this.content.querySelector(".skeleton")) this.content.replaceChildren(skeleton());
      return;
    }
    const shown = this.shown();
    const total = this.store.visible(this.status, "").length;
    const numbers = { shown: words.number(shown.length), total: words.number(total) };
    const key = this.typed.trim() ? "count_of" : cursor ? "count_more" : "count";
    const text = words.plural(key, this.typed.trim() ? total : shown.length, numbers);
    // A live region speaks when it changes: only write what is new.
    if (this.count.textContent !== text) this.count.textContent = text;
    this.table.show(shown);
    if (shown.length) {
      if (this.table.element.parentElement !== this.content)
        this.content.replaceChildren(this.table.element);
    } else this.content.replaceChildren(this.nothing(total));
    this.renderWider();
    this.renderFoot();
  }

  /** @param {number} total */
  nothing(total) {
    const { words, portal } = this;
    if (total || this.status || this.looking.subdomain || this.looking.owner_id || this.cursor)
      return blank({
        sign: "search",
        title: words.t("nothing.title"),
        lines: [words.t("nothing.text")],
        actions: [
          h(
            "button",
            { type: "button", class: "button quiet", onclick: () => this.reset() },
            words.t("nothing.clear"),
          ),
        ],
      });
    return blank({
      sign: "link",
      title: words.t("empty.title"),
      lines: [words.t(`empty.${portal.rank}`)],
    });
  }

  reset() {
    this.typed = this.input.value = "";
    const server = this.status || this.looking.subdomain || this.looking.owner_id;
    this.status = this.select.value = "";
    this.looking = {};
    this.input.focus();
    if (server) void this.begin();
    else this.render();
  }

  /** Offer to look on the server for what is typed, while not everything is loaded. */
  renderWider() {
    const { words } = this;
    const text = this.typed.trim();
    const { subdomain, owner_id } = this.looking;
    /** @param {string} label @param {Filters} looking */
    const chip = (label, looking) =>
      h(
        "button",
        {
          type: "button",
          class: "button quiet small",
          onclick: () => {
            this.looking = looking;
            this.typed = this.input.value = "";
            this.input.focus();
            void this.begin();
          },
        },
        label,
      );
    /** @type {(Node | string)[]} */
    const offers = [];
    if (subdomain) offers.push(h("span", { class: "badge" }, words.t("looking_site", { text: subdomain })));
    if (owner_id) offers.push(h("span", { class: "badge" }, words.t("looking_owner", { text: owner_id })));
    if (subdomain || owner_id) offers.push(chip(words.t("looking_end"), {}));
    else if (this.cursor && text) {
      const site = text.toLowerCase().replace(/\.namely\.com$/, "");
      if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(site))
        offers.push(chip(words.t("everywhere_site", { text: site }), { subdomain: site }));
      if (!this.portal.owner && /^[\w.:/=+@-]{1,128}$/.test(text))
        offers.push(chip(words.t("everywhere_owner", { text }), { owner_id: text }));
    }
    this.wider.replaceChildren(...offers);
  }

  renderFoot() {
    const { words } = this;
    if (!this.cursor) {
      const focused = this.foot.contains(document.activeElement);
      this.foot.replaceChildren();
      if (focused) this.table.focusLast();
      return;
    }
    let button = /** @type {HTMLButtonElement | null} */ (this.foot.querySelector("button"));
    if (!button) {
      button = h("button", {
        type: "button",
        class: "button quiet",
        onclick: () => {
          if (!this.loading) void this.more();
        },
      });
      this.foot.replaceChildren(button);
    }
    button.toggleAttribute("data-busy", this.loading);
    if (this.loading) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
    button.textContent = words.t(this.loading ? "more_loading" : "more");
  }

  schedule() {
    clearTimeout(this.timer);
    if (this.over) return;
    const pause = Math.min(POLL * 2 ** this.failures, POLL_AFTER_FAILURES);
    this.timer = setTimeout(() => this.poll(), pause);
  }

  /** Ask for the first page again, while somebody is looking. */
  async poll() {
    if (this.over || !this.loaded || document.hidden) return;
    clearTimeout(this.timer);
    const round = this.round;
    try {
      const filters = { ...this.looking, status: this.status };
      const { accounts, cursor } = await this.api.accounts(filters, PAGE);
      if (round !== this.round) return;
      this.failures = 0;
      const last = cursor ? (accounts.at(-1)?.id ?? "") : "";
      this.learn(accounts);
      await this.refetch(new Set(accounts.map((one) => one.id)), last);
    } catch (error) {
      if (round !== this.round) return;
      this.explain(error);
      this.failures += 1;
    }
    if (this.over) return;
    // One lost answer is nothing to speak of.
    this.stale.hidden = this.failures < 2;
    this.schedule();
  }

  /**
   * Ask one by one for accounts that should have been on the first page and were not: their status
   * has changed, so that the filter leaves them out.
   *
   * @param {Set<string>} listed
   * @param {string} last
   */
  async refetch(listed, last) {
    const gone = this.store.visible(this.status, "").filter((one) => one.id > last && !listed.has(one.id));
    for (const one of gone.slice(0, 5)) this.learn([await this.api.account(one.id)]);
  }

  /**
   * Merge what the API says and tell what has changed by itself.
   *
   * @param {Account[]} accounts
   */
  learn(accounts) {
    const { words } = this;
    const before = new Map(accounts.map((one) => [one.id, this.store.get(one.id)?.status]));
    const { added, changed } = this.store.merge(accounts);
    const arrived = added.filter((one) => one.id > this.newest);
    for (const one of arrived) this.table.markNew(one.id);
    const turned = changed.filter((one) => before.get(one.id) !== one.status);
    if (arrived.length > 1) say(words, words.plural("arrived_many", arrived.length));
    else if (arrived.length) say(words, words.t("arrived", this.named(arrived[0])));
    else if (turned.length) {
      const status = words.known(`status.${turned[0].status}`, turned[0].status);
      say(words, words.t("now_status", { ...this.named(turned[0]), status }));
    }
    this.newest = arrived.reduce((most, one) => (one.id > most ? one.id : most), this.newest);
    if (added.length || changed.length) this.refresh(changed);
  }

  /** Take over an account that a command or a look answered. @param {Account} account */
  take(account) {
    const known = this.store.get(account.id);
    const { subdomain, owner_id } = this.looking;
    if ((subdomain && subdomain !== account.subdomain) || (owner_id && owner_id !== account.owner.id))
      return;
    // A link made here is no news to who made it, but is marked all the same.
    if (!known && account.id > this.newest) {
      this.table.markNew(account.id);
      this.newest = account.id;
    }
    const { added, changed } = this.store.merge([account]);
    if (added.length || changed.length) this.refresh(changed);
  }

  /** Show what is new. @param {Account[]} changed */
  refresh(changed) {
    this.render();
    const one = changed.find((account) => account.id === this.detail?.id);
    if (one) this.detail?.update(one);
  }

  /** @param {Account} account */
  named(account) {
    return { owner: account.owner.name, site: siteOf(account) };
  }

  /** @param {string} id */
  open(id) {
    const account = this.store.get(id);
    if (!account) return;
    this.detail = openDetail({
      words: this.words,
      api: this.api,
      account,
      items: this.portal.rank === "operator" ? (one) => this.items(one) : null,
      onfresh: (one) => this.take(one),
      explain: (error) => this.explain(error),
      onclose: () => {
        this.detail = null;
      },
    });
  }

  /** What an operator may do to an account as it is now. @param {Account} account @returns {Item[]} */
  items(account) {
    const { words, desk } = this;
    const { id, status } = account;
    /** @param {string} name @param {() => void} run @returns {Item} */
    const item = (name, run) => ({
      name,
      label: words.t(`actions.${name}`),
      run,
      danger: name === "unlink",
    });
    const linked = status !== "unlinked";
    const recoverable = !linked && Date.parse(account.recoverable_until ?? "") > Date.now();
    return [
      item("details", () => this.open(id)),
      ...(linked && status !== "suspended" ? [item("check", () => this.check(account))] : []),
      ...(linked ? [item("relink", () => openInvite(desk, account))] : []),
      ...(linked ? [item("rename", () => openRename(desk, account))] : []),
      ...(status === "active" ? [item("suspend", () => this.change(account, "suspend"))] : []),
      ...(status === "suspended" ? [item("resume", () => this.change(account, "resume"))] : []),
      ...(recoverable ? [item("restore", () => this.change(account, "restore"))] : []),
      item("copy_id", () => this.copyId(account)),
      ...(linked ? [item("unlink", () => openUnlink(desk, account))] : []),
    ];
  }

  /** @param {Account} account */
  async copyId(account) {
    const done = await copied(account.id);
    if (done) say(this.words, this.words.t("did.copy"));
    else say(this.words, `${this.words.t("detail.id")}: ${account.id}`, "bad");
  }

  /** @param {Account} account @param {"suspend" | "resume" | "restore"} what */
  async change(account, what) {
    try {
      this.take(await this.api.act(account.id, what));
      say(this.words, this.words.t(`did.${what}`, { site: siteOf(account) }));
    } catch (error) {
      this.complain(error, account);
    }
  }

  /** @param {Account} account */
  async check(account) {
    const site = siteOf(account);
    try {
      this.take(await this.api.act(account.id, "check"));
      say(this.words, this.words.t("did.check", { site }));
      for (const pause of CHECK_LOOKS) {
        await new Promise((resolve) => setTimeout(resolve, pause));
        if (this.over) return;
        const now = await this.api.account(account.id);
        this.take(now);
        if (now.checked_at === account.checked_at) continue;
        const status = this.words.known(`status.${now.status}`, now.status);
        say(this.words, this.words.t("did.checked", { site, status }), now.status === "error" ? "bad" : "good");
        return;
      }
    } catch (error) {
      this.complain(error, account);
    }
  }

  /** @param {unknown} error @param {Account} account */
  complain(error, account) {
    const text = this.explain(error);
    if (this.over) return;
    const hint = error instanceof Problem ? this.words.problem(error, account.subdomain).hint : "";
    say(this.words, `${siteOf(account)}: ${text}`, "bad", hint);
  }

  /**
   * Say what went wrong; where the session is over, so is this view.
   *
   * @param {unknown} error
   * @returns {string}
   */
  explain(error) {
    if (!(error instanceof Problem)) throw error;
    if (error.endsSession) this.end(error.status === 410 ? "expired" : "refused");
    return this.words.problem(error).text;
  }

  /** @param {"expired" | "refused"} why */
  end(why) {
    if (this.over) return;
    this.close();
    gone(this.words, why);
  }

  close() {
    this.over = true;
    clearTimeout(this.timer);
    clearTimeout(this.ending);
    this.stop.abort();
    closeAll();
  }
}

/** @param {string} title of the tab, before the name of whose page it is */
function entitle(title) {
  const name = document.querySelector('meta[name="application-name"]')?.getAttribute("content");
  document.title = name ? `${title} · ${name}` : title;
}

/**
 * Say that there is no access, and what to do.
 *
 * @param {Words} words
 * @param {"missing" | "expired" | "refused"} why
 */
function gone(words, why) {
  entitle(words.t(`gone.${why}.title`));
  const section = blank({
    sign: why === "expired" ? "clock" : "link",
    title: words.t(`gone.${why}.title`),
    lines: [words.t(`gone.${why}.text`), words.t(`gone.${why}.todo`)],
    level: "h1",
  });
  page.removeAttribute("aria-busy");
  page.replaceChildren(h("div", { class: "gone" }, section));
  section.querySelector("h1")?.focus();
}

/** Take the session out of the address. @returns {string} */
function takeSession() {
  const found = /^#(nlp_[\w-]+)$/.exec(location.hash);
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return found ? found[1] : "";
}

/** @param {string} bearer the portal session, "" where there is none */
async function start(bearer) {
  current?.close();
  current = null;
  page.setAttribute("aria-busy", "true");
  const title = h("h1", { class: "visually-hidden" }, document.title);
  page.replaceChildren(title, skeleton());
  let words = new Words(await load(), language);
  title.textContent = words.t("loading");
  if (!bearer) {
    gone(words, "missing");
    return;
  }
  const api = new Api(bearer);
  try {
    const portal = await api.portal();
    if (portal.locale) words = new Words(await load(portal.locale), language, portal.locale);
    current = new View(words, api, portal);
    await current.begin();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.endsSession) {
      gone(words, error.status === 410 ? "expired" : "refused");
      return;
    }
    const { text, hint } = words.problem(error);
    const section = blank({
      sign: "error",
      title: words.t("failed.title"),
      lines: [text, hint],
      actions: [
        h(
          "button",
          { type: "button", class: "button", onclick: () => start(bearer) },
          words.t("failed.again"),
        ),
      ],
      level: "h1",
    });
    page.removeAttribute("aria-busy");
    page.replaceChildren(h("div", { class: "gone", role: "alert" }, section));
  }
}

// Opening the link in a tab that has this page already changes the fragment only.
addEventListener("hashchange", () => {
  if (location.hash) void start(takeSession());
});
void start(takeSession());

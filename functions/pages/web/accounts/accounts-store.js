/** What the page knows of accounts: merged by id and revision, newest first. */

/** @typedef {import("./accounts-api.js").Account} Account */

/** @param {string} text @returns {string} for comparing as a person would: no case, no accents */
const folded = (text) => text.normalize("NFD").replace(/\p{Mn}/gu, "").toLowerCase();

export class Store {
  /** @type {Map<string, Account>} */
  #accounts = new Map();

  /** @returns {number} */
  get size() {
    return this.#accounts.size;
  }

  /** @param {string} id @returns {Account | undefined} */
  get(id) {
    return this.#accounts.get(id);
  }

  clear() {
    this.#accounts.clear();
  }

  /**
   * Take over what the API says. An index may lag behind what a command has just answered, so an
   * older revision never replaces a newer one.
   *
   * @param {Account[]} accounts
   * @returns {{added: Account[], changed: Account[]}}
   */
  merge(accounts) {
    /** @type {Account[]} */
    const added = [];
    /** @type {Account[]} */
    const changed = [];
    for (const one of accounts) {
      const known = this.#accounts.get(one.id);
      if (known && known.revision >= one.revision) continue;
      (known ? changed : added).push(one);
      this.#accounts.set(one.id, one);
    }
    return { added, changed };
  }

  /**
   * @param {string} status one status, or "" for all that are not unlinked
   * @param {string} typed every word of it stands in owner, site or label
   * @returns {Account[]} newest first
   */
  visible(status, typed) {
    const words = folded(typed.trim()).split(/\s+/).filter(Boolean);
    return [...this.#accounts.values()]
      .filter((one) => (status ? one.status === status : one.status !== "unlinked"))
      .filter((one) => {
        const text = folded(
          [
            one.owner.name,
            one.owner.id,
            `${one.subdomain}.namely.com`,
            one.site.name,
            one.label ?? "",
            one.id,
          ].join("\n"),
        );
        return words.every((word) => text.includes(word));
      })
      // Ids are ULIDs: they sort by the time they were made.
      .sort((a, b) => (a.id < b.id ? 1 : -1));
  }
}

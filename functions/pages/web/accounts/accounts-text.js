/** The page's words in the reader's language, and dates and numbers as that language writes them. */

/** @typedef {import("./accounts-api.js").Account} Account */
/** @typedef {import("./accounts-api.js").Problem} Problem */
/** @typedef {import("./accounts-api.js").StatusReason} StatusReason */
/** @typedef {Record<string, string | number>} Values */

/** @param {Account} account @returns {string} */
export const siteOf = (account) => `${account.subdomain}.namely.com`;

export class Words {
  /** @type {import("../shared/i18n.js").Translate} */
  #translate;
  /** @type {Intl.PluralRules} */
  #plural;
  /** @type {Intl.NumberFormat} */
  #number;
  /** @type {Record<"date" | "moment" | "time" | "full", Intl.DateTimeFormat>} */
  #formats;

  /**
   * @param {import("../shared/i18n.js").Translate} translate
   * @param {string} language of the sentences
   * @param {string} [preferred] the session's locale
   */
  constructor(translate, language, preferred = "") {
    this.#translate = translate;
    // Dates follow the reader's region where it goes with the language: en-GB, pt-BR.
    const locale =
      [preferred, ...navigator.languages].find((one) => valid(one) && one.split("-")[0] === language) ??
      language;
    this.#plural = new Intl.PluralRules(locale);
    this.#number = new Intl.NumberFormat(locale);
    const format = (/** @type {Intl.DateTimeFormatOptions} */ options) =>
      new Intl.DateTimeFormat(locale, options);
    this.#formats = {
      date: format({ dateStyle: "medium" }),
      moment: format({ dateStyle: "medium", timeStyle: "short" }),
      time: format({ timeStyle: "short" }),
      full: format({ dateStyle: "full", timeStyle: "long" }),
    };
  }

  /**
   * @param {string} key path within this page's section
   * @param {Values} [values]
   * @returns {string}
   */
  t(key, values) {
    return this.#translate(`accounts.${key}`, values);
  }

  /**
   * @param {string} key of a group with a sentence for each plural form
   * @param {number} count
   * @param {Values} [values]
   * @returns {string}
   */
  plural(key, count, values = {}) {
    const all = { count: this.number(count), ...values };
    const form = this.#found(`accounts.${key}.${this.#plural.select(count)}`, all);
    return form || this.t(`${key}.other`, all);
  }

  /**
   * @param {string} key
   * @param {string} otherwise for codes that are newer than these words
   * @returns {string}
   */
  known(key, otherwise) {
    return this.#found(`accounts.${key}`) || otherwise;
  }

  /** @param {string} name @returns {string} as the Hub's receipt calls it */
  capability(name) {
    return this.#found(`capabilities.${name}`) || name;
  }

  /** @param {number} number @returns {string} */
  number(number) {
    return this.#number.format(number);
  }

  /**
   * @param {string} at RFC 3339
   * @param {"date" | "moment" | "time" | "full"} [style]
   * @returns {string}
   */
  when(at, style = "date") {
    return this.#formats[style].format(new Date(at));
  }

  /**
   * @param {Problem} problem
   * @param {string} [subdomain] for sentences that name the site
   * @returns {{text: string, hint: string}}
   */
  problem(problem, subdomain = "") {
    // Here it need not be a link that failed.
    if (problem.code === "storage_unavailable") return { text: this.t("unavailable"), hint: "" };
    if (problem.code === "offline") return { text: this.t("offline"), hint: "" };
    const values = { subdomain, minutes: Math.ceil(problem.retryAfter / 60) };
    const own = this.#found(`reasons.${problem.reason}.detail`, values);
    return {
      text: own || problem.detail || this.t("went_wrong"),
      hint: own ? this.#found(`reasons.${problem.reason}.hint`, values) : problem.hint,
    };
  }

  /** @param {StatusReason} reason @param {string} subdomain @returns {string} */
  reason(reason, subdomain) {
    return (
      this.#found(`accounts.reasons.${reason.code}`) ||
      this.#found(`reasons.${reason.code}.detail`, { subdomain }) ||
      reason.detail ||
      reason.code
    );
  }

  /** @param {string} key @param {Values} [values] @returns {string} empty where it is missing */
  #found(key, values) {
    const text = this.#translate(key, values);
    return text === key ? "" : text;
  }
}

/** @param {string} tag @returns {boolean} whether Intl takes it; a session's locale is free text */
function valid(tag) {
  try {
    return Intl.getCanonicalLocales(tag).length > 0;
  } catch {
    return false;
  }
}

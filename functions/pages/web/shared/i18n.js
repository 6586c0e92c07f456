// The sentences of both pages: one JSON file a language, fetched by its hashed name.

/** Languages written from right to left; ready for the day one is added. */
const RIGHT_TO_LEFT = ["ar", "fa", "he", "ur"];

/**
 * @callback Translate
 * @param {string} key path of the sentence, such as "hub.connect"
 * @param {Record<string, string | number>} [params] values of its {placeholders}
 * @returns {string} the sentence; the key itself where there is none
 */

/** @type {string} the language in use, for Intl */
export let language = "en";

/**
 * Where each language's file is: `<link rel="alternate" type="application/json" hreflang>` in the
 * page, since only the server knows the hashed names.
 * @returns {Map<string, string>}
 */
function files() {
  const links = document.querySelectorAll('link[type="application/json"][hreflang]');
  return new Map([...links].map((link) => [link.hreflang, link.href]));
}

/**
 * @param {string | null | undefined} preferred a language tag that goes before the browser's
 * @param {Iterable<string>} known
 * @returns {string}
 */
export function choose(preferred, known) {
  const offered = new Set(known);
  for (const wanted of [preferred, ...(navigator.languages ?? [])]) {
    const primary = (wanted ?? "").toLowerCase().split(/[-_]/)[0];
    if (offered.has(primary)) return primary;
  }
  return "en";
}

/**
 * Load the sentences and tell the document its language and direction.
 * @param {string | null} [preferred] the session's locale
 * @returns {Promise<Translate>} rejects when the file can't be fetched
 */
export async function load(preferred) {
  const known = files();
  const chosen = choose(preferred, known.keys());
  const answer = await fetch(known.get(chosen) ?? "");
  if (!answer.ok) throw new Error(`no sentences: ${answer.status}`);
  const sentences = await answer.json();
  language = chosen;
  document.documentElement.lang = chosen;
  document.documentElement.dir = RIGHT_TO_LEFT.includes(chosen) ? "rtl" : "ltr";
  return (key, params = {}) => {
    const found = key.split(".").reduce((part, name) => part?.[name], sentences);
    if (typeof found !== "string") return key;
    return found.replace(/\{(\w+)\}/g, (whole, name) => String(params[name] ?? whole));
  };
}

/**
 * Fill in every element that names its sentence: data-t="key" for the text,
 * data-t-label="key" for aria-label, data-t-title and data-t-placeholder likewise.
 * @param {ParentNode} root
 * @param {Translate} t
 * @param {Record<string, string | number>} [params]
 */
export function fill(root, t, params) {
  for (const one of root.querySelectorAll("[data-t]")) one.textContent = t(one.dataset.t, params);
  for (const [mark, attribute] of [
    ["tLabel", "aria-label"],
    ["tTitle", "title"],
    ["tPlaceholder", "placeholder"],
  ]) {
    const name = mark.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    for (const one of root.querySelectorAll(`[data-${name}]`))
      one.setAttribute(attribute, t(one.dataset[mark], params));
  }
}

// What a person typed or pasted, cleaned as the server cleans it. The server has the last word;
// what is found here costs none of the link's attempts.

const RESERVED = new Set(
  "www api auth developers developer status help support login mail cdn assets blog".split(" "),
);
const MAX_TOKEN_LENGTH = 512;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const TOKEN_LIKE = /^[A-Za-z0-9]{32,}$/;
const INVISIBLE = /[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/g;
const QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb";
const BEARER = /^(?:authorization\s*:\s*)?bearer\s+/i;

/** @param {string} raw */
function strip(raw) {
  let text = raw.replace(INVISIBLE, "").trim();
  while (text.length > 1 && QUOTES.includes(text[0]) && QUOTES.includes(text[text.length - 1]))
    text = text.slice(1, -1).trim();
  return text;
}

/**
 * @param {string} raw a name, a host or a whole URL
 * @returns {{value: string, reason?: undefined} | {value: string, reason: string}}
 */
export function readSubdomain(raw) {
  let text = strip(raw).toLowerCase();
  if (!text) return { value: "", reason: "subdomain_missing" };
  if (/[/.]|:\/\//.test(text)) {
    let url;
    try {
      url = new URL(text.includes("://") ? text : `https://${text}`);
    } catch {
      return { value: text, reason: "subdomain_malformed" };
    }
    const host = url.hostname.replace(/\.$/, "");
    const foreign =
      !/^https?:$/.test(url.protocol) ||
      url.username ||
      !["", "80", "443"].includes(url.port) ||
      (host.includes(".") && !host.endsWith(".namely.com"));
    if (foreign) return { value: text, reason: "subdomain_other_host" };
    text = host.replace(/\.namely\.com$/, "");
  }
  if (!LABEL.test(text)) return { value: text, reason: "subdomain_malformed" };
  if (RESERVED.has(text)) return { value: text, reason: "subdomain_reserved" };
  return { value: text };
}

/**
 * The subdomain in what is being typed, once it is more than a subdomain; null while it is not.
 * @param {string} raw
 * @param {boolean} pasted a whole address has arrived; nobody is still typing it
 * @returns {string | null}
 */
export function subdomainWithin(raw, pasted) {
  const text = strip(raw).toLowerCase();
  if (!(pasted ? /[/.]/ : /\.namely\.com\b/).test(text)) return null;
  const read = readSubdomain(text);
  return read.reason && read.reason !== "subdomain_reserved" ? null : read.value;
}

/**
 * @param {string} raw
 * @returns {{value: string, reason?: string}}
 */
export function readToken(raw) {
  let text = strip(raw);
  if (BEARER.test(text)) text = strip(text.replace(BEARER, ""));
  if (!text) return { value: "", reason: "token_missing" };
  if (text.length > MAX_TOKEN_LENGTH) return { value: "", reason: "token_too_long" };
  if (/\s/.test(text)) return { value: "", reason: "token_inner_space" };
  if (!/^[\x21-\x7e]+$/.test(text)) return { value: "", reason: "token_not_ascii" };
  return { value: text };
}

/** @param {string} raw */
export const looksLikeToken = (raw) => TOKEN_LIKE.test(strip(raw).replace(BEARER, ""));

/** @param {string} raw */
export function looksLikeSite(raw) {
  const text = strip(raw).toLowerCase();
  return text.includes(".namely.com") || (text.length < 32 && LABEL.test(text));
}

// What the page around the frame is told, and only that page: the origin that hub.js named is
// checked against who may embed this page and, where the browser tells, against who does. The
// browser itself delivers a message to no other origin than the one it is addressed to.

/**
 * @typedef {(type: "ready" | "linked" | "close" | "error", more?: object) => void} Tell
 */

/**
 * @param {string | null} claimed the origin in the fragment
 * @returns {Tell | null | "refused"} null where nobody is to be told
 */
export function parent(claimed) {
  if (window.parent === window || !claimed) return null;
  const origin = exact(claimed);
  const actual = location.ancestorOrigins?.[0];
  if (!origin || (actual !== undefined && actual !== origin) || !allowed(origin)) return "refused";
  return (type, more = {}) =>
    window.parent.postMessage({ type: `namely-link:${type}`, ...more }, origin);
}

/**
 * @param {string} text
 * @returns {string} the origin, or "" where the text is anything else than one
 */
function exact(text) {
  try {
    const url = new URL(text);
    return url.origin === text && /^https?:$/.test(url.protocol) ? text : "";
  } catch {
    return "";
  }
}

/** @param {string} origin */
function allowed(origin) {
  const sources = document.querySelector('meta[name="frame-ancestors"]')?.getAttribute("content");
  return (sources ?? "").split(" ").some((source) => matches(source, new URL(origin)));
}

/**
 * Whether a source of `frame-ancestors` covers an origin, as the browser decides it.
 * @param {string} source such as https://app.example.com, https://*.example.com, https:, 'self'
 * @param {URL} url
 */
export function matches(source, url) {
  if (source === "'self'") return url.origin === location.origin;
  if (source === "*") return true;
  if (/^[a-z][a-z0-9+.-]*:$/i.test(source)) return url.protocol === source.toLowerCase();
  const parts = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(\*\.)?([a-z0-9.-]+|\[[0-9a-f:]+\])(?::(\d+|\*))?\/?$/i.exec(
    source,
  );
  if (!parts) return false;
  const [, scheme = location.protocol.slice(0, -1), wild, host, port] = parts;
  const secure = scheme.toLowerCase() === "https";
  const name = host.toLowerCase();
  if (url.protocol !== (secure ? "https:" : "http:") && !(url.protocol === "https:" && !secure))
    return false;
  if (wild ? !url.hostname.endsWith(`.${name}`) : url.hostname !== name) return false;
  const actual = url.port || (url.protocol === "https:" ? "443" : "80");
  return port === "*" || actual === (port ?? (url.protocol === "https:" ? "443" : "80"));
}

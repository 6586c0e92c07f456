// Calls the API with the session, and asks again where an answer was lost on the way.

/** Longer than API Gateway waits for its function. */
const TIMEOUT = 35_000;
/** Milliseconds before each repetition after a lost connection. */
const BACKOFF = [1000, 2000, 4000];
/** How often "not now" is met by waiting, and the longest time in seconds that is waited for. */
const PATIENCE = 4;
const SOON = 15;

/** @param {number} milliseconds */
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Resolves once the browser believes that it is online. */
const online = () =>
  navigator.onLine === false
    ? new Promise((resolve) => addEventListener("online", resolve, { once: true }))
    : Promise.resolve();

/**
 * @typedef {object} Answer
 * @property {number} status 0 where the connection was lost for good
 * @property {any} body
 */

/**
 * One call. The same body twice is safe: a session links once, and asked again with the same
 * credential gives the same answer.
 * @param {string} method
 * @param {string} path relative to the stage
 * @param {{bearer: string, body?: object, onWait?: (why: "lost" | "busy") => void}} options
 * @returns {Promise<Answer>}
 */
export async function ask(method, path, { bearer, body, onWait = () => {} }) {
  const request = {
    method,
    headers: {
      Accept: "application/json",
      Authorization: `Bearer ${bearer}`,
      ...(body && { "Content-Type": "application/json" }),
    },
    body: body && JSON.stringify(body),
    cache: /** @type {RequestCache} */ ("no-store"),
    credentials: /** @type {RequestCredentials} */ ("omit"),
  };
  for (let lost = 0, busy = 0; ; ) {
    const answer = await once(path, request);
    if (answer === null) {
      if (lost >= BACKOFF.length) return { status: 0, body: {} };
      onWait("lost");
      await pause(BACKOFF[lost++]);
      await online();
    } else if (notNow(answer) && busy < PATIENCE) {
      busy += 1;
      onWait("busy");
      await pause(1000 * answer.body.retry_after);
    } else {
      return answer;
    }
  }
}

/**
 * Another change of the same account, or API Gateway's own limit: both end by waiting. What would
 * not end names no time (no attempts left, a site that another account has) or a long one (the
 * limit of the owner).
 * @param {Answer} answer
 */
const notNow = ({ status, body }) =>
  (status === 409 || status === 429) && body.retry_after <= SOON;

/**
 * @param {string} path
 * @param {RequestInit} request
 * @returns {Promise<Answer | null>} null where there is no telling what became of it
 */
async function once(path, request) {
  try {
    const answer = await fetch(path, { ...request, signal: AbortSignal.timeout(TIMEOUT) });
    // What stands before the function gave up waiting; the function may have finished.
    if (answer.status === 502 || answer.status === 504) return null;
    return { status: answer.status, body: await answer.json() };
  } catch {
    return null;
  }
}

/** The API as the Accounts page uses it. Addresses are relative: the API stands below a prefix. */

// types: made by `make shapes` from http/documents.py
/**
 * @typedef {object} Account
 * @property {string} id
 * @property {Owner} owner
 * @property {"namely"} provider
 * @property {string} subdomain
 * @property {Site} site
 * @property {Identity | null} identity
 * @property {number | null} visible_people
 * @property {Capabilities} capabilities
 * @property {Warning[]} warnings
 * @property {Status} status
 * @property {StatusReason[]} status_reasons
 * @property {Secret | null} secret
 * @property {string | null} token_hint
 * @property {string | null} token_expires_by
 * @property {string | null} label
 * @property {Metadata} metadata
 * @property {Type} type
 * @property {string} created_at
 * @property {string | null} linked_at
 * @property {string | null} checked_at
 * @property {string | null} next_check_at
 * @property {string | null} recoverable_until
 * @property {Deletion | null} deletion
 * @property {number} revision
 */
/**
 * @typedef {object} Actor
 * @property {ActorKind} kind
 * @property {string} name
 */
/** @typedef {"session" | "api_key" | "portal" | "event" | "check" | "sweep"} ActorKind */
/** @typedef {Record<string, Capability>} Capabilities */
/** @typedef {"yes" | "no" | "unknown"} Capability */
/** @typedef {"invalid_request" | "invalid_subdomain" | "invalid_token" | "unauthorized" | "forbidden" | "not_found" | "session_expired" | "session_used" | "attempts_exhausted" | "site_not_found" | "token_refused" | "token_owner_inactive" | "site_mismatch" | "secret_missing" | "conflict" | "payload_too_large" | "unsupported_media_type" | "namely_throttled" | "namely_unavailable" | "storage_unavailable" | "internal_error"} Code */
/**
 * @typedef {object} Deletion
 * @property {string} requested_at
 * @property {string} requested_by
 * @property {string} request_id
 * @property {string} secret_arn
 * @property {string | null} scheduled_at
 * @property {string | null} final_at
 */
/**
 * @typedef {object} Identity
 * @property {string} profile_id
 * @property {string} name
 * @property {string} user_status
 * @property {string} role
 */
/**
 * @typedef {object} LedgerEntry
 * @property {string} at
 * @property {string} action
 * @property {Actor} actor
 * @property {string} request_id
 * @property {string} detail
 */
/** @typedef {Record<string, string>} Metadata */
/**
 * @typedef {object} Owner
 * @property {string} id
 * @property {string} name
 */
/**
 * @typedef {object} PortalSession
 * @property {string} id
 * @property {"viewer" | "operator"} rank
 * @property {Owner | null} owner
 * @property {string | null} locale
 * @property {string} created_at
 * @property {string} expires_at
 */
/**
 * @typedef {object} Secret
 * @property {string} arn
 * @property {string} version_id
 */
/**
 * @typedef {object} Site
 * @property {string} name
 * @property {string} permalink
 */
/** @typedef {"pending" | "active" | "error" | "suspended" | "unlinked"} Status */
/**
 * @typedef {object} StatusReason
 * @property {Code} code
 * @property {string} detail
 * @property {string} at
 */
/** @typedef {"production" | "test"} Type */
/** @typedef {"personal_token" | "over_privileged" | "narrow_role" | "only_self_visible" | "owner_not_active" | "control_inconclusive" | "site_unproven" | "expires_soon" | "visibility_unknown"} Warning */
// end
/** @typedef {PortalSession} Portal */
/** @typedef {LedgerEntry} Entry */
/** @typedef {Partial<Record<"cursor" | "status" | "owner_id" | "subdomain", string>>} Filters */

/** Milliseconds; API Gateway itself gives up after 29 seconds. */
const PATIENCE = 31_000;

/** Why a request was refused, in the API's words. */
export class Problem extends Error {
  /**
   * @param {number} status 0 where there was no answer at all
   * @param {Record<string, any>} body RFC 9457 problem details
   */
  constructor(status, body) {
    super(body.detail ?? "");
    this.status = status;
    this.code = String(body.code ?? "");
    this.reason = String(body.reason ?? body.code ?? "");
    this.detail = String(body.detail ?? "");
    this.hint = String(body.hint ?? "");
    this.field = String(body.field ?? "");
    this.instance = String(body.instance ?? "");
    this.retryAfter = Number(body.retry_after ?? 0);
  }

  /** Whether the portal session itself is over: no other request will be answered either. */
  get endsSession() {
    return this.status === 401 || this.code === "session_expired" || this.code === "session_used";
  }
}

/** Calls the API with one portal session, which lives in this object and nowhere else. */
export class Api {
  /** @type {string} */
  #bearer;

  /** @param {string} bearer */
  constructor(bearer) {
    this.#bearer = bearer;
  }

  /** @returns {Promise<Portal>} */
  portal() {
    return this.#call("GET", "v1/portal-sessions/current");
  }

  /**
   * @param {Filters} filters
   * @param {number} limit
   * @returns {Promise<{accounts: Account[], cursor: string | null}>}
   */
  accounts(filters, limit) {
    const query = new URLSearchParams({ limit: String(limit) });
    for (const [name, value] of Object.entries(filters)) if (value) query.set(name, value);
    return this.#call("GET", `v1/accounts?${query}`);
  }

  /** @param {string} id @returns {Promise<Account>} */
  account(id) {
    return this.#call("GET", `v1/accounts/${id}`);
  }

  /** @param {string} id @returns {Promise<{entries: Entry[]}>} */
  ledger(id) {
    return this.#call("GET", `v1/accounts/${id}/ledger`);
  }

  /** @param {string} id @param {string} label @returns {Promise<Account>} */
  rename(id, label) {
    return this.#call("PATCH", `v1/accounts/${id}`, { label });
  }

  /** @param {string} id @param {"check" | "suspend" | "resume" | "restore"} what @returns {Promise<Account>} */
  act(id, what) {
    return this.#call("POST", `v1/accounts/${id}/${what}`);
  }

  /** @param {string} id @returns {Promise<Account>} */
  unlink(id) {
    return this.#call("DELETE", `v1/accounts/${id}`);
  }

  /** @param {Record<string, unknown>} fields @returns {Promise<Account>} */
  link(fields) {
    return this.#call("POST", "v1/accounts", fields);
  }

  /** @param {Record<string, unknown>} fields @returns {Promise<{url: string, expires_at: string}>} */
  invite(fields) {
    return this.#call("POST", "v1/connect-sessions", fields);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Record<string, unknown>} [body]
   * @returns {Promise<any>}
   */
  async #call(method, path, body) {
    /** @type {Response} */
    let answer;
    let document;
    try {
      answer = await fetch(path, {
        method,
        headers: {
          Authorization: `Bearer ${this.#bearer}`,
          Accept: "application/json",
          ...(body && { "Content-Type": "application/json" }),
        },
        body: body && JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
        signal: AbortSignal.timeout(PATIENCE),
      });
      document = await answer.json().catch(() => null);
    } catch {
      throw new Problem(0, { code: "offline", reason: "offline" });
    }
    if (answer.ok && document) return document;
    // What is not our own problem document (a gateway's page, say) is never shown to a person.
    throw new Problem(answer.status, document?.code ? document : { code: "internal_error" });
  }
}

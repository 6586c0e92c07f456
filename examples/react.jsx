// The Hub in React, without a package: hub.js is loaded once, and NamelyLink.open does the rest.
//
//   <NamelyLinkButton getSession={() => post("/namely-session")} onLinked={reload} />
//
// getSession asks your own server, which makes a connect session with its API key and answers
// with the token (nls_…). FrameAncestors of the deployment must name this page's origin.

import { useEffect, useRef, useState } from "react";

const HUB_JS = "https://YOUR-API/production/hub.js";

let loading;

function loadNamelyLink() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = HUB_JS;
    script.onload = () => resolve(window.NamelyLink);
    script.onerror = () => {
      loading = undefined; // the next click tries again
      reject(new Error("hub.js could not be loaded"));
    };
    document.head.append(script);
  });
  return loading;
}

export function NamelyLinkButton({ getSession, onLinked, onError, locale, children = "Link Namely" }) {
  const [busy, setBusy] = useState(false);
  const hub = useRef(null);

  useEffect(() => () => hub.current?.close(), []);

  async function link() {
    setBusy(true);
    try {
      const [NamelyLink, session] = await Promise.all([loadNamelyLink(), getSession()]);
      hub.current = NamelyLink.open({
        session,
        locale,
        onSuccess: onLinked,
        onError,
        onClose: () => {
          hub.current = null;
          setBusy(false);
        },
      });
    } catch (error) {
      setBusy(false);
      onError?.(error);
    }
  }

  return (
    <button type="button" onClick={link} disabled={busy}>
      {children}
    </button>
  );
}

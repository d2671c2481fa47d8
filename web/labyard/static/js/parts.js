// Bringing parts of a page up to date with what the server makes of it now, so that templates
// stay the only place where markup is written.
import { localiseTimes } from "./times.js";

const written = new WeakMap(); // part to the markup it was last given

/**
 * Fetch this page again and exchange its `data-live` parts; keeps the focus where it was.
 * Says whether that was possible: not while the network is away.
 */
export async function renewParts() {
  let page;
  try {
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) window.location.reload(); // to the sign-in form
    if (!answer.ok || answer.redirected) return false;
    page = await answer.text();
  } catch {
    return false;
  }
  const fresh = new DOMParser().parseFromString(page, "text/html");
  const focused = document.activeElement?.id;
  for (const part of document.querySelectorAll("[data-live]")) {
    const newer = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    const markup = newer?.innerHTML;
    if (newer && markup !== written.get(part)) {
      written.set(part, markup);
      part.replaceChildren(...document.adoptNode(newer).childNodes);
      localiseTimes(part);
    }
  }
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
  return true;
}

/** The JSON at `url`, or null if there is none to be had now. */
export async function fetchJson(url) {
  try {
    const answer = await fetch(url, { headers: { Accept: "application/json" } });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // the network is away; whoever asks will ask again
  }
}

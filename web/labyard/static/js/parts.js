// Bringing parts of a page up to date with what the server makes of it now, so that templates
// stay the only place where markup is written.
import { localiseTimes } from "./times.js";

/** Fetch this page again and exchange its `data-live` parts; keeps the focus where it was. */
export async function renewParts() {
  const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) {
    window.location.reload();
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const focused = document.activeElement?.id;
  for (const part of document.querySelectorAll("[data-live]")) {
    const newer = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (newer && newer.innerHTML !== part.dataset.written) {
      const written = newer.innerHTML;
      part.replaceChildren(...document.adoptNode(newer).childNodes);
      part.dataset.written = written;
      localiseTimes(part);
    }
  }
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
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

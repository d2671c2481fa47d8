// The page of a deployment keeps itself up to date, and fetches logs when asked for.
import { fetchJson, renewParts } from "./parts.js";

const LOOK_EVERY = 5000; // milliseconds

const page = document.getElementById("deployment");
let known = null;

async function look() {
  if (document.visibilityState === "visible") {
    const now = await fetchJson(page.dataset.url);
    const print = now && JSON.stringify([now.state, now.health, now.health_detail, now.updated_at, now.services]);
    if (print && known && print !== known.print) {
      if (!(await renewParts())) {
        setTimeout(look, LOOK_EVERY);
        return;
      }
      if (now.health !== known.health || now.state !== known.state) {
        page.querySelector("[data-said]").textContent = `Health: ${now.health}. State: ${now.state_name.toLowerCase()}.`;
      }
    }
    if (print) known = { print, health: now.health, state: now.state };
    if (now?.state_name === "REMOVED") return;
  }
  setTimeout(look, LOOK_EVERY);
}

async function showLogs(details) {
  const text = details.querySelector("[data-logs-text]");
  text.textContent = "Fetching …";
  try {
    const answer = await fetch(details.dataset.logs, { headers: { Accept: "application/json" } });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.detail ?? "The logs could not be read.");
    text.textContent = found.items.map((item) => item.line).join("\n") || "Nothing was written yet.";
    text.scrollTop = text.scrollHeight;
  } catch (error) {
    text.textContent = error.message;
  }
}

const logs = page.querySelector("[data-logs]");
logs?.addEventListener("toggle", () => logs.open && showLogs(logs));
if (!("over" in page.dataset)) look();

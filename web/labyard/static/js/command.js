// The live page of a command: its stream, or a look every second where there is no stream.
import { fetchJson, renewParts } from "./parts.js";
import { secondsInWords } from "./times.js";

const WORDS = { INITIATED: "Initiated", PENDING: "Pending", COMPLETED: "Completed", FAILED: "Failed" };
const LOOK_EVERY = 1000; // milliseconds
const ERRORS_BEFORE_LOOKING = 3; // of the stream
const LONGEST_LOG = 5000; // events kept in the page

const page = document.getElementById("command");
const steps = page.querySelector("[data-steps]");
const meter = page.querySelector("[data-meter]");
const log = page.querySelector("[data-log-text]");
const seen = { event: 0, step: "", state: page.dataset.state, over: "over" in page.dataset };

/** Bring steps and progress bar up to the command document. */
function showCommand(command) {
  const done = command.tasks.filter((task) => task.state_name === "COMPLETED").length;
  command.tasks.forEach((task, index) => showStep(steps.children[index], meter.children[index], task));
  meter.setAttribute("aria-valuenow", done);
  meter.setAttribute("aria-valuetext", `${done} of ${command.tasks.length} steps`);
  page.querySelector("[data-count]").textContent = `${done} of ${command.tasks.length}`;
  const at = command.tasks.findIndex((task) => task.state_name === "PENDING");
  if (at >= 0) say(`Step ${at + 1} of ${command.tasks.length}: ${command.tasks[at].name}`);
  if (command.state_name !== seen.state) {
    seen.state = command.state_name;
    if (!isFinal(command)) renewParts();
  }
}

function showStep(row, part, task) {
  if (!row) return;
  if (row.dataset.state !== task.state_name) {
    row.dataset.state = part.dataset.state = task.state_name;
    const icon = document.querySelector(`template[data-icon="${task.state_name}"]`);
    row.querySelector(".step-icon").replaceChildren(icon.content.cloneNode(true));
    row.querySelector("[data-word]").textContent = `: ${WORDS[task.state_name]}`;
  }
  row.dataset.since = task.state_name === "PENDING" && task.started_at ? task.started_at : "";
  row.toggleAttribute("data-before", task.done_before);
  if (!row.dataset.since) row.querySelector("[data-time]").textContent = task.done_before ? "done before" : secondsInWords(task.seconds);
  const error = row.querySelector("[data-error]");
  error.textContent = task.error ?? "";
  error.hidden = !task.error;
}

/** The step that runs counts its seconds. */
function countSeconds() {
  for (const row of steps.children) {
    if (!row.dataset.since) continue;
    const passed = Math.max(0, (Date.now() - Date.parse(row.dataset.since)) / 1000);
    row.querySelector("[data-time]").textContent = secondsInWords(passed < 10 ? Math.floor(passed * 10) / 10 : passed);
  }
}

function say(text) {
  if (text === seen.step) return;
  seen.step = text;
  page.querySelector("[data-said]").textContent = text;
}

function addToLog(event) {
  if (event.id <= seen.event) return;
  seen.event = event.id;
  if (!log || !event.text) return;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(`${event.text}\n`);
  while (log.childNodes.length > LONGEST_LOG) log.firstChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function isFinal(command) {
  return ["COMPLETED", "FAILED"].includes(command.state_name);
}

async function finish() {
  if (seen.over) return;
  seen.over = true;
  clearInterval(ticking);
  await showOutcome();
}

async function showOutcome() {
  if (!(await renewParts())) {
    setTimeout(showOutcome, LOOK_EVERY);
    return;
  }
  const title = document.getElementById("outcome-title");
  say(title ? `${title.textContent}. ${title.nextElementSibling.textContent}` : "The command has ended.");
  const active = document.activeElement;
  if (title && (!active || active === document.body)) title.focus();
}

async function takeEvents() {
  let items;
  do {
    items = (await fetchJson(`${page.dataset.events}?after=${seen.event}`))?.items ?? [];
    items.forEach(addToLog);
  } while (items.length >= 1000);
}

/** Without a stream: look again and again until the command has ended. */
async function look() {
  await takeEvents();
  const command = await fetchJson(page.dataset.url);
  if (command) showCommand(command);
  if (command && isFinal(command)) {
    await takeEvents();
    await finish();
  } else {
    setTimeout(look, LOOK_EVERY);
  }
}

function follow() {
  const stream = new EventSource(page.dataset.events);
  let errors = 0;
  stream.addEventListener("command", (message) => {
    errors = 0;
    showCommand(JSON.parse(message.data));
  });
  stream.addEventListener("log", (message) => addToLog(JSON.parse(message.data)));
  stream.addEventListener("end", () => {
    stream.close();
    finish();
  });
  stream.addEventListener("error", () => {
    errors += 1;
    if (errors >= ERRORS_BEFORE_LOOKING || stream.readyState === EventSource.CLOSED) {
      stream.close();
      look();
    }
  });
}

const ticking = setInterval(countSeconds, 200);
if (seen.over) {
  clearInterval(ticking);
  page.querySelector("[data-log]").addEventListener("toggle", takeEvents, { once: true });
} else if (window.EventSource) {
  follow();
} else {
  look();
}

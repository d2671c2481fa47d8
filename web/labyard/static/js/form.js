// Help with long forms. Everything here also works without it, by the server alone.
const form = document.querySelector("[data-form]");

/** The server's words stand at the fields; the browser checks only what it would hide from the server. */
function checkNumbers(event) {
  const unreadable = [...form.querySelectorAll("input[type=number]")].find((input) => input.validity.badInput);
  if (!unreadable) return true;
  event.preventDefault();
  showError(unreadable, "must be a number");
  unreadable.focus();
  return false;
}

function showError(input, text) {
  const id = `${input.id}-error`;
  let note = document.getElementById(id);
  if (!note) {
    note = document.createElement("p");
    note.id = id;
    note.className = "field-error";
    note.setAttribute("role", "alert");
    input.after(note);
  }
  const label = form.querySelector(`label[for="${CSS.escape(input.id)}"]`);
  note.textContent = `${label ? label.textContent : input.name}: ${text}`;
  input.classList.add("is-invalid");
  input.setAttribute("aria-invalid", "true");
  const about = new Set((input.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean));
  input.setAttribute("aria-describedby", [...about.add(id)].join(" "));
}

/** Text for an input: lists and mappings have one entry in a line. */
function asText(value) {
  if (Array.isArray(value)) return value.join("\n");
  if (value !== null && typeof value === "object") {
    return Object.entries(value).map(([key, text]) => `${key}=${text}`).join("\n");
  }
  return String(value);
}

function fillIn(link) {
  for (const [name, value] of Object.entries(JSON.parse(link.dataset.shape))) {
    const input = form.elements.namedItem(name);
    if (!input) continue;
    if (input.type === "checkbox") input.checked = Boolean(value);
    else input.value = asText(value);
    input.classList.remove("is-invalid");
    input.removeAttribute("aria-invalid");
    input.classList.add("just-set");
    input.addEventListener("animationend", () => input.classList.remove("just-set"), { once: true });
  }
}

function offerShapes() {
  const links = [...form.querySelectorAll("[data-shape]")];
  const said = form.querySelector("[data-shape-said]");
  for (const link of links) {
    link.setAttribute("role", "button");
    const choose = (event) => {
      event.preventDefault();
      fillIn(link);
      links.forEach((other) => other.removeAttribute("aria-current"));
      link.setAttribute("aria-current", "true");
      form.dispatchEvent(new Event("labyard:filled"));
      said.textContent = `${link.querySelector("strong").textContent} is filled in.`;
    };
    link.addEventListener("click", choose);
    link.addEventListener("keydown", (event) => {
      if (event.key === " ") choose(event);
    });
  }
}

/** Volumes stand among what is kept or what is lost, as the box that keeps them is ticked or not. */
function sortVolumes() {
  const keep = form.dataset.keep && document.getElementById(form.dataset.keep);
  if (!keep) return;
  const sort = () => {
    const place = document.querySelector(keep.checked ? "[data-kept]" : "[data-lost]");
    document.querySelectorAll("[data-volume]").forEach((volume) => place?.append(volume));
  };
  document.querySelectorAll("[data-condition]").forEach((words) => { words.hidden = true; });
  keep.addEventListener("change", sort);
  sort();
}

if (form) {
  form.noValidate = true;
  offerShapes();
  sortVolumes();
  form.addEventListener("submit", (event) => {
    if (!checkNumbers(event)) return;
    // A second click must not ask for a second deployment.
    const button = form.querySelector("button[type=submit]");
    setTimeout(() => { button.disabled = true; });
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) form.querySelector("button[type=submit]").disabled = false;
  });
}

for (const link of document.querySelectorAll("#errors a")) {
  link.addEventListener("click", (event) => {
    const field = document.getElementById(link.hash.slice(1));
    if (field) {
      event.preventDefault();
      field.focus();
    }
  });
}

document.querySelector("[data-takes-focus]")?.focus();

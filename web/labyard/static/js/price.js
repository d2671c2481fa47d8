// Keeps the price of a form up to date while it is filled in. Without it, a button asks the server.
const box = document.querySelector("[data-price]");
const form = document.querySelector("[data-form]");
const words = box?.querySelector("[data-price-words]");
const beside = box?.querySelector("[data-price-beside]");
const left = box?.querySelector("[data-price-left]");
const inputs = new Set([...(box?.dataset.priceInputs ?? "").split(" ").filter(Boolean), "project"]);
let asked = 0;
let timer;

function strong(text) {
  const element = document.createElement("strong");
  element.textContent = text;
  return element;
}

function show(price) {
  if (left && price.left) {
    left.replaceChildren(...price.left.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
  }
  if (!words) return;
  if (price.hour) words.replaceChildren(strong(price.hour), " an hour, ", strong(price.month), " a month");
  else words.textContent = "No price";
  beside.textContent = price.beside ? ` Beside that, as it is used: ${price.beside}.` : "";
}

async function ask() {
  asked += 1;
  const mine = asked;
  const query = new URLSearchParams();
  for (const name of inputs) {
    const value = form.elements.namedItem(name)?.value;
    if (value) query.set(name, value);
  }
  try {
    const answer = await fetch(`${box.dataset.price}?${query}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const price = await answer.json();
    if (mine === asked) show(price);
  } catch {
    if (mine === asked && words) words.textContent = "The price cannot be worked out now.";
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(ask, 250);
}

if (box && form) {
  form.addEventListener("input", (event) => {
    if (inputs.has(event.target.name)) soon();
  });
  form.addEventListener("labyard:filled", soon);
}

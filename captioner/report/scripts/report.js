// The gallery of a report: order, filter, and a few cards at a time.
(() => {
  "use strict";

  const CARDS_AT_ONCE = 48;
  const gallery = document.getElementById("gallery");
  const filter = document.getElementById("filter");
  const scope = document.getElementById("scope");
  const status = document.getElementById("status");
  const more = document.getElementById("more");
  const orders = [...document.querySelectorAll("[data-order]")];
  const count = new Intl.NumberFormat("en");

  const split = (text) =>
    text.normalize("NFKC").toLowerCase().split(/[^\p{L}\p{M}\p{N}]+/u).filter(Boolean);
  const textsOf = (card, selector) =>
    [...card.querySelectorAll(selector)].map((element) => element.textContent).join(" ");

  const cards = [...gallery.children].map((element) => {
    const model = new Set(split(textsOf(element, ".caption")));
    const people = new Set(split(textsOf(element, ".references li")));
    return {
      element,
      place: Number(element.dataset.place),
      cider: Number(element.dataset.cider),
      chance: 0,
      words: { model, people, anybody: new Set([...model, ...people]) },
    };
  });

  const compare = {
    place: (a, b) => a.place - b.place,
    best: (a, b) => b.cider - a.cider || a.place - b.place,
    worst: (a, b) => a.cider - b.cider || a.place - b.place,
    random: (a, b) => a.chance - b.chance,
  };

  let order = "place";
  let limit = CARDS_AT_ONCE;

  const begins = (word, terms) => terms.some((term) => word.startsWith(term));
  const fits = (card, terms) => {
    const words = [...card.words[scope.value]];
    return terms.every((term) => words.some((word) => word.startsWith(term)));
  };

  const mark = (card, terms) => {
    for (const word of card.element.querySelectorAll(".word")) {
      const isHit = split(word.textContent).some((part) => begins(part, terms));
      word.classList.toggle("hit", isHit);
    }
  };

  const ground = gallery.dataset.rows === undefined ? null : {
    rows: Number(gallery.dataset.rows),
    columns: Number(gallery.dataset.columns),
    fit: gallery.dataset.fit,
    shape: Number(gallery.dataset.shape),
  };

  /** Makes a card's words choosable, the first time that it is shown. */
  const letLook = ({ element }) => {
    const packed = element.dataset.looks;
    if (ground === null || packed === undefined) return;
    delete element.dataset.looks;
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const size = ground.rows * ground.columns;
    const weights = Array.from({ length: bytes.length / size }, (_, index) =>
      [...bytes.subarray(index * size, (index + 1) * size)]);
    const [photo, caption] = [element.querySelector(".photo"), element.querySelector(".caption")];
    const image = photo.querySelector("img");
    const sides = ["width", "height"].map((name) => Number(image.getAttribute(name)));
    looks.attach({ caption, photo, size: sides, weights, ground });
  };

  const describe = (shown, found) => {
    if (found === 0) return "No image has these words.";
    const images = `${count.format(found)} image${found === 1 ? "" : "s"}`;
    return shown < found ? `${count.format(shown)} of ${images}` : images;
  };

  const show = () => {
    const terms = split(filter.value);
    const found = cards.filter((card) => fits(card, terms)).sort(compare[order]);
    const shown = found.slice(0, limit);
    shown.forEach(letLook);
    shown.forEach((card) => mark(card, terms));
    gallery.replaceChildren(...shown.map((card) => card.element));
    status.textContent = describe(shown.length, found.length);
    more.hidden = shown.length === found.length;
    more.textContent = `Show ${Math.min(CARDS_AT_ONCE, found.length - shown.length)} more`;
  };

  const showFromStart = () => {
    limit = CARDS_AT_ONCE;
    show();
  };

  for (const button of orders) {
    button.addEventListener("click", () => {
      order = button.dataset.order;
      if (order === "random") cards.forEach((card) => { card.chance = Math.random(); });
      orders.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      showFromStart();
    });
  }

  more.addEventListener("click", () => {
    const first = limit;
    limit += CARDS_AT_ONCE;
    show();
    const card = gallery.children[first];
    card.tabIndex = -1;
    card.focus({ preventScroll: true });
  });

  filter.addEventListener("input", showFromStart);
  scope.addEventListener("change", showFromStart);

  for (const chip of document.querySelectorAll("[data-word]")) {
    chip.addEventListener("click", () => {
      filter.value = chip.dataset.word;
      scope.value = chip.closest("[data-scope]").dataset.scope;
      showFromStart();
    });
  }

  document.getElementById("tools").hidden = false;
  if (ground !== null) document.getElementById("looks-hint").hidden = false;
  show();
})();

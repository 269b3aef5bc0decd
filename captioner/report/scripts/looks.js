/* Where a model looked: choosing a word of a caption leaves light only there. */

const looks = (() => {
  "use strict";

  const { make } = pageTools;
  const DIMMEST = 0.3; // of its light that the darkest place keeps
  const LIFT = 0.6; // exponent of the weights; below 1 it lifts the middling ones out of the dark
  const NIGHT = [12, 14, 15]; // a colour
  const DOUBLINGS = 4; // of the grid, before it is laid over the photograph

  const said = make("p", { class: "visually-hidden", role: "status" });

  /** The part of a photograph that the grid covers, as shares; see ResizeRule.seen_share. */
  function cover(ground, [width, height]) {
    if (ground.fit === "squash") return { left: 0, top: 0, across: 1, down: 1 };
    const shape = (ground.shape * height) / width;
    const across = ground.fit === "crop" ? Math.min(shape, 1) : Math.max(shape, 1);
    const down = across / shape;
    return { left: (1 - across) / 2, top: (1 - down) / 2, across, down };
  }

  /** Makes a grid twice as fine. Bilinear: each step smooths the last. */
  function refine({ rows, columns, values }) {
    const at = (row, column) => values[Math.min(Math.max(row, 0), rows - 1) * columns
      + Math.min(Math.max(column, 0), columns - 1)];
    const finer = Array.from({ length: 4 * values.length }, (_, place) => {
      const [y, x] = [Math.floor(place / (2 * columns)), place % (2 * columns)];
      const [row, column] = [y >> 1, x >> 1];
      const [nextRow, nextColumn] = [row + (y % 2 ? 1 : -1), column + (x % 2 ? 1 : -1)];
      return (9 * at(row, column) + 3 * (at(nextRow, column) + at(row, nextColumn))
        + at(nextRow, nextColumn)) / 16;
    });
    return { rows: 2 * rows, columns: 2 * columns, values: finer };
  }

  const peak = (values) => values.reduce((most, value) => Math.max(most, value), 1e-9);

  /** Draws the dark over a grid, a pixel for each place of a much finer one. */
  function darken(weights, { rows, columns }) {
    const strongest = peak(weights);
    const lifted = weights.map((weight) => Math.max(0, weight / strongest) ** LIFT);
    let light = { rows, columns, values: lifted };
    for (let step = 0; step < DOUBLINGS; step += 1) light = refine(light);
    const brightest = peak(light.values);
    const canvas = make("canvas", { width: light.columns, height: light.rows });
    const pen = canvas.getContext("2d");
    const picture = pen.createImageData(light.columns, light.rows);
    light.values.forEach((value, place) => {
      const dark = (1 - DIMMEST) * (1 - value / brightest);
      picture.data.set([...NIGHT, Math.round(255 * dark)], 4 * place);
    });
    pen.putImageData(picture, 0, 0);
    return canvas;
  }

  function drawVeil(weights, ground, [width, height]) {
    const veil = make("canvas", { class: "veil", role: "img", width, height });
    const { left, top, across, down } = cover(ground, [width, height]);
    const box = [left * width, top * height, across * width, down * height];
    const pen = veil.getContext("2d");
    pen.fillStyle = `rgba(${NIGHT.join()}, ${1 - DIMMEST})`;
    pen.fillRect(0, 0, width, height);
    pen.clearRect(...box);
    pen.drawImage(darken(weights, ground), ...box);
    return veil;
  }

  /** Says in words where the weight lies. */
  function describe(weights, ground) {
    const total = weights.reduce((sum, weight) => sum + weight, 0) || 1;
    let [right, low] = [0, 0];
    weights.forEach((weight, place) => {
      right += (weight / total) * (((place % ground.columns) + 0.5) / ground.columns);
      low += (weight / total) * ((Math.floor(place / ground.columns) + 0.5) / ground.rows);
    });
    const third = (share, names) => names[Math.min(2, Math.floor(3 * share))];
    const [down, across] = [third(low, ["upper ", "", "lower "]), third(right, ["left", "middle", "right"])];
    return `mostly from the ${down}${across}`;
  }

  /**
   * Makes the words of a caption choosable.
   *
   * @param caption the element that holds the words, each an element of class `word`
   * @param photo the element that holds the picture
   * @param size width and height of the picture, in any unit
   * @param weights for each word its weights, row by row
   * @param ground rows, columns, fit and shape: see Ground in captioner/report/looks.py
   */
  function attach({ caption, photo, size, weights, ground }) {
    const spans = [...caption.querySelectorAll(".word")];
    if (spans.length !== weights.length || spans.length === 0) return;
    let chosen = -1;

    const words = spans.map((span, index) => {
      const word = make("button", { type: "button", class: span.className, "aria-pressed": "false",
        dir: "auto", tabindex: index === 0 ? 0 : -1, text: span.textContent,
        on: { click: () => choose(index === chosen ? -1 : index) } });
      span.replaceWith(word);
      return word;
    });

    function choose(index) {
      chosen = index;
      photo.querySelector(".veil")?.remove();
      words.forEach((word, place) => word.setAttribute("aria-pressed", String(place === chosen)));
      if (chosen < 0) return;
      focusable(chosen);
      const veil = drawVeil(weights[chosen], ground, size);
      const text = `“${words[chosen].textContent}” comes ${describe(weights[chosen], ground)}`;
      veil.setAttribute("aria-label", text);
      photo.append(veil);
      said.textContent = text;
    }

    function focusable(index) {
      words.forEach((word, place) => { word.tabIndex = place === index ? 0 : -1; });
    }

    const next = {
      ArrowRight: (index) => Math.min(index + 1, words.length - 1),
      ArrowLeft: (index) => Math.max(index - 1, 0),
      Home: () => 0,
      End: () => words.length - 1,
    };

    caption.addEventListener("keydown", (event) => {
      if (event.key === "Escape") return choose(-1);
      const index = next[event.key]?.(words.indexOf(document.activeElement));
      if (index === undefined) return;
      event.preventDefault();
      focusable(index);
      words[index].focus();
      if (chosen >= 0) choose(index);
    });

    caption.classList.add("choosable");
    caption.setAttribute("role", "toolbar");
    caption.setAttribute("aria-label", "Words of the caption: where the model looked");
    photo.querySelector(".veil")?.remove();
    if (!said.isConnected) document.body.append(said);
  }

  return { attach };
})();

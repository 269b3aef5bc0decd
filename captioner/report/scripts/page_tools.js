/* What the pages that people work in share: elements, saving and copying. */

const pageTools = (() => {
  "use strict";

  /** Makes an element. Texts become text, whatever they hold; `on` holds event listeners. */
  function make(tag, { on = {}, text, ...attributes } = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== undefined) element.setAttribute(name, value);
    }
    for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
    if (text !== undefined) element.textContent = text;
    element.append(...children);
    return element;
  }

  /** Lets the browser save a text as a file. */
  function save(name, type, text) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    const link = make("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

  /** Copies a text. Pages that did not come safely (plain http) have no clipboard of their own. */
  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = make("textarea", { class: "visually-hidden", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    if (!isCopied) throw new Error("the browser does not let this page copy");
  }

  /** Tells on a button, for a moment, that it has done what it says. */
  function confirm(button, text) {
    const usual = button.dataset.usual ?? button.textContent;
    button.dataset.usual = usual;
    button.textContent = text;
    setTimeout(() => { button.textContent = usual; }, 1500);
  }

  /** Returns rows of cells as CSV. */
  function toCsv(rows) {
    const cell = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
    return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  }

  const percent = (share) => `${Math.round(100 * share)} %`;

  return { make, save, copy, confirm, toCsv, percent };
})();

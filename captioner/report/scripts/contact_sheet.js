/* The contact sheet: captions to read and correct, a page of photographs at a time. */

(() => {
  "use strict";

  const { make, save, percent } = pageTools;
  const byId = (id) => document.getElementById(id);

  const PAGE = 60;
  const UNSURE_SHARE = 0.1; // of the captions are marked at first
  const DRAFT_SECONDS = 0.5;

  const rows = byId("rows").textContent.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  byId("rows").remove(); // the text is held twice otherwise
  const corrections = new Map(); // index of a row -> its new caption
  let shown = []; // indices of rows
  let page = 0;
  let numSaved = 0;
  let limit = chooseLimit();

  const captioned = (row) => typeof row.caption === "string" && row.caption !== "";
  const textOf = (index) => corrections.get(index) ?? rows[index].caption;
  const isUnsure = (row) => captioned(row) && (row.status === "review" || row.confidence < limit);

  function chooseLimit() {
    const sure = rows.map((row) => row.confidence).filter((c) => c !== undefined).sort((a, b) => a - b);
    return sure.length ? Math.ceil(100 * sure[Math.floor(UNSURE_SHARE * sure.length)]) / 100 : 0;
  }

  // Which photographs are shown

  const FILTERS = {
    all: () => true,
    unsure: (index) => isUnsure(rows[index]),
    corrected: (index) => corrections.has(index),
    failed: (index) => !captioned(rows[index]),
  };

  function choose() {
    const word = byId("find").value.trim().toLowerCase();
    const isFound = (index) => word === ""
      || `${rows[index].path}\n${textOf(index) ?? ""}`.toLowerCase().includes(word);
    const isWanted = FILTERS[byId("show").value];
    shown = rows.map((_, index) => index).filter((index) => isWanted(index) && isFound(index));
    if (byId("order").value === "unsure") {
      const sureness = (index) => rows[index].confidence ?? 2;
      shown.sort((a, b) => sureness(a) - sureness(b) || a - b);
    }
    turnTo(0);
  }

  function turnTo(number) {
    const numPages = Math.max(1, Math.ceil(shown.length / PAGE));
    page = Math.min(Math.max(number, 0), numPages - 1);
    const visible = shown.slice(page * PAGE, (page + 1) * PAGE);
    byId("cards").replaceChildren(...visible.map(makeCard));
    for (const area of byId("cards").querySelectorAll("textarea")) fit(area);
    byId("nothing").hidden = shown.length > 0;
    byId("pager").hidden = numPages === 1;
    byId("page-number").textContent = `page ${page + 1} of ${numPages}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === numPages - 1;
    tellStatus();
  }

  function tellStatus() {
    const parts = [`${shown.length} of ${rows.length} photographs`, `${corrections.size} corrected`];
    byId("status").textContent = parts.join(", ");
    byId("save").disabled = corrections.size === 0;
  }

  // A photograph and its caption

  function makeCard(index) {
    const row = rows[index];
    const body = make("div", { class: "body" });
    const card = make("li", { class: "card" }, makePhoto(index), body);
    if (captioned(row)) body.append(...makeEditor(index, card));
    if (row.error) {
      body.append(make("p", { class: "notice error", dir: "auto", text: `This file ${row.error}.` }));
    }
    body.append(make("p", { class: "frame" },
      make("span", { class: "name", dir: "auto", title: row.path, text: row.path })));
    return card;
  }

  function makePhoto(index) {
    const row = rows[index];
    if (!row.thumbnail) {
      return make("div", { class: "photo missing" }, make("span", { text: "no preview" }));
    }
    const [src, width, height] = row.thumbnail;
    const alt = textOf(index) ?? row.path;
    const image = make("img", { src, width, height, alt, decoding: "async" });
    const way = { class: "photo", href: row.link, target: "_blank", rel: "noopener", title: "Open the photograph" };
    return make("a", way, image);
  }

  function makeEditor(index, card) {
    const row = rows[index];
    const area = make("textarea", { class: "caption-editor", rows: 2, dir: "auto", spellcheck: "true",
      "aria-label": `Caption of ${row.path}` });
    area.value = textOf(index);
    const restore = make("button", { class: "button small", type: "button", text: "Restore",
      "aria-label": `Restore the caption of ${row.path}` });
    const badge = make("span", { class: "badge" });
    const sureness = make("span", { class: "small muted number", text: `confidence ${percent(row.confidence)}` });

    function tell() {
      const isCorrected = corrections.has(index);
      card.classList.toggle("unsure", isUnsure(row) && !isCorrected);
      card.classList.toggle("corrected", isCorrected);
      badge.textContent = isCorrected ? "corrected" : isUnsure(row) ? "unsure" : "";
      badge.hidden = badge.textContent === "";
      restore.hidden = !isCorrected;
      sureness.hidden = isCorrected; // it was the model's, of its own caption
    }

    function change(text) {
      const caption = text.replace(/\s+/g, " ").trim();
      if (caption === "" || caption === row.caption) corrections.delete(index);
      else corrections.set(index, caption);
      tell();
      tellStatus();
      keepDraft();
    }

    function write(text) {
      area.value = text;
      fit(area);
      change(text);
      area.focus();
    }

    area.addEventListener("input", () => { fit(area); change(area.value); });
    area.addEventListener("blur", () => { area.value = textOf(index); fit(area); });
    area.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
    restore.addEventListener("click", () => write(row.caption));
    tell();
    const line = make("div", { class: "caption-line" }, sureness, badge, restore);
    return [area, line, ...makeAlternatives(row, write)];
  }

  function makeAlternatives(row, write) {
    const others = row.alternatives ?? [];
    if (others.length === 0) return [];
    const choices = others.map(({ caption, confidence }) => make("button", {
      class: "choice", type: "button", on: { click: () => write(caption) } },
      make("span", { dir: "auto", text: caption }),
      make("span", { class: "small muted number", text: percent(confidence) })));
    return [make("details", {}, make("summary", { text: "Other captions" }),
      make("div", { class: "choices" }, ...choices))];
  }

  /** Makes a text area as high as its text. */
  function fit(area) {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + 2}px`;
  }

  // Corrections out

  function asFile() {
    const listed = [...corrections].sort(([a], [b]) => a - b).map(([index, caption]) => {
      const { folder, root, path, path_base64, caption: before } = rows[index];
      return { folder, root, path, path_base64, before, caption };
    });
    return JSON.stringify({ kind: "captioner corrections", version: 1, corrections: listed }, null, 2);
  }

  function saveCorrections() {
    if (corrections.size === 0) return;
    save("corrections.json", "application/json", `${asFile()}\n`);
    numSaved = corrections.size;
    byId("status").textContent = `${numSaved} corrections saved as corrections.json`;
  }

  // What is not saved yet survives a closed window, where the browser keeps anything for the page.

  const draftName = `captioner ${location.pathname} ${rows.length} ${rows[0]?.path ?? ""}`;
  let draftTimer = 0;
  let isTouched = false; // in this visit; until then the draft is another visit's, only shown here

  function keepDraft() {
    isTouched = true;
    clearTimeout(draftTimer);
    draftTimer = setTimeout(writeDraft, 1000 * DRAFT_SECONDS);
  }

  function writeDraft() {
    if (!isTouched) return;
    const draft = [...corrections].map(([index, text]) => [rows[index].path, rows[index].caption, text]);
    try {
      if (draft.length) localStorage.setItem(draftName, JSON.stringify(draft));
      else localStorage.removeItem(draftName);
    } catch { /* the browser keeps nothing; corrections can be saved all the same */ }
  }

  function restoreDraft() {
    let draft;
    try {
      draft = JSON.parse(localStorage.getItem(draftName) ?? "[]");
    } catch {
      return;
    }
    corrections.clear();
    const indices = new Map(rows.map((row, index) => [`${row.path}\n${row.caption}`, index]));
    for (const [path, before, text] of draft) {
      const index = indices.get(`${path}\n${before}`);
      if (index !== undefined) corrections.set(index, text);
    }
    byId("restored").hidden = corrections.size === 0;
    byId("restored-text").textContent = `Corrections of an earlier visit are here again: ${corrections.size}.`;
  }

  function discard() {
    isTouched = true;
    corrections.clear();
    writeDraft();
    byId("restored").hidden = true;
    choose();
  }

  // The start

  const folders = [...new Set(rows.map((row) => row.folder))].filter(Boolean);
  if (folders.length === 1) byId("heading").textContent = folders[0];
  byId("limit").value = Math.round(100 * limit);
  for (const id of ["show", "order"]) byId(id).addEventListener("change", choose);
  byId("find").addEventListener("input", choose);
  byId("limit").addEventListener("input", () => {
    limit = Number(byId("limit").value) / 100;
    if (byId("show").value === "unsure") choose();
    else turnTo(page);
  });
  byId("save").addEventListener("click", saveCorrections);
  byId("discard").addEventListener("click", discard);
  const turn = (step) => { turnTo(page + step); byId("status").scrollIntoView({ block: "start" }); };
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      saveCorrections();
    }
  });
  addEventListener("pagehide", writeDraft);
  // What a visit left may reach this one only after it has begun.
  addEventListener("storage", ({ key }) => {
    if (key !== draftName || isTouched) return;
    restoreDraft();
    choose();
  });
  restoreDraft();
  choose();
})();

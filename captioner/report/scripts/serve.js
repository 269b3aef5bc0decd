/* The server's page: photographs go to the server in small groups, captions come back. */

(() => {
  "use strict";

  const { make, save, copy, confirm, toCsv, percent } = pageTools;
  const byId = (id) => document.getElementById(id);
  const limits = JSON.parse(byId("data").textContent);
  const token = new URLSearchParams(location.search).get("token");
  const address = limits.attention ? "/api/captions?attention=true" : "/api/captions";
  const headers = { Prefer: "handling=lenient" }; // a bad file is no failure of the page
  if (token !== null) headers.Authorization = `Bearer ${token}`;

  const GROUP = Math.min(8, limits.max_files);
  const GROUP_BYTES = 0.9 * limits.max_body_bytes;
  const NUM_SENDERS = 3;
  const NUM_TRIES = 8;
  const THUMBNAIL = 480; // pixels, for dense screens as well
  const IMAGE_NAME = /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|heic|heif)$/i;

  let items = []; // {file, card, answer, chosen}
  let waiting = [];
  let numSending = 0;

  // Photographs in

  function add(files) {
    const added = files.map((file) => ({ file, answer: null, chosen: 0 }));
    for (const item of added) {
      item.card = makeCard(item);
      byId("cards").append(item.card.root);
      if (item.file.size > limits.max_file_bytes) {
        const most = (limits.max_file_bytes / 1e6).toPrecision(3).replace(/\.?0+$/, "");
        settle(item, { status: "failed", error: `is larger than the limit of ${most} MB` });
      } else waiting.push(item);
    }
    items.push(...added);
    byId("results").hidden = items.length === 0;
    tellStatus();
    preview(added);
    send();
  }

  async function preview(added) {
    for (const item of added) {
      try {
        const picture = await createImageBitmap(item.file);
        const scale = Math.min(1, THUMBNAIL / Math.max(picture.width, picture.height));
        const canvas = make("canvas", {
          width: Math.max(1, Math.round(picture.width * scale)),
          height: Math.max(1, Math.round(picture.height * scale)),
        });
        canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
        picture.close();
        const blob = await new Promise((done) => { canvas.toBlob(done, "image/webp", 0.8); });
        item.card.show(URL.createObjectURL(blob), [canvas.width, canvas.height]);
      } catch {
        item.card.show(null, null);
      }
    }
  }

  // Captions out

  function takeGroup() {
    const group = [];
    let size = 0;
    while (waiting.length && group.length < GROUP) {
      size += waiting[0].file.size;
      if (group.length && size > GROUP_BYTES) break;
      group.push(waiting.shift());
    }
    return group;
  }

  async function send() {
    while (waiting.length && numSending < NUM_SENDERS) {
      const group = takeGroup();
      numSending += 1;
      caption(group).finally(() => { numSending -= 1; send(); });
    }
  }

  async function caption(group) {
    let answers;
    try {
      answers = await ask(group);
    } catch (error) {
      answers = group.map(() => ({ status: "failed", error: error.message }));
    }
    group.forEach((item, index) => settle(item, answers[index]));
    tellStatus();
  }

  async function ask(group) {
    for (let attempt = 1; ; attempt += 1) {
      const body = new FormData();
      for (const { file } of group) body.append("images", file, file.name);
      let response;
      try {
        response = await fetch(address, { method: "POST", body, headers });
      } catch {
        throw new Error("could not be sent: the server cannot be reached, or the file cannot be read");
      }
      if (response.status === 503 && attempt < NUM_TRIES) {
        await new Promise((done) => { setTimeout(done, 1000 * attempt); });
        continue;
      }
      const answer = await response.json();
      if (answer.results) return answer.results;
      if (response.status === 401 || response.status === 403) tellFault(answer.error);
      throw new Error(answer.error);
    }
  }

  function settle(item, answer) {
    item.answer = answer;
    item.card.tell();
  }

  // What a card shows

  const captionsOf = ({ answer }) => [answer, ...answer.alternatives];

  function makeCard(item) {
    const photo = make("div", { class: "photo missing" }, make("span", { text: "…" }));
    const body = make("div", { class: "body" });
    const root = make("li", { class: "card" }, photo, body);
    let image = null;
    let size = null;

    function show(address, sides) {
      size = sides;
      if (address === null) return photo.replaceChildren(make("span", { text: "no preview" }));
      photo.classList.remove("missing");
      image = make("img", { src: address, alt: item.file.name, decoding: "async" });
      photo.replaceChildren(image);
      if (item.answer?.status !== "done") return;
      image.alt = captionsOf(item)[item.chosen].caption;
      letLook();
    }

    function tell() {
      const parts = item.answer.status === "done" ? tellCaption() : [tellError(item)];
      body.replaceChildren(...parts, frame(item));
      if (item.answer.status === "done") letLook();
    }

    /** Lets the words be chosen, as soon as there are both photograph and caption. */
    function letLook() {
      const { attention } = captionsOf(item)[item.chosen];
      if (!attention || !size) return;
      const weights = attention.map((word) => word.weights.flat());
      const caption = body.querySelector(".caption");
      looks.attach({ caption, photo, size, weights, ground: limits.attention });
    }

    function tellCaption() {
      const { caption, confidence } = captionsOf(item)[item.chosen];
      if (image) image.alt = caption;
      const copyButton = make("button", { class: "button", type: "button", text: "Copy",
        "aria-label": `Copy the caption of ${item.file.name}`,
        on: { click: () => copyText(copyButton, caption) } });
      return [
        make("p", { class: "caption", dir: "auto" }, ...spell(caption)),
        make("div", { class: "caption-line" },
          make("span", { class: "small muted number", text: `confidence ${percent(confidence)}` }),
          copyButton),
        ...tellOthers(),
      ];
    }

    /** Returns the words of a caption with spaces between them. */
    function spell(caption) {
      return caption.split(" ").flatMap((word, index) => [
        ...(index ? [" "] : []), make("span", { class: "word", text: word })]);
    }

    function tellOthers() {
      const others = captionsOf(item).map((other, index) => ({ ...other, index }))
        .filter(({ index }) => index !== item.chosen);
      if (others.length === 0) return [];
      const list = others.map(({ caption, confidence, index }) => make("button", {
        class: "choice", type: "button", on: { click: () => choose(index) } },
        make("span", { dir: "auto", text: caption }),
        make("span", { class: "small muted number", text: percent(confidence) })));
      const details = make("details", { open: item.isOpen === true },
        make("summary", { text: "Other captions" }), make("div", { class: "choices" }, ...list));
      details.addEventListener("toggle", () => { item.isOpen = details.open; });
      return [details];
    }

    function choose(index) {
      item.chosen = index;
      tell();
      body.querySelector("summary")?.focus();
    }

    body.append(make("p", { class: "muted", text: "waiting for its caption" }), frame(item));
    return { root, show, tell, forget: () => image && URL.revokeObjectURL(image.src) };
  }

  function tellError(item) {
    return make("p", { class: "notice error", dir: "auto", text: `This file ${item.answer.error}.` });
  }

  function frame({ file }) {
    return make("p", { class: "frame" },
      make("span", { class: "name", dir: "auto", title: file.name, text: file.name }));
  }

  // The toolbar

  function tellStatus() {
    const count = (status) => items.filter(({ answer }) => answer?.status === status).length;
    const failed = count("failed");
    const captioned = `${count("done")} of ${items.length} captioned`;
    byId("status").textContent = failed ? `${captioned}, ${failed} failed` : captioned;
    for (const id of ["download", "copy-all"]) byId(id).disabled = count("done") === 0;
  }

  const done = () => items.filter(({ answer }) => answer?.status === "done");
  const chosenOf = (item) => captionsOf(item)[item.chosen];
  const asLines = () => done().map((item) => `${item.file.name}\t${chosenOf(item).caption}\n`).join("");

  const FILES = {
    txt: () => ["captions.txt", "text/plain", asLines()],
    csv: () => ["captions.csv", "text/csv", toCsv([["name", "caption", "confidence"],
      ...done().map((item) => [item.file.name, chosenOf(item).caption, chosenOf(item).confidence])])],
    json: () => ["captions.json", "application/json", JSON.stringify(done().map((item) => {
      const [chosen, ...rest] = [chosenOf(item), ...captionsOf(item).filter((c) => c !== chosenOf(item))]
        .map(({ caption, confidence, log_prob }) => ({ caption, confidence, log_prob }));
      return { name: item.file.name, ...chosen, alternatives: rest };
    }), null, 2)],
  };

  async function copyText(button, text) {
    try {
      await copy(text);
      confirm(button, "Copied");
    } catch {
      confirm(button, "Not copied");
    }
  }

  function clear() {
    for (const item of items) item.card.forget();
    items = [];
    waiting = [];
    byId("cards").replaceChildren();
    byId("results").hidden = true;
    byId("fault").hidden = true;
    byId("files").focus();
  }

  function tellFault(text) {
    byId("fault").textContent = text;
    byId("fault").hidden = false;
  }

  // Dropping, choosing, pasting

  /** Returns the files of what was dropped; of folders, the images in them. */
  async function filesOf(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (entries.length === 0) return [...transfer.files];
    const found = await Promise.all(entries.map((entry) => filesOfEntry(entry, true)));
    return found.flat();
  }

  async function filesOfEntry(entry, isNamed) {
    if (entry.isFile) {
      if (!isNamed && !IMAGE_NAME.test(entry.name)) return [];
      return [await new Promise((found, fail) => { entry.file(found, fail); })];
    }
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const some = await new Promise((read, fail) => { reader.readEntries(read, fail); });
      if (some.length === 0) return found;
      for (const inner of some) found.push(...await filesOfEntry(inner, false));
    }
  }

  const drop = byId("drop");
  let depth = 0; // of elements that the dragged files are over
  const mark = () => drop.classList.toggle("is-over", depth > 0);
  addEventListener("dragenter", (event) => { event.preventDefault(); depth += 1; mark(); });
  addEventListener("dragleave", () => { depth -= 1; mark(); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    mark();
    add(await filesOf(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) add(files);
  });
  byId("files").addEventListener("change", (event) => {
    add([...event.target.files]);
    event.target.value = "";
  });

  byId("download").addEventListener("click", () => save(...FILES[byId("format").value]()));
  byId("copy-all").addEventListener("click", () => copyText(byId("copy-all"), asLines()));
  byId("clear").addEventListener("click", clear);

  const header = token === null ? "" : "-H 'Authorization: Bearer TOKEN' ";
  byId("example").textContent = `curl ${header}-F images=@beach.jpg -F images=@dog.jpg ${location.origin}/api/captions`;
  if (token !== null) byId("description").search = `?token=${encodeURIComponent(token)}`;
})();

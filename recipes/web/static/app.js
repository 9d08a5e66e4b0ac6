// Feedback and saved recipes. Everything else on these pages works without this file.
"use strict";

(() => {
  const DEBOUNCE_MS = 500; // Arrow keys pass over stars on their way: only where they rest is sent.
  const TIMEOUT_MS = 10000;
  const SAVED_KEY = "recetas:guardadas";
  const RATED_KEY = "recetas:valoradas";

  // crypto.randomUUID is missing outside secure contexts, such as http:// on a home network.
  const newId = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  };

  // Private windows may refuse storage, and others may have written to it: neither may break the page.
  const remembered = (key) => {
    try {
      const value = JSON.parse(localStorage.getItem(key) ?? "{}");
      return value && typeof value === "object" && !Array.isArray(value) ? value : {};
    } catch {
      return {};
    }
  };
  const remember = (key, change) => {
    try {
      const value = remembered(key);
      change(value);
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // Nothing is lost but the convenience.
    }
  };

  const eventOf = (requestId, recipeId, evento, valor) => ({
    request_id: requestId,
    recipe_id: recipeId,
    evento,
    event_id: newId(),
    ...(valor === undefined ? {} : { valor }),
  });

  const JSON_TYPE = "application/json";
  const post = (event, options = {}) =>
    fetch("/feedback", {
      method: "POST",
      headers: { "Content-Type": JSON_TYPE },
      body: JSON.stringify(event),
      keepalive: true, // It arrives even where the page is left meanwhile.
      ...options,
    });

  // A click that is not counted is no concern of the cook's: nothing is said of failures.
  const sendUnseen = (event) => {
    if ("keepalive" in Request.prototype) post(event).catch(() => {});
    else navigator.sendBeacon("/feedback", new Blob([JSON.stringify(event)], { type: JSON_TYPE }));
  };

  const send = async (event) => {
    const response = await post(event, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) {
      throw Object.assign(new Error(`feedback answered ${response.status}`), { status: response.status });
    }
  };

  // --- Opening a recipe from results -----------------------------------------------------------------------------

  const clicked = new Set();
  const countClick = (mouse) => {
    const link = mouse.target instanceof Element ? mouse.target.closest("a[data-click]") : null;
    if (!link || mouse.button > 1 || clicked.has(link)) return;
    clicked.add(link);
    sendUnseen(eventOf(link.dataset.requestId, link.dataset.recipeId, "click"));
  };
  document.addEventListener("click", countClick);
  document.addEventListener("auxclick", countClick);

  // --- Saved recipes on the home page ----------------------------------------------------------------------------

  const showSaved = (section) => {
    const saved = Object.entries(remembered(SAVED_KEY)).filter(([, name]) => typeof name === "string");
    const language = new URLSearchParams(location.search).get("idioma") === "en" ? "?idioma=en" : "";
    const items = saved.reverse().map(([id, name]) => {
      const link = document.createElement("a");
      link.href = `/receta/${encodeURIComponent(id)}${language}`;
      link.textContent = name;
      const item = document.createElement("li");
      item.append(link);
      return item;
    });
    section.querySelector("[data-saved-list]").replaceChildren(...items);
    section.hidden = items.length === 0;
  };

  // --- Rating, cooking, saving -----------------------------------------------------------------------------------

  class Feedback {
    constructor(section) {
      this.data = section.dataset;
      this.status = section.querySelector("[data-status]");
      this.stars = [...section.querySelectorAll("input[name=valor]")];
      this.cook = section.querySelector("[data-event=cook]");
      this.save = section.querySelector("[data-event=save]");
      this.queue = Promise.resolve(); // One at a time, so that of two ratings the later one arrives last.
      this.latest = {}; // The latest event of each kind: an older one that failed is not sent again.
      this.unsent = {}; // The latest of each kind where it failed.
      this.waiting = null; // A rating that has not been sent yet.
      this.isCooked = false;
      this.isSaveSent = false;
      this.restore();
      this.listen();
      section.querySelector("[data-controls]").hidden = false;
      section.querySelector("[data-needs-script]").hidden = true;
    }

    restore() {
      const stars = this.rated()?.stars;
      for (const star of this.stars) star.checked = star.value === String(stars);
      this.showSaved(this.data.recipeId in remembered(SAVED_KEY));
    }

    rated() {
      return remembered(RATED_KEY)[this.data.recipeId];
    }

    listen() {
      for (const star of this.stars) star.addEventListener("change", () => this.rate(star));
      this.cook.addEventListener("click", () => this.cooked());
      this.save.addEventListener("click", () => this.toggleSaved());
      addEventListener("pagehide", () => this.flush(sendUnseen));
    }

    rate(star) {
      clearTimeout(this.timer);
      this.waiting = { star, event: this.event("rating", Number(star.value)) };
      this.timer = setTimeout(() => this.flushNow(), DEBOUNCE_MS);
    }

    flushNow() {
      this.flush((event, done) => this.post(event, done));
    }

    flush(how) {
      if (!this.waiting) return;
      const { star, event } = this.waiting;
      this.waiting = null;
      clearTimeout(this.timer);
      how(event, () => {
        const rated = { stars: event.valor, requestId: event.request_id };
        remember(RATED_KEY, (all) => { all[this.data.recipeId] = rated; });
        return star.dataset.thanks;
      });
    }

    cooked() {
      this.flushNow(); // What was chosen first is sent first.
      if (this.isCooked) return this.say(this.data.textAlready);
      this.isCooked = true;
      const undo = () => { this.isCooked = false; };
      return this.post(this.event("cook"), () => {
        this.cook.classList.add("is-done");
        this.cook.querySelector("[data-label]").textContent = this.data.textCooked;
        return this.data.thanksCook;
      }, undo);
    }

    toggleSaved() {
      this.flushNow();
      const isSaved = this.save.getAttribute("aria-pressed") === "true";
      remember(SAVED_KEY, (saved) => {
        if (isSaved) delete saved[this.data.recipeId];
        else saved[this.data.recipeId] = this.data.name;
      });
      this.showSaved(!isSaved);
      if (isSaved) return this.say(this.data.textUnsaved);
      if (this.isSaveSent) return this.say(this.data.thanksSave);
      this.isSaveSent = true;
      return this.post(this.event("save"), () => this.data.thanksSave, () => { this.isSaveSent = false; });
    }

    showSaved(isSaved) {
      this.save.setAttribute("aria-pressed", String(isSaved));
      this.save.querySelector("[data-label]").textContent = isSaved ? this.data.textSaved : this.data.textSave;
    }

    // Asking again for what failed sends the same id: had it arrived after all, the server counts it once.
    event(evento, valor) {
      const failed = this.unsent[evento];
      delete this.unsent[evento];
      // The server takes ratings of one answer as one person's: rating again, even another day, replaces the first.
      const requestId = (evento === "rating" && this.rated()?.requestId) || this.data.requestId;
      const event = failed && failed.valor === valor ? failed : eventOf(requestId, this.data.recipeId, evento, valor);
      this.latest[evento] = event.event_id;
      return event;
    }

    post(event, done, undo = () => {}) {
      this.say(this.data.textSending);
      this.queue = this.queue.then(async () => {
        if (this.latest[event.evento] !== event.event_id) return;
        try {
          await send(event);
          delete this.unsent[event.evento];
          this.say(done(), { kind: "good" });
        } catch (error) {
          this.failed(error, event, done, undo);
        }
      });
    }

    failed(error, event, done, undo) {
      undo();
      if ([404, 409, 410, 422].includes(error.status)) {
        remember(RATED_KEY, (all) => { delete all[this.data.recipeId]; });
        const link = document.createElement("a");
        link.href = this.data.reopen;
        link.textContent = this.data.textReopen;
        return this.say(this.data.textStale, { kind: "bad", action: link });
      }
      this.unsent[event.evento] = event;
      const retry = document.createElement("button");
      retry.type = "button";
      retry.className = "link";
      retry.textContent = this.data.textRetry;
      retry.addEventListener("click", () => {
        this.status.focus(); // The button is about to go; the focus shall not go with it.
        this.post(event, done, undo);
      }, { once: true });
      return this.say(this.data.textFailed, { kind: "bad", action: retry });
    }

    say(words, { kind = "", action = null } = {}) {
      this.status.className = `feedback-status ${kind && `is-${kind}`}`;
      this.status.replaceChildren(words, ...(action ? [" ", action] : []));
    }
  }

  for (const section of document.querySelectorAll("[data-feedback]")) new Feedback(section);
  for (const section of document.querySelectorAll("[data-saved]")) {
    showSaved(section);
    addEventListener("pageshow", () => showSaved(section)); // Back from a recipe, by the browser's own memory.
  }
})();

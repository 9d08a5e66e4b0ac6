// Confirms actions, sends them to the API, and keeps the page as new as what it shows.
(() => {
  "use strict";

  const main = () => document.getElementById("contenido");
  const said = document.querySelector("[data-said]");
  const sign = document.querySelector("[data-live]");

  // --- Actions ---------------------------------------------------------------------------------------------------

  // Of all refusals (409) those that say that the page is old; the others give their own reason.
  const STALE = new Set([
    "Conflict", "IllegalMove", "NothingToDecide", "RolloutOpen", "RolloutChanged", "JobConflict", "AlertClosed",
  ]);

  const clauseFor = (status, error, words) => {
    if (status === 409) return STALE.has(error) ? words.conflict : words.failed;
    return { 401: words.forbidden, 403: words.forbidden }[status] ?? words.failed;
  };

  const show = (status, text, reason = "", language = "") => {
    status.textContent = text;
    if (!reason) return;
    const quoted = document.createElement("span");
    quoted.lang = language;
    quoted.textContent = reason;
    status.append(quoted);
  };

  const send = async (form) => {
    const body = JSON.parse(form.dataset.body);
    const reason = form.elements.namedItem("reason");
    if (reason) body.reason = reason.value;
    return fetch(form.getAttribute("action"), {
      method: "POST",
      headers: { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang },
      body: JSON.stringify(body),
    });
  };

  const carryOut = async (form) => {
    const dialog = form.querySelector("dialog");
    const status = form.querySelector("[role=status]");
    const submit = form.querySelector("[type=submit]");
    submit.disabled = true; // Once is enough.
    show(status, status.dataset.sending);
    try {
      const response = await send(form);
      if (response.ok) {
        form.reset();
        dialog.close();
        said.textContent = response.status === 202 ? status.dataset.waits : status.dataset.done;
        await refresh();
        return;
      }
      const problem = await response.json().catch(() => ({}));
      const clause = clauseFor(response.status, problem.error, status.dataset);
      const language = response.headers.get("Content-Language") ?? "en";
      show(status, clause, String(problem.detail ?? response.status), language);
      isMissed = true; // What the page shows may be old: shown anew once the dialog is closed.
      submit.disabled = response.status === 409;
    } catch {
      show(status, status.dataset.unreachable);
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-open], [data-close]");
    if (!button) return;
    const dialog = button.form.querySelector("dialog");
    if (button.matches("[data-close]")) return dialog.close();
    said.textContent = "";
    show(button.form.querySelector("[role=status]"), "");
    button.form.querySelector("[type=submit]").disabled = false;
    dialog.showModal();
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-action]")) return;
    event.preventDefault();
    carryOut(event.target);
  });

  // The event does not bubble.
  document.addEventListener("close", () => { if (isMissed) refresh(); }, { capture: true });

  // --- Showing the page anew -------------------------------------------------------------------------------------

  // Nodes that stay the same stay: with the focus, what is unfolded, what is scrolled, and what was typed.

  const keyOf = (node) => {
    if (node.nodeType !== Node.ELEMENT_NODE) return null;
    if (node.id) return node.id;
    if (node.tagName === "TR") return node.cells[0]?.textContent ?? null;
    return node.getAttribute("href") ?? node.getAttribute("action");
  };

  const isSame = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

  const takeAttributes = (old, fresh) => {
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };

  // Texts are moved out of the way of elements, never the other way round: an element that is moved loses the focus.
  const skipTexts = (node) => {
    let found = node;
    while (found?.nodeType === Node.TEXT_NODE) found = found.nextSibling;
    return found;
  };

  const takeOver = (old, fresh) => {
    const left = [...old.childNodes];
    const pairs = [...fresh.childNodes].map((child) => {
      const at = left.findIndex((each) => isSame(each, child));
      return [at < 0 ? null : left.splice(at, 1)[0], child];
    });
    for (const gone of left) gone.remove();
    let next = old.firstChild;
    for (const [kept, child] of pairs) {
      if (kept === null) old.insertBefore(document.importNode(child, true), next);
      else if (kept === next || kept === skipTexts(next)) next = kept.nextSibling;
      else old.insertBefore(kept, next);
      if (kept === null || kept.isEqualNode(child)) continue;
      if (kept.nodeType !== Node.ELEMENT_NODE) kept.nodeValue = child.nodeValue;
      else {
        takeAttributes(kept, child);
        takeOver(kept, child);
      }
    }
  };

  // While somebody reads a dialog or fills it in, what it speaks of must not change under it.
  const isBusy = () => main().querySelector("dialog[open]") !== null;
  let isMissed = false;
  let isRefreshing = false;

  const ready = (root) => { for (const each of root.querySelectorAll("[data-open]")) each.disabled = false; };

  // What can be moved sideways must be reached by keyboard; what cannot is no place to stop at.
  const markScrollers = () => {
    for (const each of document.querySelectorAll("[data-scrolls]")) {
      if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
      else each.removeAttribute("tabindex");
    }
  };

  const refresh = async () => {
    if (isBusy() || isRefreshing) {
      isMissed = true;
      return;
    }
    isMissed = false;
    isRefreshing = true;
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (response.redirected || (!response.ok && response.status < 500)) return location.reload();
      if (!response.ok) return showLive(false);
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      if (isBusy()) { isMissed = true; return; }
      ready(fresh);
      takeOver(main(), fresh.getElementById("contenido"));
      markScrollers();
      document.title = fresh.title;
      if (document.activeElement === document.body) main().focus({ preventScroll: true });
    } catch {
      showLive(false);
    } finally {
      isRefreshing = false;
      if (isMissed && !isBusy()) setTimeout(refresh, QUICK_MS);
    }
  };

  // --- Live ------------------------------------------------------------------------------------------------------

  const QUICK_MS = 2000;
  const SLOW_MS = 10000;
  const PATIENCE_MS = 6000;
  const RETRY_MS = 30000;
  // They change all the time.
  const SLOW_TOPICS = new Set(["metrics", "health"]);

  let source = null;
  let isNew = true;
  let dueAt = Infinity;
  let refreshTimer = 0;
  let lostTimer = 0;
  let refreshedAt = performance.now();

  const showLive = (isLive) => {
    if (!sign || sign.dataset.state === String(isLive)) return;
    sign.dataset.state = String(isLive);
    sign.textContent = isLive ? sign.dataset.liveText : sign.dataset.staleText;
  };

  const refreshSoon = (isQuick) => {
    const at = Math.max(performance.now(), refreshedAt + (isQuick ? QUICK_MS : SLOW_MS));
    if (at >= dueAt) return;
    dueAt = at;
    clearTimeout(refreshTimer);
    refreshTimer = setTimeout(() => {
      dueAt = Infinity;
      refreshedAt = performance.now();
      refresh();
    }, at - performance.now());
  };

  const listen = () => {
    if (source || document.hidden) return;
    const mine = new Set(sign.dataset.topics.split(" "));
    source = new EventSource(sign.dataset.address);
    source.addEventListener("hello", () => {
      clearTimeout(lostTimer);
      lostTimer = 0;
      showLive(true);
      // What happened while nobody listened is not told.
      if (!isNew) refreshSoon(true);
      isNew = false;
    });
    source.addEventListener("change", (event) => {
      const topics = event.data.split(" ").filter((topic) => mine.has(topic));
      if (topics.length) refreshSoon(topics.some((topic) => !SLOW_TOPICS.has(topic)));
    });
    source.addEventListener("error", () => {
      // Told only where it lasts: a connection is made anew every now and then.
      lostTimer ||= setTimeout(showLive, PATIENCE_MS, false);
      if (source?.readyState !== EventSource.CLOSED) return;
      source = null;
      setTimeout(listen, RETRY_MS);
    });
  };

  const fallSilent = () => {
    source?.close();
    source = null;
    clearTimeout(lostTimer);
    lostTimer = 0;
  };

  ready(document);
  markScrollers();
  addEventListener("resize", markScrollers);
  document.addEventListener("toggle", markScrollers, { capture: true });
  document.querySelector(".menu [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  if (sign) {
    // A page that nobody sees gives its connection back: a browser has six of them for all its tabs.
    document.addEventListener("visibilitychange", () => (document.hidden ? fallSilent() : listen()));
    listen();
  }
})();

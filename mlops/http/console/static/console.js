// Confirms actions, sends them to the API, and shows the page anew when something has changed.
(() => {
  "use strict";

  const main = () => document.getElementById("contenido");

  // --- Actions ---------------------------------------------------------------------------------------------------

  const send = async (form, status) => {
    const body = JSON.parse(form.dataset.body);
    const reason = form.elements.namedItem("reason");
    if (reason) body.reason = reason.value;
    const response = await fetch(form.getAttribute("action"), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (response.ok) return { text: response.status === 202 ? status.dataset.waits : status.dataset.done, isDone: true };
    const problem = await response.json().catch(() => ({}));
    return { text: status.dataset.failed + (problem.detail ?? response.status), isDone: false };
  };

  const wire = (form) => {
    const dialog = form.querySelector("dialog");
    const status = form.querySelector("[role=status]");
    const submit = form.querySelector("[type=submit]");
    const opener = form.querySelector("[data-open]");
    opener.disabled = false;
    opener.addEventListener("click", () => {
      status.textContent = "";
      submit.disabled = false;
      dialog.showModal();
    });
    form.querySelector("[data-close]").addEventListener("click", () => dialog.close());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      submit.disabled = true; // Once is enough.
      status.textContent = status.dataset.sending;
      try {
        const { text, isDone } = await send(form, status);
        status.textContent = text;
        if (isDone) setTimeout(() => refresh({ evenIfBusy: true }), 600);
        else submit.disabled = false;
      } catch {
        status.textContent = status.dataset.unreachable;
      }
    });
  };

  // --- Showing the page anew -------------------------------------------------------------------------------------

  // While somebody reads a dialog or fills it in, what it speaks of must not change under it.
  const isBusy = () => main().querySelector("dialog[open]") !== null;
  let isMissed = false;

  const refresh = async ({ evenIfBusy = false } = {}) => {
    if (isBusy() && !evenIfBusy) {
      isMissed = true;
      return;
    }
    const response = await fetch(location.href);
    if (!response.ok || response.redirected) return location.reload();
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const open = [...main().querySelectorAll("details[open] > summary")].map((each) => each.textContent);
    main().replaceChildren(...fresh.getElementById("contenido").childNodes);
    for (const each of main().querySelectorAll("details > summary")) {
      if (open.includes(each.textContent)) each.parentElement.open = true;
    }
    ready();
  };

  const ready = () => {
    for (const form of main().querySelectorAll("[data-action]")) wire(form);
    for (const dialog of main().querySelectorAll("dialog")) {
      dialog.addEventListener("close", () => { if (isMissed) { isMissed = false; refresh(); } });
    }
  };

  ready();
})();

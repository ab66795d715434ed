// Keys, and the line in which errors are told. No text is ever set as HTML.
(() => {
  "use strict";
  const goTo = { p: "/", c: "/compare", r: "/runs", u: "/guard", w: "/worlds", d: "/digest" };
  let leading = 0;

  const typing = (target) =>
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));

  const step = (by) => {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement?.closest("[data-row]"));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
    (next.querySelector("a, button") ?? next).focus();
    next.scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (document.querySelector("dialog[open], .q-dialog")) return;
    const led = Date.now() - leading < 1200;
    leading = 0;
    if (led && event.key in goTo) {
      event.preventDefault();
      window.location.assign(goTo[event.key]);
    } else if (event.key === "g") {
      leading = Date.now();
    } else if (event.key === "/") {
      const field = document.querySelector("[data-search] input, input[data-search]");
      event.preventDefault();
      if (field) field.focus();
      else window.location.assign("/");
    } else if (event.key === "?") {
      document.getElementById("keys")?.showModal();
    } else if (event.key === "j" || event.key === "k") {
      step(event.key === "j" ? 1 : -1);
    }
  });

  document.addEventListener("click", (event) => {
    const id = event.target instanceof Element ? event.target.closest("button")?.id : "";
    if (id === "keys-button") document.getElementById("keys").showModal();
    if (id === "keys-close") document.getElementById("keys").close();
  });

  // What the page shows before its elements are made goes away with them.
  const app = document.getElementById("app");
  const early = document.getElementById("early");
  if (app && early) {
    new MutationObserver((_, watch) => {
      if (!app.childElementCount) return;
      watch.disconnect();
      const typed = early.querySelector("input[name=q]");
      const field = app.querySelector("input[name=q]");
      const begun = typed && (typed.value !== typed.defaultValue || typed === document.activeElement);
      const { value } = typed ?? { value: "" };
      early.remove();
      if (!begun || !field) return;
      field.focus();
      if (value === field.value) return;
      field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }).observe(app, { childList: true });
  }

  window.studio = {
    tell(sentence) {
      const line = document.getElementById("told");
      if (!line) return;
      line.textContent = sentence;
      line.classList.toggle("on", Boolean(sentence));
      if (sentence) line.scrollIntoView({ block: "nearest" });
    },
  };
})();

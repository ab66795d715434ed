// Left and right go from step to step.
(() => {
  "use strict";
  const keys = { ArrowLeft: "step-back", ArrowRight: "step-on" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (!(event.key in keys) || document.querySelector("dialog[open]")) return;
    const typing = event.target instanceof HTMLElement && event.target.tagName;
    if (["INPUT", "TEXTAREA", "SELECT"].includes(typing)) return;
    const button = document.getElementById(keys[event.key]);
    if (!button || button.disabled) return;
    event.preventDefault();
    button.click();
  });
})();

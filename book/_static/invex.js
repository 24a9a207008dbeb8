/* Copy buttons, and the interactives: a script of interactives/ calls invex.interactive with its own file name. */
(function () {
  "use strict";

  function announce(button, text) {
    const before = button.dataset.label || button.textContent;
    button.dataset.label = before;
    button.textContent = text;
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  /* Where the page may not use the clipboard (some browsers, from a folder), the text is selected instead. */
  function select(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".ix-copy-button");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const select_it = () => { select(source); announce(button, "Selected"); };
    if (!navigator.clipboard) return select_it();
    navigator.clipboard.writeText(source.textContent).then(() => announce(button, "Copied"), select_it);
  });

  /* What is wider than the page scrolls sideways, with the keyboard too: a landmark where it has a name of its own. */
  function reach() {
    document.querySelectorAll(".ix-picture, .ix-scroll, .pst-scrollable-table-container, div.math, .highlight pre").forEach((box) => {
      const wide = box.scrollWidth > box.clientWidth;
      const own = box.closest(".ix-artefact")?.querySelector(".ix-number") || box.querySelector("caption");
      const number = box.querySelector(".eqno")?.firstChild.textContent || "";
      const name = own ? own.textContent : box.matches(".math") ? `Equation ${number}`.trim() : box.matches("pre") ? "Code" : "Table";
      const said = { tabindex: "0", role: own ? "region" : "group", "aria-label": `${name}, scrolls sideways` };
      Object.entries(said).forEach(([key, text]) => (wide ? box.setAttribute(key, text) : box.removeAttribute(key)));
    });
  }
  window.addEventListener("load", () => {
    new ResizeObserver(reach).observe(document.querySelector("article") || document.body); /* at once, and when sidebars have moved */
    window.MathJax?.startup?.promise?.then(reach);
  });
  document.addEventListener("toggle", reach, true); /* of a folded cell */

  /* Colours of the page, so that an interactive follows the theme: read again on every "invex:theme" event. */
  function theme() {
    const dark = document.documentElement.dataset.theme === "dark";
    return dark
      ? { dark, ink: "#ced6dd", muted: "#9ca4af", grid: "#2c333b", ground: "#121212", accent: "#4398f5", second: "#ee743c" }
      : { dark, ink: "#22282f", muted: "#5c6570", grid: "#e3e6ea", ground: "#ffffff", accent: "#0a6aac", second: "#b8460d" };
  }

  new MutationObserver(() => document.dispatchEvent(new Event("invex:theme")))
    .observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

  /* draw(stage, data, theme): fill the empty element `stage` from `data`. If it throws, the static figure stays. */
  function interactive(script, draw) {
    const mount = () => document.querySelectorAll(`.ix-interactive[data-script="${script}"]:not(.ix-live)`).forEach((box) => {
      const stage = box.querySelector(".ix-stage");
      try {
        draw(stage, JSON.parse(document.getElementById(box.dataset.json).textContent), theme);
        box.classList.add("ix-live");
      } catch (error) {
        stage.replaceChildren();
        console.warn(`interactive ${script}: ${error}`);
      }
    });
    mount();
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mount);
  }

  window.invex = { interactive, theme };
})();

/* The ledger's filters: which entries stand on the page. Without this script all of them do, and no filter is shown. */
(function () {
  "use strict";

  function filter(box) {
    const selects = [...box.querySelectorAll("select")];
    const entries = [...document.querySelectorAll("table.ix-ledger > tbody")];
    const asked = new URLSearchParams(location.search);

    function matches(entry) {
      return selects.every((select) => !select.value || entry.dataset[select.dataset.key].split("|").includes(select.value));
    }

    function show() {
      entries.forEach((entry) => { entry.hidden = !matches(entry); });
      document.querySelectorAll("table.ix-ledger").forEach((table) => {
        table.closest("section").hidden = !table.querySelector("tbody:not([hidden])");
      });
      const left = entries.filter((entry) => !entry.hidden).length;
      box.querySelector(".ix-filters-count").textContent = `${left} of ${entries.length} entries`;
    }

    function clear() {
      selects.forEach((select) => { select.value = ""; });
      show();
    }

    selects.forEach((select) => {
      const wanted = asked.get(select.dataset.key);
      if ([...select.options].some((option) => option.value === wanted)) select.value = wanted;
      select.addEventListener("change", show);
    });
    box.querySelector(".ix-filters-clear").addEventListener("click", clear);
    window.addEventListener("hashchange", () => { /* a link into what is hidden shows it */
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (target && target.closest("[hidden]")) { clear(); target.scrollIntoView(); }
    });
    box.hidden = false;
    show();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".ix-filters").forEach(filter));
})();
